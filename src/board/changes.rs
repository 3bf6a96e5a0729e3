//! Derives the events to record from two states of a source.

use jiff::Timestamp;

use super::event::{Change, Event, EventKind};
use super::snapshot::{SourceView, State};
use crate::timestamp::Rfc3339;

/// State of a source before a transition, from which the events are derived.
pub(super) struct Baseline {
    pub(super) state: State,
    /// Time of the first failure, and number of failures.
    failing: Option<(Timestamp, u32)>,
}

impl Baseline {
    /// Returns the baseline of a source whose events up to the state `announced` were emitted.
    pub(super) fn of(announced: State, view: &SourceView) -> Baseline {
        Baseline {
            state: announced,
            failing: view.error.as_ref().map(|error| (error.since, error.failures)),
        }
    }

    /// Returns the events from this state to `view`.
    pub(super) fn changes_to(&self, view: &SourceView, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut add_event = |at, kind, detail: String| {
            let source = Some(view.name.clone());
            changes.push(Change::Happened(Event { at, kind, source, detail: detail.into() }));
        };
        match (self.failing, &view.error) {
            (None, Some(failure)) => {
                let detail = format!("{}: {}", failure.kind, failure.message);
                add_event(failure.since, EventKind::ErrorBegan, detail);
            }
            (Some((since, failures)), None) => {
                let times =
                    if failures == 1 { "1 poll".into() } else { format!("{failures} polls") };
                let since = Rfc3339(since);
                add_event(now, EventKind::ErrorEnded, format!("{times} had failed since {since}"));
            }
            _ => {}
        }
        match (self.state, view.state, &view.reading) {
            (State::Fresh | State::Waiting, State::Stale, Some(last)) => {
                let observed = Rfc3339(last.observed.at);
                let detail = format!("the latest observation is of {observed}");
                add_event(last.stale_at.min(now), EventKind::Stale, detail);
            }
            (State::Stale, State::Fresh, _) => add_event(now, EventKind::Fresh, String::new()),
            _ => {}
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::board::{ErrorKind, Failure, LastReading, Observed, Reading, Value};
    use crate::units::Unit;

    const STALE_AFTER: u64 = 900;
    const NOW: i64 = 2000;

    /// Returns the time `seconds` after an arbitrary start.
    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + seconds).unwrap()
    }

    /// Returns a source with an observation at `observed`, which has failed `failures` times since 100.
    fn view(state: State, observed: Option<i64>, failures: u32) -> SourceView {
        let reading = |at: i64| {
            let reading = Reading {
                observed: Observed::absolute(t(at)),
                values: vec![("level".into(), Value::number(50.0, Unit::Percent))],
            };
            LastReading::new(reading, t(at), Duration::from_secs(STALE_AFTER))
        };
        SourceView {
            name: "tank".into(),
            title: "Cistern".into(),
            group: None,
            kind: "json",
            show: [].into(),
            state,
            reading: observed.map(reading),
            interval: Duration::from_secs(300),
            next_poll_at: None,
            error: (failures > 0).then(|| Failure {
                kind: ErrorKind::Dns,
                message: "no such name".into(),
                since: t(100),
                failures,
            }),
            configuration: 0,
            version: 0,
            is_held: true,
            is_stale_announced: false,
            changed_at: t(0),
        }
    }

    /// Returns kind, time and detail of each change.
    fn changes(before: &Baseline, after: &SourceView) -> Vec<(&'static str, i64, String)> {
        let since = |at: Timestamp| at.as_second() - t(0).as_second();
        let summary = |change| match change {
            Change::Observed(samples) => panic!("no event: {samples:?}"),
            Change::Happened(event) => {
                assert_eq!(event.source.as_deref(), Some("tank"));
                (event.kind.as_str(), since(event.at), event.detail.to_string())
            }
            Change::ClockStepped(by) => panic!("of no source: {by}"),
        };
        before.changes_to(after, t(NOW)).into_iter().map(summary).collect()
    }

    #[test]
    fn transition_emits_each_change_once() {
        use State::{Fresh, Stale, Waiting};
        let stale = |at, detail| ("stale", at, detail);
        let began = ("error_began", 100, "dns: no such name");
        let fresh = ("fresh", NOW, "");
        // State, observation and failures before and after.
        for (before, after, expected) in [
            ((Waiting, None, 0), (Waiting, None, 0), vec![]),
            ((Waiting, None, 0), (Fresh, Some(1900), 0), vec![]),
            ((Waiting, None, 0), (Waiting, None, 1), vec![began]),
            ((Waiting, None, 1), (Waiting, None, 2), vec![]),
            (
                (Waiting, None, 2),
                (Fresh, Some(1900), 0),
                vec![("error_ended", NOW, "2 polls had failed since 2026-02-02T02:41:40Z")],
            ),
            ((Fresh, Some(1900), 0), (Fresh, Some(1900), 0), vec![]),
            ((Fresh, Some(1900), 0), (Fresh, Some(1950), 0), vec![]),
            ((Fresh, Some(1900), 0), (Fresh, Some(1900), 1), vec![began]),
            (
                (Fresh, Some(1900), 1),
                (Fresh, Some(1900), 0),
                vec![("error_ended", NOW, "1 poll had failed since 2026-02-02T02:41:40Z")],
            ),
            // The event has the time at which the reading turned stale, and not that of its detection.
            (
                (Fresh, Some(1000), 3),
                (Stale, Some(1000), 3),
                vec![stale(1900, "the latest observation is of 2026-02-02T02:56:40Z")],
            ),
            ((Stale, Some(1000), 0), (Stale, Some(1000), 0), vec![]),
            ((Stale, Some(1000), 0), (Stale, Some(1050), 0), vec![]),
            // The first observation is already stale.
            (
                (Waiting, None, 0),
                (Stale, Some(100), 0),
                vec![stale(1000, "the latest observation is of 2026-02-02T02:41:40Z")],
            ),
            ((Stale, Some(100), 0), (Fresh, Some(1990), 0), vec![fresh]),
            (
                (Stale, Some(100), 1),
                (Fresh, Some(1990), 0),
                vec![("error_ended", NOW, "1 poll had failed since 2026-02-02T02:41:40Z"), fresh],
            ),
            // The clock was set back.
            ((Stale, Some(1900), 0), (Fresh, Some(1900), 0), vec![fresh]),
        ] {
            let view = |(state, observed, failures)| view(state, observed, failures);
            let baseline = |of: (State, Option<i64>, u32)| Baseline::of(of.0, &view(of));
            let expected: Vec<_> =
                expected.into_iter().map(|(a, b, c): (_, _, &str)| (a, b, c.to_owned())).collect();
            assert_eq!(changes(&baseline(before), &view(after)), expected, "{before:?} {after:?}");
            assert_eq!(changes(&baseline(after), &view(after)), [], "emitted once: {after:?}");
        }
    }
}
