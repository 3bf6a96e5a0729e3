//! Tests of the state machine: transitions by reports, clocks and new configurations.

use std::time::Duration;

use super::super::source::round_up_to_seconds;
use super::*;
use crate::board::{
    DatedBy, Datum, ErrorKind, Failure, Finite, Observed, PollError, Polled, Reading, Received,
    Sighting, SourceView, Stamp, State, Value,
};
use crate::config::TrendSettings;
use crate::kernel::clock::tests::time_point;
use crate::units::Unit;

mod clock;
mod expiry;
mod identity;
mod order;
mod property;
mod replicas;

const STALE_AFTER: i64 = 900;

/// Returns the time `seconds` after an arbitrary start.
fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + seconds).unwrap()
}

/// Returns the time `seconds` after the start by both clocks.
fn m(seconds: i64) -> TimePoint {
    time_point(t(seconds), seconds)
}

fn info(name: &str) -> SourceInfo {
    let stale_after = Duration::from_secs(STALE_AFTER as u64);
    SourceInfo { stale_after, ..SourceInfo::example(name) }
}

impl Sources {
    /// Returns the state of all sources.
    fn views(&self) -> Vec<SourceView> {
        self.sources.iter().map(|source| source.view().clone()).collect()
    }
}

fn sources() -> Sources {
    Sources::new(vec![info("tank"), info("weather")], true, m(0))
}

fn reading(observed: i64, level: f64) -> Result<Polled, PollError> {
    Ok(Polled::Reading(Reading {
        observed: Observed::absolute(t(observed)),
        values: vec![("level".into(), Value::number(level, Unit::Percent))],
    }))
}

/// Returns a reading of a level by an observation.
fn level(observed: Observed, level: f64) -> Result<Polled, PollError> {
    let values = vec![("level".into(), Value::number(level, Unit::Percent))];
    Ok(Polled::Reading(Reading { observed, values }))
}

/// Returns the time of each recorded sample, in seconds after the start, with its number.
fn recorded(sources: &mut Sources) -> Vec<(i64, f64)> {
    let changes = sources.take_changes().into_iter();
    let samples = changes.flat_map(|change| match change {
        Change::Observed(samples) => samples,
        Change::Happened(_) | Change::ClockStepped(_) => Vec::new(),
    });
    samples.map(|sample| (seconds(sample.at), sample.value.get())).collect()
}

/// Returns the kinds of the events since the last call.
fn events(sources: &mut Sources) -> Vec<EventKind> {
    let changes = sources.take_changes().into_iter();
    let kinds = changes.filter_map(|change| match change {
        Change::Happened(event) => Some(event.kind),
        Change::Observed(_) | Change::ClockStepped(_) => None,
    });
    kinds.collect()
}

/// Returns the seconds from the start to `at`.
fn seconds(at: Timestamp) -> i64 {
    at.as_second() - t(0).as_second()
}

/// Returns the time of a source's reading in seconds after the start, and the number of its level.
fn shown(view: &SourceView) -> (i64, Option<f64>) {
    let at = view.reading.as_ref().map(|last| seconds(last.observed.at)).unwrap();
    (at, number(view, "level"))
}

fn number(view: &SourceView, field: &str) -> Option<f64> {
    match view.value(field)?.datum {
        Some(Datum::Number(number)) => Some(number.get()),
        _ => None,
    }
}

/// Returns the sources of a new process that has the saved readings of an earlier one.
fn restarted(before: &Sources, now: TimePoint) -> Sources {
    let mut sources = restored(before, now);
    sources.take_changes();
    sources
}

/// Returns the sources of a new process with the changes of its start.
fn restored(before: &Sources, now: TimePoint) -> Sources {
    let mut sources = Sources::new(vec![info("tank"), info("weather")], true, now);
    sources.restore(saved_readings(before), now);
    sources
}

/// Returns the readings as they are saved over a restart.
fn saved_readings(sources: &Sources) -> Vec<SavedReading> {
    let saved = sources.views().into_iter().filter_map(|view| {
        let last = view.reading?;
        Some(SavedReading {
            source: view.name,
            kind: view.kind.to_owned(),
            fetched_at: last.fetched_at,
            stale: view.state == State::Stale,
            configuration: Some(view.configuration),
            received: (*last.received).clone(),
        })
    });
    saved.collect()
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
    report_at(sources, source, m(at), outcome)
}

fn report_at(
    sources: &mut Sources,
    source: &str,
    at: TimePoint,
    outcome: Result<Polled, PollError>,
) -> SourceView {
    let next_poll_at = at.wall + SignedDuration::from_secs(300);
    let report = Report { source: source.into(), at, outcome, next_poll_at };
    assert!(sources.apply(report, at));
    view(sources, source)
}

fn view(sources: &Sources, name: &str) -> SourceView {
    sources.views().into_iter().find(|view| &*view.name == name).unwrap()
}

#[test]
fn source_is_waiting_until_its_first_successful_poll() {
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
fn source_turns_stale_at_stale_at_counted_from_the_observation() {
    let mut sources = sources();
    let view_now = report(&mut sources, "tank", 100, reading(0, 50.0));
    assert_eq!(view_now.reading.unwrap().stale_at, t(STALE_AFTER));
    assert_eq!(sources.next_due(), Some(t(STALE_AFTER)));
    assert!(!sources.expire(m(STALE_AFTER - 1)));
    assert!(sources.expire(m(STALE_AFTER)));
    assert_eq!(view(&sources, "tank").state, State::Stale);
    assert!(!sources.expire(m(STALE_AFTER + 1)), "a state changes once");
    assert_eq!(sources.next_due(), None);
}

#[test]
fn successful_poll_with_an_old_observation_is_stale() {
    let mut sources = sources();
    let old = report(&mut sources, "tank", 3 * 86_400, reading(0, 50.0));
    assert_eq!(old.state, State::Stale);
    assert_eq!(old.error, None);
}

#[test]
fn next_expiry_is_the_earliest_of_all_sources() {
    let mut sources = sources();
    report(&mut sources, "tank", 100, reading(90, 50.0));
    report(&mut sources, "weather", 100, reading(30, 50.0));
    assert_eq!(sources.next_due(), Some(t(30 + STALE_AFTER)));
}

#[test]
fn failures_keep_the_values_and_are_counted_until_a_success() {
    let mut sources = sources();
    report(&mut sources, "tank", 10, reading(0, 50.0));
    report(&mut sources, "tank", 310, failure(ErrorKind::Timeout));
    let failed = report(&mut sources, "tank", 610, failure(ErrorKind::Http));
    assert_eq!(failed.values().count(), 1);
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
fn unchanged_response_advances_fetched_at_only() {
    let mut sources = sources();
    report(&mut sources, "tank", 10, reading(0, 50.0));
    report(&mut sources, "tank", 300, failure(ErrorKind::Connect));
    let unchanged = report(&mut sources, "tank", 600, Ok(Polled::Unchanged));
    assert_eq!(unchanged.error, None);
    let last = unchanged.reading.unwrap();
    assert_eq!((last.observed.at, last.fetched_at), (t(0), t(600)));
    assert_eq!(last.stale_at, t(STALE_AFTER));
}

#[test]
fn observation_in_the_future_is_clamped_and_noted() {
    for (ahead, has_note) in [(0, false), (2, false), (3, true), (3600, true)] {
        let mut sources = sources();
        let view = report(&mut sources, "tank", 10, reading(10 + ahead, 50.0));
        let note = view.value("level").unwrap().note.clone();
        let last = view.reading.unwrap();
        assert_eq!((last.observed.at, last.observed.inferred), (t(10), has_note), "{ahead}");
        assert_eq!(last.stale_at, t(10 + STALE_AFTER), "{ahead}");
        let expected = if ahead == 3600 { "observed 1h in the future" } else { "observed 3s in" };
        assert_eq!(note.is_some_and(|note| note.contains(expected)), has_note);
    }
}

#[test]
fn fractions_of_seconds_are_dropped() {
    let mut sources = sources();
    let late = t(10).checked_add(Duration::from_millis(900)).unwrap();
    let report = Report {
        source: "tank".into(),
        at: TimePoint { wall: late, ..m(10) },
        outcome: Ok(Polled::Reading(Reading { observed: Observed::fetched(late), values: vec![] })),
        next_poll_at: t(300),
    };
    let now = report.at;
    assert!(sources.apply(report, now));
    let last = view(&sources, "tank").reading.unwrap();
    assert_eq!((last.fetched_at, last.observed.at), (t(10), t(10)));
    assert_eq!(last.stale_at, t(10 + STALE_AFTER));
}

#[test]
fn stale_after_is_rounded_up_to_whole_seconds() {
    for (millis, seconds) in [(0, 0), (1, 1), (500, 1), (1000, 1), (1001, 2)] {
        let rounded = round_up_to_seconds(Duration::from_millis(millis));
        assert_eq!(rounded, Duration::from_secs(seconds), "{millis}");
    }
}

#[test]
fn saved_reading_is_restored_with_its_age_until_the_first_poll() {
    let saved = |source: &str, kind: &str, at: i64| SavedReading {
        source: source.into(),
        kind: kind.to_owned(),
        fetched_at: t(at),
        stale: false,
        configuration: None,
        received: Received {
            sighting: Sighting::restored(Observed::absolute(t(at)), t(at)),
            values: vec![("level".into(), Value::number(50.0, Unit::Percent))],
            own: Vec::new(),
        },
    };
    let mut sources = sources();
    let readings =
        vec![saved("tank", "json", 0), saved("weather", "nws", 0), saved("gone", "json", 0)];
    sources.restore(readings, m(600));
    let tank = view(&sources, "tank");
    assert_eq!((tank.state, tank.values().count()), (State::Fresh, 1));
    assert_eq!(tank.reading.unwrap().observed.at, t(0));
    assert_eq!(
        view(&sources, "weather").state,
        State::Waiting,
        "the saved reading is of another kind"
    );
    assert!(sources.expire(m(STALE_AFTER)), "a restored reading ages");
    assert_eq!(events(&mut sources), [EventKind::Stale]);
    // One reading turned stale while the program was down; the other before, and was reported then.
    sources.restore(vec![saved("tank", "json", -5000)], m(600));
    assert_eq!(events(&mut sources), [EventKind::Stale]);
    sources.restore(vec![SavedReading { stale: true, ..saved("tank", "json", -5000) }], m(600));
    assert_eq!(events(&mut sources), []);
    // The clock was set back by a day since the reading was saved.
    sources.restore(vec![saved("tank", "json", 86_400)], m(600));
    let tank = view(&sources, "tank");
    assert_eq!(tank.state, State::Stale);
    let note = tank.value("level").unwrap().note.clone().unwrap();
    assert!(note.contains("its age is unknown"), "{note}");
    let last = tank.reading.unwrap();
    assert_eq!((last.observed.at, last.fetched_at), (t(86_400), t(86_400)));
    assert_eq!(events(&mut sources), [], "nothing is known of it");
}

#[test]
fn backfill_restarts_trends_as_of_the_restored_reading() {
    let mut info = info("tank");
    info.trends = vec![TrendSettings::of_fields(vec!["level".into()])];
    // The level falls by six per cent an hour.
    let level = |at: i64| 90.0 - at as f64 / 600.0;
    let sample = |at: i64| {
        Sample::new(
            "tank".into(),
            "level".into(),
            t(at),
            Finite::new(level(at)).unwrap(),
            Some(Unit::Percent),
        )
    };
    let rate = |sources: &Sources| {
        let view = view(sources, "tank");
        let rate = view.values().find(|(name, _)| **name == *"level_rate").unwrap();
        rate.1.datum.clone()
    };
    let six = Finite::new(-6.0).map(Datum::Number);
    let past: Vec<Sample> = (-4..=6).map(|number| sample(number * 1800)).collect();
    // The reading is the latest of the recorded samples, one in the middle, or later than all.
    for (observed, known) in [(10_800, 11), (5400, 11), (5400, 7)] {
        let mut sources = Sources::new(vec![info.clone()], true, m(0));
        let _ = report(&mut sources, "tank", observed, reading(observed, level(observed)));
        assert_eq!(rate(&sources), None, "one observation is too few");
        sources.backfill(&past[..known], m(observed));
        let tank = view(&sources, "tank");
        assert_eq!(tank.reading.unwrap().observed.at, t(observed), "the reading is the same");
        assert_eq!(rate(&sources), six, "{observed} {known}");
        let _ = report(&mut sources, "tank", 18_000, reading(12_600, level(12_600)));
        assert_eq!(rate(&sources), six.clone().filter(|_| known == 11), "{observed} {known}");
    }
}

#[test]
fn report_of_an_unknown_source_is_rejected() {
    let report = Report {
        source: "other".into(),
        at: m(0),
        outcome: Ok(Polled::Unchanged),
        next_poll_at: t(1),
    };
    assert!(!sources().apply(report, m(0)));
}

#[test]
fn new_configuration_keeps_the_values_of_sources_with_the_same_name_and_kind() {
    let mut sources = sources();
    report(&mut sources, "tank", 0, reading(0, 84.6));
    report(&mut sources, "weather", 0, reading(0, 50.0));
    report(&mut sources, "tank", 10, failure(ErrorKind::Dns));
    sources.take_changes();

    let short_lived = SourceInfo { stale_after: Duration::from_secs(60), ..info("tank") };
    let another = SourceInfo { kind: "nws", ..info("weather") };
    sources.renew(vec![info("pump"), another, short_lived], m(100));
    let names: Vec<_> = sources.views().into_iter().map(|view| view.name).collect();
    assert_eq!(names, ["pump".into(), "weather".into(), "tank".into()]);
    let tank = view(&sources, "tank");
    assert_eq!(
        tank.value("level").unwrap().datum.clone(),
        Value::number(84.6, Unit::Percent).datum
    );
    assert_eq!(tank.error.unwrap().failures, 1);
    assert_eq!(tank.reading.unwrap().stale_at, t(60));
    assert_eq!(tank.state, State::Stale, "by the new stale_after");
    let changes = sources.take_changes();
    assert!(matches!(&changes[..], [Change::Happened(event)] if event.kind.as_str() == "stale"));
    assert_eq!(
        view(&sources, "weather").state,
        State::Waiting,
        "a source of another kind starts without values"
    );
    assert_eq!(view(&sources, "pump").state, State::Waiting);
}
