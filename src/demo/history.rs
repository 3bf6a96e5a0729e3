//! Generates more than a year of history from the model, so that charts have data from the start.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::model::{self, TANK_CAPACITY, TANK_HEIGHT};
use super::upstreams::tenths;
use crate::board::{Change, Event, EventKind, Finite, Sample};
use crate::units::{Unit, round_to};

/// Beginning of each section of the history, in seconds before now, and the interval of its observations.
/// Older sections have longer intervals, since a real server would have only their rollups.
const SECTIONS: [(i64, i64); 4] =
    [(400 * DAY, 3 * HOUR), (31 * DAY, HOUR / 4), (8 * DAY, HOUR / 12), (7 * HOUR, HOUR / 60)];

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// Simulated outage without observations of the tank, in seconds before now.
const OUTAGE: std::ops::Range<i64> = 26 * HOUR..30 * HOUR;

/// Seconds that an amount of rain covers, as the simulated upstream states it.
const RAIN_PERIOD: i64 = 15 * 60;

/// Returns the samples and events up to `now`, earliest first.
pub fn history(now: Timestamp) -> Vec<Change> {
    let end = now.as_second();
    // Sections begin at midnight in UTC. Otherwise a day with two intervals would have a mean that is
    // dominated by the part with more observations.
    let at_midnight = |from: i64| if from < DAY { from } else { from + end.rem_euclid(DAY) };
    let ends = SECTIONS.iter().skip(1).map(|(from, _)| at_midnight(*from)).chain([0]);
    let mut changes = Vec::new();
    for ((from, step), to) in SECTIONS.iter().zip(ends) {
        let ago = (to + 1..=at_midnight(*from)).rev().step_by(usize::try_from(*step).unwrap_or(1));
        let times = ago.filter_map(|ago| Some((ago, Timestamp::from_second(end - ago).ok()?)));
        changes.extend(
            times.map(|(ago, at)| Change::Observed(samples_at(at, *step, OUTAGE.contains(&ago)))),
        );
    }
    let event = |ago: i64, kind, detail: &str| {
        let (at, source) = (now - SignedDuration::from_secs(ago), Some("tank".into()));
        Change::Happened(Event { at, kind, source, detail: detail.into() })
    };
    let timeout = "timeout: no answer within 2 s";
    changes.push(event(OUTAGE.end - 60, EventKind::ErrorBegan, timeout));
    changes.push(event(OUTAGE.end - 90, EventKind::Stale, ""));
    changes.push(event(OUTAGE.start, EventKind::ErrorEnded, "240 polls had failed"));
    changes.push(event(OUTAGE.start, EventKind::Fresh, ""));
    changes
}

/// Returns the samples of all sources at a time, of a section with this interval.
fn samples_at(at: Timestamp, interval: i64, is_outage: bool) -> Vec<Sample> {
    // The amount of rain covers the whole interval, or that of the upstream if it is longer.
    let period = interval.max(RAIN_PERIOD);
    let quarters =
        (0..period / RAIN_PERIOD).map(|n| at - SignedDuration::from_secs(n * RAIN_PERIOD));
    let rain = round_to(quarters.map(|at| model::sensors_at(at).rain).sum(), 2);
    let rain_period = Duration::from_secs(period.unsigned_abs());
    let sensors = model::sensors_at(at);
    let share = sensors.depth / TANK_HEIGHT;
    let numbers = [
        ("tank", "level", round_to(100.0 * share, 1), Unit::Percent),
        ("tank", "depth", round_to(sensors.depth, 2), Unit::Inch),
        ("tank", "volume", round_to(TANK_CAPACITY * share, 0), Unit::UsGallon),
        ("weather", "temperature", tenths(sensors.temperature), Unit::Fahrenheit),
        ("weather", "humidity", sensors.humidity.round(), Unit::Percent),
        ("weather", "wind_speed", tenths(sensors.wind), Unit::MilePerHour),
        ("weather", "wind_gust", tenths(sensors.gust), Unit::MilePerHour),
        ("weather", "wind_direction", sensors.wind_direction.round(), Unit::Degree),
        ("weather", "pressure", inches_of_mercury(sensors.pressure), Unit::InchOfMercury),
        (
            "weather",
            "station_pressure",
            inches_of_mercury(sensors.station_pressure),
            Unit::InchOfMercury,
        ),
        ("weather", "rain", rain, Unit::Inch),
        ("pump", "battery", tenths(sensors.battery), Unit::Volt),
    ];
    let observed = numbers.into_iter().filter(|(source, ..)| !(is_outage && *source == "tank"));
    let samples = observed.filter_map(|(source, field, value, unit)| {
        let period = (field == "rain").then_some(rain_period);
        let (source, field, unit) = (source.into(), field.into(), Some(unit));
        Some(Sample { period, ..Sample::new(source, field, at, Finite::new(value)?, unit) })
    });
    samples.collect()
}

/// Converts hectopascals as the poller does.
fn inches_of_mercury(hectopascals: f64) -> f64 {
    Unit::Hectopascal.convert(hectopascals, Unit::InchOfMercury).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rain_of_each_section_is_that_of_the_model() {
        let now: Timestamp = "2026-11-26T12:07:30Z".parse().unwrap();
        let changes = history(now);
        let rain = changes.iter().filter_map(|change| match change {
            Change::Observed(samples) => samples.iter().find(|sample| &*sample.field == "rain"),
            _ => None,
        });
        let rain: Vec<&Sample> = rain.collect();
        for (from, to) in [(390, 40), (30, 9), (7, 1)] {
            let within = |sample: &Sample| {
                let ago = now.as_second() - sample.at.as_second();
                (to * DAY..from * DAY).contains(&ago)
            };
            let pairs = rain.windows(2).filter(|pair| within(pair[1]));
            let shares = pairs.map(|pair| {
                let passed = (pair[1].at.as_second() - pair[0].at.as_second()) as f64;
                let period = pair[1].period.expect("the period of rain").as_secs_f64();
                pair[1].value.get() * (passed / period).min(1.0)
            });
            let recorded: f64 = shares.sum();
            let quarters = (to * DAY..from * DAY).step_by(900);
            let expected: f64 = quarters
                .map(|ago| model::sensors_at(now - SignedDuration::from_secs(ago)).rain)
                .sum();
            assert!(
                (recorded - expected).abs() <= 0.03 * expected + 0.1,
                "{from} days ago: {recorded} in and not {expected} in"
            );
        }
    }
}
