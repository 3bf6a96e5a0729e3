//! The thread `pw-log`: the only one that writes to standard error, and so the only one that blocks
//! while standard error is not read.
//!
//! It must not log through the queue that it empties: it formats its own lines and writes them itself.

use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use log::Level;

use super::format::Layout;
use super::queue::Consumer;
use super::rate::RateLimiter;

/// Most bytes of one write (`PIPE_BUF`). `write(2)` puts up to this many bytes into a pipe atomically, so
/// other processes that write to the same pipe do not break up a line.
const MAX_BATCH_BYTES: usize = 4096;

/// Interval between two summaries of suppressed lines.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(10);

/// Longest time from a drop to the line that reports it, while the queue is never empty.
const DROP_NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// Pause after the sink failed, so that a lasting error costs ten system calls a second.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Pause where the sink is non-blocking and full.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// Standard error without the lock of the standard library: a thread that takes the lock must not block
/// behind a write.
pub(super) struct StandardError(io::Stderr);

impl StandardError {
    pub(super) fn new() -> StandardError {
        StandardError(io::stderr())
    }
}

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0.as_fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines from the queue to a sink, and reports lines that were dropped or suppressed.
pub(super) struct Writer<S> {
    consumer: Consumer,
    limiter: Arc<RateLimiter>,
    layout: Layout,
    sink: S,
    /// Line that was received, but did not fit into the previous batch.
    pending: Option<String>,
    /// Number of dropped lines that were reported.
    reported: u64,
    /// Time at which the writer saw the first drop that was not reported.
    unreported_since: Option<Instant>,
    next_summary: Instant,
    /// Latest error of the sink since the last report.
    error: Option<io::Error>,
    /// True if the latest write ended within a line.
    torn: bool,
}

/// Lines that are written together.
struct Batch {
    text: String,
    lines: u64,
}

impl<S: Write> Writer<S> {
    pub(super) fn new(
        consumer: Consumer,
        limiter: Arc<RateLimiter>,
        layout: Layout,
        sink: S,
    ) -> Writer<S> {
        let now = Instant::now();
        Writer {
            consumer,
            limiter,
            layout,
            sink,
            pending: None,
            reported: 0,
            unreported_since: None,
            next_summary: now + SUMMARY_INTERVAL,
            error: None,
            torn: false,
        }
    }

    /// Writes until every producer is dropped.
    pub(super) fn run(mut self) {
        loop {
            let lines = match self.receive() {
                Ok(batch) => {
                    if !self.write(&batch.text) {
                        self.consumer.counters().drop_lines(batch.lines);
                    }
                    batch.lines
                }
                Err(RecvTimeoutError::Timeout) => 0,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.summarize_suppressed();
            self.note_dropped();
            // Last, so that a flush also waits for the lines written above.
            self.consumer.counters().settle(lines);
        }
    }

    fn receive(&mut self) -> Result<Batch, RecvTimeoutError> {
        let text = match self.pending.take() {
            Some(line) => line,
            None => self.consumer.receive(SUMMARY_INTERVAL)?,
        };
        let mut batch = Batch { text, lines: 1 };
        while let Ok(line) = self.consumer.try_receive() {
            if batch.text.len() + line.len() > MAX_BATCH_BYTES {
                self.pending = Some(line);
                break;
            }
            batch.text.push_str(&line);
            batch.lines += 1;
        }
        Ok(batch)
    }

    /// Writes whole lines. Blocks until the sink takes them. Returns false if the sink failed.
    fn write(&mut self, lines: &str) -> bool {
        let counters = self.consumer.counters();
        counters.begin_write();
        let prefix = if self.torn { "\n" } else { "" };
        let written = write_all(&mut self.sink, prefix.as_bytes())
            .and_then(|()| write_all(&mut self.sink, lines.as_bytes()));
        counters.end_write();
        match written {
            Ok(()) => {
                self.torn = false;
                true
            }
            Err(Unwritten { error, torn }) => {
                self.torn |= torn;
                self.error = Some(error);
                thread::sleep(ERROR_PAUSE);
                false
            }
        }
    }

    fn summarize_suppressed(&mut self) {
        let now = Instant::now();
        if now < self.next_summary {
            return;
        }
        self.next_summary = now + SUMMARY_INTERVAL;
        for suppressed in self.limiter.take_suppressed() {
            let note = suppressed.note(self.layout);
            if !self.write(&note) {
                self.consumer.counters().drop_lines(1);
            }
        }
    }

    /// Reports lines that were dropped since the last report, once the queue is empty, or after
    /// [`DROP_NOTE_INTERVAL`] if it never is.
    fn note_dropped(&mut self) {
        let dropped = self.consumer.counters().dropped();
        if dropped == self.reported {
            return;
        }
        let now = Instant::now();
        let since = *self.unreported_since.get_or_insert(now);
        let is_empty = self.pending.is_none() && self.consumer.is_empty();
        if !is_empty && now < since + DROP_NOTE_INTERVAL {
            return;
        }
        let count = dropped - self.reported;
        let note = match self.error.take() {
            None => self.layout.note(
                Level::Warn,
                format_args!("{count} log lines dropped: standard error took them too slowly"),
            ),
            Some(error) => self.layout.note(
                Level::Warn,
                format_args!("{count} log lines dropped: standard error failed: {error}"),
            ),
        };
        if self.write(&note) {
            self.reported = dropped;
            self.unreported_since = None;
        }
    }
}

/// Error of a write.
struct Unwritten {
    error: io::Error,
    /// True if a part was written.
    torn: bool,
}

fn write_all(sink: &mut impl Write, mut bytes: &[u8]) -> Result<(), Unwritten> {
    let length = bytes.len();
    while !bytes.is_empty() {
        let error = match sink.write(bytes) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(written) => {
                bytes = &bytes[written.min(bytes.len())..];
                continue;
            }
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => thread::sleep(FULL_PAUSE),
            _ => return Err(Unwritten { error, torn: bytes.len() < length }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
