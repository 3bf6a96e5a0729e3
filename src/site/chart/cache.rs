//! Cache of recently drawn charts.
//!
//! One chart is kept for each source, field and range, whatever sizes and themes it is rendered in,
//! so requests for many of these read the disk once. A chart is drawn again when the history or the
//! field's latest observation has changed, or when a pixel's worth of time has passed. Until then, and where a
//! new drawing would have to wait, the kept one is shown.
//!
//! After a failure no drawing is tried for [`RETRY_DELAY`], so a page with twenty charts queries a broken
//! history once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::latest::Latest;
use super::range::Range;
use super::rendering::Chart;
use super::threshold::Threshold;
use crate::board::SourceView;
use crate::history::History;

/// Number of charts that are kept; the one drawn longest ago is evicted.
const CAPACITY: usize = 128;

/// Seconds after a failure during which no drawing is tried.
const RETRY_DELAY: i64 = 2;

/// Time after which a piece of a drawing is taken to be blocked on the disk. Pages are then served
/// without new charts.
const STALLED_AFTER: Duration = Duration::from_millis(100);

/// Seconds for which an outdated chart may be shown.
const MAX_OUTDATED_AGE: i64 = 15 * 60;

/// Reason for a chart's absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Missing {
    /// The field was never recorded.
    NeverRecorded,
    /// The history cannot be read now.
    HistoryUnavailable,
    /// The chart is not drawn yet.
    NotDrawn,
}

/// A chart, or the reason for its absence.
pub(in crate::site) type Outcome = Result<Arc<Chart>, Missing>;

/// Subject of a chart.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) struct Subject<'a> {
    pub(in crate::site) source: &'a SourceView,
    pub(in crate::site) field: &'a str,
    pub(in crate::site) range: Range,
    /// Thresholds of the alerts on the field.
    pub(in crate::site) thresholds: &'a [Threshold],
}

impl Subject<'_> {
    pub(super) fn key(&self) -> Key {
        let Subject { source, field, range, .. } = *self;
        Key { source: source.name.clone(), field: field.to_owned(), range }
    }

    pub(super) fn inputs(&self, history: &History) -> Inputs {
        Inputs {
            history: history.version(),
            latest: Latest::of(self.source, self.field),
            thresholds: self.thresholds.into(),
        }
    }
}

/// Key of a chart in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: Arc<str>,
    pub(super) field: String,
    pub(super) range: Range,
}

/// Versions of the data that a chart was drawn from. Equal inputs give an equal chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inputs {
    history: u64,
    latest: Option<Latest>,
    pub(super) thresholds: Arc<[Threshold]>,
}

/// Result of a lookup in the cache, which reads no disk.
#[derive(Debug)]
pub(in crate::site) enum Cached {
    /// The kept outcome, which a new drawing would not change.
    Current(Outcome),
    /// The chart has to be drawn. The kept outcome, if there is one, may be shown meanwhile.
    Outdated(Option<Outcome>),
}

impl Cached {
    /// Returns the best outcome that can be shown without a drawing.
    pub(in crate::site) fn best(self) -> Outcome {
        match self {
            Cached::Current(outcome) | Cached::Outdated(Some(outcome)) => outcome,
            Cached::Outdated(None) => Err(Missing::NotDrawn),
        }
    }
}

/// Result of a drawing.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) outcome: Outcome,
    pub(super) inputs: Inputs,
    /// Unix time.
    pub(super) drawn_at: i64,
}

/// Cache of drawn charts.
#[derive(Debug, Default)]
pub(in crate::site) struct ChartCache {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Unix time until which no drawing is tried.
    failed_until: i64,
    /// Start of the piece of a drawing that is in progress.
    piece_started_at: Option<Instant>,
}

impl ChartCache {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a chart up as of `now`.
    pub(in crate::site) fn get(
        &self,
        history: &History,
        subject: Subject<'_>,
        now: Timestamp,
    ) -> Cached {
        let inputs = subject.inputs(history);
        let fresh_for = subject.range.redraw_after();
        let state = self.state();
        let entry = state.entries.get(&subject.key());
        let age = entry.map_or(0, |entry| now.as_second() - entry.drawn_at);
        match entry {
            Some(entry) if entry.inputs == inputs && (0..fresh_for).contains(&age) => {
                Cached::Current(entry.outcome.clone())
            }
            _ if (1..=RETRY_DELAY).contains(&(state.failed_until - now.as_second())) => {
                Cached::Current(Err(Missing::HistoryUnavailable))
            }
            entry => {
                let shown = entry.filter(|_| (0..MAX_OUTDATED_AGE).contains(&age));
                Cached::Outdated(shown.map(|entry| entry.outcome.clone()))
            }
        }
    }

    /// Returns true if a drawing in progress is blocked on the disk, so that another one would
    /// block as well.
    pub(in crate::site) fn is_stalled(&self) -> bool {
        self.state().piece_started_at.is_some_and(|start| start.elapsed() >= STALLED_AFTER)
    }

    /// Marks a piece of a drawing as in progress until the guard is dropped.
    pub(super) fn begin_piece(&self) -> PieceGuard<'_> {
        self.state().piece_started_at = Some(Instant::now());
        PieceGuard(self)
    }

    /// Keeps the result of a drawing.
    ///
    /// An absence is kept only for a field that exists, because clients can invent any number of
    /// other names.
    pub(super) fn insert(&self, key: Key, entry: Entry, field_exists: bool) {
        let mut state = self.state();
        if matches!(entry.outcome, Err(Missing::HistoryUnavailable)) {
            state.failed_until = entry.drawn_at + RETRY_DELAY;
            return;
        }
        let is_absent = entry.outcome.as_ref().map_or(true, |chart| chart.is_empty());
        if is_absent && !field_exists {
            return;
        }
        if state.entries.len() >= CAPACITY && !state.entries.contains_key(&key) {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.drawn_at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| state.entries.remove(&key));
        }
        state.entries.insert(key, entry);
    }
}

/// Guard of a piece of a drawing.
pub(super) struct PieceGuard<'c>(&'c ChartCache);

impl Drop for PieceGuard<'_> {
    fn drop(&mut self) {
        self.0.state().piece_started_at = None;
    }
}

#[cfg(test)]
impl ChartCache {
    /// Makes every kept chart older by `seconds`.
    pub(in crate::site) fn age(&self, seconds: i64) {
        self.state().entries.values_mut().for_each(|entry| entry.drawn_at -= seconds);
    }

    /// Simulates a drawing that is blocked on a disk that hangs.
    pub(in crate::site) fn stall(&self) {
        self.state().piece_started_at = Instant::now().checked_sub(STALLED_AFTER);
    }

    /// Returns the number of kept charts.
    pub(in crate::site) fn len(&self) -> usize {
        self.state().entries.len()
    }
}
