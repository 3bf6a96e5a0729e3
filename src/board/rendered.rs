//! Renders a body once into the forms and entity tags that every client gets.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;

use super::snapshot::{Rendered, Representation};

/// A body up to this many bytes is not compressed: it fits a packet or two either way.
const GZIP_ABOVE: usize = 1024;

impl Rendered {
    /// The body in its forms. The same bytes always get the same entity tags.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Rendered {
        let body = body.into();
        let gzip = (body.len() > GZIP_ABOVE)
            .then(|| gzip(&body))
            .filter(|packed| packed.len() < body.len())
            .map(Representation::new);
        Rendered { content_type, identity: Representation::new(body), gzip }
    }

    /// The body as it is, for one request that would not take it compressed.
    pub fn uncompressed(content_type: &'static str, body: impl Into<Bytes>) -> Rendered {
        Rendered { content_type, identity: Representation::new(body), gzip: None }
    }
}

/// A body that is rendered piece by piece, so that compressing a long one is no long piece of work.
pub struct RenderedBuilder {
    content_type: &'static str,
    body: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl RenderedBuilder {
    /// A body without bytes as yet, to be compressed as well where a client would take it so.
    pub fn new(content_type: &'static str, compressed: bool) -> RenderedBuilder {
        let gzip = compressed.then(|| GzEncoder::new(Vec::new(), Compression::default()));
        RenderedBuilder { content_type, body: Vec::new(), gzip }
    }

    /// Adds a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
        if let Some(gzip) = &mut self.gzip {
            gzip.write_all(piece).expect("writing to a vector does not fail");
        }
    }

    /// The body in its forms.
    pub fn finish(self) -> Rendered {
        let RenderedBuilder { content_type, body, gzip } = self;
        let gzip = gzip
            .filter(|_| body.len() > GZIP_ABOVE)
            .map(|gzip| gzip.finish().expect("writing to a vector does not fail"))
            .filter(|packed| packed.len() < body.len())
            .map(Representation::new);
        Rendered { content_type, identity: Representation::new(body), gzip }
    }
}

impl std::fmt::Debug for RenderedBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RenderedBuilder({} bytes)", self.body.len())
    }
}

impl Representation {
    fn new(body: impl Into<Bytes>) -> Representation {
        let body = body.into();
        Representation { etag: strong_etag(&body), body }
    }
}

/// The quoted strong entity tag over the bytes (RFC 9110 8.8.3): 128 bits, as two
/// SipHashes of which each sees a first byte of its own. The bytes are ours, so
/// nobody can look for collisions; a new compiler may change the hash, which
/// costs each client one more download and nothing else.
fn strong_etag(body: &[u8]) -> HeaderValue {
    let half = |lane: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(lane);
        hasher.write(body);
        hasher.finish()
    };
    HeaderValue::try_from(format!("\"{:016x}{:016x}\"", half(0), half(1)))
        .expect("quotes and hexadecimal digits are a header value")
}

/// The gzip form (RFC 1952). Its header holds no time, so equal input is equal output.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::default());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .expect("writing to a vector does not fail")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn body_rendered_in_pieces_equals_body_rendered_whole() {
        let body: String = (0..2000).map(|number| format!("{{\"at\":{number}}},")).collect();
        let whole = Rendered::new("text/plain", body.clone());
        let mut pieces = RenderedBuilder::new("text/plain", true);
        body.as_bytes().chunks(1000).for_each(|piece| pieces.push(piece));
        let pieces = pieces.finish();
        assert_eq!(pieces.identity.etag, whole.identity.etag);
        let packed = pieces.gzip.unwrap().body;
        let mut unpacked = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, body);
        for (length, compressed) in [(GZIP_ABOVE, true), (GZIP_ABOVE + 1, false)] {
            let mut small = RenderedBuilder::new("text/plain", compressed);
            small.push(&vec![b'x'; length]);
            assert!(small.finish().gzip.is_none(), "{length}");
        }
    }

    #[test]
    fn equal_bytes_have_equal_tags_and_other_bytes_others() {
        let one = Rendered::new("text/plain", "a".repeat(2000));
        let same = Rendered::new("text/plain", "a".repeat(2000));
        let other = Rendered::new("text/plain", "a".repeat(2001));
        assert_eq!(one.identity.etag, same.identity.etag);
        assert_eq!(one.gzip.as_ref().unwrap().etag, same.gzip.unwrap().etag);
        assert_ne!(one.identity.etag, other.identity.etag);
        assert_ne!(one.identity.etag, one.gzip.unwrap().etag);
    }

    #[test]
    fn a_tag_is_strong_and_quoted() {
        let rendered = Rendered::new("text/plain", "x");
        let tag = rendered.identity.etag.to_str().unwrap();
        assert_eq!(tag.len(), 34, "{tag}");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    }

    #[test]
    fn gzip_is_made_where_it_helps() {
        for (body, compressed) in [
            ("x".repeat(GZIP_ABOVE).into_bytes(), false),
            ("x".repeat(GZIP_ABOVE + 1).into_bytes(), true),
            // Random bytes only grow.
            (
                std::iter::repeat_with({
                    let mut random = fastrand::Rng::with_seed(7);
                    move || random.u8(..)
                })
                .take(4000)
                .collect(),
                false,
            ),
        ] {
            let rendered = Rendered::new("text/plain", body.clone());
            assert_eq!(rendered.gzip.is_some(), compressed);
            if let Some(form) = rendered.gzip {
                let mut unpacked = Vec::new();
                GzDecoder::new(&form.body[..]).read_to_end(&mut unpacked).unwrap();
                assert_eq!(unpacked, body);
            }
        }
    }
}
