//! What is worth recording of the change from one state of a source to the next.

use std::sync::Arc;

use jiff::Timestamp;

use super::event::{Change, Event, EventKind, Sample};
use super::reading::{Datum, FieldName, Value};
use super::snapshot::{LastReading, SourceView, State};
use crate::timestamp::Rfc3339;

/// How a source stood before something happened.
pub(super) struct Standing {
    pub(super) state: State,
    observed: Option<Timestamp>,
    failing: Option<(Timestamp, u32)>,
}

impl Standing {
    pub(super) fn of(view: &SourceView) -> Standing {
        Standing {
            state: view.state,
            observed: view.reading.as_ref().map(|kept| kept.observed.at),
            failing: view.error.as_ref().map(|error| (error.since, error.failures)),
        }
    }

    /// How one stood of which a reading was kept, that was known to be stale or not.
    pub(super) fn kept(stale: bool) -> Standing {
        let state = if stale { State::Stale } else { State::Fresh };
        Standing { state, observed: None, failing: None }
    }

    /// What has changed since then.
    pub(super) fn until(&self, view: &SourceView, now: Timestamp) -> Vec<Change> {
        let mut news = Vec::new();
        if let Some(kept) = &view.reading
            && self.observed != Some(kept.observed.at)
        {
            news.push(Change::Observed(samples(&view.name, kept)));
        }
        let mut happened = |at, kind, detail: String| {
            let source = Some(view.name.clone());
            news.push(Change::Happened(Event { at, kind, source, detail: detail.into() }));
        };
        match (self.failing, &view.error) {
            (None, Some(failure)) => {
                let detail = format!("{}: {}", failure.kind, failure.message);
                happened(failure.since, EventKind::ErrorBegan, detail);
            }
            (Some((since, failures)), None) => {
                let times =
                    if failures == 1 { "1 poll".into() } else { format!("{failures} polls") };
                let since = Rfc3339(since);
                happened(now, EventKind::ErrorEnded, format!("{times} had failed since {since}"));
            }
            _ => {}
        }
        match (self.state, view.state, &view.reading) {
            (State::Fresh | State::Waiting, State::Stale, Some(kept)) => {
                let observed = Rfc3339(kept.observed.at);
                let detail = format!("the latest observation is of {observed}");
                happened(kept.stale_at.min(now), EventKind::Stale, detail);
            }
            (State::Stale, State::Fresh, _) => happened(now, EventKind::Fresh, String::new()),
            _ => {}
        }
        news
    }
}

/// The numbers of a reading that were measured.
fn samples(source: &Arc<str>, kept: &LastReading) -> Vec<Sample> {
    let sample = |(field, value): &(FieldName, Value)| match value.datum {
        Some(Datum::Number(number)) => Some(Sample {
            source: source.clone(),
            field: field.clone(),
            at: kept.observed.at,
            value: number,
            unit: value.unit,
        }),
        _ => None,
    };
    kept.values.iter().filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{ErrorKind, Failure, Finite, Observed};
    use crate::units::Unit;

    const STALE_AFTER: i64 = 900;
    const NOW: i64 = 2000;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + seconds).unwrap()
    }

    /// A source with an observation of that moment, if it has one, that has failed so often since
    /// the moment 100.
    fn view(state: State, observed: Option<i64>, failures: u32) -> SourceView {
        let kept = |at: i64| LastReading {
            observed: Observed { at: t(at), inferred: false },
            fetched_at: t(at),
            stale_at: t(at + STALE_AFTER),
            values: vec![
                ("level".into(), Value::number(50.0, Unit::Percent)),
                ("depth".into(), Value::missing(Some(Unit::Inch), "sent as null")),
                ("status".into(), Value::text("on")),
            ],
            derived: vec![("level_rate".into(), Value::number(1.0, Unit::PercentPerHour))],
        };
        SourceView {
            name: "tank".into(),
            title: "Cistern".into(),
            kind: "json",
            show: [].into(),
            state,
            reading: observed.map(kept),
            interval: std::time::Duration::from_secs(300),
            next_poll_at: None,
            error: (failures > 0).then(|| Failure {
                kind: ErrorKind::Dns,
                message: "no such name".into(),
                since: t(100),
                failures,
            }),
        }
    }

    /// A word for each change, with the moment and the detail.
    fn told(before: &Standing, after: &SourceView) -> Vec<(&'static str, i64, String)> {
        let since = |at: Timestamp| at.as_second() - t(0).as_second();
        let told = |change| match change {
            Change::Observed(samples) => {
                let [sample] = &samples[..] else { panic!("only what was measured: {samples:?}") };
                assert_eq!((&*sample.source, &*sample.field), ("tank", "level"));
                assert_eq!(
                    (sample.value, sample.unit),
                    (Finite::new(50.0).unwrap(), Some(Unit::Percent))
                );
                ("observed", since(sample.at), String::new())
            }
            Change::Happened(event) => {
                assert_eq!(event.source.as_deref(), Some("tank"));
                (event.kind.as_str(), since(event.at), event.detail.to_string())
            }
        };
        before.until(after, t(NOW)).into_iter().map(told).collect()
    }

    #[test]
    fn each_transition_tells_what_has_changed_and_nothing_else() {
        use State::{Fresh, Stale, Waiting};
        let observed = |at: i64| ("observed", at, "");
        let stale = |at, of| ("stale", at, of);
        let began = ("error_began", 100, "dns: no such name");
        let fresh = ("fresh", NOW, "");
        // State, observation and failures before and after.
        for (before, after, news) in [
            ((Waiting, None, 0), (Waiting, None, 0), vec![]),
            ((Waiting, None, 0), (Fresh, Some(1900), 0), vec![observed(1900)]),
            ((Waiting, None, 0), (Waiting, None, 1), vec![began]),
            ((Waiting, None, 1), (Waiting, None, 2), vec![]),
            (
                (Waiting, None, 2),
                (Fresh, Some(1900), 0),
                vec![
                    observed(1900),
                    ("error_ended", NOW, "2 polls had failed since 2026-02-02T02:41:40Z"),
                ],
            ),
            ((Fresh, Some(1900), 0), (Fresh, Some(1900), 0), vec![]),
            ((Fresh, Some(1900), 0), (Fresh, Some(1950), 0), vec![observed(1950)]),
            ((Fresh, Some(1900), 0), (Fresh, Some(1900), 1), vec![began]),
            (
                (Fresh, Some(1900), 1),
                (Fresh, Some(1900), 0),
                vec![("error_ended", NOW, "1 poll had failed since 2026-02-02T02:41:40Z")],
            ),
            // By the passing of time: as of the moment when it did, noticed later.
            (
                (Fresh, Some(1000), 3),
                (Stale, Some(1000), 3),
                vec![stale(1900, "the latest observation is of 2026-02-02T02:56:40Z")],
            ),
            ((Stale, Some(1000), 0), (Stale, Some(1000), 0), vec![]),
            ((Stale, Some(1000), 0), (Stale, Some(1050), 0), vec![observed(1050)]),
            // Old from the first on.
            (
                (Waiting, None, 0),
                (Stale, Some(100), 0),
                vec![
                    observed(100),
                    stale(1000, "the latest observation is of 2026-02-02T02:41:40Z"),
                ],
            ),
            ((Stale, Some(100), 0), (Fresh, Some(1990), 0), vec![observed(1990), fresh]),
            (
                (Stale, Some(100), 1),
                (Fresh, Some(1990), 0),
                vec![
                    observed(1990),
                    ("error_ended", NOW, "1 poll had failed since 2026-02-02T02:41:40Z"),
                    fresh,
                ],
            ),
            // A clock that was set back.
            ((Stale, Some(1900), 0), (Fresh, Some(1900), 0), vec![fresh]),
        ] {
            let view = |(state, observed, failures)| view(state, observed, failures);
            let news: Vec<_> =
                news.into_iter().map(|(a, b, c): (_, _, &str)| (a, b, c.to_owned())).collect();
            assert_eq!(
                told(&Standing::of(&view(before)), &view(after)),
                news,
                "{before:?} {after:?}"
            );
            assert_eq!(told(&Standing::of(&view(after)), &view(after)), [], "once: {after:?}");
        }
    }

    #[test]
    fn what_is_kept_over_a_restart_turns_stale_once() {
        let kinds = |stale, after: &SourceView| {
            let told = told(&Standing::kept(stale), after).into_iter();
            told.map(|(kind, at, _)| (kind, at)).collect::<Vec<_>>()
        };
        let (stale, fresh) = (view(State::Stale, Some(100), 0), view(State::Fresh, Some(1900), 0));
        assert_eq!(
            kinds(false, &stale),
            [("observed", 100), ("stale", 1000)],
            "while nobody was there"
        );
        assert_eq!(kinds(true, &stale), [("observed", 100)], "told before");
        assert_eq!(kinds(false, &fresh), [("observed", 1900)]);
    }
}
