//! Buffers of a connection, which take memory only while and as far as they are in use.
//!
//! ureq's own buffers take both their sizes, written with zeros, at the first byte that is sent: 128 KiB for
//! each poll of an upstream that hangs, and twice as much over TLS. Here the output is allocated to send and freed
//! before a response is waited for, and the input grows with the response.

use ureq::unversioned::transport::{Buffers, ConnectionDetails};

/// First size of the input, which holds most heads, and bodies of most sensors.
const FIRST_INPUT: usize = 4 * 1024;

/// Least free space in the input while a request body is read through it.
const MIN_SCRATCH: usize = 10 * 1024;

/// Input and output of a connection.
#[derive(Debug)]
pub(super) struct GrowingBuffers {
    max_input: usize,
    output_size: usize,
    input: Vec<u8>,
    /// Range of `input` that has been received and not been consumed.
    consumed: usize,
    filled: usize,
    output: Vec<u8>,
    /// True if the last call to consume made progress.
    has_progressed: bool,
}

impl GrowingBuffers {
    pub(super) fn new(details: &ConnectionDetails<'_>) -> GrowingBuffers {
        let config = details.config;
        GrowingBuffers::with_sizes(config.input_buffer_size(), config.output_buffer_size())
    }

    fn with_sizes(max_input: usize, output_size: usize) -> GrowingBuffers {
        GrowingBuffers {
            max_input,
            output_size,
            input: Vec::new(),
            consumed: 0,
            filled: 0,
            output: Vec::new(),
            has_progressed: false,
        }
    }

    /// Frees the output, whose bytes have been sent.
    pub(super) fn free_output(&mut self) {
        self.output = Vec::new();
    }

    /// Moves the unconsumed input to the begin.
    fn compact(&mut self) {
        self.input.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
    }
}

impl Buffers for GrowingBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output = vec![0; self.output_size];
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        let was_filled = self.filled == self.input.len();
        self.compact();
        if was_filled {
            let size = (self.input.len() * 2).max(FIRST_INPUT).min(self.max_input);
            self.input.resize(size, 0);
        }
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.has_progressed = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.compact();
        let needed = self.filled + MIN_SCRATCH;
        if self.input.len() < needed {
            self.input.resize(needed, 0);
        }
        self.output();
        (self.input.get_mut(self.filled..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.has_progressed && self.consumed < self.filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn append(buffers: &mut GrowingBuffers, bytes: &[u8]) -> usize {
        let free = buffers.input_append_buf();
        let appended = bytes.len().min(free.len());
        free[..appended].copy_from_slice(&bytes[..appended]);
        buffers.input_appended(appended);
        appended
    }

    #[test]
    fn input_grows_with_what_is_received_to_its_limit_and_keeps_the_unconsumed() {
        let mut buffers = GrowingBuffers::with_sizes(16 * KIB, KIB);
        assert_eq!((buffers.input(), buffers.can_use_input()), (&[][..], false));
        let sent: Vec<u8> = (0..20 * KIB).map(|n| n as u8).collect();
        let (mut appended, mut sizes) = (0, Vec::new());
        loop {
            match append(&mut buffers, &sent[appended..]) {
                0 => break,
                more => appended += more,
            }
            sizes.push(buffers.input.len() / KIB);
        }
        assert_eq!(sizes, [4, 8, 16]);
        assert_eq!(buffers.input(), &sent[..16 * KIB], "a head that is too long ends it");
        buffers.input_consume(15 * KIB);
        assert!(buffers.can_use_input());
        assert_eq!(append(&mut buffers, &sent[appended..]), 4 * KIB);
        assert_eq!(buffers.input(), &sent[15 * KIB..]);
        buffers.input_consume(0);
        assert!(!buffers.can_use_input(), "more is needed");
        buffers.input_consume(5 * KIB);
        assert_eq!((buffers.input(), buffers.can_use_input()), (&[][..], false));
    }

    #[test]
    fn small_input_takes_little_and_sent_output_nothing() {
        let mut buffers = GrowingBuffers::with_sizes(64 * KIB, 64 * KIB);
        assert_eq!(buffers.output().len(), 64 * KIB);
        buffers.free_output();
        append(&mut buffers, b"HTTP/1.1 200 OK\r\n\r\n{}");
        assert_eq!((buffers.input.capacity(), buffers.output.capacity()), (4 * KIB, 0));
        assert_eq!(buffers.output().len(), 64 * KIB, "a second request");
    }

    #[test]
    fn body_of_a_request_has_space_beside_the_input() {
        let mut buffers = GrowingBuffers::with_sizes(4 * KIB, KIB);
        append(&mut buffers, b"early");
        let (scratch, output) = buffers.tmp_and_output();
        assert!((scratch.len(), output.len()) >= (MIN_SCRATCH, KIB));
        scratch.fill(b'x');
        assert_eq!(buffers.input(), b"early");
    }
}
