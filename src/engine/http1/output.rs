//! Bytes that a connection has to write.
//!
//! Heads and small bodies share one buffer, so that one `write(2)` sends a whole response, and
//! pipelined responses together. At most one body follows the buffer: one that is too large to copy,
//! or a stream, whose source is read when the buffer is empty. Further responses wait behind it.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::response::{self, BodyFraming, ResponseContext};
use crate::limits::{INLINE_BODY, OUTPUT_HIGH_WATER, SPARE_ROOM, STREAM_CHUNK};
use crate::message::{Body, Response, StreamBody};

/// Pending output: a buffer, and then a body.
#[derive(Default)]
pub(crate) struct Output {
    buffer: BytesMut,
    /// Size of the allocation behind `buffer` when its front was last cut off, or more.
    allocation: usize,
    tail: Tail,
}

#[derive(Default)]
enum Tail {
    #[default]
    None,
    Bytes {
        left: Bytes,
        /// Length before anything was written.
        whole: usize,
    },
    Stream {
        source: Box<dyn StreamBody>,
        chunked: bool,
    },
}

impl Output {
    /// Appends a response. The output must have room.
    ///
    /// A body that the close delimits demands that `context.keep_alive` is false.
    pub(crate) fn push_response(&mut self, response: Response, context: ResponseContext) {
        debug_assert!(matches!(self.tail, Tail::None), "a response behind an unfinished one");
        let framing = BodyFraming::of(&response, context.version);
        let (parts, body) = response.into_parts();
        response::encode_head(&parts, framing, context, &mut self.buffer);
        if context.head_only || framing == BodyFraming::None {
            return;
        }
        match body {
            Body::Full(bytes) if bytes.len() <= INLINE_BODY => self.buffer.put_slice(&bytes),
            Body::Full(left) => self.tail = Tail::Bytes { whole: left.len(), left },
            Body::Stream(source) => {
                self.tail = Tail::Stream { source, chunked: framing == BodyFraming::Chunked };
            }
        }
    }

    /// Appends an interim response, `100 Continue` (RFC 9110 15.2.1).
    pub(super) fn push_continue(&mut self) {
        self.buffer.put_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Returns true if all output was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && matches!(self.tail, Tail::None)
    }

    /// Returns true if another response may be appended.
    pub(super) fn has_room(&self) -> bool {
        matches!(self.tail, Tail::None) && self.buffer.len() < OUTPUT_HIGH_WATER
    }

    /// Returns true if the next bytes must be read from the source of a streamed body.
    pub(super) fn awaits_source(&self) -> bool {
        self.buffer.is_empty() && matches!(self.tail, Tail::Stream { .. })
    }

    /// Returns true while a body is pending that only the end of the connection delimits.
    pub(super) fn is_close_delimited(&self) -> bool {
        matches!(self.tail, Tail::Stream { chunked: false, .. })
    }

    /// Returns the next bytes to write, in up to two slices. Both are empty only if all output was
    /// taken. Reads the source of a streamed body if the buffer is empty.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the source has ended its turn. Any other error is
    /// the source's, and the response cannot be completed.
    pub(crate) fn slices(&mut self) -> io::Result<[&[u8]; 2]> {
        if self.buffer.is_empty()
            && let Tail::Stream { source, chunked } = &mut self.tail
            && !read_source(source, *chunked, &mut self.buffer)?
        {
            self.tail = Tail::None;
        }
        let tail: &[u8] = match &self.tail {
            Tail::Bytes { left, .. } => left,
            Tail::None | Tail::Stream { .. } => &[],
        };
        Ok([&self.buffer, tail])
    }

    /// Removes the first `count` bytes of [`Output::slices`], which were taken.
    pub(super) fn consume(&mut self, count: usize) {
        let from_buffer = count.min(self.buffer.len());
        self.allocation = self.allocation.max(self.buffer.capacity());
        self.buffer.advance(from_buffer);
        if let Tail::Bytes { left, .. } = &mut self.tail {
            left.advance(count - from_buffer);
            if left.is_empty() {
                self.tail = Tail::None;
            }
        }
        if self.buffer.is_empty() {
            // An idle connection keeps no buffer.
            self.buffer = BytesMut::new();
            self.allocation = 0;
        }
    }

    /// Releases the spare room of the buffer while the connection waits. Returns the number of bytes
    /// that the output holds. A body that others share does not count; the source of a streamed one
    /// reports its own.
    pub(super) fn shrink(&mut self) -> usize {
        self.allocation = self.allocation.max(self.buffer.capacity());
        if self.allocation > self.buffer.len() + SPARE_ROOM {
            self.buffer = BytesMut::from(&self.buffer[..]);
            self.allocation = self.buffer.capacity();
        }
        let tail = match &self.tail {
            Tail::Bytes { left, whole } if left.is_unique() => *whole,
            Tail::Stream { source, .. } => source.held_bytes(),
            Tail::Bytes { .. } | Tail::None => 0,
        };
        self.allocation + tail
    }
}

/// Reads a piece of a streamed body into `buffer`. Returns false for the last one, which is empty.
fn read_source(
    source: &mut Box<dyn StreamBody>,
    chunked: bool,
    buffer: &mut BytesMut,
) -> io::Result<bool> {
    let mut piece = vec![0; STREAM_CHUNK];
    let length = loop {
        match source.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if chunked {
        buffer.put_slice(format!("{length:x}\r\n").as_bytes());
    }
    buffer.put_slice(&piece[..length]);
    if chunked {
        buffer.put_slice(b"\r\n");
    }
    Ok(length > 0)
}
