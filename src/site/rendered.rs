//! Response bodies that are encoded and tagged once, and then sent to every client.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;

/// Largest body that is not compressed, since it fits into one or two packets.
const MAX_UNCOMPRESSED: usize = 1024;

/// Handle to the representations of a body. A clone costs one reference count, and requests share the
/// bytes.
#[derive(Debug, Clone)]
pub struct Rendered(Arc<Representations>);

/// Body of a response in its representations.
#[derive(Debug)]
pub struct Representations {
    /// Media type, such as `application/json`.
    pub content_type: &'static str,
    /// Uncompressed body.
    pub identity: Representation,
    /// Body compressed by gzip, if it is larger than 1 KiB and compresses.
    pub gzip: Option<Representation>,
}

/// One encoding of a body (RFC 9110 8.4), with its own entity tag (8.8.3).
#[derive(Debug, Clone)]
pub struct Representation {
    /// Bytes of the body.
    pub body: Bytes,
    /// Quoted strong entity tag over these bytes.
    pub etag: http::HeaderValue,
}

impl Deref for Rendered {
    type Target = Representations;

    fn deref(&self) -> &Representations {
        &self.0
    }
}

impl Rendered {
    fn from_parts(
        content_type: &'static str,
        body: Bytes,
        gzip: Option<Representation>,
    ) -> Rendered {
        Rendered::tagged(content_type, Representation::new(body), gzip)
    }

    /// Encodes a body. Equal bytes get equal entity tags.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Rendered {
        let body = body.into();
        let gzip = (body.len() > MAX_UNCOMPRESSED)
            .then(|| gzip(&body))
            .filter(|packed| packed.len() < body.len())
            .map(Representation::new);
        Rendered::from_parts(content_type, body, gzip)
    }

    /// Returns a body with representations that are tagged already.
    pub fn tagged(
        content_type: &'static str,
        identity: Representation,
        gzip: Option<Representation>,
    ) -> Rendered {
        Rendered(Arc::new(Representations { content_type, identity, gzip }))
    }

    /// Returns a body without a compressed representation, for a single request that does not accept gzip.
    pub fn uncompressed(content_type: &'static str, body: impl Into<Bytes>) -> Rendered {
        Rendered::from_parts(content_type, body.into(), None)
    }
}

/// Builds a body from pieces, so that the compression of a large body is split into short pieces of work.
pub struct RenderedBuilder {
    content_type: &'static str,
    body: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl RenderedBuilder {
    /// Returns an empty body, also to be compressed if `compressed` is true.
    pub fn new(content_type: &'static str, compressed: bool) -> RenderedBuilder {
        let gzip = compressed.then(|| GzEncoder::new(Vec::new(), Compression::default()));
        RenderedBuilder { content_type, body: Vec::new(), gzip }
    }

    /// Appends a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
        if let Some(gzip) = &mut self.gzip {
            gzip.write_all(piece).expect("writing to a vector does not fail");
        }
    }

    /// Returns the body.
    pub fn finish(self) -> Rendered {
        let RenderedBuilder { content_type, body, gzip } = self;
        let gzip = gzip
            .filter(|_| body.len() > MAX_UNCOMPRESSED)
            .map(|gzip| gzip.finish().expect("writing to a vector does not fail"))
            .filter(|packed| packed.len() < body.len())
            .map(Representation::new);
        Rendered::from_parts(content_type, body.into(), gzip)
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

/// Returns the quoted strong entity tag over the bytes (RFC 9110 8.8.3). A new compiler may change the hash;
/// each client then downloads the body once more.
fn strong_etag(body: &[u8]) -> HeaderValue {
    etag(digest(body))
}

/// Hash of 128 bits: two SipHashes with different first bytes. A cryptographic hash is not needed, as no client
/// chooses the bytes.
pub(super) type Digest = [u64; 2];

/// Returns the hash of some bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    [0, 1].map(|lane| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(lane);
        hasher.write(bytes);
        hasher.finish()
    })
}

/// Returns the quoted entity tag of a hash.
pub(super) fn etag([high, low]: Digest) -> HeaderValue {
    HeaderValue::try_from(format!("\"{high:016x}{low:016x}\""))
        .expect("quotes and hexadecimal digits are a header value")
}

/// Compresses a body (RFC 1952) as well as possible, as it is sent more often than it is compressed. The header has no
/// time, so equal input gives equal output.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::best());
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
        let packed = &pieces.gzip.as_ref().unwrap().body;
        let mut unpacked = String::new();
        GzDecoder::new(&**packed).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, body);
        for (length, compressed) in [(MAX_UNCOMPRESSED, true), (MAX_UNCOMPRESSED + 1, false)] {
            let mut small = RenderedBuilder::new("text/plain", compressed);
            small.push(&vec![b'x'; length]);
            assert!(small.finish().gzip.is_none(), "{length}");
        }
    }

    #[test]
    fn entity_tags_are_equal_for_equal_bytes_only() {
        let one = Rendered::new("text/plain", "a".repeat(2000));
        let equal = Rendered::new("text/plain", "a".repeat(2000));
        let other = Rendered::new("text/plain", "a".repeat(2001));
        assert_eq!(one.identity.etag, equal.identity.etag);
        assert_eq!(one.gzip.as_ref().unwrap().etag, equal.gzip.as_ref().unwrap().etag);
        assert_ne!(one.identity.etag, other.identity.etag);
        assert_ne!(one.identity.etag, one.gzip.as_ref().unwrap().etag);
    }

    #[test]
    fn tag_is_strong_and_quoted() {
        let rendered = Rendered::new("text/plain", "x");
        let tag = rendered.identity.etag.to_str().unwrap();
        assert_eq!(tag.len(), 34, "{tag}");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    }

    #[test]
    fn body_is_compressed_only_if_it_is_large_and_shrinks() {
        for (body, compressed) in [
            ("x".repeat(MAX_UNCOMPRESSED).into_bytes(), false),
            ("x".repeat(MAX_UNCOMPRESSED + 1).into_bytes(), true),
            // Random bytes do not compress.
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
            if let Some(gzip) = &rendered.gzip {
                let mut unpacked = Vec::new();
                GzDecoder::new(&gzip.body[..]).read_to_end(&mut unpacked).unwrap();
                assert_eq!(unpacked, body);
            }
        }
    }
}
