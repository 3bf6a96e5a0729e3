//! Identity of a message, by which a receiver recognises one that is sent again.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::alert::NoticeKey;
use crate::order;

/// Bytes of the hash that identify a message.
const KEY_BYTES: usize = 16;

/// Returns the identity of a message, which is the same for the same notices in any order.
pub(super) fn message_key(mut keys: Vec<&NoticeKey>) -> Arc<str> {
    order::sort(&mut keys);
    let text: String = keys
        .iter()
        .map(|NoticeKey { channel, incident, kind, number }| {
            format!("{channel} {incident} {} {number}\n", kind.as_str())
        })
        .collect();
    let hash = digest(&SHA256, text.as_bytes());
    let hex: String =
        hash.as_ref().iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect();
    hex.into()
}
