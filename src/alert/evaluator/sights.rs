//! Looks at the snapshot: what a rule sees of a source.

use jiff::Timestamp;

use super::super::settings::SourceFacts;
use super::super::sight::{FailureSight, FieldSight, Sight, SourceSight, TimeToEmpty};
use crate::board::{Datum, Finite, SourceView, State, Value};
use crate::config::AlertRule;
use crate::units::Unit;

/// Field of a trend: the hours until a tank is empty.
const TIME_TO_EMPTY: &str = "time_to_empty";

/// Returns what the rule sees of a source; `None` if it sees nothing yet: a source without a reading has no field.
pub(super) fn sight<'a>(
    rule: &AlertRule,
    source: &'a SourceView,
    facts: &SourceFacts,
    started_at: Timestamp,
    now: Timestamp,
) -> Option<Sight<'a>> {
    match rule {
        AlertRule::Field { field, .. } => field_sight(source, facts, field, now).map(Sight::Field),
        AlertRule::Source { .. } => Some(Sight::Source(SourceSight {
            state: state_since(source, started_at),
            stale_at: source.reading.as_ref().map(|reading| reading.stale_at),
            observed_at: source.reading.as_ref().map(|reading| reading.observed.at),
            fetched_at: source.reading.as_ref().map(|reading| reading.fetched_at),
            waiting_until: started_at.saturating_add(facts.stale_after).unwrap_or(Timestamp::MAX),
            failing: source.error.as_ref().map(|failure| FailureSight {
                since: failure.since,
                failures: failure.failures,
                message: &failure.message,
            }),
        })),
        AlertRule::Server(_) => None,
    }
}

/// Returns the state of a source as far as this process knows it. A reading of an earlier run is stale because the
/// server did not run, until the first poll has succeeded or failed.
fn state_since(source: &SourceView, started_at: Timestamp) -> State {
    let is_of_earlier_run =
        source.reading.as_ref().is_some_and(|reading| reading.fetched_at < started_at);
    match source.state {
        State::Stale if is_of_earlier_run && source.error.is_none() => State::Waiting,
        state => state,
    }
}

fn field_sight<'a>(
    source: &'a SourceView,
    facts: &SourceFacts,
    field: &str,
    now: Timestamp,
) -> Option<FieldSight<'a>> {
    let reading = source.reading.as_ref()?;
    let value = source.value(field);
    let own = value.and_then(|value| value.observed);
    let stale_after = reading.stale_at.duration_since(reading.observed.at);
    let is_stale = |own: crate::board::Observed| {
        own.at.saturating_add(stale_after).is_ok_and(|stale_at| stale_at <= now)
    };
    let rate = value_of(source, &format!("{field}_rate"));
    let observed = own.unwrap_or(reading.observed);
    let unit = value.and_then(|value| value.unit);
    Some(FieldSight {
        observed_at: observed.at,
        is_by_machine: observed.stamp.is_by_machine(),
        value: value.and_then(|value| value.datum.as_ref()),
        unit,
        over_time: facts.over_times.of(field, unit),
        is_stale: source.state == State::Stale || own.is_some_and(is_stale),
        stale_after: facts.stale_after,
        rate: rate.and_then(|(number, unit)| Some((number, unit?))),
        time_to_empty: time_to_empty(source.value(TIME_TO_EMPTY), rate),
    })
}

/// Returns the number and the unit of a field.
fn value_of(source: &SourceView, field: &str) -> Option<(Finite, Option<Unit>)> {
    match source.value(field) {
        Some(Value { datum: Some(Datum::Number(number)), unit, .. }) => Some((*number, *unit)),
        _ => None,
    }
}

/// Returns the time until a tank is empty. With a rate and without that time, its content falls too slowly for it,
/// or not at all.
pub(in crate::alert) fn time_to_empty(
    hours: Option<&Value>,
    rate: Option<(Finite, Option<Unit>)>,
) -> TimeToEmpty {
    match (hours, rate) {
        (Some(Value { datum: Some(Datum::Number(hours)), .. }), _) => TimeToEmpty::Hours(*hours),
        (Some(_), Some(_)) => TimeToEmpty::NotFalling,
        _ => TimeToEmpty::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tank_that_does_not_fall_is_told_apart_from_one_of_which_too_little_is_known() {
        let finite = |number| Finite::new(number).unwrap();
        let hours = Value::number(7.5, Unit::Hour);
        let none = Value::missing(Some(Unit::Hour), "it is not falling");
        let rate = Some((finite(-3.0), Some(Unit::UsGallonPerHour)));
        for (hours, rate, expected) in [
            (Some(&hours), rate, TimeToEmpty::Hours(finite(7.5))),
            (Some(&none), rate, TimeToEmpty::NotFalling),
            (Some(&none), None, TimeToEmpty::Unknown),
            (None, rate, TimeToEmpty::Unknown),
        ] {
            assert_eq!(time_to_empty(hours, rate), expected);
        }
    }
}
