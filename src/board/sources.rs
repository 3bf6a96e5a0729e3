//! The state of every source, as pure transitions: a report or the passing of
//! time comes in, and whether there is something new to publish comes out.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::error::PollError;
use super::reading::{Observed, Reading, Value};
use super::snapshot::{Failure, KeptReading, SourceView, State};
use crate::config;

/// How far an upstream's clock may be ahead of ours before it is worth a remark.
/// Times arrive in whole seconds and clocks drift by as much.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// What the board knows of a source from the configuration.
#[derive(Debug, Clone)]
pub struct SourceInfo {
    /// Unique, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// For people.
    pub title: Arc<str>,
    /// The kind's name as in the configuration.
    pub kind: &'static str,
    /// Age of the observation at which the source is stale.
    pub stale_after: Duration,
}

impl From<&config::Source> for SourceInfo {
    fn from(source: &config::Source) -> SourceInfo {
        SourceInfo {
            name: source.name.clone(),
            title: source.title.clone(),
            kind: source.kind.as_str(),
            stale_after: source.stale_after,
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
pub struct Kept {
    /// The source's name.
    pub source: Arc<str>,
    /// The source's kind, by its name; another kind's reading is of no use.
    pub kind: String,
    /// When the answer was complete, by our clock as it then was.
    pub fetched_at: Timestamp,
    /// What it said.
    pub reading: Reading,
}

/// All sources in the order of the configuration.
#[derive(Debug)]
pub(super) struct Sources(Vec<Source>);

#[derive(Debug)]
struct Source {
    stale_after: Duration,
    view: SourceView,
}

impl Sources {
    /// Every source, still without an answer.
    pub(super) fn new(sources: Vec<SourceInfo>) -> Sources {
        let waiting = |info: SourceInfo| Source {
            stale_after: in_whole_seconds(info.stale_after),
            view: SourceView {
                name: info.name,
                title: info.title,
                kind: info.kind,
                state: State::Waiting,
                reading: None,
                next_poll_at: None,
                error: None,
            },
        };
        Sources(sources.into_iter().map(waiting).collect())
    }

    /// Takes up readings from before a restart. Those of sources that are gone are dropped.
    pub(super) fn restore(&mut self, kept: Vec<Kept>, now: Timestamp) {
        for Kept { source, kind, fetched_at, reading } in kept {
            let of = |it: &&mut Source| it.view.name == source && it.view.kind == kind;
            if let Some(source) = self.0.iter_mut().find(of) {
                // A clock that was set back since then must not make it younger than now.
                let fetched_at = whole_seconds(fetched_at.min(now));
                source.view.reading = Some(source.keep(reading, fetched_at));
                source.view.state = source.state(now);
            }
        }
    }

    /// Takes in a report; false when it names no source of ours.
    #[must_use]
    pub(super) fn apply(&mut self, report: Report, now: Timestamp) -> bool {
        let Some(source) = self.0.iter_mut().find(|source| source.view.name == report.source)
        else {
            return false;
        };
        source.apply(report, now);
        true
    }

    /// Looks at the clock; true when a source changed its state. A clock that was
    /// set back makes a stale source fresh again, which is what its times then say.
    #[must_use]
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        for source in &mut self.0 {
            let state = source.state(now);
            changed |= state != source.view.state;
            source.view.state = state;
        }
        changed
    }

    /// When the next fresh source turns stale.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.0
            .iter()
            .filter(|source| source.view.state == State::Fresh)
            .filter_map(|source| source.view.reading.as_ref())
            .map(|reading| reading.stale_at)
            .min()
    }

    /// The sources as they stand.
    pub(super) fn views(&self) -> Vec<SourceView> {
        self.0.iter().map(|source| source.view.clone()).collect()
    }
}

impl Source {
    fn apply(&mut self, report: Report, now: Timestamp) {
        // Whole seconds, so that the state never contradicts the times told beside it.
        let at = whole_seconds(report.at);
        self.view.next_poll_at = Some(report.next_poll_at);
        match report.outcome {
            Ok(polled) => {
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
        self.view.state = self.state(now);
    }

    /// The reading with both clocks, the sensor's one never ahead of ours.
    fn keep(&self, reading: Reading, fetched_at: Timestamp) -> KeptReading {
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
        KeptReading { observed, fetched_at, stale_at, values }
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
fn note_clock(values: &mut [(super::FieldName, Value)], ahead: SignedDuration) {
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
mod tests {
    use super::*;
    use crate::board::ErrorKind;
    use crate::units::Unit;

    const STALE_AFTER: i64 = 900;

    /// Seconds after an arbitrary moment.
    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + seconds).unwrap()
    }

    fn sources() -> Sources {
        let info = |name: &str| SourceInfo {
            name: name.into(),
            title: name.into(),
            kind: "json",
            stale_after: Duration::from_secs(STALE_AFTER as u64),
        };
        Sources::new(vec![info("tank"), info("weather")])
    }

    fn reading(observed: i64, level: f64) -> Result<Polled, PollError> {
        Ok(Polled::Reading(Reading {
            observed: Observed { at: t(observed), inferred: false },
            values: vec![("level".into(), Value::number(level, Unit::Percent))],
        }))
    }

    fn failure(kind: ErrorKind) -> Result<Polled, PollError> {
        Err(PollError::new(kind, "it failed"))
    }

    fn report(
        sources: &mut Sources,
        source: &str,
        at: i64,
        outcome: Result<Polled, PollError>,
    ) -> SourceView {
        let report =
            Report { source: source.into(), at: t(at), outcome, next_poll_at: t(at + 300) };
        assert!(sources.apply(report, t(at)));
        view(sources, source)
    }

    fn view(sources: &Sources, name: &str) -> SourceView {
        sources.views().into_iter().find(|view| &*view.name == name).unwrap()
    }

    #[test]
    fn a_source_waits_until_its_first_good_poll() {
        let mut sources = sources();
        assert_eq!(view(&sources, "tank").state, State::Waiting);
        let failed = report(&mut sources, "tank", 1, failure(ErrorKind::Dns));
        assert_eq!(failed.state, State::Waiting);
        assert!(failed.reading.is_none());
        assert_eq!(failed.error.unwrap().failures, 1);
        assert_eq!(failed.next_poll_at, Some(t(301)));
        let good = report(&mut sources, "tank", 2, reading(0, 50.0));
        assert_eq!(good.state, State::Fresh);
        assert_eq!(view(&sources, "weather").state, State::Waiting);
    }

    #[test]
    fn staleness_counts_from_the_observation_and_begins_at_stale_at() {
        let mut sources = sources();
        let view_now = report(&mut sources, "tank", 100, reading(0, 50.0));
        assert_eq!(view_now.reading.unwrap().stale_at, t(STALE_AFTER));
        assert_eq!(sources.next_expiry(), Some(t(STALE_AFTER)));
        assert!(!sources.expire(t(STALE_AFTER - 1)));
        assert!(sources.expire(t(STALE_AFTER)));
        assert_eq!(view(&sources, "tank").state, State::Stale);
        assert!(!sources.expire(t(STALE_AFTER + 1)), "told once");
        assert_eq!(sources.next_expiry(), None);
    }

    #[test]
    fn a_success_with_an_old_observation_is_stale() {
        let mut sources = sources();
        let old = report(&mut sources, "tank", 3 * 86_400, reading(0, 50.0));
        assert_eq!(old.state, State::Stale);
        assert_eq!(old.error, None);
    }

    #[test]
    fn the_earliest_expiry_counts() {
        let mut sources = sources();
        report(&mut sources, "tank", 100, reading(90, 50.0));
        report(&mut sources, "weather", 100, reading(30, 50.0));
        assert_eq!(sources.next_expiry(), Some(t(30 + STALE_AFTER)));
    }

    #[test]
    fn a_clock_set_back_makes_a_source_fresh_again() {
        let mut sources = sources();
        report(&mut sources, "tank", 10, reading(0, 50.0));
        assert!(sources.expire(t(5000)));
        assert!(sources.expire(t(20)));
        assert_eq!(view(&sources, "tank").state, State::Fresh);
    }

    #[test]
    fn failures_keep_the_values_and_are_counted_until_a_success() {
        let mut sources = sources();
        report(&mut sources, "tank", 10, reading(0, 50.0));
        report(&mut sources, "tank", 310, failure(ErrorKind::Timeout));
        let failed = report(&mut sources, "tank", 610, failure(ErrorKind::Http));
        assert_eq!(failed.values().len(), 1);
        assert_eq!(failed.reading.unwrap().fetched_at, t(10));
        assert_eq!(
            failed.error,
            Some(Failure {
                kind: ErrorKind::Http,
                message: "it failed".into(),
                since: t(310),
                failures: 2
            })
        );
        assert_eq!(report(&mut sources, "tank", 910, reading(900, 51.0)).error, None);
        let again = report(&mut sources, "tank", 1210, failure(ErrorKind::Tls)).error.unwrap();
        assert_eq!((again.since, again.failures), (t(1210), 1));
    }

    #[test]
    fn an_unchanged_answer_advances_only_our_clock() {
        let mut sources = sources();
        report(&mut sources, "tank", 10, reading(0, 50.0));
        report(&mut sources, "tank", 300, failure(ErrorKind::Connect));
        let unchanged = report(&mut sources, "tank", 600, Ok(Polled::Unchanged));
        assert_eq!(unchanged.error, None);
        let kept = unchanged.reading.unwrap();
        assert_eq!((kept.observed.at, kept.fetched_at), (t(0), t(600)));
        assert_eq!(kept.stale_at, t(STALE_AFTER));
    }

    #[test]
    fn a_time_in_the_future_is_clamped_and_noted() {
        for (ahead, noted) in [(0, false), (2, false), (3, true), (3600, true)] {
            let mut sources = sources();
            let view = report(&mut sources, "tank", 10, reading(10 + ahead, 50.0));
            let note = view.values()[0].1.note.clone();
            let kept = view.reading.unwrap();
            assert_eq!(kept.observed, Observed { at: t(10), inferred: noted }, "{ahead}");
            assert_eq!(kept.stale_at, t(10 + STALE_AFTER), "{ahead}");
            assert_eq!(note.is_some_and(|note| note.contains(&ahead.to_string())), noted);
        }
    }

    #[test]
    fn fractions_of_seconds_are_dropped() {
        let mut sources = sources();
        let late = t(10).checked_add(Duration::from_millis(900)).unwrap();
        let report = Report {
            source: "tank".into(),
            at: late,
            outcome: Ok(Polled::Reading(Reading {
                observed: Observed { at: late, inferred: true },
                values: vec![],
            })),
            next_poll_at: t(300),
        };
        assert!(sources.apply(report, late));
        let kept = view(&sources, "tank").reading.unwrap();
        assert_eq!((kept.fetched_at, kept.observed.at), (t(10), t(10)));
        assert_eq!(kept.stale_at, t(10 + STALE_AFTER));
    }

    #[test]
    fn a_lifetime_of_part_of_a_second_is_a_second() {
        for (millis, seconds) in [(0, 0), (1, 1), (500, 1), (1000, 1), (1001, 2)] {
            let rounded = in_whole_seconds(Duration::from_millis(millis));
            assert_eq!(rounded, Duration::from_secs(seconds), "{millis}");
        }
    }

    #[test]
    fn what_was_kept_is_told_until_the_first_poll() {
        let kept = |source: &str, kind: &str, at: i64| Kept {
            source: source.into(),
            kind: kind.to_owned(),
            fetched_at: t(at),
            reading: Reading {
                observed: Observed { at: t(at), inferred: false },
                values: vec![("level".into(), Value::number(50.0, Unit::Percent))],
            },
        };
        let mut sources = sources();
        let all = vec![kept("tank", "json", 0), kept("weather", "nws", 0), kept("gone", "json", 0)];
        sources.restore(all, t(600));
        let tank = view(&sources, "tank");
        assert_eq!((tank.state, tank.values().len()), (State::Fresh, 1));
        assert_eq!(tank.reading.unwrap().observed.at, t(0));
        assert_eq!(view(&sources, "weather").state, State::Waiting, "it was of another kind");
        assert!(sources.expire(t(STALE_AFTER)), "it ages as any other");
        // The clock was set back by a day meanwhile.
        sources.restore(vec![kept("tank", "json", 86_400)], t(600));
        let kept = view(&sources, "tank").reading.unwrap();
        assert_eq!(
            (kept.observed, kept.fetched_at),
            (Observed { at: t(600), inferred: true }, t(600))
        );
    }

    #[test]
    fn a_report_of_an_unknown_source_is_refused() {
        let report = Report {
            source: "other".into(),
            at: t(0),
            outcome: Ok(Polled::Unchanged),
            next_poll_at: t(1),
        };
        assert!(!sources().apply(report, t(0)));
    }
}
