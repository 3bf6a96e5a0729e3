//! Trends of simulated tanks.

mod thinned;

use std::time::Duration;

use super::*;
use crate::board::Finite;
use crate::timestamp::Rfc3339;

const START: i64 = 1_770_000_000;

fn reading(volume: f64, full: f64) -> Vec<(FieldName, Value)> {
    vec![
        ("level".into(), Value::number(100.0 * volume / full, Unit::Percent)),
        ("volume".into(), Value::number(volume, Unit::UsGallon)),
    ]
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(START + minutes * 60).unwrap()
}

fn new(settings: TrendSettings) -> Trend {
    Trend::new(settings, OverTimes::default())
}

/// Returns the values derived from an observation that the sensor dated.
fn derive(
    trend: &mut Trend,
    at: Timestamp,
    values: &[(FieldName, Value)],
) -> Vec<(FieldName, Value)> {
    trend.derive(values, |_| (at.as_second(), false))
}

/// Adds a recorded observation.
fn backfill(trend: &mut Trend, field: &str, unit: Unit, minute: i64, number: f64) {
    let number = Finite::new(number).unwrap();
    trend.backfill(&Sample::new("tank".into(), field.into(), at(minute), number, Some(unit)));
}

fn find(values: &[(FieldName, Value)], name: &str) -> Value {
    values.iter().find(|(field, _)| **field == *name).unwrap_or_else(|| panic!("{name}")).1.clone()
}

/// Returns the derived values after observations every five minutes.
fn after(minutes: i64, volume: impl Fn(i64) -> f64) -> Vec<(FieldName, Value)> {
    let mut trend = new(TrendSettings::of_tank());
    let mut values = Vec::new();
    for minute in (0..=minutes).step_by(5) {
        values = derive(&mut trend, at(minute), &reading(volume(minute), 1400.0));
    }
    values
}

#[test]
fn draining_tank_has_rate_changes_and_time_to_empty() {
    // 12 gal/h, measured with an error of 3 gal.
    let values = after(26 * 60, |minute| {
        1300.0 - minute as f64 / 5.0 + if minute % 2 == 0 { 3.0 } else { -3.0 }
    });
    let rate = number(&find(&values, "volume_rate")).unwrap();
    assert!((-12.6..=-11.4).contains(&rate), "{rate}");
    assert_eq!(find(&values, "volume_rate").unit, Some(Unit::UsGallonPerHour));
    assert_eq!(number(&find(&values, "volume_change_1h")), Some(-12.0));
    assert_eq!(number(&find(&values, "volume_change_24h")), Some(-288.0));
    let hours = number(&find(&values, "time_to_empty")).unwrap();
    assert!((75.0..=90.0).contains(&hours), "{hours}");
    let full = find(&values, "time_to_full");
    assert_eq!(full.datum, None);
    assert_eq!(full.note.as_deref(), Some("it is not rising"));
    assert_eq!(find(&values, "last_refill").note.as_deref(), Some("no refill detected yet"));
}

#[test]
fn filling_tank_has_time_to_full_and_last_refill() {
    let values = after(4 * 60, |minute| if minute < 60 { 700.0 } else { 640.0 + minute as f64 });
    assert_eq!(number(&find(&values, "volume_rate")), Some(60.0));
    let hours = number(&find(&values, "time_to_full")).unwrap();
    assert!((8.6..=8.7).contains(&hours), "{hours}");
    let when = find(&values, "last_refill").datum;
    assert_eq!(when, Some(Datum::Text(Rfc3339(at(240)).to_string().into())));
    // The rise is distinguished from noise where it has reached half of the smallest refill.
    let began = find(&values, "last_refill_began").datum;
    assert_eq!(began, Some(Datum::Text(Rfc3339(at(95)).to_string().into())));
    assert_eq!(number(&find(&values, "last_refill_amount")), Some(180.0));
}

#[test]
fn small_tank_is_rounded_to_more_decimals() {
    // 0.1 gal/h out of 1.5 gal.
    let mut trend = new(TrendSettings::of_tank());
    let mut values = Vec::new();
    for minute in (0..=4 * 60).step_by(5) {
        let volume = 1.5 - 0.1 * minute as f64 / 60.0;
        values = derive(&mut trend, at(minute), &reading(volume, 2.0));
    }
    assert_eq!(number(&find(&values, "volume_rate")), Some(-0.1));
    assert_eq!(number(&find(&values, "volume_change_1h")), Some(-0.1));
    let values = derive(&mut trend, at(245), &reading(0.0, 2.0));
    assert_eq!(number(&find(&values, "volume_change_1h")), Some(-1.19));
}

#[test]
fn few_observations_give_missing_values_with_a_note() {
    let values = after(10, |_| 700.0);
    for field in ["volume_rate", "volume_change_1h", "volume_change_24h", "time_to_empty"] {
        let value = find(&values, field);
        assert_eq!(value.datum, None, "{field}");
        assert_eq!(value.note.as_deref(), Some("too few observations yet"), "{field}");
    }
}

#[test]
fn null_gives_missing_values_and_drops_no_observation() {
    let mut trend = new(TrendSettings::of_tank());
    let nothing = derive(&mut trend, at(-5), &[("other".into(), Value::text("x"))]);
    assert_eq!(nothing, []);
    let mut volume = |minute: i64| {
        let is_null = (60..90).contains(&minute) || minute < 0;
        let mut reading = reading(1000.0 - minute as f64, 1400.0);
        if is_null {
            reading[1].1 = Value::missing(Some(Unit::UsGallon), "sent as null");
        }
        derive(&mut trend, at(minute), &reading)
    };
    let mut before = Vec::new();
    for minute in (0..60).step_by(5) {
        before = volume(minute);
    }
    let names = |values: &[(FieldName, Value)]| {
        values.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    for minute in (60..90).step_by(5) {
        let values = volume(minute);
        assert_eq!(names(&values), names(&before), "the same fields as before");
        for field in ["volume_rate", "volume_change_1h", "time_to_empty", "time_to_full"] {
            let value = find(&values, field);
            assert_eq!(value.datum, None, "{field}");
            assert_eq!(value.note.as_deref(), Some("no current volume"), "{field}");
        }
        assert_eq!(find(&values, "volume_rate").unit, Some(Unit::UsGallonPerHour));
    }
    let values = volume(90);
    assert_eq!(number(&find(&values, "volume_rate")), Some(-60.0), "as without the nulls");
    assert_eq!(number(&find(&values, "volume_change_1h")), Some(-60.0));
}

#[test]
fn first_configured_field_with_a_number_is_followed() {
    let level = || ("level".into(), Value::number(50.0, Unit::Percent));
    let volume = |value| ("volume".into(), value);
    let null = || Value::missing(Some(Unit::UsGallon), "sent as null");
    let gallons = || Value::number(700.0, Unit::UsGallon);
    let mut trend = new(TrendSettings::of_tank());
    for (minute, observed, prefix) in [
        (0, vec![level(), volume(null())], "level"),
        // A field that precedes it has a number.
        (5, vec![level(), volume(gallons())], "volume"),
        (10, vec![level(), volume(null())], "volume"),
        // A field that is absent is no longer followed.
        (15, vec![level()], "level"),
        (20, vec![level(), volume(null())], "level"),
        (25, vec![("level".into(), null()), volume(null())], "level"),
        (30, vec![volume(null())], "volume"),
    ] {
        let values = derive(&mut trend, at(minute), &observed);
        assert_eq!(&*values[0].0, format!("{prefix}_rate"), "{minute}");
    }
}

#[test]
fn observation_dated_far_ahead_is_dropped() {
    let mut trend = new(TrendSettings::of_tank());
    let mut values = Vec::new();
    for minute in (0..3 * 60).step_by(5) {
        values = derive(&mut trend, at(minute), &reading(700.0 - minute as f64, 1400.0));
        if minute == 60 {
            // Dated a year ahead, with a full tank.
            derive(&mut trend, at(minute + 365 * 24 * 60), &reading(1400.0, 1400.0));
        }
    }
    assert_eq!(number(&find(&values, "volume_rate")), Some(-60.0));
    assert_eq!(find(&values, "last_refill").note.as_deref(), Some("no refill detected yet"));
    // A slightly late observation drops no other.
    values = derive(&mut trend, at(170), &reading(530.0, 1400.0));
    assert_eq!(number(&find(&values, "volume_rate")), Some(-60.0));
}

#[test]
fn tank_of_unknown_capacity_has_no_times_to_full_and_empty() {
    let mut trend = new(TrendSettings::of_tank());
    let values =
        derive(&mut trend, at(0), &[("volume".into(), Value::number(700.0, Unit::UsGallon))]);
    let names: Vec<&str> = values.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["volume_rate", "volume_change_1h", "volume_change_24h"]);
}

#[test]
fn gap_longer_than_a_span_gives_no_rate_or_change() {
    // No observation from the first hour to the thirtieth.
    let mut trend = new(TrendSettings::of_tank());
    for minute in (0..60).step_by(5) {
        derive(&mut trend, at(minute), &reading(1000.0, 1400.0));
    }
    let values = derive(&mut trend, at(30 * 60), &reading(800.0, 1400.0));
    assert_eq!(find(&values, "volume_rate").datum, None);
    assert_eq!(find(&values, "volume_change_1h").datum, None);
    assert_eq!(find(&values, "volume_change_24h").datum, None);
}

#[test]
fn backfill_gives_rate_change_and_last_refill() {
    let mut trend = new(TrendSettings::of_tank());
    trend.clear();
    for (minute, volume) in [(-6000, 500.0), (-5985, 700.0), (-5970, 1000.0)] {
        backfill(&mut trend, "volume", Unit::UsGallon, minute, volume);
    }
    for minute in (0..24 * 60).step_by(15) {
        let volume = 1000.0 - minute as f64 / 6.0;
        backfill(&mut trend, "volume", Unit::UsGallon, minute, volume);
        backfill(&mut trend, "level", Unit::Percent, minute, 1.0);
    }
    let values = derive(&mut trend, at(24 * 60), &reading(760.0, 1400.0));
    assert_eq!(number(&find(&values, "volume_rate")), Some(-10.0));
    assert_eq!(number(&find(&values, "volume_change_24h")), Some(-240.0));
    // The refill is in the recorded samples. The capacity became known only with the last observation.
    assert_eq!(number(&find(&values, "last_refill_amount")), Some(500.0));

    // The observation is the last recorded one, as after a restart.
    let mut trend = new(TrendSettings::of_tank());
    for (minute, volume) in [(0, 500.0), (15, 700.0), (30, 1000.0)] {
        backfill(&mut trend, "volume", Unit::UsGallon, minute, volume);
    }
    let values = derive(&mut trend, at(30), &reading(1000.0, 1400.0));
    assert_eq!(number(&find(&values, "last_refill_amount")), Some(500.0));
}

#[test]
fn field_without_a_tank_has_its_configured_changes() {
    let mut settings = TrendSettings::of_fields(vec!["pressure".into()]);
    settings.changes = vec![Duration::from_secs(3 * 3600)];
    let mut trend = new(settings);
    let mut values = Vec::new();
    for hour in 0..6 {
        let value = Value::number(1010.0 - f64::from(hour as i32), Unit::Hectopascal);
        values = derive(&mut trend, at(hour * 60), &[("pressure".into(), value)]);
    }
    let per_hour = Unit::Hectopascal.per_hour().unwrap();
    let expected = [
        ("pressure_rate".into(), Value::number(-1.0, per_hour)),
        ("pressure_change_3h".into(), Value::number(-3.0, Unit::Hectopascal)),
    ];
    assert_eq!(values, expected);
}

#[test]
fn span_suffix_is_the_largest_whole_unit() {
    for (seconds, name) in
        [(1800, "30m"), (3600, "1h"), (86_400, "24h"), (604_800, "7d"), (90, "90s")]
    {
        assert_eq!(span_suffix(Duration::from_secs(seconds)), name);
    }
}
