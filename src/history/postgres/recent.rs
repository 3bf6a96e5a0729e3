//! Entries that were written lately, to be written again after an outage: a standby that was promoted may lack the latest
//! transactions.

use std::collections::VecDeque;
use std::time::Duration;

use crate::history::entry::Entry;

/// Time for which what was written is kept. It counts up to the latest call that the database has answered, so that an
/// outage may take any time.
pub(super) const KEPT: Duration = Duration::from_secs(120);

/// Most entries that are kept.
const MAX_ENTRIES: usize = 20_000;

/// Entries that were written lately, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Entries, each with the time since boot at which it was written.
    entries: VecDeque<(Duration, Entry)>,
    /// Number of the first entries that were written again since the latest outage; `None`: none are to be.
    resent: Option<usize>,
}

impl Recent {
    /// Keeps an entry that was written.
    pub(super) fn push(&mut self, now: Duration, entry: Entry) {
        self.entries.push_back((now, entry));
        if self.entries.len() > MAX_ENTRIES {
            self.entries.pop_front();
            self.resent = self.resent.map(|resent| resent.saturating_sub(1));
        }
    }

    /// Drops what was written long ago. The database has just answered.
    pub(super) fn trim(&mut self, now: Duration) {
        let is_old = |(at, _): &(Duration, Entry)| now.saturating_sub(*at) > KEPT;
        while self.resent.is_none() && self.entries.front().is_some_and(is_old) {
            self.entries.pop_front();
        }
    }

    /// Lets all entries be written again.
    pub(super) fn write_again(&mut self) {
        self.resent = (!self.entries.is_empty()).then_some(0);
    }

    /// Returns true if entries are to be written again.
    pub(super) fn is_resending(&self) -> bool {
        self.resent.is_some()
    }

    /// Returns the first `limit` entries that are to be written again.
    pub(super) fn first(&self, limit: usize) -> impl Iterator<Item = &Entry> {
        let from = self.resent.unwrap_or(self.entries.len());
        self.entries.iter().skip(from).take(limit).map(|(_, entry)| entry)
    }

    /// Notes that the first `count` of these were written again, which may be lost in turn.
    pub(super) fn note_resent(&mut self, now: Duration, count: usize) {
        let Some(from) = self.resent else { return };
        self.entries.iter_mut().skip(from).take(count).for_each(|(at, _)| *at = now);
        self.resent = Some(from + count).filter(|&resent| resent < self.entries.len());
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::board::{Event, EventKind};
    use crate::history::entry::StoredEvent;

    fn entry(id: i64) -> Entry {
        let (at, kind) = (Timestamp::UNIX_EPOCH, EventKind::Stale);
        Entry::Event(StoredEvent { id, event: Event { at, kind, source: None, detail: "".into() } })
    }

    fn ids(recent: &Recent, limit: usize) -> Vec<i64> {
        let id = |entry: &Entry| match entry {
            Entry::Event(stored) => stored.id,
            Entry::Samples(_) => panic!("an observation"),
        };
        recent.first(limit).map(id).collect()
    }

    #[test]
    fn entries_of_the_last_two_minutes_are_written_again_piece_by_piece() {
        let mut recent = Recent::default();
        let seconds = Duration::from_secs;
        for n in 0..5_u8 {
            recent.push(seconds(60 * u64::from(n)), entry(n.into()));
        }
        recent.trim(seconds(240));
        assert!(!recent.is_resending() && ids(&recent, 9).is_empty());
        recent.write_again();
        // However long the outage takes.
        recent.trim(seconds(9999));
        assert_eq!(ids(&recent, 2), [2, 3]);
        recent.note_resent(seconds(9999), 1);
        assert_eq!(ids(&recent, 9), [3, 4]);
        recent.write_again();
        recent.note_resent(seconds(9999), 2);
        recent.note_resent(seconds(9999), 1);
        assert!(!recent.is_resending() && ids(&recent, 9).is_empty());
        // What was written again may be lost again.
        recent.trim(seconds(10_100));
        recent.write_again();
        assert_eq!(ids(&recent, 9), [2, 3, 4]);
        recent.note_resent(seconds(10_100), 3);
        recent.trim(seconds(10_300));
        recent.write_again();
        assert!(!recent.is_resending(), "none are left");
    }

    #[test]
    fn number_of_entries_is_bounded() {
        let mut recent = Recent::default();
        for n in 0..=i64::try_from(MAX_ENTRIES).unwrap() {
            recent.push(Duration::ZERO, entry(n));
        }
        recent.write_again();
        assert_eq!((ids(&recent, 1), ids(&recent, usize::MAX).len()), (vec![1], MAX_ENTRIES));
    }
}
