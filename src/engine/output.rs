//! Bytes on their way to the client.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::limits::{INLINE_BODY, OUTPUT_HIGH_WATER, SPARE_ROOM, STREAM_CHUNK};
use super::message::StreamBody;
use super::response::Payload;

/// What is to be written, in order: heads with small bodies in one buffer, then at most one
/// body that is too large to be copied or not yet read.
#[derive(Default)]
pub(super) struct Output {
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
    /// The buffer in which a head is written.
    pub(super) fn head(&mut self) -> &mut BytesMut {
        debug_assert!(matches!(self.tail, Tail::None), "a response behind an unfinished one");
        &mut self.buffer
    }

    /// Puts a body behind the head just written.
    pub(super) fn follow(&mut self, payload: Payload) {
        self.tail = match payload {
            Payload::Nothing => Tail::None,
            Payload::Full(bytes) if bytes.len() <= INLINE_BODY => {
                self.buffer.put_slice(&bytes);
                Tail::None
            }
            Payload::Full(left) => Tail::Bytes { whole: left.len(), left },
            Payload::Stream { source, chunked } => Tail::Stream { source, chunked },
        };
    }

    /// Nothing is left to write.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && matches!(self.tail, Tail::None)
    }

    /// Another response may be put behind what is pending.
    pub(super) fn has_room(&self) -> bool {
        matches!(self.tail, Tail::None) && self.buffer.len() < OUTPUT_HIGH_WATER
    }

    /// The next bytes are still to be read from a streamed body's source.
    pub(super) fn awaits_source(&self) -> bool {
        self.buffer.is_empty() && matches!(self.tail, Tail::Stream { .. })
    }

    /// Returns true while a body is to be sent whose end only the end of the connection shows.
    pub(super) fn is_close_delimited(&self) -> bool {
        matches!(self.tail, Tail::Stream { chunked: false, .. })
    }

    /// The next bytes to write, in up to two pieces; both empty only when all is written.
    /// Reads on in a streamed body when the buffer has run dry.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): the body's source has done its work of this
    /// turn. Any other: it failed, and the response cannot be completed.
    pub(super) fn pieces(&mut self) -> io::Result<[&[u8]; 2]> {
        if self.buffer.is_empty()
            && let Tail::Stream { source, chunked } = &mut self.tail
            && !read_on(source, *chunked, &mut self.buffer)?
        {
            self.tail = Tail::None;
        }
        let tail: &[u8] = match &self.tail {
            Tail::Bytes { left, .. } => left,
            Tail::None | Tail::Stream { .. } => &[],
        };
        Ok([&self.buffer, tail])
    }

    /// Notes that the first `written` bytes of the pieces are gone.
    pub(super) fn advance(&mut self, written: usize) {
        let from_buffer = written.min(self.buffer.len());
        self.allocation = self.allocation.max(self.buffer.capacity());
        self.buffer.advance(from_buffer);
        if let Tail::Bytes { left, .. } = &mut self.tail {
            left.advance(written - from_buffer);
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

    /// Gives back the room that the buffer does not need while the connection waits; returns the
    /// bytes that remain held. A body that is shared with others is not counted; the source of a
    /// streamed one reports its own.
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

/// Reads a piece of a streamed body into `buffer`; false when it was the last.
fn read_on(
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
