//! Rejects numbers that cannot be measurements: sentinels, and what is physically impossible.
//!
//! Devices send numbers such as -9999 or 65535 for a sensor that is absent, at any scale, and some convert
//! them to another unit first. Each number is therefore compared with the [`Limits`](limits::Limits) of its
//! field or unit:
//!
//! | number | result |
//! | --- | --- |
//! | beyond [`MAX_MAGNITUDE`] | null with a note |
//! | one of [`NEVER_MEASURED`], such as -9999 | null with a note |
//! | with the digits of a [sentinel](SENTINELS), and outside of `usual` | null with a note |
//! | outside of `possible` | null with a note |
//! | outside of `usual`, and the limits have a note for that side | kept with that note |
//!
//! The fields of weather stations and tank sensors have narrow limits. A value of `json` may be anything, so
//! its limits follow from its unit, or from its name where that has one meaning only. A configured `min` or
//! `max` that admits the number replaces them.
//!
//! A number that is converted when it is decoded is compared with the sentinels of its own unit before.

mod limits;

use limits::{Limits, limits};

use crate::board::{Datum, Reading, Value};
use crate::config::{Calibration, Json, JsonValue, Kind};
use crate::units::Unit;

/// Largest magnitude of a number, far beyond any measurement, and the largest that the history records.
/// Conversions and sums of such numbers stay finite.
const MAX_MAGNITUDE: f64 = 1e15;

/// Numbers that stand for a missing measurement in any unit.
const NEVER_MEASURED: [f64; 8] =
    [-999_999.0, -99_999.0, -9999.99, -9999.9, -9999.0, -999.99, -999.9, -999.0];

/// Numbers whose digits stand for a missing measurement, at one of the [scales](SCALES): the extremes of
/// integers of 16 and 32 bits, and negative nines.
const SENTINELS: [f64; 9] = [
    32_767.0,
    -32_767.0,
    -32_768.0,
    65_535.0,
    2_147_483_647.0,
    -2_147_483_648.0,
    4_294_967_295.0,
    -999.0,
    -9999.0,
];

/// Scales by which integers are sent as decimals: 6553.5, 655.35.
const SCALES: [f64; 3] = [1.0, 10.0, 100.0];

/// Meaning of the names of fields.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fields<'a> {
    /// Those of a weather station.
    Weather,
    /// Those of a tank sensor.
    Tank,
    /// Those that the configuration chose.
    Json(&'a Json),
}

impl Fields<'_> {
    fn of(kind: &Kind) -> Fields<'_> {
        match kind {
            Kind::OpenMeteo(_) | Kind::Nws(_) | Kind::Ambient(_) => Fields::Weather,
            Kind::PtLevel(_) | Kind::PtDevices(_) => Fields::Tank,
            Kind::Json(json) => Fields::Json(json),
        }
    }

    /// Returns true if a configured bound admits the number, which was checked against it.
    fn admit(self, field: &str, number: f64) -> bool {
        let Fields::Json(json) = self else { return false };
        let value = json.values.iter().find(|value| *value.name == *field);
        value.is_some_and(|value| admits(&value.calibration, number))
    }
}

fn admits(Calibration { min, max, .. }: &Calibration, number: f64) -> bool {
    if number < 0.0 { min } else { max }.is_some()
}

const NO_MEASUREMENT: &str = "stands for no measurement";

/// Result of the check of one number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plausibility {
    /// The number may be true.
    Plausible,
    /// The number may be true, but deserves a note.
    Doubtful(&'static str),
    /// The number cannot be true, as the note says.
    Impossible(String),
}

/// Replaces each number of a reading that cannot be true by null with a note.
pub(super) fn check(kind: &Kind, reading: Reading) -> Reading {
    let fields = Fields::of(kind);
    let checked = reading.values.into_iter().map(|(field, value)| {
        let judged = match &value.datum {
            Some(Datum::Number(number)) => judge(fields, &field, number.get(), value.unit),
            _ => Plausibility::Plausible,
        };
        let value = match judged {
            Plausibility::Plausible => value,
            // A note of the decoder explains the number better.
            Plausibility::Doubtful(_) if value.note.is_some() => value,
            Plausibility::Doubtful(note) => value.with_note(note),
            Plausibility::Impossible(note) => Value { datum: None, ..value }.with_note(note),
        };
        (field, value)
    });
    Reading { values: checked.collect(), ..reading }
}

/// Checks one number of a field.
pub(super) fn judge(
    fields: Fields<'_>,
    field: &str,
    number: f64,
    unit: Option<Unit>,
) -> Plausibility {
    let impossible = |reason: &str| {
        let unit = unit.map_or_else(String::new, |unit| format!(" {unit}"));
        Plausibility::Impossible(format!("{number}{unit} {reason}"))
    };
    if number.abs() > MAX_MAGNITUDE {
        return Plausibility::Impossible(format!("{number:e} is beyond what can be measured"));
    }
    if fields.admit(field, number) {
        return Plausibility::Plausible;
    }
    let limits = unit.and_then(|unit| limits(fields, field, unit));
    if is_code(number, unit, limits.as_ref()) {
        return impossible(NO_MEASUREMENT);
    }
    let Some(limits) = limits else { return Plausibility::Plausible };
    let compared = limits.converted(number, unit);
    if !limits.possible.contains(&compared) {
        return impossible("is not possible");
    }
    let note = match compared {
        _ if compared < *limits.usual.start() => limits.below,
        _ if compared > *limits.usual.end() => limits.above,
        _ => None,
    };
    note.map_or(Plausibility::Plausible, Plausibility::Doubtful)
}

/// Returns true for a number that stands for a missing measurement in the unit that it was sent in. In another
/// unit it looks like any other number: -999 mm are -39.33 in.
pub(super) fn stands_for_nothing(number: f64, unit: Unit) -> bool {
    is_code(number, Some(unit), limits::of_unit(unit).as_ref())
}

/// Returns true for a number that stands for a missing measurement, of a quantity with these limits.
fn is_code(number: f64, unit: Option<Unit>, limits: Option<&Limits>) -> bool {
    if NEVER_MEASURED.contains(&number) && !is_bidirectional(number, unit) {
        return true;
    }
    limits.is_some_and(|limits| {
        let compared = limits.converted(number, unit);
        let is_usual = limits.usual.contains(&compared);
        !is_usual && (is_sentinel(number) || limits.sentinel == Some(compared))
    })
}

/// Checks the number from which a value of `json` was computed. Scale, offset and `invert_from` turn a sentinel
/// into a number that looks like any other.
///
/// # Errors
/// The note for the value if the number that was sent stands for a missing measurement.
pub(super) fn check_sent(
    keys: &JsonValue,
    sent: f64,
    computed: f64,
    unit: Option<Unit>,
) -> Result<(), String> {
    let Calibration { scale, offset, invert_from, .. } = keys.calibration;
    if keys.calibration.is_identity() || admits(&keys.calibration, computed) {
        return Ok(());
    }
    // -999 is an ordinary count of tenths.
    let is_decimal = offset == 0.0 && invert_from.is_none() && [0.1, 0.01, 0.001].contains(&scale);
    let is_never_measured = NEVER_MEASURED.contains(&sent) && (sent < -999.9 || !is_decimal);
    // More than the sensor measures: the distance to water below the bottom.
    let is_below_zero = invert_from.is_some() && computed < 0.0;
    let is_usual = || {
        let limits = unit.and_then(|unit| Some((unit, limits::of_json(&keys.name, unit)?)));
        let is_within = |(unit, limits): (Unit, Limits)| {
            limits.usual.contains(&limits.converted(computed, Some(unit)))
        };
        !is_below_zero && limits.is_none_or(is_within)
    };
    if is_never_measured || (is_sentinel(sent) && !is_usual()) {
        return Err(format!("{sent} {NO_MEASUREMENT}"));
    }
    Ok(())
}

/// Returns true if the unit measures a flow in two directions, in which -999 is an ordinary number: the power
/// that a house feeds into the grid, the current that a battery gives.
fn is_bidirectional(number: f64, unit: Option<Unit>) -> bool {
    number > -9999.0 && matches!(unit, Some(Unit::Watt | Unit::Milliampere))
}

/// Returns true if the number has the digits of a sentinel.
fn is_sentinel(number: f64) -> bool {
    // Far above the rounding of the multiplication, far below the step of a sensor.
    const TOLERANCE: f64 = 1e-6;
    SENTINELS
        .iter()
        .any(|sentinel| SCALES.iter().any(|scale| (number * scale - sentinel).abs() < TOLERANCE))
}

#[cfg(test)]
mod tests;
