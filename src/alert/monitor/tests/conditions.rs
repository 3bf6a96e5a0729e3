//! Each condition, as a table.

use super::*;
use crate::alert::Fault;
use crate::config::Scalar;

const DAY: Duration = Duration::from_secs(86_400);

/// Returns the letters of values at each of minutes 0, 10, 20…
fn every_ten(condition: FieldCondition, values: &[f64]) -> String {
    let values: Vec<(i64, f64)> = (0..).step_by(10).zip(values.iter().copied()).collect();
    Bench::of(condition).letters(&values)
}

#[test]
fn threshold_fires_beyond_it_and_clears_at_the_hysteresis() {
    let above = |threshold, clear: Option<f64>| FieldCondition::Above {
        threshold: gallons(threshold),
        clear: clear.map(gallons),
    };
    let outside = |clear: Option<(f64, f64)>| FieldCondition::Outside {
        low: gallons(100.0),
        high: gallons(200.0),
        clear: clear.map(|(low, high)| (gallons(low), gallons(high))),
    };
    for (condition, values, expected) in [
        (below(300.0, Some(350.0)), &[300.0, 299.9, 349.9, 299.0, 350.0][..], ".F..r"),
        // 2 % of the threshold.
        (below(300.0, None), &[299.0, 305.9, 306.0, 305.0, 299.0], "F.r.F"),
        (above(300.0, Some(250.0)), &[300.0, 300.1, 250.1, 250.0], ".F.r"),
        (above(300.0, None), &[301.0, 294.1, 294.0], "F.r"),
        (above(-300.0, None), &[-299.0, -305.9, -306.0], "F.r"),
        (outside(None), &[100.0, 99.0, 101.9, 102.0, 201.0, 196.1, 196.0], ".F.rF.r"),
        (outside(None), &[99.0, 201.0, 150.0], "F.r"),
        (outside(Some((120.0, 180.0))), &[99.0, 119.0, 181.0, 150.0], "F..r"),
    ] {
        assert_eq!(every_ten(condition.clone(), values), expected, "{condition:?}");
    }
}

#[test]
fn threshold_of_evidence_is_the_limit_that_was_crossed() {
    let outside =
        FieldCondition::Outside { low: gallons(100.0), high: gallons(200.0), clear: None };
    for (value, expected) in [(90.0, 100.0), (230.0, 200.0)] {
        let mut bench = Bench::of(outside.clone());
        bench.value(0, value);
        let evidence = bench.monitor.evidence().unwrap();
        assert_eq!(evidence.threshold, Finite::new(expected));
        assert_eq!(evidence.value, Some(number(value)));
    }
}

#[test]
fn narrow_band_can_be_entered_again() {
    let band = FieldCondition::Outside { low: gallons(100.0), high: gallons(101.0), clear: None };
    assert_eq!(every_ten(band, &[99.0, 100.2, 100.5]), "F.r");
}

#[test]
fn hysteresis_is_at_least_the_step_of_the_sensor_but_not_of_a_switch() {
    // A sensor that shows the level to the nearest 20 gal. It alternates between 290 and 310.
    let ramp = (0..12).map(|step| 490.0 - 20.0 * f64::from(step)).collect::<Vec<_>>();
    let noise = [310.0, 290.0, 310.0, 290.0, 310.0, 330.0];
    let expected = format!("{}F.......r", ".".repeat(10));
    let values: Vec<f64> = ramp.iter().copied().chain([270.0]).chain(noise).collect();
    let found = every_ten(below(300.0, None), &values);
    assert_eq!(found, expected, "the ramp fires at 290; 310 is one step above");
    let pump: Vec<f64> = [0.0, 6.0].repeat(10);
    let above = FieldCondition::Above { threshold: gallons(1.0), clear: None };
    assert_eq!(every_ten(above, &pump), ".F".to_owned() + &"rF".repeat(9));
}

#[test]
fn level_in_per_cent_clears_within_its_range() {
    let mut bench = Bench::of(FieldCondition::Below {
        threshold: Limit { number: 99.0, unit: Some(Unit::Percent) },
        clear: None,
    });
    bench.unit = Some(Unit::Percent);
    assert_eq!(bench.letters(&[(0, 98.0), (10, 99.9), (20, 100.0)]), "F.r");
}

#[test]
fn alert_ends_at_a_limit_that_the_sensor_cannot_pass() {
    let above_zero = FieldCondition::Above { threshold: gallons(0.0), clear: None };
    let pulses = [0.0, 0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1, 0.0, 0.1, 0.2, 0.0, 0.1, 0.0];
    assert_eq!(every_ten(above_zero, &pulses), ".F......rF.rFr");
    let cooled = FieldCondition::Above { threshold: gallons(0.0), clear: None };
    let below_zero = [-2.0, -1.5, -1.0, -0.5, -1.0, -1.5, -1.0, -0.5, 0.0, 0.5, 0.0, -0.5];
    assert_eq!(every_ten(cooled, &below_zero), ".........F.r", "a step below 0");
    let band = FieldCondition::Outside { low: gallons(0.0), high: gallons(10.0), clear: None };
    assert_eq!(every_ten(band, &[0.0, 12.0, 9.9, 0.0]), ".F.r");
    let mut open = Bench::of(FieldCondition::Below {
        threshold: Limit { number: 1.0, unit: None },
        clear: None,
    });
    open.unit = Some(Unit::Bool);
    assert_eq!(open.letters(&[(0, 1.0), (10, 0.0), (20, 1.0)]), ".Fr");
}

#[test]
fn noise_within_half_of_the_hysteresis_is_one_incident() {
    let mut random = fastrand::Rng::with_seed(3);
    for resolution in [0.0, 0.1, 1.0, 2.0] {
        for center in [300.0, 301.0, 303.0, 305.0] {
            let mut bench = Bench::of(below(300.0, None));
            let mut fired = 0;
            for at in 0..2_000 {
                // The hysteresis is 6 gal, so noise of ±1.5 gal spans half of it.
                let noise = (random.f64() - 0.5) * 3.0;
                let value = center + noise;
                let value = match resolution {
                    0.0 => value,
                    step => (value / step).round() * step,
                };
                let transition = bench.value(at, value);
                fired += u32::from(matches!(transition, Some(Transition::Fired(_))));
            }
            assert!(fired <= 1, "{fired} incidents around {center}, resolution {resolution}");
        }
    }
}

#[test]
fn equal_values_have_the_same_type() {
    let text = |text: &str| Datum::text(text);
    let scalar = |text: &str| Scalar::Text(text.to_owned());
    for (wanted, value, unit, is_equal) in [
        (scalar("Fault"), text("Fault"), None, true),
        (scalar("Fault"), text("fault"), None, false),
        (scalar("1"), number(1.0), None, false),
        (Scalar::Integer(1), text("1"), None, false),
        (Scalar::Integer(3), number(3.0), Some(Unit::WmoCode), true),
        (Scalar::Number(0.1), number(0.1), None, true),
        (Scalar::Number(0.1), number(0.2), None, false),
        (Scalar::Bool(true), number(1.0), Some(Unit::Bool), true),
        (Scalar::Bool(false), number(1.0), Some(Unit::Bool), false),
        (Scalar::Bool(false), number(0.0), Some(Unit::Bool), true),
        (Scalar::Bool(true), number(1.0), Some(Unit::Litre), false),
        (Scalar::Bool(true), text("true"), None, true),
        (Scalar::Bool(false), text("true"), None, false),
    ] {
        for (condition, fires) in [
            (FieldCondition::Equals(wanted.clone()), is_equal),
            (FieldCondition::NotEquals(wanted.clone()), !is_equal),
        ] {
            let mut bench = Bench::of(condition.clone());
            bench.unit = unit;
            let sight = bench.sight(start(), Some(&value));
            let fired = bench.observe(&Sight::Field(sight)).is_some();
            assert_eq!(fired, fires, "{condition:?} {value:?}");
        }
    }
}

fn falls(by: f64) -> FieldCondition {
    FieldCondition::Falls { by: gallons(by), within: HOUR, clear: None }
}

#[test]
fn change_within_a_window_fires_and_ends_when_it_has_left_the_window() {
    let mut bench = Bench::of(falls(40.0));
    assert_eq!(bench.letters(&[(0, 500.0), (20, 480.0), (40, 461.0), (50, 460.0)]), "...F");
    let evidence = bench.monitor.evidence().unwrap();
    assert_eq!(evidence.detail.as_deref(), Some("fell 40 gal"));
    assert_eq!(evidence.threshold, Finite::new(460.0));
    // At minute 62, the level at the start of the window was 498.
    assert_eq!(bench.letters(&[(60, 460.0), (62, 460.0)]), ".r");
    let rises = FieldCondition::Rises { by: gallons(40.0), within: HOUR, clear: None };
    let mut bench = Bench::of(rises);
    assert_eq!(bench.letters(&[(0, 400.0), (20, 439.0), (50, 440.0), (120, 440.0)]), "..Fr");
    // Slower than the amount within the window.
    let slow: Vec<(i64, f64)> = (0..40).map(|n| (n * 10, 500.0 - 5.0 * n as f64)).collect();
    assert!(Bench::of(falls(40.0)).letters(&slow).chars().all(|letter| letter == '.'));
    // After a gap of ten hours, a tenth of the change counts.
    assert_eq!(Bench::of(falls(40.0)).letters(&[(0, 500.0), (600, 200.0)]), "..");
    // 20.4 − 20.1 is slightly less than 0.3 as floating-point numbers.
    assert_eq!(Bench::of(falls(0.3)).letters(&[(0, 20.4), (10, 20.1)]), ".F");
}

#[test]
fn firing_change_does_not_end_for_want_of_observations() {
    let mut bench = Bench::of(falls(40.0));
    assert_eq!(bench.letters(&[(0, 500.0), (20, 450.0)]), ".F");
    // The observations are lost.
    bench.monitor.memory = super::super::Memory::Empty;
    assert_eq!(bench.letters(&[(30, 450.0), (80, 450.0), (90, 450.0)]), "..r");
}

#[test]
fn change_at_the_size_of_the_hysteresis_keeps_firing() {
    let mut bench = Bench::of(falls(100.0));
    let values = [(-60, 500.0), (0, 500.0), (30, 400.0), (31, 401.5), (32, 403.0)];
    assert_eq!(bench.letters(&values), "..F.r");
}

#[test]
fn rise_of_a_counter_continues_after_its_reset() {
    let values = [(0, 900.0), (10, 920.0), (20, 5.0), (30, 25.0)];
    for (over_time, expected) in [(OverTime::Increase, "...F"), (OverTime::Mean, "....")] {
        let rises = FieldCondition::Rises { by: gallons(40.0), within: HOUR, clear: None };
        let mut bench = Bench { over_time, ..Bench::of(rises) };
        assert_eq!(bench.letters(&values), expected, "{over_time:?}");
    }
}

#[test]
fn tank_without_a_refill_fires_when_the_window_is_covered() {
    let no_rise = FieldCondition::NoRise { by: gallons(50.0), within: 4 * DAY };
    let mut bench = Bench::of(no_rise);
    let hours = |hours: i64| hours * 60;
    let values = [
        (0, 500.0),
        (hours(24), 480.0),
        (hours(90), 470.0),
        (hours(96), 469.0),
        // A slow refill, and a long time after it.
        (hours(100), 495.0),
        (hours(104), 520.0),
        (hours(150), 500.0),
        (hours(190), 490.0),
        (hours(204), 489.0),
    ];
    assert_eq!(bench.letters(&values), "...F.r..F");
    // The same after a start with recorded observations.
    let mut bench = Bench::of(FieldCondition::NoRise { by: gallons(50.0), within: 4 * DAY });
    let past = [(minute(0), 500.0), (minute(hours(40)), 490.0)];
    bench.monitor.backfill(&bench.rule, past.into_iter(), Some(Unit::UsGallon), STALE_AFTER);
    assert_eq!(bench.letters(&[(hours(97), 480.0)]), "F");
}

#[test]
fn flat_sensor_fires_after_distinct_equal_observations() {
    let flat = || FieldCondition::Flat { over: 12 * HOUR };
    let hours = |hours: i64| hours * 60;
    let values = [(0, 7.0), (hours(6), 7.0), (hours(12), 7.0), (hours(13), 7.0), (hours(14), 7.1)];
    assert_eq!(Bench::of(flat()).letters(&values), "..F.r");
    assert_eq!(Bench::of(flat()).letters(&[(0, 7.0), (hours(20), 7.0)]), "..", "only two");
    let changed = [(0, 7.0), (hours(6), 7.1), (hours(12), 7.1), (hours(17), 7.1), (hours(18), 7.1)];
    assert_eq!(Bench::of(flat()).letters(&changed), "....F");
    let mut bench = Bench::of(flat());
    assert_eq!(bench.letters(&values[..2]), "..");
    bench.restart();
    assert_eq!(bench.letters(&values[2..]), "F.r");
}

#[test]
fn tank_that_will_be_empty_fires_by_its_trend() {
    let mut bench = Bench::of(FieldCondition::EmptyWithin { within: 12 * HOUR });
    let hours = |hours: f64| TimeToEmpty::Hours(Finite::new(hours).unwrap());
    let value = number(500.0);
    for (at, time_to_empty, expected) in [
        (0, TimeToEmpty::Unknown, '.'),
        (0, hours(12.1), '.'),
        (10, hours(12.0), 'F'),
        (20, hours(12.2), '.'),
        (30, TimeToEmpty::Unknown, '.'),
        (40, hours(12.24), 'r'),
        (50, hours(3.0), 'F'),
        (60, TimeToEmpty::NotFalling, 'r'),
    ] {
        bench.now = minute(at);
        let sight = FieldSight { time_to_empty, ..bench.sight(minute(at), Some(&value)) };
        let found = bench.observe(&Sight::Field(sight));
        assert_eq!(letter(found.as_ref()), expected, "{at}");
        if let Some(Transition::Fired(incident)) = found {
            assert_eq!(incident.evidence.unit, Some(Unit::Hour));
            assert_eq!(incident.evidence.threshold, Finite::new(12.0));
        }
    }
}

#[test]
fn threshold_converts_to_the_unit_of_the_value_or_is_a_fault() {
    let mut bench = Bench::of(below(300.0, None));
    bench.unit = Some(Unit::Litre);
    assert_eq!(bench.letters(&[(0, 1136.0), (10, 1135.0)]), ".F");
    let threshold = bench.monitor.evidence().unwrap().threshold.unwrap().get();
    assert!((threshold - 1135.6).abs() < 0.1, "{threshold}");
    bench.unit = Some(Unit::Celsius);
    assert_eq!(bench.letters(&[(20, 2000.0)]), ".");
    let fault = bench.monitor.fault().unwrap();
    assert_eq!(fault.to_string(), "the threshold is in gal, but the values are in degC");
    let text = Datum::text("low");
    let sight = bench.sight(minute(30), Some(&text));
    assert_eq!(bench.observe(&Sight::Field(sight)), None);
    assert_eq!(bench.monitor.fault(), Some(Fault::NotANumber));
    bench.unit = Some(Unit::Litre);
    assert_eq!(bench.letters(&[(40, 2000.0)]), "r");
    assert_eq!(bench.monitor.fault(), None);
}

#[test]
fn window_converts_with_the_unit_of_the_field() {
    let mut bench = Bench::of(falls(40.0));
    assert_eq!(bench.letters(&[(0, 500.0), (20, 480.0)]), "..");
    bench.unit = Some(Unit::Litre);
    // 461 gal and 459 gal.
    assert_eq!(bench.letters(&[(30, 1745.0), (40, 1737.5)]), ".F");
    bench.unit = None;
    assert_eq!(bench.letters(&[(50, 100.0)]), ".", "another quantity has no past");
}
