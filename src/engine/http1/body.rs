//! Decoder of a request body (RFC 9112 6 and 7), which is kept for the service or dropped.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::chunked::{ChunkedDecoder, ChunkedLimits};
use super::framing::Framing;
use crate::limits::{MAX_DISCARDED_BODY, Settings};
use crate::refusal::Refusal;

/// Decoder of one body.
pub(super) struct BodyDecoder {
    coding: Coding,
    body: BytesMut,
    keep: bool,
}

enum Coding {
    /// `Content-Length`, less the bytes that have arrived.
    Length(usize),
    Chunked(ChunkedDecoder, ChunkedLimits),
}

impl BodyDecoder {
    /// Returns a decoder that keeps up to `limit` bytes; `None` if the head announces more.
    pub(super) fn keeping(
        framing: Framing,
        limit: usize,
        settings: &Settings,
    ) -> Option<BodyDecoder> {
        BodyDecoder::new(framing, limit, true, settings)
    }

    /// Returns a decoder that drops up to [`MAX_DISCARDED_BODY`] bytes; `None` if the head announces
    /// more.
    pub(super) fn dropping(framing: Framing, settings: &Settings) -> Option<BodyDecoder> {
        BodyDecoder::new(framing, MAX_DISCARDED_BODY, false, settings)
    }

    fn new(framing: Framing, limit: usize, keep: bool, settings: &Settings) -> Option<BodyDecoder> {
        let coding = match framing {
            Framing::None => Coding::Length(0),
            Framing::Length(length) if length > limit => return None,
            Framing::Length(length) => Coding::Length(length),
            Framing::Chunked { header_fields } => {
                let limits = ChunkedLimits {
                    body_bytes: limit,
                    trailer_bytes: settings.max_header_bytes,
                    trailer_fields: settings.max_headers.saturating_sub(header_fields),
                };
                Coding::Chunked(ChunkedDecoder::new(), limits)
            }
        };
        Some(BodyDecoder { coding, body: BytesMut::new(), keep })
    }

    /// Takes the body's bytes from `input`. Returns true once the body is complete.
    ///
    /// # Errors
    /// The chunked coding is malformed, or the body exceeds the limit.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Result<bool, Refusal> {
        match &mut self.coding {
            Coding::Length(left) => {
                let some = input.len().min(*left);
                if self.keep {
                    grow(&mut self.body, some, *left);
                    self.body.put_slice(&input[..some]);
                }
                input.advance(some);
                *left -= some;
                Ok(*left == 0)
            }
            // A body that is dropped is collected too: its limit is small.
            Coding::Chunked(decoder, limits) => decoder.decode(input, &mut self.body, *limits),
        }
    }

    /// Number of bytes that the decoder holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.body.capacity()
    }

    /// Returns the decoded body; it is empty if it was dropped.
    pub(super) fn into_body(self) -> Bytes {
        if self.keep { self.body.freeze() } else { Bytes::new() }
    }
}

/// Makes room for `some` of the `left` bytes that the body lacks. Capacity doubles, so that a body in
/// many pieces is copied a few times only, but never exceeds the body.
fn grow(body: &mut BytesMut, some: usize, left: usize) {
    if body.capacity() - body.len() < some {
        let doubled = body.len().max(some);
        // `reserve` would round up to twice the capacity.
        let mut larger = BytesMut::with_capacity(body.len() + doubled.min(left));
        larger.put_slice(body);
        *body = larger;
    }
}
