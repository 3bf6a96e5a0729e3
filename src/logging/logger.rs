//! The logger of the process: the part of the log that runs on the threads that log.

use std::sync::Arc;
use std::time::Instant;

use log::{Log, Metadata, Record};

use super::caps::Caps;
use super::format::Layout;
use super::queue::Producer;
use super::rate::RateLimiter;

use crate::wall_clock;

/// Filters, limits and formats records, and sends them to the writer.
pub(super) struct Logger {
    pub(super) filter: env_logger::Logger,
    pub(super) layout: Layout,
    pub(super) limiter: Arc<RateLimiter>,
    pub(super) producer: Producer,
}

impl Logger {
    /// Logs a record that has passed the filter, or to which the filter does not apply.
    pub(super) fn submit(&self, record: &Record<'_>) {
        let level = record.level();
        let rate = Caps::of(record.target(), level).rate;
        if rate.is_some_and(|rate| !self.limiter.admit(record, rate, Instant::now())) {
            return;
        }
        if self.producer.has_room(level) {
            self.producer.send(level, self.layout.line(record, wall_clock::of_machine()));
        }
    }

    /// Queues the summaries of suppressed lines that the writer has not written yet.
    pub(super) fn queue_summaries(&self) {
        for suppressed in self.limiter.take_suppressed() {
            self.producer.send(suppressed.level, suppressed.note(self.layout));
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.filter.matches(record) {
            self.submit(record);
        }
    }

    /// Does nothing: no caller may wait for the writer.
    fn flush(&self) {}
}

#[cfg(test)]
mod tests;
