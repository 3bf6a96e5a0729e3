//! The chunked transfer coding (RFC 9112 7.1), decoded strictly.

use bytes::{Buf, BufMut, BytesMut};
use http::{HeaderName, HeaderValue};
use memchr::memchr;

use super::chunk_line::ChunkLine;
use super::limits::{MAX_CHUNK_LINE, MAX_CHUNK_OVERHEAD};
use super::refusal::Refusal;

/// Decodes a chunked body from a growing input.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    /// Bytes of all size lines so far that no size needs.
    overhead: usize,
    trailer_bytes: usize,
    trailer_fields: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size,
    Data(usize),
    DataEnd,
    Trailer,
}

/// What a decoder may take in.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkedLimits {
    pub(super) body_bytes: usize,
    pub(super) trailer_bytes: usize,
    /// Number of trailer fields that the header fields leave of `max_headers`.
    pub(super) trailer_fields: usize,
}

const LINE_ENDING: Refusal =
    Refusal::Malformed("Every line of a chunked body must end with CR LF, and only there.");

impl ChunkedDecoder {
    pub(super) fn new() -> ChunkedDecoder {
        ChunkedDecoder { state: State::Size, overhead: 0, trailer_bytes: 0, trailer_fields: 0 }
    }

    /// Moves what `input` holds of the body to `body`; true once the body is whole. Chunk
    /// extensions and trailer fields are parsed, count against their limits, and are dropped:
    /// no field of a trailer can change the framing or the host (RFC 9110 6.5.1).
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
                        return Err(Refusal::Malformed("A chunk does not have its declared size."));
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
                        Err(LINE_ENDING) => return Err(LINE_ENDING),
                        Err(_) => return Err(Refusal::HeadTooLarge),
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

/// Takes a line of at most `limit` bytes with its ending off the front.
fn take_line(input: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, Refusal> {
    let window = &input[..input.len().min(limit)];
    let Some(feed) = memchr(b'\n', window) else {
        // A carriage return is good only as the last byte so far.
        return match memchr(b'\r', window) {
            Some(at) if at + 1 < window.len() => Err(LINE_ENDING),
            _ if input.len() >= limit => {
                Err(Refusal::Malformed("A chunk's size line is too long."))
            }
            _ => Ok(None),
        };
    };
    if feed == 0 || memchr(b'\r', window) != Some(feed - 1) {
        return Err(LINE_ENDING);
    }
    let mut line = input.split_to(feed + 1);
    line.truncate(feed - 1);
    Ok(Some(line))
}

/// `field-line` of a trailer section (RFC 9112 5): the same grammar as in a head.
fn check_trailer_field(line: &[u8]) -> Result<(), Refusal> {
    const MALFORMED: Refusal = Refusal::Malformed("A trailer field is malformed.");
    let (name, value) = line.split_at(memchr(b':', line).ok_or(MALFORMED)?);
    // A folded line and a space before the colon make a name that is no token.
    HeaderName::from_bytes(name).map_err(|_| MALFORMED)?;
    HeaderValue::from_bytes(&value[1..]).map_err(|_| MALFORMED)?;
    Ok(())
}
