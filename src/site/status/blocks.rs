//! A body with all sources, assembled from pieces that are kept.
//!
//! ```text
//!  opening │ piece , piece , … piece │ , piece , … piece │ closing      identity
//!          └──── block of 16 ────────┴──── block of 16 ──┘
//!  header  │ deflated block          │ deflated block    │ end, CRC     gzip
//! ```
//! The piece of a source is rendered once for each of its versions. A block is compressed again only if one of
//! its pieces changed. Each block is compressed from an empty window and ends with a full flush, so that it
//! consists of whole bytes and refers to no other (RFC 1951 3.2.4): the blocks in a row are one gzip member
//! (RFC 1952 2.2), whose checksum is that of the joined body. Several members would not do: browsers read the
//! first one only.
//!
//! The entity tag is a hash over the hashes of the pieces, so equal content has equal tags.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::assembly::Builder;
use super::form::Form;
use crate::board::{Snapshot, SourceView};
use crate::site::media_type::JSON;
use crate::site::problem::Problem;
use crate::site::rendered::{Digest, Rendered, Representation, digest, etag};

/// Number of sources in a block. Larger blocks compress better, and cost more when one source changes.
const BLOCK: usize = 16;

/// Units of work of one slice: a piece that is rendered is one. A slice takes a few milliseconds.
const SLICE: usize = 512;

/// Units of work of compressing a block, in which a piece is about as expensive as rendering it.
const COMPRESSION: usize = BLOCK;

/// Size of the body below which it is not compressed.
const MIN_COMPRESSED: usize = 1024;

/// Beginning of a gzip member without a name, a time or an operating system (RFC 1952 2.3).
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty final block with fixed codes (RFC 1951 3.2.6).
const DEFLATE_END: [u8; 2] = [0x03, 0x00];

/// The pieces of all sources in one form, in the order of their names.
#[derive(Debug)]
pub(super) struct Blocks {
    form: Form,
    blocks: Vec<Block>,
    /// Block with which the next slice begins.
    next: usize,
}

#[derive(Debug, Default)]
struct Block {
    pieces: Vec<Piece>,
    /// The compressed pieces; `None` if one has changed.
    deflated: Option<Vec<u8>>,
}

/// The rendered source.
#[derive(Debug)]
struct Piece {
    name: Arc<str>,
    /// Version of the source; 0 before the first rendering.
    version: u64,
    bytes: Box<[u8]>,
    digest: Digest,
}

impl Piece {
    fn unrendered(name: &Arc<str>) -> Piece {
        Piece { name: name.clone(), version: 0, bytes: Box::default(), digest: Digest::default() }
    }

    fn is_of(&self, source: &SourceView) -> bool {
        self.version == source.version && self.name == source.name
    }
}

impl Blocks {
    pub(super) fn new(form: Form) -> Blocks {
        Blocks { form, blocks: Vec::new(), next: 0 }
    }

    /// Distributes the pieces anew if sources were added or removed.
    fn arrange(&mut self, snapshot: &Snapshot) {
        let pieces = self.blocks.iter().flat_map(|block| &block.pieces);
        let sources = snapshot.sources.by_name();
        if pieces.map(|piece| &piece.name).eq(sources.clone().map(|source| &source.name)) {
            return;
        }
        let pieces = self.blocks.drain(..).flat_map(|block| block.pieces);
        let mut known: HashMap<Arc<str>, Piece> =
            pieces.map(|piece| (piece.name.clone(), piece)).collect();
        let sources: Vec<&Arc<SourceView>> = sources.collect();
        for sources in sources.chunks(BLOCK) {
            let piece = |source: &&Arc<SourceView>| {
                known.remove(&source.name).unwrap_or_else(|| Piece::unrendered(&source.name))
            };
            let pieces = sources.iter().map(piece).collect();
            self.blocks.push(Block { pieces, deflated: None });
        }
    }

    /// Joins the blocks, all of which are of the snapshot.
    fn join(&self, snapshot: &Snapshot, is_compressed: bool) -> Rendered {
        let (opening, closing) = (self.form.opening(&snapshot.service), self.form.closing(None));
        let pieces = || self.blocks.iter().flat_map(|block| &block.pieces);
        let length: usize = pieces().map(|piece| piece.bytes.len() + 1).sum();
        let mut body = Vec::with_capacity(opening.len() + length + closing.len());
        let mut digests = Vec::new();
        digests.extend(digest(&opening));
        body.extend_from_slice(&opening);
        for (index, piece) in pieces().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&piece.bytes);
            digests.extend(piece.digest);
        }
        body.extend_from_slice(&closing);
        let digests: Vec<u8> = digests.into_iter().flat_map(u64::to_le_bytes).collect();
        let [high, low] = digest(&digests);
        let is_compressed = is_compressed && body.len() > MIN_COMPRESSED;
        let gzip = is_compressed.then(|| {
            let tag = etag([high, !low]);
            Representation { body: self.gzip(&opening, &closing, &body).into(), etag: tag }
        });
        let identity = Representation { body: Bytes::from(body), etag: etag([high, low]) };
        Rendered::tagged(JSON, identity, gzip)
    }

    /// Returns the gzip member of the body.
    fn gzip(&self, opening: &[u8], closing: &[u8], body: &[u8]) -> Vec<u8> {
        let (opening, closing) = (deflate([opening]), deflate([closing]));
        let blocks = || self.blocks.iter().filter_map(|block| block.deflated.as_deref());
        let length: usize = blocks().map(<[u8]>::len).sum();
        let mut gzip = Vec::with_capacity(length + opening.len() + closing.len() + 32);
        gzip.extend_from_slice(&GZIP_HEADER);
        gzip.extend_from_slice(&opening);
        blocks().for_each(|block| gzip.extend_from_slice(block));
        gzip.extend_from_slice(&closing);
        gzip.extend_from_slice(&DEFLATE_END);
        gzip.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        // The size modulo 2^32 (RFC 1952 2.3.1).
        gzip.extend_from_slice(&(body.len() as u32).to_le_bytes());
        gzip
    }
}

impl Builder for Blocks {
    fn begin(&mut self, snapshot: &Snapshot, _: bool) {
        self.arrange(snapshot);
        self.next = 0;
    }

    fn advance(
        &mut self,
        snapshot: &Snapshot,
        is_compressed: bool,
    ) -> Option<Result<Rendered, Problem>> {
        let mut work = 0;
        let mut sources = snapshot.sources.by_name().skip(self.next * BLOCK);
        while self.next < self.blocks.len() {
            if work >= SLICE {
                return None;
            }
            let (form, is_first) = (self.form, self.next == 0);
            let block = &mut self.blocks[self.next];
            for (piece, source) in block.pieces.iter_mut().zip(&mut sources) {
                if !piece.is_of(source) {
                    *piece = form.render(source);
                    block.deflated = None;
                    work += 1;
                }
            }
            if is_compressed && block.deflated.is_none() {
                block.deflated = Some(block.deflate(is_first));
                work += COMPRESSION;
            }
            self.next += 1;
        }
        Some(Ok(self.join(snapshot, is_compressed)))
    }
}

impl Block {
    fn deflate(&self, is_first: bool) -> Vec<u8> {
        let pieces = self.pieces.iter().enumerate().flat_map(|(index, piece)| {
            let comma: &[u8] = if is_first && index == 0 { b"" } else { b"," };
            [comma, &piece.bytes]
        });
        deflate(pieces)
    }
}

impl Form {
    /// Returns the piece of a source with its hash.
    fn render(self, source: &SourceView) -> Piece {
        let bytes = self.piece(source).into_boxed_slice();
        let digest = digest(&bytes);
        Piece { name: source.name.clone(), version: source.version, bytes, digest }
    }
}

/// Compresses the parts of a block from an empty window, up to a full flush.
fn deflate<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut compress = Compress::new(Compression::default(), false);
    let mut deflated = Vec::new();
    let mut push = |mut part: &[u8], flush| loop {
        deflated.reserve(part.len() / 2 + 64);
        let before = compress.total_in();
        let status = compress
            .compress_vec(part, &mut deflated, flush)
            .expect("without a dictionary a compressor does not fail");
        part = &part[(compress.total_in() - before) as usize..];
        // Room that is left means that everything was written.
        if part.is_empty() && (deflated.len() < deflated.capacity() || status == Status::BufError) {
            break;
        }
    };
    for part in parts {
        push(part, FlushCompress::None);
    }
    push(&[], FlushCompress::Full);
    deflated
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::site::fixture::{snapshot, tank};

    fn source(number: usize, version: u64) -> SourceView {
        let title = format!("Tank {number} in version {version}").into();
        SourceView { name: format!("tank_{number:04}").into(), title, version, ..tank() }
    }

    fn fleet(sources: impl IntoIterator<Item = SourceView>) -> Snapshot {
        snapshot(sources.into_iter().collect())
    }

    fn render(blocks: &mut Blocks, snapshot: &Snapshot, is_compressed: bool) -> Rendered {
        blocks.begin(snapshot, is_compressed);
        loop {
            if let Some(rendered) = blocks.advance(snapshot, is_compressed) {
                return rendered.ok().unwrap();
            }
        }
    }

    /// Unpacks a single member, as browsers do.
    fn unpacked(rendered: &Rendered) -> Vec<u8> {
        let (mut unpacked, gzip) = (Vec::new(), rendered.gzip.as_ref().unwrap());
        let mut decoder = GzDecoder::new(&gzip.body[..]);
        decoder.read_to_end(&mut unpacked).unwrap();
        assert!(decoder.into_inner().is_empty(), "bytes after the member");
        unpacked
    }

    #[test]
    fn joined_blocks_are_one_gzip_member_of_the_body() {
        for count in [2, BLOCK, BLOCK + 1, 5 * BLOCK, 700] {
            let fleet = fleet((0..count).map(|number| source(number, 1)));
            for form in [Form::Status, Form::List] {
                let rendered = render(&mut Blocks::new(form), &fleet, true);
                let identity = &rendered.identity.body;
                serde_json::from_slice::<serde_json::Value>(identity).unwrap();
                if identity.len() <= MIN_COMPRESSED {
                    assert!(rendered.gzip.is_none());
                    continue;
                }
                assert_eq!(unpacked(&rendered), identity[..], "{count}");
                assert_ne!(rendered.gzip.as_ref().unwrap().etag, rendered.identity.etag);
            }
        }
        let none = render(&mut Blocks::new(Form::List), &fleet([]), true);
        assert_eq!(none.identity.body, "[]\n");
    }

    #[test]
    fn body_after_changes_equals_one_that_is_rendered_anew() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut blocks = Blocks::new(Form::Status);
        let mut sources: Vec<SourceView> = (0..60).map(|number| source(number, 1)).collect();
        for version in 2..60 {
            match random.u8(..6) {
                // A reload adds a source, or removes one.
                0 => sources.push(source(100 + version as usize, version)),
                1 => drop(sources.swap_remove(random.usize(..sources.len()))),
                _ => {
                    let at = random.usize(..sources.len());
                    let number = sources[at].name[5..].parse().unwrap();
                    sources[at] = source(number, version);
                }
            }
            let fleet = fleet(sources.clone());
            let is_compressed = random.bool();
            let kept = render(&mut blocks, &fleet, is_compressed);
            let anew = render(&mut Blocks::new(Form::Status), &fleet, true);
            assert_eq!(kept.identity.body, anew.identity.body);
            assert_eq!(kept.identity.etag, anew.identity.etag, "equal content has equal tags");
            if is_compressed {
                assert_eq!(unpacked(&kept), kept.identity.body[..]);
                assert_eq!(kept.gzip.as_ref().unwrap().etag, anew.gzip.as_ref().unwrap().etag);
            }
        }
    }

    #[test]
    fn change_of_a_source_renders_its_piece_and_compresses_its_block_only() {
        let mut sources: Vec<SourceView> = (0..80).map(|number| source(number, 1)).collect();
        let mut blocks = Blocks::new(Form::Status);
        let before = render(&mut blocks, &fleet(sources.clone()), true);
        let pieces = |blocks: &Blocks| -> Vec<*const u8> {
            let pieces = blocks.blocks.iter().flat_map(|block| &block.pieces);
            pieces.map(|piece| piece.bytes.as_ptr()).collect()
        };
        let deflated = |blocks: &Blocks| -> Vec<*const u8> {
            blocks.blocks.iter().map(|block| block.deflated.as_ref().unwrap().as_ptr()).collect()
        };
        let (pieces_before, deflated_before) = (pieces(&blocks), deflated(&blocks));
        sources[37] = source(37, 2);
        let after = render(&mut blocks, &fleet(sources), true);
        assert_ne!(before.identity.etag, after.identity.etag);
        let changed = |before: &[*const u8], after: &[*const u8]| -> Vec<usize> {
            (0..before.len()).filter(|&at| before[at] != after[at]).collect()
        };
        assert_eq!(changed(&pieces_before, &pieces(&blocks)), [37]);
        assert_eq!(changed(&deflated_before, &deflated(&blocks)), [37 / BLOCK]);
    }

    #[test]
    fn large_body_is_assembled_in_slices() {
        let fleet = fleet((0..2000).map(|number| source(number, 1)));
        let mut blocks = Blocks::new(Form::Status);
        blocks.begin(&fleet, true);
        let mut slices = 1;
        while blocks.advance(&fleet, true).is_none() {
            slices += 1;
        }
        assert!(slices > 5, "{slices}");
        blocks.begin(&fleet, true);
        assert!(blocks.advance(&fleet, true).is_some(), "nothing has changed");
    }
}
