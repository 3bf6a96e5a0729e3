//! The bounded queue between the threads that log and the one that writes.
//!
//! Sending never blocks: a line that does not fit is dropped and counted. So the lines from before a
//! stall stay in order and complete, and the newest are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use log::Level;

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Most lines in the queue.
    pub(super) lines: usize,
    /// Most bytes of all lines in the queue.
    pub(super) bytes: usize,
}

/// Bounds of the process's log.
pub(super) const BOUNDS: Bounds = Bounds { lines: 2048, bytes: 1024 * 1024 };

/// Interval at which a flush checks whether the writer has finished.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

impl Bounds {
    /// Returns the bounds for lines of `level`. A quarter of the queue is kept for `info` and above,
    /// so that a flood of request lines does not displace a warning.
    fn for_level(self, level: Level) -> Bounds {
        if level >= Level::Debug {
            Bounds { lines: self.lines * 3 / 4, bytes: self.bytes * 3 / 4 }
        } else {
            self
        }
    }
}

/// Sending half.
#[derive(Debug)]
pub(super) struct Producer {
    lines: Sender<String>,
    bounds: Bounds,
    counters: Arc<Counters>,
}

/// Receiving half, for the writer.
#[derive(Debug)]
pub(super) struct Consumer {
    lines: Receiver<String>,
    counters: Arc<Counters>,
}

/// Counters that both halves and the metrics share.
#[derive(Debug)]
pub(super) struct Counters {
    epoch: Instant,
    /// Number of bytes in the queue.
    bytes: AtomicUsize,
    /// Number of lines put into the queue since the start.
    accepted: AtomicU64,
    /// Number of lines that the writer has written or given up since the start.
    settled: AtomicU64,
    /// Number of lines dropped since the start because the queue was full or the sink failed.
    dropped: AtomicU64,
    /// Milliseconds from `epoch` to the start of the current write, plus one; 0 between writes.
    write_began: AtomicU64,
}

/// Returns both halves of a queue with these bounds.
pub(super) fn bounded(bounds: Bounds) -> (Producer, Consumer) {
    let (sender, receiver) = crossbeam_channel::bounded(bounds.lines);
    let counters = Arc::new(Counters {
        epoch: Instant::now(),
        bytes: AtomicUsize::new(0),
        accepted: AtomicU64::new(0),
        settled: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
        write_began: AtomicU64::new(0),
    });
    let producer = Producer { lines: sender, bounds, counters: counters.clone() };
    (producer, Consumer { lines: receiver, counters })
}

impl Producer {
    /// Returns true if there is room for a line of `level`. If not, counts a dropped line, which the
    /// caller then need not format.
    pub(super) fn has_room(&self, level: Level) -> bool {
        let bounds = self.bounds.for_level(level);
        let room = self.lines.len() < bounds.lines
            && self.counters.bytes.load(Ordering::Relaxed) < bounds.bytes;
        if !room {
            self.counters.drop_lines(1);
        }
        room
    }

    /// Puts a line into the queue, or drops it if there is no room. Never blocks.
    pub(super) fn send(&self, level: Level, line: String) {
        let (length, counters) = (line.len(), &self.counters);
        let before = counters.bytes.fetch_add(length, Ordering::Relaxed);
        // Counted first, so that a flush waits for every line that the writer may receive.
        counters.accepted.fetch_add(1, Ordering::SeqCst);
        let fits = before + length <= self.bounds.for_level(level).bytes;
        if !fits || self.lines.try_send(line).is_err() {
            counters.accepted.fetch_sub(1, Ordering::SeqCst);
            counters.bytes.fetch_sub(length, Ordering::Relaxed);
            counters.drop_lines(1);
        }
    }

    /// Waits until every line accepted so far is written or given up, but no longer than `timeout`.
    /// Returns false after the timeout.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let target = self.counters.accepted.load(Ordering::SeqCst);
        loop {
            // A line counted in the target may have been dropped since.
            let wanted = self.counters.accepted.load(Ordering::SeqCst).min(target);
            if self.counters.settled.load(Ordering::SeqCst) >= wanted {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Returns the counters.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Consumer {
    /// Waits for a line, but no longer than `timeout`.
    pub(super) fn receive(&self, timeout: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(timeout).inspect(|line| self.release(line))
    }

    /// Returns a line if one is queued.
    pub(super) fn try_receive(&self) -> Result<String, TryRecvError> {
        self.lines.try_recv().inspect(|line| self.release(line))
    }

    /// Returns true if no line is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn release(&self, line: &str) {
        self.counters.bytes.fetch_sub(line.len(), Ordering::Relaxed);
    }

    /// Returns the counters.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Counters {
    /// Returns the number of lines that wait in the queue.
    pub(super) fn queued(&self) -> u64 {
        let settled = self.settled.load(Ordering::SeqCst);
        self.accepted.load(Ordering::SeqCst).saturating_sub(settled)
    }

    /// Returns the number of lines dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns the duration of the current write; zero between writes.
    pub(super) fn blocked(&self) -> Duration {
        match self.write_began.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            began => self.epoch.elapsed().saturating_sub(Duration::from_millis(began - 1)),
        }
    }

    /// Counts dropped lines.
    pub(super) fn drop_lines(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts lines that the writer has written or given up.
    pub(super) fn settle(&self, count: u64) {
        self.settled.fetch_add(count, Ordering::SeqCst);
    }

    /// Marks the start of a write.
    pub(super) fn begin_write(&self) {
        let elapsed = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.write_began.store(elapsed + 1, Ordering::Relaxed);
    }

    /// Marks the end of a write.
    pub(super) fn end_write(&self) {
        self.write_began.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { lines: 8, bytes: 100 };

    fn line(length: usize) -> String {
        "x".repeat(length)
    }

    #[test]
    fn queue_drops_and_counts_lines_beyond_its_bound() {
        let (producer, consumer) = bounded(SMALL);
        (0..20).for_each(|_| producer.send(Level::Info, line(1)));
        assert_eq!((producer.counters().queued(), producer.counters().dropped()), (8, 12));
        assert!(!producer.has_room(Level::Error));
        assert_eq!(producer.counters().dropped(), 13);
        assert!(consumer.try_receive().is_ok());
        assert!(producer.has_room(Level::Error));
    }

    #[test]
    fn queue_drops_and_counts_bytes_beyond_its_bound() {
        let (producer, consumer) = bounded(SMALL);
        (0..4).for_each(|_| producer.send(Level::Info, line(40)));
        assert_eq!((producer.counters().queued(), producer.counters().dropped()), (2, 2));
        producer.send(Level::Info, line(20));
        assert_eq!(producer.counters().queued(), 3, "a shorter one fits");
        while consumer.try_receive().is_ok() {}
        producer.send(Level::Info, line(100));
        assert_eq!(producer.counters().dropped(), 2, "all of its bytes are free again");
    }

    #[test]
    fn queue_keeps_room_for_info_and_above() {
        let (producer, _consumer) = bounded(SMALL);
        for _ in 0..20 {
            if producer.has_room(Level::Debug) {
                producer.send(Level::Debug, line(1));
            }
        }
        assert_eq!(producer.counters().queued(), 6);
        assert!(producer.has_room(Level::Info));
        producer.send(Level::Info, line(1));
        assert_eq!(producer.counters().queued(), 7);
    }

    #[test]
    fn flush_waits_for_the_writer_and_not_beyond_its_timeout() {
        let (producer, consumer) = bounded(SMALL);
        assert!(producer.flush(Duration::ZERO), "nothing is queued");
        producer.send(Level::Info, line(1));
        assert!(!producer.flush(Duration::from_millis(5)), "nothing was written");
        thread::scope(|scope| {
            scope.spawn(|| {
                consumer.receive(Duration::from_secs(60)).unwrap();
                consumer.counters().settle(1);
            });
            assert!(producer.flush(Duration::from_secs(60)));
        });
    }
}
