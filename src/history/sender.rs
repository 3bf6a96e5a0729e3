//! Bounded queue of changes from the board to the recorder.
//!
//! The board must not block on a disk, so [`ChangeSender::send`] never blocks. When the queue is full, it drops
//! the oldest change and counts its rows.
//!
//! # Limits
//! Both this queue, which fills while the recorder blocks on a disk, and the recorder's batch, which fills while
//! the disk returns errors, hold [`max_changes`] of at most [`MAX_BYTES`]. A change of four values takes some 600
//! bytes, so a disk may hang or fail for this long before a change is lost:
//!
//! | sources | interval | changes | MiB | time |
//! | ---: | ---: | ---: | ---: | ---: |
//! | 30 | 60 s | 4,096 | 2 | 2 h 16 min |
//! | 3,000 | 30 s | 60,000 | 34 | 10 min |
//! | 3,000 | 60 s | 60,000 | 34 | 20 min |
//! | 10,000 | 30 s | 110,000 | 64 | 5 min |
//! | 10,000 | 60 s | 110,000 | 64 | 11 min |
//!
//! The recorder flushes early when its batch is half full, so between two flushes nothing is lost, however
//! many sources there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::entry::{bytes_of, rows_of};
use super::shared::Shared;
use crate::board::Change;

/// Fewest changes for which there is place: at one observation a minute those of almost three days.
const MIN_CHANGES: usize = 4_096;

/// Changes of each source for which there is place: at one observation each 30 seconds those of ten minutes.
const CHANGES_PER_SOURCE: usize = 20;

/// Most bytes of the changes.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// Returns for how many changes there is place with that many sources.
pub(super) fn max_changes(sources: usize) -> usize {
    sources.saturating_mul(CHANGES_PER_SOURCE).max(MIN_CHANGES)
}

/// Sends changes to the recorder without blocking. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChangeSender {
    /// The channel is as long as its changes, whatever the limit, which follows the number of sources.
    sender: Sender<Box<Change>>,
    queue: Changes,
}

/// Receiving end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    receiver: Receiver<Box<Change>>,
    bytes: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl ChangeSender {
    /// Returns a sender and the recorder's end of the queue.
    pub(super) fn new(shared: Arc<Shared>) -> (ChangeSender, Changes) {
        let (sender, receiver) = unbounded();
        let queue = Changes { receiver, bytes: Arc::default(), shared };
        (ChangeSender { sender, queue: queue.clone() }, queue)
    }

    /// Queues a change. If the queue is full, drops the oldest ones.
    pub fn send(&self, change: Change) {
        self.queue.bytes.fetch_add(bytes_of(&change), Ordering::Relaxed);
        // The receiver is not disconnected, since this value has one.
        let _ = self.sender.send(Box::new(change));
        // One for the new one: after a reload with fewer sources the queue may be longer, and keeps its length.
        if self.queue.receiver.len() > self.queue.shared.max_changes() {
            self.queue.drop_oldest();
        }
        while self.queue.bytes.load(Ordering::Relaxed) > MAX_BYTES && self.queue.drop_oldest() {}
    }
}

impl Changes {
    /// Returns the channel, to wait for a change. What is received must be passed to [`Changes::received`].
    pub(super) fn channel(&self) -> &Receiver<Box<Change>> {
        &self.receiver
    }

    /// Returns a change that was received from the channel, which then holds its bytes no longer.
    pub(super) fn received(&self, change: Box<Change>) -> Change {
        self.bytes.fetch_sub(bytes_of(&change), Ordering::Relaxed);
        *change
    }

    /// Returns the oldest change, if there is one.
    pub(super) fn try_next(&self) -> Option<Change> {
        self.receiver.try_recv().ok().map(|change| self.received(change))
    }

    /// Drops the oldest change, and counts its rows; returns false if there is none.
    fn drop_oldest(&self) -> bool {
        let dropped = self.try_next();
        if let Some(dropped) = &dropped {
            self.shared.dropped(rows_of(dropped));
        }
        dropped.is_some()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::board::{Event, EventKind, Finite, Sample};
    use crate::history::tests::settings_of;
    use crate::history::{Settings, SourceFields};

    fn observed(values: usize) -> Change {
        let sample = |_| {
            let at = Timestamp::from_second(1_773_014_400).unwrap();
            Sample::new("tank".into(), "level".into(), at, Finite::new(1.0).unwrap(), None)
        };
        Change::Observed((0..values).map(sample).collect())
    }

    fn fields(sources: usize) -> Vec<SourceFields> {
        let fields = |n| SourceFields { source: format!("s{n}").into(), renamed: Vec::new() };
        (0..sources).map(fields).collect()
    }

    fn queue(sources: usize) -> (ChangeSender, Changes) {
        let settings = Settings { sources: fields(sources), ..settings_of(None) };
        ChangeSender::new(Arc::new(Shared::new(&settings)))
    }

    #[test]
    fn disk_that_hangs_for_ten_minutes_loses_nothing_of_3000_sources() {
        let (sender, changes) = queue(3_000);
        let sent = 3_000 * 10 * 2;
        (0..sent).for_each(|_| sender.send(observed(4)));
        assert_eq!(changes.shared.dropped.load(Ordering::Relaxed), 0);
        assert_eq!(changes.channel().len(), sent);
        let bytes = changes.bytes.load(Ordering::Relaxed);
        assert!(bytes <= 40 << 20, "{bytes}");
        sender.send(observed(4));
        assert_eq!(changes.shared.dropped.load(Ordering::Relaxed), 4, "the oldest one");
        while changes.try_next().is_some() {}
        assert_eq!(changes.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn reload_with_more_sources_makes_place_for_more_changes() {
        let (sender, changes) = queue(10);
        (0..MIN_CHANGES + 10).for_each(|_| sender.send(observed(1)));
        assert_eq!(changes.channel().len(), MIN_CHANGES);
        assert_eq!(changes.shared.dropped.load(Ordering::Relaxed), 10);
        changes.shared.sources.store(Arc::new(fields(1_000)));
        (0..1_000).for_each(|_| sender.send(observed(1)));
        assert_eq!(changes.channel().len(), MIN_CHANGES + 1_000);
    }

    #[test]
    fn reload_with_fewer_sources_keeps_what_is_queued() {
        let (sender, changes) = queue(1_000);
        (0..10_000).for_each(|_| sender.send(observed(1)));
        changes.shared.sources.store(Arc::new(fields(10)));
        (0..100).for_each(|_| sender.send(observed(1)));
        assert_eq!(changes.channel().len(), 10_000);
        assert_eq!(changes.shared.dropped.load(Ordering::Relaxed), 100, "one for each new one");
    }

    #[test]
    fn changes_with_many_values_are_bounded_by_their_bytes() {
        let (sender, changes) = queue(10_000);
        for _ in 0..1_000 {
            sender.send(observed(1_000));
            let detail = "x".repeat(1_000).into();
            let (at, kind) = (Timestamp::UNIX_EPOCH, EventKind::Stale);
            sender.send(Change::Happened(Event { at, kind, source: None, detail }));
        }
        assert!(changes.bytes.load(Ordering::Relaxed) <= MAX_BYTES);
        assert!(changes.channel().len() > 100, "the latest ones stay");
        assert!(changes.shared.dropped.load(Ordering::Relaxed) > 100_000);
    }
}
