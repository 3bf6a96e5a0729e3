//! Decoder of the chunked transfer coding (RFC 9112 7.1).
//!
//! Lines end with CR LF and nothing else, sizes are bare hexadecimal digits, and extensions and
//! trailer fields are parsed by their grammar. Two decoders that differ in any of these can disagree
//! about the end of a body, which is how requests are smuggled (RFC 9112 11.2). Three limits bound
//! what a body may cost: of its decoded bytes, of the bytes that its size lines spend on zeros and
//! extensions (RFC 9112 7.1.1 asks for this one), and of its trailer section.

use bytes::{Buf, BufMut, BytesMut};
use http::{HeaderName, HeaderValue};
use memchr::memchr;

use super::chunk_line::ChunkLine;
use crate::limits::{MAX_CHUNK_LINE, MAX_CHUNK_OVERHEAD};
use crate::refusal::{BadRequest, Refusal};

/// Decoder of one body, which arrives in pieces.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    /// Number of bytes in all size lines so far beyond the digits of their sizes.
    overhead: usize,
    trailer_bytes: usize,
    trailer_fields: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size,
    /// Within a chunk of which this many bytes are missing.
    Data(usize),
    /// Before the CR LF behind a chunk.
    DataEnd,
    Trailer,
}

/// Limits of one body.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkedLimits {
    pub(super) body_bytes: usize,
    pub(super) trailer_bytes: usize,
    /// Number of trailer fields that the header fields leave of `max_headers`.
    pub(super) trailer_fields: usize,
}

impl ChunkedDecoder {
    pub(super) fn new() -> ChunkedDecoder {
        ChunkedDecoder { state: State::Size, overhead: 0, trailer_bytes: 0, trailer_fields: 0 }
    }

    /// Moves the body's bytes from `input` to `body`. Returns true once the body is complete.
    ///
    /// Extensions and trailer fields count against their limits and are dropped, so that no trailer
    /// field can replace a header field (RFC 9110 6.5.1).
    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        body: &mut BytesMut,
        limits: ChunkedLimits,
    ) -> Result<bool, Refusal> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = take_line(input, MAX_CHUNK_LINE)? else { return Ok(false) };
                    let ChunkLine { size, overhead } = ChunkLine::parse(&line)?;
                    self.overhead += overhead;
                    if self.overhead > MAX_CHUNK_OVERHEAD {
                        return Err(Refusal::BodyTooLarge);
                    }
                    if size > limits.body_bytes.saturating_sub(body.len()) {
                        return Err(Refusal::BodyTooLarge);
                    }
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Data(left) => {
                    let some = left.min(input.len());
                    body.put_slice(&input[..some]);
                    input.advance(some);
                    if some < left {
                        self.state = State::Data(left - some);
                        return Ok(false);
                    }
                    self.state = State::DataEnd;
                }
                State::DataEnd => {
                    if !b"\r\n".starts_with(&input[..input.len().min(2)]) {
                        return Err(BadRequest::ChunkLength.into());
                    }
                    if input.len() < 2 {
                        return Ok(false);
                    }
                    input.advance(2);
                    self.state = State::Size;
                }
                State::Trailer => {
                    let room = limits.trailer_bytes - self.trailer_bytes;
                    let line = match take_line(input, room) {
                        Ok(Some(line)) => line,
                        Ok(None) => return Ok(false),
                        Err(BadRequest::ChunkLineTooLong) => return Err(Refusal::HeadTooLarge),
                        Err(rule) => return Err(rule.into()),
                    };
                    if line.is_empty() {
                        return Ok(true);
                    }
                    check_trailer_field(&line)?;
                    self.trailer_bytes += line.len() + 2;
                    self.trailer_fields += 1;
                    if self.trailer_fields > limits.trailer_fields {
                        return Err(Refusal::HeadTooLarge);
                    }
                }
            }
        }
    }
}

/// Splits the first line off `input`, and returns it without its ending; `None` if it is incomplete.
/// The line with its ending may have `limit` bytes.
fn take_line(input: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, BadRequest> {
    let window = &input[..input.len().min(limit)];
    let Some(feed) = memchr(b'\n', window) else {
        // A CR may only be the last byte so far: an LF may follow.
        return match memchr(b'\r', window) {
            Some(at) if at + 1 < window.len() => Err(BadRequest::ChunkLineEnding),
            _ if input.len() >= limit => Err(BadRequest::ChunkLineTooLong),
            _ => Ok(None),
        };
    };
    if feed == 0 || memchr(b'\r', window) != Some(feed - 1) {
        return Err(BadRequest::ChunkLineEnding);
    }
    let mut line = input.split_to(feed + 1);
    line.truncate(feed - 1);
    Ok(Some(line))
}

/// Checks a `field-line` of a trailer section, which has the grammar of header fields (RFC 9112 5
/// and 7.1.2).
fn check_trailer_field(line: &[u8]) -> Result<(), BadRequest> {
    let (name, value) = line.split_at(memchr(b':', line).ok_or(BadRequest::TrailerField)?);
    // A folded line, or a space before the colon, is no token.
    HeaderName::from_bytes(name).map_err(|_| BadRequest::TrailerField)?;
    HeaderValue::from_bytes(&value[1..]).map_err(|_| BadRequest::TrailerField)?;
    Ok(())
}
