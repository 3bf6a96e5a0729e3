//! What the model's sensors would have told for more than a year, so that charts have something
//! to show.

use jiff::{SignedDuration, Timestamp};

use super::model::{self, TANK_CAPACITY, TANK_HEIGHT};
use super::upstreams::tenths;
use crate::board::{Change, Event, EventKind, Finite, Sample};
use crate::units::{Unit, round_to};

/// From how many seconds ago on, and how many seconds apart, observations were made: the longer
/// ago the fewer, as only rollups are left of them.
const GRAIN: [(i64, i64); 4] =
    [(400 * DAY, 3 * HOUR), (31 * DAY, HOUR / 4), (8 * DAY, HOUR / 12), (7 * HOUR, HOUR / 60)];

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// When the tank's sensor was silent, in hours ago.
const SILENT: std::ops::Range<i64> = 26 * HOUR..30 * HOUR;

/// Everything that was told and happened up to a moment, the earliest first.
pub fn history(now: Timestamp) -> Vec<Change> {
    let end = now.as_second();
    // A day of two grains would have a mean that is mostly of its finer part.
    let whole = |from: i64| if from < DAY { from } else { from + end.rem_euclid(DAY) };
    let ends = GRAIN.iter().skip(1).map(|(from, _)| whole(*from)).chain([0]);
    let mut changes = Vec::new();
    for ((from, step), to) in GRAIN.iter().zip(ends) {
        let ago = (to + 1..=whole(*from)).rev().step_by(usize::try_from(*step).unwrap_or(1));
        let told = ago.filter_map(|ago| Some((ago, Timestamp::from_second(end - ago).ok()?)));
        changes.extend(told.map(|(ago, at)| Change::Observed(told_at(at, SILENT.contains(&ago)))));
    }
    let happened = |ago: i64, kind, detail: &str| {
        let (at, source) = (now - SignedDuration::from_secs(ago), Some("tank".into()));
        Change::Happened(Event { at, kind, source, detail: detail.into() })
    };
    let timeout = "timeout: no answer within 2 s";
    changes.push(happened(SILENT.end - 60, EventKind::ErrorBegan, timeout));
    changes.push(happened(SILENT.end - 90, EventKind::Stale, ""));
    changes.push(happened(SILENT.start, EventKind::ErrorEnded, "240 polls had failed"));
    changes.push(happened(SILENT.start, EventKind::Fresh, ""));
    changes
}

fn told_at(at: Timestamp, tank_is_silent: bool) -> Vec<Sample> {
    let scene = model::scene(at);
    let share = scene.depth / TANK_HEIGHT;
    let told = [
        ("tank", "level", round_to(100.0 * share, 1), Unit::Percent),
        ("tank", "depth", round_to(scene.depth, 2), Unit::Inch),
        ("tank", "volume", round_to(TANK_CAPACITY * share, 0), Unit::UsGallon),
        ("weather", "temperature", tenths(scene.temperature), Unit::Fahrenheit),
        ("weather", "humidity", scene.humidity.round(), Unit::Percent),
        ("weather", "wind_speed", tenths(scene.wind), Unit::MilePerHour),
        ("weather", "wind_gust", tenths(scene.gust), Unit::MilePerHour),
        ("weather", "pressure", round_to(scene.pressure / 33.863_886_4, 2), Unit::InchOfMercury),
        ("weather", "rain", scene.rain, Unit::Inch),
        ("pump", "battery", tenths(scene.battery), Unit::Volt),
    ];
    let heard = told.into_iter().filter(|(source, ..)| !(tank_is_silent && *source == "tank"));
    let samples = heard.filter_map(|(source, field, value, unit)| {
        let (source, field, unit) = (source.into(), field.into(), Some(unit));
        Some(Sample { source, field, at, value: Finite::new(value)?, unit })
    });
    samples.collect()
}
