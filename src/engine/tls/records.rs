//! Count of the bytes in TLS records that a session has received and not decrypted yet, which rustls
//! does not report.

/// Length of a record's header: type, version and length (RFC 8446 5.1).
const HEADER: usize = 5;

/// Tracker of the records in a stream of ciphertext.
#[derive(Debug, Default)]
pub(super) struct RecordTracker {
    header: [u8; HEADER],
    /// Number of bytes of the current record that have arrived, with its header.
    arrived: usize,
    /// Length of the largest record since [`RecordTracker::forget_largest`].
    largest: usize,
    /// Number of bytes of all records.
    received: usize,
}

impl RecordTracker {
    /// Follows the next bytes of the stream.
    pub(super) fn follow(&mut self, mut ciphertext: &[u8]) {
        self.received = self.received.saturating_add(ciphertext.len());
        while !ciphertext.is_empty() {
            let wanted = self.record_length().unwrap_or(HEADER) - self.arrived;
            let (now, later) = ciphertext.split_at(wanted.min(ciphertext.len()));
            if self.arrived < HEADER {
                self.header[self.arrived..self.arrived + now.len()].copy_from_slice(now);
            }
            self.arrived += now.len();
            if let Some(length) = self.record_length() {
                self.largest = self.largest.max(length);
                if self.arrived == length {
                    self.arrived = 0;
                }
            }
            ciphertext = later;
        }
    }

    /// Returns the number of bytes of an incomplete record.
    pub(super) fn partial(&self) -> usize {
        self.arrived
    }

    /// Returns the number of bytes of all records.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// Returns the length of the largest record since the latest call of [`RecordTracker::forget_largest`].
    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    pub(super) fn forget_largest(&mut self) {
        self.largest = 0;
    }

    /// Returns the length of the current record with its header, once that has arrived.
    fn record_length(&self) -> Option<usize> {
        let [_, _, _, high, low] = self.header;
        (self.arrived >= HEADER).then(|| HEADER + usize::from(u16::from_be_bytes([high, low])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_record_is_counted_wherever_the_stream_is_cut() {
        let record = |length: u16| {
            let mut bytes = vec![23, 3, 3];
            bytes.extend(length.to_be_bytes());
            bytes.extend(vec![0xff; usize::from(length)]);
            bytes
        };
        let stream = [record(0), record(300), record(7)].concat();
        let boundaries = [0, 5, 310, 322];
        for piece in [1, 2, 3, 5, 64, 1000] {
            let mut tracker = RecordTracker::default();
            let mut seen = 0;
            for bytes in stream.chunks(piece) {
                tracker.follow(bytes);
                seen += bytes.len();
                let begun = boundaries.iter().rfind(|at| **at <= seen).unwrap();
                assert_eq!(tracker.partial(), seen - begun, "{seen} bytes in pieces of {piece}");
            }
            assert_eq!(tracker.largest(), 305);
        }
    }
}
