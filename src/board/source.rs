//! State machine of one source.
//!
//! ```text
//!             first reading               stale_at has passed
//!   waiting ─────────────────► fresh ─────────────────────────► stale
//!                                ▲                                │
//!                                └────────── newer reading ───────┘
//! ```
//! A reading that is already old when it arrives makes the source stale at once. The state depends on
//! the age of the observation only: a failed poll sets the error beside it and keeps the reading.
//!
//! An answer passes through these steps:
//! 1. `identity`: is it the observation that is held, a newer one, or an older one?
//! 2. `order`: an older one is passed over, unless it completes a row that is believed. It goes to the history
//!    with its own time; the page, the trends and the events do not change.
//! 3. `held`: the values are replaced. A repeated stamp with other values is a correction.
//! 4. `trend`: the derived values follow.
//! 5. The samples that differ from those held before are recorded.
//!
//! A source that another replica holds (`is_held` is false) shows the state which that replica publishes
//! ([`Source::follow`]). Its events are announced there, so none are emitted here. When this replica holds it, the
//! events since the last announced state are.
//!
//! A reading from before a restart that is later than the present, because the clock of this machine is
//! behind, is stale and has no known age. Nothing is reported of that: the clock will be set.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::changes::Baseline;
use super::event::{Change, Corrects, DatedBy, Sample};
use super::held::{Held, Outcome, restated, sample};
use super::identity::{Sighting, moved, whole_seconds};
use super::over_times::OverTimes;
use super::reading::{FieldName, Reading, Value};
use super::report::{Polled, Report, SavedReading, SourceInfo};
use super::snapshot::{Failure, SourceView, State};
use super::trend::Trend;
use crate::config::TrendSettings;
use crate::kernel::clock::TimePoint;

mod replica;

use self::replica::FollowedState;

/// State of one source.
#[derive(Debug)]
pub(super) struct Source {
    info: SourceInfo,
    stale_after: Duration,
    over_times: OverTimes,
    held: Option<Held>,
    /// The latest response if it was passed over: "not modified" repeats it.
    passed_over: Option<Reading>,
    trends: Vec<Trend>,
    /// Samples of the latest response that was passed over. It is recorded once, however often it is sent.
    recorded_past: Vec<Sample>,
    /// Latest state that another replica published and that this one shows.
    followed: Option<FollowedState>,
    /// False while the reading is later than the present.
    is_age_known: bool,
    /// Shared with the latest snapshot until it changes.
    view: Arc<SourceView>,
}

impl Source {
    /// Returns a source without a reading.
    pub(super) fn waiting(info: SourceInfo, is_held: bool) -> Source {
        let over_times = OverTimes::from(info.over_time.clone());
        let trend = |settings: &TrendSettings| Trend::new(settings.clone(), over_times.clone());
        Source {
            stale_after: round_up_to_seconds(info.stale_after),
            held: None,
            passed_over: None,
            trends: info.trends.iter().map(trend).collect(),
            over_times,
            recorded_past: Vec::new(),
            followed: None,
            is_age_known: true,
            view: Arc::new(info.waiting(is_held)),
            info,
        }
    }

    /// Returns what is published of the source.
    pub(super) fn view(&self) -> &SourceView {
        &self.view
    }

    /// Returns the view for the snapshot of that version and time, the first with its latest change.
    pub(super) fn published(&mut self, version: u64, now: Timestamp) -> Arc<SourceView> {
        let changed_at = self.followed.as_ref().and_then(|followed| followed.changed_at);
        let changed_at = changed_at.unwrap_or(now);
        let view = self.view_mut();
        (view.version, view.changed_at) = (version, changed_at);
        self.view.clone()
    }

    /// Returns the view to change it. The one of the latest snapshot stays as it is.
    fn view_mut(&mut self) -> &mut SourceView {
        Arc::make_mut(&mut self.view)
    }

    /// Returns true if a configuration has the same settings of the source.
    pub(super) fn has_settings(&self, info: &SourceInfo) -> bool {
        self.info == *info
    }

    /// Returns the time at which the source changes by the clock alone: its reading turns stale, or is not later
    /// than the present any more.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        if !self.is_age_known {
            return self.held.as_ref().map(Held::later_until);
        }
        let reading = self.view.reading.as_ref().filter(|_| self.view.state == State::Fresh);
        reading.map(|reading| reading.stale_at)
    }

    /// Returns the source with the settings of a new configuration. Its reading, its error and the trends with
    /// unchanged settings are kept.
    pub(super) fn renewed(mut self, info: SourceInfo, now: Timestamp) -> (Source, Vec<Change>) {
        let mut before = std::mem::take(&mut self.trends);
        let mut renewed = Source::waiting(info, self.view.is_held);
        for trend in &mut renewed.trends {
            if let Some(at) = before.iter().position(|before| before.has_settings_of(trend)) {
                *trend = before.swap_remove(at);
            }
        }
        let view = renewed.view_mut();
        view.next_poll_at = self.view.next_poll_at;
        view.error.clone_from(&self.view.error);
        view.is_stale_announced = self.view.is_stale_announced;
        renewed.followed = self.followed.take();
        if let Some(followed) = &mut renewed.followed {
            followed.changed_at = None;
        }
        renewed.held = self.held.take();
        if self.view.configuration != renewed.view.configuration
            && let Some(held) = &mut renewed.held
        {
            held.doubt();
        }
        let baseline = renewed.baseline();
        renewed.derive(now);
        // A new `stale_after` may change the state of the same reading.
        let changes = renewed.enter_state(baseline, now);
        (renewed, changes)
    }

    /// Restores the reading from before a restart.
    pub(super) fn restore(&mut self, saved: SavedReading, now: Timestamp) -> Vec<Change> {
        let mut held = Held::restored(saved.received, whole_seconds(saved.fetched_at), now);
        if saved.configuration.is_some_and(|saved| saved != self.view.configuration) {
            held.doubt();
        }
        self.held = Some(held);
        self.derive(now);
        // The observation may not have been recorded before a crash, and may have turned stale since.
        self.view_mut().is_stale_announced = saved.stale;
        let baseline = self.baseline();
        let samples = self.samples().into_iter().map(uncorrecting);
        let mut changes = vec![Change::Observed(samples.collect())];
        changes.extend(self.enter_state(baseline, now));
        changes
    }

    /// Applies a report.
    pub(super) fn apply(&mut self, report: Report, now: TimePoint) -> Vec<Change> {
        // The clock may have been set since the poll. Times of the report are by its earlier setting.
        let step = now.step_since(report.at);
        let at = whole_seconds(moved(report.at.wall, step).min(now.wall));
        if !self.view.is_held {
            return self.apply_late(report, step, at, now.wall);
        }
        let baseline = self.baseline();
        self.view_mut().next_poll_at = Some(moved(report.next_poll_at, step));
        let mut changes = Vec::new();
        match report.outcome {
            Ok(polled) => {
                self.view_mut().error = None;
                match polled {
                    Polled::Reading(reading) => {
                        changes = self.receive(restated_reading(reading, step), at, now.wall);
                    }
                    Polled::Unchanged => match self.passed_over.take() {
                        Some(reading) => changes = self.receive(reading, at, now.wall),
                        None => {
                            if let Some(held) = &mut self.held {
                                held.fetch(at);
                            }
                            self.show(now.wall);
                        }
                    },
                }
            }
            Err(error) => {
                let (since, before) =
                    self.view.error.as_ref().map_or((at, 0), |error| (error.since, error.failures));
                self.view_mut().error = Some(Failure {
                    kind: error.kind,
                    message: error.message.into(),
                    since,
                    failures: before.saturating_add(1),
                });
            }
        }
        changes.extend(self.enter_state(baseline, now.wall));
        changes
    }

    /// Applies a reading. Returns the samples to record.
    fn receive(&mut self, reading: Reading, at: Timestamp, now: Timestamp) -> Vec<Change> {
        let before = self.samples();
        let outcome = match &mut self.held {
            Some(held) => {
                let repeated = reading.clone();
                let outcome = held.receive(reading, at, self.stale_after);
                self.passed_over = (!outcome.is_held).then_some(repeated);
                outcome
            }
            held => {
                *held = Some(Held::new(reading, at));
                Outcome { is_held: true, is_reinstated: false, is_changed: true, older: Vec::new() }
            }
        };
        if outcome.is_reinstated {
            let latest = self.held.as_ref().map(|held| held.observed().at);
            let latest = latest.unwrap_or(at).as_second();
            self.trends.iter_mut().for_each(|trend| trend.forget_after(latest));
        }
        if outcome.is_changed {
            self.derive(now);
        } else {
            self.show(now);
        }
        let mut samples = self.samples();
        samples.retain(|sample| !before.contains(sample));
        let name = &self.view.name;
        let of_past = |(field, value, sighting): &(FieldName, Value, Sighting)| {
            sample(name, field, value, sighting.into(), &self.over_times)
        };
        // The time of an observation in the future is not known, if it is not held.
        let past = outcome.older.iter().filter(|(_, _, sighting)| sighting.ahead().is_none());
        let mut past: Vec<Sample> = past.filter_map(of_past).collect();
        past.retain(|sample| !before.contains(sample) && !self.recorded_past.contains(sample));
        if !past.is_empty() {
            self.recorded_past.clone_from(&past);
        }
        let past = past.into_iter().map(uncorrecting).collect();
        let recorded = [past, samples].into_iter().filter(|samples| !samples.is_empty());
        recorded.map(Change::Observed).collect()
    }

    /// Updates the state by the clock. Returns the events.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Change> {
        let baseline = self.baseline();
        self.enter_state(baseline, now)
    }

    /// Dates everything anew that was dated by the wall clock, which was set by `step`, to `now`. The times of a holder
    /// are by the same clock.
    pub(super) fn redate(&mut self, step: SignedDuration, now: Timestamp) {
        // The state that is followed is shown again with the times that its holder states.
        self.followed = None;
        let view = self.view_mut();
        if let Some(failure) = &mut view.error {
            failure.since = moved(failure.since, step);
        }
        view.next_poll_at = view.next_poll_at.map(|at| moved(at, step));
        self.trends.iter_mut().for_each(|trend| trend.redate(step.as_secs()));
        if let Some(held) = &mut self.held {
            let before = held.observed().at;
            held.redate(step, now);
            let at = held.observed().at;
            if at != before && at != moved(before, step) {
                // The sensor's stamp is believed now: the latest observation has another time.
                self.trends.iter_mut().for_each(|trend| trend.forget_after(at.as_second()));
            }
        }
        self.derive(now);
    }

    /// Restarts the trends from the recorded samples of the source, earliest first.
    pub(super) fn backfill(&mut self, past: &[&Sample], now: Timestamp) {
        // The history may have observations later than the restored reading. Trends are as of the time of the
        // reading, so they are derived before the later samples are added.
        let latest = self.held.as_ref().map(|held| held.observed().at);
        let (earlier, later): (Vec<&Sample>, Vec<&Sample>) =
            past.iter().partition(|sample| latest.is_none_or(|latest| sample.at <= latest));
        self.trends.iter_mut().for_each(Trend::clear);
        self.backfill_trends(&earlier);
        self.derive(now);
        self.backfill_trends(&later);
    }

    /// Adds recorded samples to the trends.
    fn backfill_trends(&mut self, past: &[&Sample]) {
        for trend in &mut self.trends {
            past.iter().for_each(|sample| trend.backfill(sample));
        }
    }

    /// Derives the values of the trends from the reading, and shows them.
    fn derive(&mut self, now: Timestamp) {
        let Some(held) = &self.held else { return };
        let values = held.values(now);
        let trends = self.trends.iter_mut().flat_map(|trend| {
            trend.derive(&values, |field| {
                let dated = held.dated(field);
                (dated.at.as_second(), dated.by == DatedBy::Machine)
            })
        });
        let mut derived: Vec<(FieldName, Value)> = Vec::new();
        for (name, value) in trends {
            // A field of the upstream takes precedence over a derived one of the same name.
            if !values.iter().chain(&derived).any(|(known, _)| *known == name) {
                derived.push((name, value));
            }
        }
        let of_holder = self.followed.as_ref().and_then(|followed| followed.derived.clone());
        let derived = of_holder.unwrap_or(derived);
        let reading = held.last_reading(now, self.stale_after, derived);
        self.view_mut().reading = Some(reading);
    }

    /// Shows the reading with the times that it has now. The derived values stay.
    fn show(&mut self, now: Timestamp) {
        let Some(held) = &self.held else { return };
        let shown = self.view.reading.as_ref();
        let derived = shown.map(|last| last.derived.clone()).unwrap_or_default();
        let reading = held.last_reading(now, self.stale_after, derived);
        self.view_mut().reading = Some(reading);
    }

    /// Returns the measured numbers of the reading.
    fn samples(&self) -> Vec<Sample> {
        let held = self.held.as_ref();
        held.map(|held| held.samples(&self.view.name, &self.over_times)).unwrap_or_default()
    }

    fn baseline(&self) -> Baseline {
        let announced = if self.view.is_stale_announced { State::Stale } else { State::Fresh };
        Baseline::of(announced, &self.view)
    }

    /// Computes the state at `now`, and returns the events since the baseline.
    fn enter_state(&mut self, mut before: Baseline, now: Timestamp) -> Vec<Change> {
        let is_age_known = self.held.as_ref().is_none_or(|held| !held.is_later_than(now));
        if self.is_age_known != is_age_known {
            self.is_age_known = is_age_known;
            // The values have a note while their age is unknown.
            self.show(now);
        }
        let state = match &self.view.reading {
            None => State::Waiting,
            Some(reading) if is_age_known && now < reading.stale_at => State::Fresh,
            Some(_) => State::Stale,
        };
        if self.view.state != state {
            self.view_mut().state = state;
        }
        if !self.view.is_held {
            return Vec::new();
        }
        if !is_age_known {
            before.state = state;
        } else if self.view.is_stale_announced != (state == State::Stale) {
            self.view_mut().is_stale_announced = state == State::Stale;
        }
        before.changes_to(&self.view, now)
    }
}

/// Returns the sample of an answer that may be out of date.
fn uncorrecting(sample: Sample) -> Sample {
    Sample { corrects: Corrects::Nothing, ..sample }
}

/// Returns the reading with the times that were read from the clock before it was set by `step`.
fn restated_reading(mut reading: Reading, step: SignedDuration) -> Reading {
    reading.observed = restated(reading.observed, step);
    for (_, value) in &mut reading.values {
        value.observed = value.observed.map(|observed| restated(observed, step));
    }
    reading
}

/// Returns the duration rounded up to whole seconds.
pub(super) fn round_up_to_seconds(duration: Duration) -> Duration {
    let fraction = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(duration.as_secs().saturating_add(fraction))
}
