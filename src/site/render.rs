//! Bodies with their entity tags and compressed forms.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;

use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiate::{self, Coding};
use crate::board::{Form, Rendered};

/// A body shorter than this is not compressed: it fits a packet either way.
const GZIP_FROM: usize = 1024;

/// The body in its forms, for many requests.
pub(super) fn render(content_type: &'static str, body: Bytes) -> Rendered {
    let gzip = (body.len() > GZIP_FROM).then(|| compressed(&body)).flatten().map(form);
    Rendered { content_type, identity: form(body), gzip }
}

/// The body for one request: compressed only if this client would take it so.
pub(super) fn render_for(asked: &HeaderMap, content_type: &'static str, body: Bytes) -> Rendered {
    match negotiate::coding(asked) {
        Coding::Gzip => render(content_type, body),
        Coding::Identity => Rendered { content_type, identity: form(body), gzip: None },
    }
}

/// The digest of some bytes as 16 hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

fn form(body: Bytes) -> Form {
    let etag = HeaderValue::try_from(format!("\"{}\"", digest(&body)))
        .expect("quoted hexadecimal digits are a header value");
    Form { body, etag }
}

fn compressed(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::default());
    encoder.write_all(body).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < body.len()).then(|| packed.into())
}
