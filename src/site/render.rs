//! Bodies that are rendered for one request.

use std::hash::{DefaultHasher, Hasher as _};

use bytes::Bytes;
use http::HeaderMap;

use super::negotiate::{self, Coding};
use crate::board::Rendered;

/// The body for one request: compressed only if this client would take it so.
pub(super) fn render_for(asked: &HeaderMap, content_type: &'static str, body: Bytes) -> Rendered {
    match negotiate::coding(asked) {
        Coding::Gzip => Rendered::new(content_type, body),
        Coding::Identity => Rendered::uncompressed(content_type, body),
    }
}

/// The digest of some bytes as 16 hexadecimal digits, for the name of a file.
pub(super) fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}
