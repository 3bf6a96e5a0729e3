//! The chunked transfer coding (RFC 9112 7.1), decoded strictly.

use bytes::{Buf, BufMut, BytesMut};
use memchr::memchr;

use super::limits::MAX_CHUNK_LINE;
use super::message::Refusal;

/// Decodes a chunked body from a growing input.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    trailer_bytes: usize,
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
}

const LINE_ENDING: Refusal =
    Refusal::Malformed("Every line of a chunked body must end with CR LF, and only there.");

impl ChunkedDecoder {
    pub(super) fn new() -> ChunkedDecoder {
        ChunkedDecoder { state: State::Size, trailer_bytes: 0 }
    }

    /// Moves what `input` holds of the body to `body`; true once the body is whole. Trailer
    /// fields are checked for their bounds and dropped (RFC 9110 6.5.1).
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
                    let size = chunk_size(&line)?;
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
                    self.trailer_bytes += line.len() + 2;
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

/// `chunk-size [ chunk-ext ]`. The size is hexadecimal digits and nothing else: neither
/// sign nor space nor `0x`, which lenient number parsers let pass.
fn chunk_size(line: &[u8]) -> Result<usize, Refusal> {
    const MALFORMED: Refusal = Refusal::Malformed("A chunk's size is malformed.");
    let digits = memchr(b';', line).unwrap_or(line.len());
    let (digits, extension) = line.split_at(digits);
    let printable = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if digits.is_empty()
        || !digits.iter().all(u8::is_ascii_hexdigit)
        || !extension.iter().all(printable)
    {
        return Err(MALFORMED);
    }
    let significant = &digits[digits.iter().take_while(|digit| **digit == b'0').count()..];
    if significant.len() > 2 * size_of::<usize>() {
        return Err(Refusal::BodyTooLarge);
    }
    let value = |digit: &u8| (*digit as char).to_digit(16).unwrap_or(0) as usize;
    Ok(significant.iter().fold(0, |size, digit| (size << 4) | value(digit)))
}
