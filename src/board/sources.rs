//! State machine of all sources, without a clock of its own and without I/O.
//!
//! Its inputs are reports, new configurations and times. It returns whether a snapshot must be published, and
//! collects the changes to record.
//!
//! ```text
//!             first reading               stale_at has passed
//!   waiting ─────────────────► fresh ─────────────────────────► stale
//!                                ▲                                │
//!                                └────────── newer reading ───────┘
//! ```
//! A reading that is already old when it arrives makes the source stale at once. The state depends on
//! the age of the observation only: a failed poll sets the error beside it and keeps the reading.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::changes::Baseline;
use super::event::{Change, Sample};
use super::reading::{FieldName, Observed, Reading, Value};
use super::report::{Polled, Report, SavedReading, SourceInfo};
use super::snapshot::{Failure, LastReading, SourceView, State};
use super::time_point::{CLOCK_TOLERANCE, TimePoint};
use super::trend::Trend;

/// All sources in the order of the configuration.
#[derive(Debug)]
pub(super) struct Sources {
    sources: Vec<Source>,
    /// Changes that have not been taken yet.
    changes: Vec<Change>,
}

/// State of one source.
#[derive(Debug)]
struct Source {
    stale_after: Duration,
    /// Latest point in time at which the times of the reading were right by the wall clock.
    timed: TimePoint,
    view: SourceView,
    trends: Vec<Trend>,
}

impl Sources {
    /// Returns all sources in the state `waiting`.
    pub(super) fn new(sources: Vec<SourceInfo>, now: TimePoint) -> Sources {
        let waiting = |info| Source::waiting(info, now);
        Sources { sources: sources.into_iter().map(waiting).collect(), changes: Vec::new() }
    }

    /// Applies a new configuration. Sources with the same name and kind keep their values.
    pub(super) fn renew(&mut self, sources: Vec<SourceInfo>, now: TimePoint) {
        let mut before = std::mem::take(&mut self.sources);
        for info in sources {
            let is_same =
                |source: &Source| source.view.name == info.name && source.view.kind == info.kind;
            let source = match before.iter().position(is_same) {
                None => Source::waiting(info, now),
                Some(at) => {
                    let before = before.swap_remove(at);
                    let baseline = Baseline::of(&before.view);
                    let renewed = before.renewed(info, now.wall);
                    // A new `stale_after` may change the state of the same reading.
                    self.changes.extend(baseline.changes_to(&renewed.view, now.wall));
                    renewed
                }
            };
            self.sources.push(source);
        }
    }

    /// Restores readings from before a restart. Those of unknown sources are dropped.
    pub(super) fn restore(&mut self, saved: Vec<SavedReading>, now: TimePoint) {
        for SavedReading { source, kind, fetched_at, stale, reading } in saved {
            let is_saved =
                |known: &&mut Source| known.view.name == source && known.view.kind == kind;
            if let Some(source) = self.sources.iter_mut().find(is_saved) {
                // If the clock has been set back since, the saved time is in the future.
                let fetched_at = whole_seconds(fetched_at.min(now.wall));
                source.view.reading = Some(source.date(reading, fetched_at));
                source.timed = now;
                source.view.state = source.state(now.wall);
                // The observation may not have been recorded before a crash, and may have turned stale since.
                self.changes.extend(Baseline::saved(stale).changes_to(&source.view, now.wall));
            }
        }
    }

    /// Restarts the trends from recorded samples, earliest first.
    pub(super) fn backfill(&mut self, past: &[Sample]) {
        for source in &mut self.sources {
            source.backfill(past);
        }
    }

    /// Returns the changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Applies a report; returns false if its source is unknown.
    #[must_use]
    pub(super) fn apply(&mut self, report: Report, now: TimePoint) -> bool {
        let is_reported = |source: &&mut Source| source.view.name == report.source;
        let Some(source) = self.sources.iter_mut().find(is_reported) else { return false };
        source.correct_times(now);
        let before = Baseline::of(&source.view);
        source.apply(report, now);
        self.changes.extend(before.changes_to(&source.view, now.wall));
        true
    }

    /// Updates all states by the clocks. Returns true if a state has changed, or if times were
    /// corrected because the wall clock was set back.
    #[must_use]
    pub(super) fn expire(&mut self, now: TimePoint) -> bool {
        let mut changed = false;
        for source in &mut self.sources {
            changed |= source.correct_times(now);
            let before = Baseline::of(&source.view);
            source.view.state = source.state(now.wall);
            changed |= before.state != source.view.state;
            self.changes.extend(before.changes_to(&source.view, now.wall));
        }
        changed
    }

    /// Returns the time when the next fresh source turns stale.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.sources
            .iter()
            .filter(|source| source.view.state == State::Fresh)
            .filter_map(|source| source.view.reading.as_ref())
            .map(|reading| reading.stale_at)
            .min()
    }

    /// Returns the state of all sources for a snapshot.
    pub(super) fn views(&self) -> Vec<SourceView> {
        self.sources.iter().map(|source| source.view.clone()).collect()
    }
}

impl Source {
    fn waiting(info: SourceInfo, now: TimePoint) -> Source {
        Source {
            timed: now,
            stale_after: round_up_to_seconds(info.stale_after),
            trends: info.trends.into_iter().map(Trend::new).collect(),
            view: SourceView {
                name: info.name,
                title: info.title,
                kind: info.kind,
                show: info.show,
                state: State::Waiting,
                reading: None,
                interval: info.interval,
                next_poll_at: None,
                error: None,
            },
        }
    }

    /// Returns the source with the settings of a new configuration. Its reading, its error and the trends with
    /// unchanged settings are kept.
    fn renewed(mut self, info: SourceInfo, now: Timestamp) -> Source {
        let mut before = std::mem::take(&mut self.trends);
        let mut renewed = Source::waiting(info, self.timed);
        for trend in &mut renewed.trends {
            if let Some(at) = before.iter().position(|before| before.settings() == trend.settings())
            {
                *trend = before.swap_remove(at);
            }
        }
        renewed.view.next_poll_at = self.view.next_poll_at;
        renewed.view.error = self.view.error.take();
        if let Some(last) = self.view.reading.take() {
            let reading = Reading { observed: last.observed, values: last.values };
            renewed.view.reading = Some(renewed.date(reading, last.fetched_at));
        }
        renewed.view.state = renewed.state(now);
        renewed
    }

    /// Corrects the times of the reading if the wall clock has been set back since they were right. Returns
    /// true if it has.
    ///
    /// Without the correction, the reading would be in the future and its age 0 until the clock has caught up.
    /// `fetched_at` moves back by the step of the clock. `observed_at` moves back by the same step if it would
    /// otherwise be later than `fetched_at`, which is impossible. Otherwise it stays: our clock was wrong, and
    /// the sensor's was right.
    fn correct_times(&mut self, now: TimePoint) -> bool {
        let Some(behind) = self.timed.set_back_until(now) else { return false };
        self.timed = now;
        if let Some(failure) = &mut self.view.error {
            failure.since = failure.since.min(whole_seconds(now.wall));
        }
        let Some(last) = &mut self.view.reading else { return true };
        let earlier = |at: Timestamp| at.saturating_sub(behind).unwrap_or(Timestamp::MIN);
        last.fetched_at = earlier(last.fetched_at);
        if last.observed.at > last.fetched_at {
            last.observed.at = earlier(last.observed.at);
        }
        last.stale_at = last.observed.at.saturating_add(self.stale_after).unwrap_or(Timestamp::MAX);
        true
    }

    fn apply(&mut self, report: Report, now: TimePoint) {
        // The clock may have been set back since the poll. JSON shows whole seconds, so the state is
        // computed from whole seconds, too.
        let at = whole_seconds(report.at.min(now.wall));
        self.view.next_poll_at = Some(report.next_poll_at);
        match report.outcome {
            Ok(polled) => {
                self.timed = now;
                match polled {
                    Polled::Reading(reading) => self.view.reading = Some(self.date(reading, at)),
                    Polled::Unchanged => {
                        if let Some(reading) = &mut self.view.reading {
                            reading.fetched_at = at;
                        }
                    }
                }
                self.view.error = None;
            }
            Err(error) => {
                let (since, before) =
                    self.view.error.as_ref().map_or((at, 0), |error| (error.since, error.failures));
                self.view.error = Some(Failure {
                    kind: error.kind,
                    message: error.message.into(),
                    since,
                    failures: before.saturating_add(1),
                });
            }
        }
        self.view.state = self.state(now.wall);
    }

    /// Returns the reading with both of its times and its trends. An observation that is dated later than the
    /// fetch gets the time of the fetch.
    fn date(&mut self, reading: Reading, fetched_at: Timestamp) -> LastReading {
        let Reading { observed, mut values } = reading;
        let mut observed = Observed { at: whole_seconds(observed.at), ..observed };
        let ahead = observed.at.duration_since(fetched_at);
        if ahead.is_positive() {
            observed.at = fetched_at;
            if ahead > CLOCK_TOLERANCE {
                observed.inferred = true;
                note_clock(&mut values, ahead);
            }
        }
        // The sum overflows only for a `stale_after` of millennia. The reading then never turns stale.
        let stale_at = observed.at.saturating_add(self.stale_after).unwrap_or(Timestamp::MAX);
        let trends = self.trends.iter_mut().flat_map(|trend| trend.derive(observed.at, &values));
        let mut derived: Vec<(FieldName, Value)> = Vec::new();
        for (name, value) in trends {
            // A field of the upstream takes precedence over a derived one of the same name.
            if !values.iter().chain(&derived).any(|(known, _)| *known == name) {
                derived.push((name, value));
            }
        }
        LastReading { observed, fetched_at, stale_at, values, derived }
    }

    /// Restarts the trends from recorded samples.
    fn backfill(&mut self, past: &[Sample]) {
        let name = self.view.name.clone();
        let own_samples = past.iter().filter(|sample| sample.source == name);
        // The history may have observations later than the restored reading. Trends are as of the time of the
        // reading, so they are derived before the later samples are added.
        let latest = self.view.reading.as_ref().map(|last| last.observed.at);
        let (earlier, later): (Vec<&Sample>, Vec<&Sample>) =
            own_samples.partition(|sample| latest.is_none_or(|latest| sample.at <= latest));
        if earlier.is_empty() && later.is_empty() {
            return;
        }
        self.trends.iter_mut().for_each(Trend::clear);
        self.backfill_trends(&earlier);
        if let Some(last) = self.view.reading.take() {
            let reading = Reading { observed: last.observed, values: last.values };
            self.view.reading = Some(self.date(reading, last.fetched_at));
        }
        self.backfill_trends(&later);
    }

    /// Adds recorded samples to the trends.
    fn backfill_trends(&mut self, past: &[&Sample]) {
        for trend in &mut self.trends {
            for sample in past {
                let (at, number) = (sample.at.as_second(), sample.value.get());
                trend.backfill(&sample.field, sample.unit, at, number);
            }
        }
    }

    /// Returns the state at `now`.
    fn state(&self, now: Timestamp) -> State {
        match &self.view.reading {
            None => State::Waiting,
            Some(reading) if now < reading.stale_at => State::Fresh,
            Some(_) => State::Stale,
        }
    }
}

/// Adds a note on the corrected time to each value without a note.
fn note_clock(values: &mut [(FieldName, Value)], ahead: SignedDuration) {
    let note: Arc<str> = format!(
        "observed {} s in the future by the upstream's clock; counted from the time of fetching",
        ahead.as_secs()
    )
    .into();
    for (_, value) in values {
        value.note.get_or_insert_with(|| note.clone());
    }
}

/// Returns the time without its fraction of a second.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a timestamp's seconds are in range")
}

/// Returns the duration rounded up to whole seconds.
fn round_up_to_seconds(duration: Duration) -> Duration {
    let fraction = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(duration.as_secs().saturating_add(fraction))
}

#[cfg(test)]
pub(super) mod tests;
