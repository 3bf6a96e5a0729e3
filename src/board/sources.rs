//! The state of every source, as pure transitions: a report or the passing of
//! time comes in, and whether there is something new to publish comes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::changes::Standing;
use super::error::PollError;
use super::event::{Change, Sample};
use super::reading::{FieldName, Observed, Reading, Value};
use super::snapshot::{Failure, LastReading, SourceView, State};
use super::trend::Trend;
use crate::config::{self, TrendSettings};

/// How far an upstream's clock may be ahead of ours before it is worth a remark, and ours behind
/// the monotonic clock before times are corrected.
/// Times arrive in whole seconds and clocks drift by as much.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// A moment by the wall clock, which may be stepped, and by the monotonic clock, which may stand
/// still while the machine is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Instant,
}

impl Moment {
    pub(super) fn now() -> Moment {
        Moment { wall: Timestamp::now(), monotonic: Instant::now() }
    }

    /// Distance by which the wall clock of `now` is behind the time that has passed since this
    /// moment, in whole seconds; `None` up to [`CLOCK_TOLERANCE`].
    fn set_back_until(&self, now: Moment) -> Option<SignedDuration> {
        let elapsed = now.monotonic.saturating_duration_since(self.monotonic);
        let expected = self.wall.saturating_add(elapsed).unwrap_or(Timestamp::MAX);
        let behind = expected.duration_since(now.wall);
        (behind > CLOCK_TOLERANCE).then(|| SignedDuration::from_secs(behind.as_secs()))
    }
}

/// What the board knows of a source from the configuration.
#[derive(Debug, Clone)]
pub struct SourceInfo {
    /// Unique, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// For people.
    pub title: Arc<str>,
    /// The kind's name as in the configuration.
    pub kind: &'static str,
    /// Time from one poll to the next.
    pub interval: Duration,
    /// Age of the observation at which the source is stale.
    pub stale_after: Duration,
    /// The fields that the page shows, in that order; empty: all that come.
    pub show: Arc<[Arc<str>]>,
    /// What to work out of its values.
    pub trends: Vec<TrendSettings>,
}

impl From<&config::Source> for SourceInfo {
    fn from(source: &config::Source) -> SourceInfo {
        SourceInfo {
            name: source.name.clone(),
            title: source.title.clone(),
            kind: source.kind.as_str(),
            interval: source.interval,
            stale_after: source.stale_after,
            show: source.show.as_slice().into(),
            trends: source.trends.clone(),
        }
    }
}

/// What a poller tells when a poll is over.
#[derive(Debug, Clone)]
pub struct Report {
    /// The source's name.
    pub source: Arc<str>,
    /// When the answer was complete or the poll was given up, by our clock.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Result<Polled, PollError>,
    /// When the next poll is due.
    pub next_poll_at: Timestamp,
}

/// What a good poll brought.
#[derive(Debug, Clone)]
pub enum Polled {
    /// A reading to replace the last one.
    Reading(Reading),
    /// The upstream said that its last answer still holds (304).
    Unchanged,
}

/// A reading that was kept from before a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedReading {
    /// The source's name.
    pub source: Arc<str>,
    /// The source's kind, by its name; another kind's reading is of no use.
    pub kind: String,
    /// When the answer was complete, by our clock as it then was.
    pub fetched_at: Timestamp,
    /// Whether it was known to be stale, and that told.
    pub stale: bool,
    /// What it said.
    pub reading: Reading,
}

/// All sources in the order of the configuration.
#[derive(Debug)]
pub(super) struct Sources {
    sources: Vec<Source>,
    /// What has changed and was not told yet.
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Source {
    stale_after: Duration,
    /// Moment from which on the times of the reading are right by the wall clock.
    timed: Moment,
    view: SourceView,
    trends: Vec<Trend>,
}

impl Sources {
    /// Every source, still without an answer.
    pub(super) fn new(sources: Vec<SourceInfo>, now: Moment) -> Sources {
        let waiting = |info| Source::waiting(info, now);
        Sources { sources: sources.into_iter().map(waiting).collect(), changes: Vec::new() }
    }

    /// Goes on with these sources. Those known by name and kind keep their values.
    pub(super) fn renew(&mut self, sources: Vec<SourceInfo>, now: Moment) {
        let mut before = std::mem::take(&mut self.sources);
        for info in sources {
            let same = |it: &Source| it.view.name == info.name && it.view.kind == info.kind;
            let source = match before.iter().position(same) {
                None => Source::waiting(info, now),
                Some(at) => {
                    let before = before.swap_remove(at);
                    let standing = Standing::of(&before.view);
                    let renewed = before.renewed(info, now.wall);
                    // Another `stale_after` may judge the same reading otherwise.
                    self.changes.extend(standing.until(&renewed.view, now.wall));
                    renewed
                }
            };
            self.sources.push(source);
        }
    }

    /// Takes up readings from before a restart. Those of sources that are gone are dropped.
    pub(super) fn restore(&mut self, kept: Vec<SavedReading>, now: Moment) {
        for SavedReading { source, kind, fetched_at, stale, reading } in kept {
            let of = |it: &&mut Source| it.view.name == source && it.view.kind == kind;
            if let Some(source) = self.sources.iter_mut().find(of) {
                // A clock that was set back since then must not make it younger than now.
                let fetched_at = whole_seconds(fetched_at.min(now.wall));
                source.view.reading = Some(source.keep(reading, fetched_at));
                source.timed = now;
                source.view.state = source.state(now.wall);
                // The crash that it outlived may have kept it from being recorded, and it may
                // have turned stale while nobody was there to tell.
                self.changes.extend(Standing::kept(stale).until(&source.view, now.wall));
            }
        }
    }

    /// Takes up what sources told in the past, from the earliest on, of which the trends know
    /// nothing yet.
    pub(super) fn backfill(&mut self, past: &[Sample]) {
        for source in &mut self.sources {
            source.backfill(past);
        }
    }

    /// What has changed since this was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Takes in a report; false when it names no source of ours.
    #[must_use]
    pub(super) fn apply(&mut self, report: Report, now: Moment) -> bool {
        let of = |source: &&mut Source| source.view.name == report.source;
        let Some(source) = self.sources.iter_mut().find(of) else { return false };
        source.follow_clock(now);
        let before = Standing::of(&source.view);
        source.apply(report, now);
        self.changes.extend(before.until(&source.view, now.wall));
        true
    }

    /// Looks at the clocks; true when a source changed its state, or its times were corrected
    /// because the wall clock was set back.
    #[must_use]
    pub(super) fn expire(&mut self, now: Moment) -> bool {
        let mut changed = false;
        for source in &mut self.sources {
            changed |= source.follow_clock(now);
            let before = Standing::of(&source.view);
            source.view.state = source.state(now.wall);
            changed |= before.state != source.view.state;
            self.changes.extend(before.until(&source.view, now.wall));
        }
        changed
    }

    /// When the next fresh source turns stale.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.sources
            .iter()
            .filter(|source| source.view.state == State::Fresh)
            .filter_map(|source| source.view.reading.as_ref())
            .map(|reading| reading.stale_at)
            .min()
    }

    /// The sources as they stand.
    pub(super) fn views(&self) -> Vec<SourceView> {
        self.sources.iter().map(|source| source.view.clone()).collect()
    }
}

impl Source {
    fn waiting(info: SourceInfo, now: Moment) -> Source {
        Source {
            timed: now,
            stale_after: in_whole_seconds(info.stale_after),
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

    /// The same source by a new configuration.
    fn renewed(mut self, info: SourceInfo, now: Timestamp) -> Source {
        let mut known = std::mem::take(&mut self.trends);
        let mut renewed = Source::waiting(info, self.timed);
        for trend in &mut renewed.trends {
            if let Some(at) = known.iter().position(|it| it.settings() == trend.settings()) {
                *trend = known.swap_remove(at);
            }
        }
        renewed.view.next_poll_at = self.view.next_poll_at;
        renewed.view.error = self.view.error.take();
        if let Some(kept) = self.view.reading.take() {
            let reading = Reading { observed: kept.observed, values: kept.values };
            renewed.view.reading = Some(renewed.keep(reading, kept.fetched_at));
        }
        renewed.view.state = renewed.state(now);
        renewed
    }

    /// Corrects the times of the reading if the wall clock was set back since they were right;
    /// returns true if it did.
    ///
    /// By the clock alone the reading would be of the future, with an age of 0 until the clock has
    /// caught up. The time that has passed since is known, so the reading was fetched that long
    /// ago. An observation from before that stays: the clock was wrong when it was fetched, and the
    /// sensor's was not. A later one is impossible, and keeps its distance from the fetching. A
    /// clock that was set forward only makes readings older, and cannot be distinguished from a
    /// suspended machine.
    fn follow_clock(&mut self, now: Moment) -> bool {
        let Some(behind) = self.timed.set_back_until(now) else { return false };
        self.timed = now;
        if let Some(failure) = &mut self.view.error {
            failure.since = failure.since.min(whole_seconds(now.wall));
        }
        let Some(kept) = &mut self.view.reading else { return true };
        let earlier = |at: Timestamp| at.saturating_sub(behind).unwrap_or(Timestamp::MIN);
        kept.fetched_at = earlier(kept.fetched_at);
        if kept.observed.at > kept.fetched_at {
            kept.observed.at = earlier(kept.observed.at);
        }
        kept.stale_at = kept.observed.at.saturating_add(self.stale_after).unwrap_or(Timestamp::MAX);
        true
    }

    fn apply(&mut self, report: Report, now: Moment) {
        // The clock may have been set back since the poll. Whole seconds, so that the state never
        // contradicts the times told beside it.
        let at = whole_seconds(report.at.min(now.wall));
        self.view.next_poll_at = Some(report.next_poll_at);
        match report.outcome {
            Ok(polled) => {
                self.timed = now;
                match polled {
                    Polled::Reading(reading) => self.view.reading = Some(self.keep(reading, at)),
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
                    self.view.error.as_ref().map_or((at, 0), |last| (last.since, last.failures));
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

    /// The reading with both clocks, the sensor's one never ahead of ours.
    fn keep(&mut self, reading: Reading, fetched_at: Timestamp) -> LastReading {
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
        // An overflow needs a `stale_after` of millennia, and then "never" is right.
        let stale_at = observed.at.saturating_add(self.stale_after).unwrap_or(Timestamp::MAX);
        let trends = self.trends.iter_mut().flat_map(|trend| trend.derive(observed.at, &values));
        let mut derived: Vec<(FieldName, Value)> = Vec::new();
        for (name, value) in trends {
            // A name is told once. A field that the upstream itself tells goes before one that is
            // worked out.
            if !values.iter().chain(&derived).any(|(known, _)| *known == name) {
                derived.push((name, value));
            }
        }
        LastReading { observed, fetched_at, stale_at, values, derived }
    }

    /// Begins the trends anew, from the past on.
    fn backfill(&mut self, past: &[Sample]) {
        let name = self.view.name.clone();
        let mine = past.iter().filter(|sample| sample.source == name);
        // The history may know of later observations than the reading that was kept: what is
        // told beside that is of its time, and they are for the next one.
        let latest = self.view.reading.as_ref().map(|kept| kept.observed.at);
        let (earlier, later): (Vec<&Sample>, Vec<&Sample>) =
            mine.partition(|sample| latest.is_none_or(|latest| sample.at <= latest));
        if earlier.is_empty() && later.is_empty() {
            return;
        }
        self.trends.iter_mut().for_each(Trend::clear);
        self.backfill_trends(&earlier);
        if let Some(kept) = self.view.reading.take() {
            let reading = Reading { observed: kept.observed, values: kept.values };
            self.view.reading = Some(self.keep(reading, kept.fetched_at));
        }
        self.backfill_trends(&later);
    }

    fn backfill_trends(&mut self, past: &[&Sample]) {
        for trend in &mut self.trends {
            for sample in past {
                let (at, number) = (sample.at.as_second(), sample.value.get());
                trend.backfill(&sample.field, sample.unit, at, number);
            }
        }
    }

    fn state(&self, now: Timestamp) -> State {
        match &self.view.reading {
            None => State::Waiting,
            Some(reading) if now < reading.stale_at => State::Fresh,
            Some(_) => State::Stale,
        }
    }
}

/// Remarks on each value that has no remark yet that its time is not the upstream's.
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

/// The time without its fraction of a second.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a timestamp's seconds are in range")
}

/// The duration rounded up to whole seconds, as all times are told.
fn in_whole_seconds(duration: Duration) -> Duration {
    let fraction = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(duration.as_secs().saturating_add(fraction))
}

#[cfg(test)]
pub(super) mod tests;
