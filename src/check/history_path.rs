//! Notes on the lock of the history.

use std::path::Path;

use crate::data_lock::{find_holder, second_name};

/// Returns notes on the lock of a database: another process has it, or it may be missed.
pub(super) fn notes(path: &Path) -> Vec<String> {
    let holder = find_holder(path).map(|holder| {
        format!(
            "{}: another process records this history: {holder}; a second server serves without it",
            path.display()
        )
    });
    holder.into_iter().chain(second_name(path)).collect()
}
