//! Entries that wait for the next flush, and the latest events.
//!
//! Events get their ids when they are recorded. Until the file has been opened, the ids start at 1;
//! [`Batch::renumber_after`] then adds the largest id of the file to them.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::destination::SharedEvents;
use super::entry::{Entry, StoredEvent};
use super::sender::MAX_BYTES;
use super::shared::Shared;
use crate::board::{Change, DatedBy, Event, Sample};
use crate::kernel::clock::MIN_TIME;

/// Number of events that are kept in memory, so that a page shows them without a read of the disk.
pub(super) const MAX_RECENT: usize = 200;

/// Largest number that is recorded. No sensor measures more, and sums of it stay finite.
pub(super) const MAX_NUMBER: f64 = 1e15;

/// Entries to be written next, oldest first.
pub(super) struct Batch {
    /// False without a file: then only the recent events are stored, in memory.
    stores_entries: bool,
    entries: VecDeque<Entry>,
    /// Bytes of the entries, as they were added.
    bytes: usize,
    next_id: i64,
    /// True once the ids continue those in the file.
    is_numbered: bool,
    /// The latest events, newest first.
    recent: VecDeque<StoredEvent>,
    /// Those of all replicas, if the destination is their database; `recent` has those of this process then.
    shared_events: Option<SharedEvents>,
    warned_of_clock: bool,
    warned_of_numbers: bool,
    shared: Arc<Shared>,
}

impl Batch {
    pub(super) fn new(stores_entries: bool, shared: Arc<Shared>) -> Batch {
        Batch {
            stores_entries,
            entries: VecDeque::new(),
            bytes: 0,
            next_id: 1,
            is_numbered: false,
            recent: VecDeque::new(),
            shared_events: None,
            warned_of_clock: false,
            warned_of_numbers: false,
            shared,
        }
    }

    /// Adds a change. If the batch is full, drops the oldest entries. Its limits are those of the queue: see
    /// [`super::sender`].
    pub(super) fn add(&mut self, change: Change) {
        let entry = match change {
            Change::Observed(samples) => Entry::Samples(self.bounded(samples)),
            Change::Happened(event) => Entry::Event(self.number(event)),
            Change::ClockStepped(step) => return self.date_anew(step),
        };
        if !self.stores_entries {
            return;
        }
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        if self.entries.len() > self.shared.max_changes() {
            self.drop_oldest();
        }
        while self.bytes > MAX_BYTES && self.drop_oldest() {}
    }

    /// Drops the oldest entry, and counts its rows; returns false if there is none.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(oldest.bytes());
        self.shared.dropped(oldest.rows());
        true
    }

    /// Returns true if the batch should be written before its interval has passed.
    pub(super) fn is_half_full(&self) -> bool {
        self.entries.len() > self.shared.max_changes() / 2 || self.bytes > MAX_BYTES / 2
    }

    /// Drops samples with numbers that no sensor measures, and warns of the first. Decoders reject them already;
    /// this keeps the sums of the history finite whatever they let through.
    fn bounded(&mut self, mut samples: Vec<Sample>) -> Vec<Sample> {
        let count = samples.len();
        samples.retain(|sample| sample.value.get().abs() <= MAX_NUMBER);
        let dropped = count - samples.len();
        self.shared.refused(dropped as u64);
        if dropped > 0 && !std::mem::replace(&mut self.warned_of_numbers, true) {
            log::warn!("numbers beyond {MAX_NUMBER:e} are not recorded");
        }
        samples
    }

    /// Drops samples dated before 2020, and warns of the first. Called before a flush, since held samples may be
    /// dated anew.
    pub(super) fn drop_implausible(&mut self) {
        let mut dropped = 0;
        for entry in &mut self.entries {
            let Entry::Samples(samples) = entry else { continue };
            let count = samples.len();
            samples.retain(|sample| sample.at.as_second() >= MIN_TIME);
            dropped += count - samples.len();
        }
        if dropped > 0 && !std::mem::replace(&mut self.warned_of_clock, true) {
            log::warn!(
                "observations dated before 2020 are not recorded; check the clocks of this machine \
                 and of the sensor"
            );
        }
    }

    /// Drops what the machine dated while its clock was known to be wrong; returns the number of dropped
    /// samples and events. Events with a plausible time stay: they say what the program did.
    pub(super) fn drop_dated_by_machine(&mut self) -> usize {
        let mut dropped = 0;
        self.entries.retain_mut(|entry| match entry {
            Entry::Samples(samples) => {
                let count = samples.len();
                samples.retain(|sample| sample.dated_by == DatedBy::Sensor);
                dropped += count - samples.len();
                true
            }
            Entry::Event(stored) => {
                let is_kept = stored.event.at.as_second() >= MIN_TIME;
                dropped += usize::from(!is_kept);
                is_kept
            }
        });
        dropped
    }

    /// Adds a step of the machine's clock to the times that were read from it and are not written.
    fn date_anew(&mut self, step: SignedDuration) {
        let moved = |at: Timestamp| at.saturating_add(step).unwrap_or(at);
        let date = |sample: &mut Sample| {
            sample.at = moved(sample.at);
            // The stamp of the sensor was right, as the board now shows.
            if let Some(stated) = sample.stated.take_if(|stated| *stated <= sample.at) {
                (sample.at, sample.dated_by) = (stated, DatedBy::Sensor);
            }
        };
        let mut unwritten = if self.stores_entries { i64::MAX } else { i64::MIN };
        for entry in &mut self.entries {
            match entry {
                Entry::Samples(samples) => {
                    let by_machine =
                        samples.iter_mut().filter(|sample| sample.dated_by == DatedBy::Machine);
                    by_machine.for_each(date);
                }
                Entry::Event(stored) => {
                    stored.event.at = moved(stored.event.at);
                    unwritten = unwritten.min(stored.id);
                }
            }
        }
        for stored in self.recent.iter_mut().filter(|stored| stored.id >= unwritten) {
            stored.event.at = moved(stored.event.at);
        }
        self.publish_events();
    }

    /// Takes over the latest events of all replicas.
    pub(super) fn adopt_shared_events(&mut self, events: SharedEvents) {
        self.shared_events = Some(events);
        self.publish_events();
    }

    /// Publishes the latest events. Those that the shared database does not have yet come first, with ids after its own,
    /// which they keep until they have theirs.
    fn publish_events(&self) {
        let Some(SharedEvents { events, saved }) = &self.shared_events else {
            return self.shared.publish_events(self.recent.iter().cloned().collect(), false);
        };
        let latest = events.first().map_or(0, |stored| stored.id);
        let unsaved = self
            .recent
            .iter()
            .filter(|own| own.id > *saved)
            .map(|own| StoredEvent { id: latest + (own.id - saved), event: own.event.clone() });
        let all: Vec<_> = unsaved.chain(events.iter().cloned()).take(MAX_RECENT).collect();
        let are_all = all.len() < MAX_RECENT;
        self.shared.publish_events(all, are_all);
    }

    /// Returns the time of the latest sample.
    pub(super) fn latest(&self) -> Option<i64> {
        let samples = self.entries.iter().filter_map(|entry| match entry {
            Entry::Samples(samples) => Some(samples),
            Entry::Event(_) => None,
        });
        samples.flatten().map(|sample| sample.at.as_second()).max()
    }

    /// Gives an event its id, and adds it to the recent ones.
    fn number(&mut self, event: Event) -> StoredEvent {
        let stored = StoredEvent { id: self.next_id, event };
        self.next_id += 1;
        self.recent.truncate(MAX_RECENT - 1);
        self.recent.push_front(stored.clone());
        self.publish_events();
        stored
    }

    /// Adds `latest`, the largest id in the file, to all ids. Does nothing after the first call.
    pub(super) fn renumber_after(&mut self, latest: i64) {
        if std::mem::replace(&mut self.is_numbered, true) {
            return;
        }
        for entry in &mut self.entries {
            if let Entry::Event(stored) = entry {
                stored.id += latest;
            }
        }
        for stored in &mut self.recent {
            stored.id += latest;
        }
        self.publish_events();
        self.next_id += latest;
    }

    /// Returns the id of the oldest event in memory, and the number of earlier events for which there is room.
    pub(super) fn missing_recent(&self) -> (i64, usize) {
        let before = self.recent.back().map_or(i64::MAX, |stored| stored.id);
        (before, MAX_RECENT.saturating_sub(self.recent.len()))
    }

    /// Appends earlier events, read from the file, to the recent ones.
    pub(super) fn extend_recent(&mut self, earlier: Vec<StoredEvent>) {
        self.recent.extend(earlier);
        self.publish_events();
    }

    pub(super) fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Removes the first `count` entries, after they have been stored.
    pub(super) fn remove_first(&mut self, count: usize) {
        // A backlog leaves no memory behind.
        self.entries = self.entries.split_off(count);
        self.bytes = self.entries.iter().map(Entry::bytes).sum();
    }
}
