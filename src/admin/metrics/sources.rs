//! Sources, their values, and the polls that fetch them.

use jiff::Timestamp;
use strum::VariantArray as _;

use super::family::Family;
use crate::board::{Datum, Snapshot, State};
use crate::upstream::{DURATION_BUCKETS, Outcome, PollerHandles};

/// Returns the number of polls and their durations, by source.
pub(super) fn polls(polls: &PollerHandles) -> [Family; 2] {
    let mut total = Family::counter("polls_total", "Number of polls ended, by outcome.");
    let mut durations =
        Family::histogram("poll_duration_seconds", "Time from a poll's start to its outcome.");
    for poll in polls.stats() {
        for outcome in Outcome::all() {
            let labels = [("source", poll.source()), ("outcome", outcome.as_str())];
            total = total.sample(&labels, poll.count(outcome) as f64);
        }
        let taken = poll.durations();
        durations = durations.distribution(
            &[("source", poll.source())],
            DURATION_BUCKETS.into_iter().zip(taken.cumulative),
            taken.count,
            taken.seconds,
        );
    }
    [total, durations]
}

/// Returns the age and state of each source, and its values.
pub(super) fn values(snapshot: &Snapshot, now: Timestamp) -> [Family; 3] {
    let mut age = Family::gauge("source_age_seconds", "Age of a source's latest observation.");
    let mut state =
        Family::gauge("source_state", "1 for the state that a source is in, 0 for the others.");
    let mut value = Family::gauge(
        "source_value",
        "Latest value of a source's field, in the unit of the label; absent for text and null.",
    );
    for source in &snapshot.sources {
        for &variant in State::VARIANTS {
            let labels = [("source", &*source.name), ("state", variant.as_str())];
            state = state.sample(&labels, f64::from(u8::from(source.state == variant)));
        }
        if let Some(reading) = &source.reading {
            let elapsed = now.duration_since(reading.observed.at).as_secs_f64();
            age = age.sample(&[("source", &source.name)], elapsed.max(0.0));
        }
        for (field, latest) in source.values() {
            if let Some(Datum::Number(number)) = &latest.datum {
                let unit = latest.unit.map_or("", |unit| unit.as_str());
                let labels = [("source", &*source.name), ("field", &**field), ("unit", unit)];
                value = value.sample(&labels, number.get());
            }
        }
    }
    [age, state, value]
}
