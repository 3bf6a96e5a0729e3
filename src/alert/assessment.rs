//! Assessment of a condition on a field by its latest observation.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::fault::Fault;
use super::memory::Memory;
use super::sight::{FieldSight, TimeToEmpty};
use super::window::{Changes, time};
use crate::board::{Datum, Finite};
use crate::config::{FieldCondition, Limit, Scalar};
use crate::format;
use crate::units::{OverTime, Unit};

/// Hysteresis as a share of a threshold that has no `clear`.
const HYSTERESIS: f64 = 0.02;

/// Largest hysteresis of a limit of `outside`, as a share of the distance between its two limits. Half of the values
/// between them then end the alert.
const MAX_SHARE_OF_BAND: f64 = 0.25;

/// Differences of values smaller than this share of them are errors of rounding: 20.4 − 20.1 is less than 0.3.
const ROUNDING: f64 = 1e-9;

/// Relation of an observation to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The condition is met.
    Met,
    /// It is not met, and a firing alert keeps firing: the hysteresis.
    Between,
    /// It is not met, and an alert that fires ends.
    Clear,
    /// Not known, so nothing changes.
    Unknown,
}

/// Assessment of an observation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assessment {
    /// Relation to the condition.
    pub(super) level: Level,
    /// Value that was compared, if it is not that of the field.
    pub(super) computed: Option<(Finite, Unit)>,
    /// Threshold in the unit of the value.
    pub(super) threshold: Option<Finite>,
    /// Detail for people.
    pub(super) detail: Option<Arc<str>>,
}

impl From<Level> for Assessment {
    fn from(level: Level) -> Assessment {
        Assessment { level, computed: None, threshold: None, detail: None }
    }
}

impl Assessment {
    fn with_threshold(level: Level, threshold: f64) -> Assessment {
        Assessment { threshold: Finite::new(threshold), ..level.into() }
    }
}

/// Assesses the value of a sight, which is in the memory already. Falls and rises before `begin` do not count.
///
/// # Errors
/// The condition cannot be applied to the field.
pub(super) fn assess(
    condition: &FieldCondition,
    sight: &FieldSight<'_>,
    value: &Datum,
    memory: &Memory,
    begin: Option<Timestamp>,
) -> Result<Assessment, Fault> {
    let unit = sight.unit;
    let level = |limit: Limit| limit.level_in(unit).ok_or(Fault::other_quantity(limit, unit));
    let amount = |limit: Limit| limit.amount_in(unit).ok_or(Fault::other_quantity(limit, unit));
    let number = || match value {
        Datum::Number(number) => Ok(number.get()),
        Datum::Text(_) => Err(Fault::NotANumber),
    };
    // 2 % of the number that the operator wrote: that of a temperature depends on the scale.
    let hysteresis = |threshold: Limit| {
        // A value that is 0 or 1 has no level beyond the threshold.
        if unit == Some(Unit::Bool) {
            return Ok(0.0);
        }
        let share = Limit { number: (threshold.number * HYSTERESIS).abs(), ..threshold };
        amount(share).map(|amount| amount.max(memory.step()))
    };
    match condition {
        FieldCondition::Below { threshold, clear } => {
            let (value, low) = (number()?, level(*threshold)?);
            let clear = match clear {
                Some(clear) => level(*clear)?,
                // A level of 99 % may never reach 101 %.
                None => match (low + hysteresis(*threshold)?, unit) {
                    (clear, Some(Unit::Percent)) if low <= 100.0 => clear.min(100.0),
                    (clear, _) => clear,
                },
            };
            let found = compare(value < low, value >= clear);
            Ok(Assessment::with_threshold(found, low))
        }
        FieldCondition::Above { threshold, clear } => {
            let (value, high) = (number()?, level(*threshold)?);
            let clear = match clear {
                Some(clear) => level(*clear)?,
                // A flow of 0 is never less than 0.
                None => match high - hysteresis(*threshold)? {
                    clear if high >= 0.0 && memory.lowest() >= 0.0 => clear.max(0.0),
                    clear => clear,
                },
            };
            let found = compare(value > high, value <= clear);
            Ok(Assessment::with_threshold(found, high))
        }
        FieldCondition::Outside { low, high, clear } => {
            let (value, from, to) = (number()?, level(*low)?, level(*high)?);
            let (clear_from, clear_to) = match clear {
                Some((low, high)) => (level(*low)?, level(*high)?),
                // A limit that was never crossed needs no hysteresis: a flow that must be from 0 to 10 may be 0.
                None => {
                    let most = (to - from) * MAX_SHARE_OF_BAND;
                    let (low, high) = (hysteresis(*low)?.min(most), hysteresis(*high)?.min(most));
                    let was_below = memory.lowest() < from;
                    let was_above = memory.highest() > to;
                    (
                        if was_below { from + low } else { from },
                        if was_above { to - high } else { to },
                    )
                }
            };
            let is_met = value < from || value > to;
            let found = compare(is_met, clear_from <= value && value <= clear_to);
            let is_nearer_to_low = (value - from).abs() <= (value - to).abs();
            Ok(Assessment::with_threshold(found, if is_nearer_to_low { from } else { to }))
        }
        FieldCondition::Equals(wanted) => {
            let is_met = is_equal(value, unit, wanted);
            Ok(compare(is_met, !is_met).into())
        }
        FieldCondition::NotEquals(wanted) => {
            let is_equal = is_equal(value, unit, wanted);
            Ok(compare(!is_equal, is_equal).into())
        }
        FieldCondition::Falls { by, within, clear } => {
            number()?;
            let (by, clear) = (amount(*by)?, clear.map(amount).transpose()?);
            let Some(changes) = changes(sight, memory, *within, begin) else {
                return Ok(Level::Unknown.into());
            };
            let fall = changes.highest - changes.latest;
            let (found, detail) = compare_change(&changes, fall, by, clear, "fell", unit);
            Ok(Assessment { detail, ..Assessment::with_threshold(found, changes.highest - by) })
        }
        FieldCondition::Rises { by, within, clear } => {
            number()?;
            let (by, clear) = (amount(*by)?, clear.map(amount).transpose()?);
            let Some(changes) = changes(sight, memory, *within, begin) else {
                return Ok(Level::Unknown.into());
            };
            let rise = changes.latest - changes.lowest;
            let (found, detail) = compare_change(&changes, rise, by, clear, "rose", unit);
            // The levels of a counter without its resets are not values.
            let threshold = (!is_counter(sight)).then_some(changes.lowest + by);
            Ok(Assessment { detail, threshold: threshold.and_then(Finite::new), ..found.into() })
        }
        FieldCondition::NoRise { by, within } => {
            number()?;
            // The hours of the rule say when it may fire. The window of days is longer than they are.
            let by = amount(*by)?;
            let Some(changes) = changes(sight, memory, *within, None) else {
                return Ok(Level::Unknown.into());
            };
            let has_risen = changes.largest_rise + rounding(&changes) >= by;
            Ok(match (has_risen, changes.is_covered) {
                (true, _) => Level::Clear.into(),
                (false, true) => Level::Met.into(),
                (false, false) => Level::Unknown.into(),
            })
        }
        FieldCondition::Flat { over } => {
            let Memory::Run(run) = memory else { return Ok(Level::Unknown.into()) };
            let over = i64::try_from(over.as_millis()).unwrap_or(i64::MAX);
            // A run that began before the hours of the rule counts in full: the value was equal then, too.
            let is_met = run.length().is_some_and(|length| length >= over);
            Ok(match (is_met, run.is_after_change) {
                (true, _) => Level::Met.into(),
                (false, true) => Level::Clear.into(),
                (false, false) => Level::Unknown.into(),
            })
        }
        FieldCondition::EmptyWithin { within } => {
            let within = within.as_secs_f64() / 3600.0;
            Ok(match sight.time_to_empty {
                TimeToEmpty::Hours(hours) => {
                    let is_clear = hours.get() >= within * (1.0 + HYSTERESIS);
                    let found = compare(hours.get() <= within, is_clear);
                    let computed = Some((hours, Unit::Hour));
                    Assessment { computed, ..Assessment::with_threshold(found, within) }
                }
                TimeToEmpty::NotFalling => Level::Clear.into(),
                TimeToEmpty::Unknown => Level::Unknown.into(),
            })
        }
    }
}

/// Returns the level of a value that meets the condition, or else ends an alert, or does neither.
fn compare(is_met: bool, is_clear: bool) -> Level {
    match (is_met, is_clear) {
        (true, _) => Level::Met,
        (false, true) => Level::Clear,
        (false, false) => Level::Between,
    }
}

/// Compares a change with the amount of the rule, and describes it.
///
/// If the window is not covered, the change may be larger than what is known of it, so it ends no alert.
fn compare_change(
    changes: &Changes,
    change: f64,
    by: f64,
    clear: Option<f64>,
    verb: &str,
    unit: Option<Unit>,
) -> (Level, Option<Arc<str>>) {
    let clear = clear.unwrap_or(by * (1.0 - HYSTERESIS));
    let tolerance = rounding(changes);
    let level = match compare(change + tolerance >= by, change + tolerance < clear) {
        Level::Clear if !changes.is_covered => Level::Unknown,
        level => level,
    };
    let shown = |change| format!("{verb} {}{}", format::compact(change), format::suffix(unit));
    (level, change.is_finite().then(|| shown(change).into()))
}

/// Returns the error of rounding of a difference of two levels.
fn rounding(changes: &Changes) -> f64 {
    ROUNDING * changes.highest.abs().max(changes.lowest.abs())
}

/// Returns the changes within the window of a rule that ends at the observation.
fn changes(
    sight: &FieldSight<'_>,
    memory: &Memory,
    within: Duration,
    begin: Option<Timestamp>,
) -> Option<Changes> {
    let Memory::Window(window) = memory else { return None };
    window.changes(time(sight.observed_at), within, begin.map(time), is_counter(sight))
}

/// Returns true for a counter, whose level continues after a reset.
fn is_counter(sight: &FieldSight<'_>) -> bool {
    sight.over_time == OverTime::Increase
}

/// Returns true if a value is the one that a rule names. A text is never equal to a number.
fn is_equal(value: &Datum, unit: Option<Unit>, wanted: &Scalar) -> bool {
    match (wanted, value) {
        (Scalar::Text(wanted), Datum::Text(text)) => **text == **wanted,
        (Scalar::Integer(wanted), Datum::Number(number)) => number.get() == *wanted as f64,
        (Scalar::Number(wanted), Datum::Number(number)) => number.get() == *wanted,
        (Scalar::Bool(wanted), Datum::Number(number)) => {
            matches!(unit, None | Some(Unit::Bool)) && number.get() == f64::from(u8::from(*wanted))
        }
        (Scalar::Bool(wanted), Datum::Text(text)) => {
            text.trim().eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
        }
        (Scalar::Text(_), Datum::Number(_))
        | (Scalar::Integer(_) | Scalar::Number(_), Datum::Text(_)) => false,
    }
}
