//! The cache of drawn charts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::drawn::{Missing, Outcome};
use super::range::Range;
use crate::board::SourceView;
use crate::history::History;

/// Charts that are kept; with more, the one drawn longest ago goes.
const MOST: usize = 128;

/// Seconds for which no drawing is tried after a failure.
const PAUSE: i64 = 2;

/// A piece of a drawing that takes so long waits for the disk, and no page waits for that.
pub(super) const STALLED_AFTER: Duration = Duration::from_millis(100);

/// Seconds for which an outdated chart is shown where a new one cannot be had.
const SHOWN_FOR: i64 = 15 * 60;

/// Content of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: Arc<str>,
    pub(super) field: String,
    pub(super) range: Range,
}

/// State of the history and of the source that a chart was drawn from. Another chart of an equal
/// one would look the same.
pub(super) type DrawnFrom = (u64, Option<Timestamp>);

/// The charts that were drawn lately.
#[derive(Debug, Default)]
pub(in crate::site) struct Charts {
    pub(super) kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) charts: HashMap<Key, Entry>,
    /// Second until which no drawing is tried.
    failed_until: i64,
    /// Begin of the piece of a drawing that is being done.
    pub(super) at_work_since: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) outcome: Outcome,
    pub(super) drawn_from: DrawnFrom,
    pub(super) drawn_at: i64,
}

/// A chart that is wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) struct Wanted<'a> {
    pub(in crate::site) source: &'a SourceView,
    pub(in crate::site) field: &'a str,
    pub(in crate::site) range: Range,
}

impl Wanted<'_> {
    pub(super) fn key(&self) -> Key {
        let Wanted { source, field, range } = *self;
        Key { source: source.name.clone(), field: field.to_owned(), range }
    }

    pub(super) fn drawn_from(&self, history: &History) -> DrawnFrom {
        let observed = self.source.reading.as_ref().map(|kept| kept.observed.at);
        (history.version(), observed)
    }
}

/// State of a chart, known without a look at the disk.
#[derive(Debug)]
pub(in crate::site) enum Known {
    /// Another drawing would come to the same.
    Current(Outcome),
    /// It is to be drawn; the one of before may be shown meanwhile.
    Outdated(Option<Outcome>),
}

impl Known {
    /// The best that can be shown now.
    pub(in crate::site) fn best(self) -> Outcome {
        match self {
            Known::Current(outcome) | Known::Outdated(Some(outcome)) => outcome,
            Known::Outdated(None) => Err(Missing::Undrawn),
        }
    }
}

impl Charts {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state of a chart as of `now`.
    pub(in crate::site) fn look(
        &self,
        history: &History,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Known {
        let drawn_from = wanted.drawn_from(history);
        // What a pixel stands for.
        let fresh_for = (wanted.range.seconds() / 600).clamp(5, 900);
        let kept = self.kept();
        let entry = kept.charts.get(&wanted.key());
        let age = entry.map_or(0, |entry| now.as_second() - entry.drawn_at);
        match entry {
            Some(entry) if entry.drawn_from == drawn_from && (0..fresh_for).contains(&age) => {
                Known::Current(entry.outcome.clone())
            }
            _ if (1..=PAUSE).contains(&(kept.failed_until - now.as_second())) => {
                Known::Current(Err(Missing::Unavailable))
            }
            entry => {
                let shown = entry.filter(|_| (0..SHOWN_FOR).contains(&age));
                Known::Outdated(shown.map(|entry| entry.outcome.clone()))
            }
        }
    }

    /// Returns true if the disk holds up a drawing, so that a wait for another one would be in
    /// vain.
    pub(in crate::site) fn is_stalled(&self) -> bool {
        self.kept().at_work_since.is_some_and(|since| since.elapsed() >= STALLED_AFTER)
    }

    /// Notes that a piece of a drawing is being done until the guard is dropped.
    pub(super) fn work(&self) -> AtWork<'_> {
        self.kept().at_work_since = Some(Instant::now());
        AtWork(self)
    }

    /// Keeps the result of a drawing. An empty result is kept only for fields that exist: clients
    /// may invent any number of other names.
    pub(super) fn keep(&self, key: Key, entry: Entry, is_known: bool) {
        let mut kept = self.kept();
        if matches!(entry.outcome, Err(Missing::Unavailable)) {
            kept.failed_until = entry.drawn_at + PAUSE;
            return;
        }
        if entry.outcome.is_err() && !is_known {
            return;
        }
        if kept.charts.len() >= MOST && !kept.charts.contains_key(&key) {
            let oldest = kept.charts.iter().min_by_key(|(_, entry)| entry.drawn_at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| kept.charts.remove(&key));
        }
        kept.charts.insert(key, entry);
    }
}

/// Guard of a piece of a drawing.
pub(super) struct AtWork<'c>(&'c Charts);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.kept().at_work_since = None;
    }
}
