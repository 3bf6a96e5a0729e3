//! Drawings, and their cache, over a real file of the history.

use std::sync::Arc;
use std::task::Poll;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::fixture::recorded_site;
use super::{Cached, Chart, Drawing, Range, Subject, Theme, WIDE};
use crate::board::{Change, Finite, Observed, Sample, SourceView, Value};
use crate::history::{History, import};
use crate::site::chart::ChartCache;
use crate::site::fixture::{at, now, tank, values, weather};
use crate::units::Unit;

#[test]
fn chart_is_drawn_once_for_the_time_of_a_pixel() {
    let recorded = recorded_site("Cistern");
    let context = &recorded.site.context;
    let snapshot = context.snapshot();
    let chart = |seconds| {
        let source = &snapshot.sources[0];
        let subject = Subject { source, field: "level", range: Range::Week, thresholds: &[] };
        let at = now() + SignedDuration::from_secs(seconds);
        if let Cached::Current(outcome) = context.charts.get(&context.history, subject, at) {
            return outcome.unwrap();
        }
        draw(&context.charts, &context.history, subject, seconds)
    };
    let first = chart(0);
    assert!(Arc::ptr_eq(&first, &chart(30)));
    assert!(!Arc::ptr_eq(&first, &chart(7 * 24 * 3600 / 600)));
}

/// Draws a chart that many seconds after [`now`].
fn draw(cache: &ChartCache, history: &History, subject: Subject<'_>, seconds: i64) -> Arc<Chart> {
    let mut drawing = Drawing::new(history, subject, at(seconds));
    loop {
        if let Poll::Ready(outcome) = drawing.advance(cache, history) {
            return outcome.unwrap();
        }
    }
}

/// Observations of one source: seconds from [`now`], field, number and unit.
type Recorded<'a> = &'a [(i64, &'a str, f64, Unit)];

/// Draws the chart of a source's field over these recorded observations.
fn drawn(source: &SourceView, field: &str, range: Range, recorded: Recorded<'_>) -> Arc<Chart> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let samples = recorded.iter().map(|&(seconds, field, number, unit)| {
        let number = Finite::new(number).unwrap();
        Sample::new(source.name.clone(), field.into(), at(seconds), number, Some(unit))
    });
    import(&path, &TimeZone::UTC, [Change::Observed(samples.collect())]).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    draw(&ChartCache::default(), &history, Subject { source, field, range, thresholds: &[] }, 0)
}

/// Returns the cells of the chart's table, row by row.
fn cells(chart: &Chart) -> Vec<&str> {
    let body = chart.table().split_once("<tbody>").unwrap().1;
    let texts = body.split('<').filter_map(|tag| tag.split_once('>'));
    texts.map(|(_, text)| text).filter(|text| !text.is_empty()).collect()
}

/// Returns a tank whose level has a time of its own.
fn tank_with_level_at(seconds: i64, level: f64) -> SourceView {
    let mut source = tank();
    let level = Value::number(level, Unit::Percent);
    let level = Value { observed: Some(Observed::absolute(at(seconds))), ..level };
    source.reading.as_mut().unwrap().values = values([("level", level)]);
    source
}

fn level(source: &SourceView) -> Subject<'_> {
    Subject { source, field: "level", range: Range::SixHours, thresholds: &[] }
}

#[test]
fn value_with_its_own_time_is_drawn_at_that_time() {
    let recorded: Recorded<'_> =
        &[(-14_400, "level", 80.0, Unit::Percent), (-10_800, "level", 84.6, Unit::Percent)];
    let source = tank_with_level_at(-10_800, 84.6);
    let chart = drawn(&source, "level", Range::SixHours, recorded);
    // The window ends with the second of the drawing.
    assert_eq!(chart.readout().points, "+7199 80;+3600 84.6");
    let history = History::off();
    let cache = ChartCache::default();
    draw(&cache, &history, level(&source), 0);
    let is_current = |source: &SourceView| {
        matches!(cache.get(&history, level(source), now()), Cached::Current(_))
    };
    assert!(is_current(&source));
    // The reading has the same time: only the value is another, or is observed at another time.
    for other in [tank_with_level_at(-9000, 84.6), tank_with_level_at(-10_800, 84.7)] {
        assert!(!is_current(&other));
    }
}

#[test]
fn correction_replaces_the_observation_of_its_time_before_it_is_written() {
    let recorded: Recorded<'_> =
        &[(-840, "level", 80.0, Unit::Percent), (-240, "level", 81.0, Unit::Percent)];
    let chart = drawn(&tank(), "level", Range::SixHours, recorded);
    assert_eq!(chart.readout().points, "+20759 80;+600 84.6");
}

#[test]
fn amount_of_the_latest_observation_is_counted_once() {
    let mut source = weather();
    let reading = source.reading.as_mut().unwrap();
    // 17:00, where one step ends and the next begins.
    reading.observed = Observed::absolute(at(-1200));
    reading.values = values([("rain", Value::number(0.25, Unit::Inch))]);
    let recorded: Recorded<'_> = &[(-1200, "rain", 0.25, Unit::Inch)];
    let chart = drawn(&source, "rain", Range::Day, recorded);
    assert_eq!(cells(&chart), ["Sat 31, 16:00", "0.25"]);
    assert_eq!(chart.readout().points.split(';').count(), 1);
}

#[test]
fn direction_of_the_latest_observation_is_weighted_by_its_wind() {
    let recorded: Recorded<'_> = &[
        (-1500, "wind_direction", 315.0, Unit::Degree),
        (-1200, "wind_direction", 90.0, Unit::Degree),
        (-1200, "wind_speed", 5.0, Unit::MilePerHour),
    ];
    for (speed, expected) in [(5.0, "45"), (0.0, "90")] {
        let mut source = weather();
        source.reading.as_mut().unwrap().values = values([
            ("wind_direction", Value::number(0.0, Unit::Degree)),
            ("wind_speed", Value::number(speed, Unit::MilePerHour)),
        ]);
        let chart = drawn(&source, "wind_direction", Range::Day, recorded);
        assert_eq!(cells(&chart)[..2], ["Sat 31, 17:00", expected], "{speed} mph");
    }
}

/// Returns the sentence in place of a chart of the level, which the tank reported at `latest`.
fn summary(latest: Option<i64>, range: Range, recorded: &[(i64, f64)]) -> Option<String> {
    let source = latest.map_or_else(waiting, |latest| tank_with_level_at(latest, 84.6));
    let recorded: Vec<_> =
        recorded.iter().map(|&(at, level)| (at, "level", level, Unit::Percent)).collect();
    drawn(&source, "level", range, &recorded).summary().map(str::to_owned)
}

/// Returns the tank without a reading.
fn waiting() -> SourceView {
    SourceView { reading: None, ..tank() }
}

#[test]
fn few_observations_are_described_in_a_sentence() {
    const DAY: i64 = 86_400;
    // 17:20 on Saturday, 31 January.
    for (latest, range, recorded, expected) in [
        // Nothing is written yet.
        (Some(-240), Range::SixHours, &[][..], "Recording since 17:16. 15 minutes"),
        (Some(-240), Range::Day, &[], "Recording since 17:16. hour"),
        (Some(-240), Range::Year, &[], "Recording since 17:16. 14 days"),
        (Some(-240), Range::SixHours, &[(-840, 80.0)], "Recording since 17:06. 15 minutes"),
        (Some(-240), Range::ThreeDays, &[(-840, 80.0)], "Recording since 17:06. 3 hours"),
        (Some(-240), Range::Week, &[(-18_000, 80.0)], "Recording since 12:20. 6 hours"),
        (Some(-240), Range::Month, &[(-82_800, 80.0)], "Recording since Fri 30, 18:20. day"),
        (Some(-240), Range::Year, &[(-5 * DAY, 80.0)], "Recording since 26 Jan 2026. 14 days"),
        // The chart begins.
        (Some(-240), Range::SixHours, &[(-1140, 80.0)], ""),
        (Some(-240), Range::Day, &[(-3900, 80.0)], ""),
        (Some(-240), Range::Year, &[(-15 * DAY, 80.0)], ""),
        // Recorded for long, with a few observations in the window.
        (
            Some(-240),
            Range::Day,
            &[(-40 * DAY, 80.0)],
            "One observation in the last 24 hours: 84.6% at 17:16.",
        ),
        (
            Some(-240),
            Range::Week,
            &[(-40 * DAY, 80.0)],
            "One observation in the last 7 days: 84.6% at 17:16.",
        ),
        (
            Some(-240),
            Range::Day,
            &[(-40 * DAY, 90.0), (-840, 84.0), (-540, 85.0)],
            "3 observations in the last 24 hours: 84 to 85%, from 17:06 to 17:16.",
        ),
        (
            Some(-80_000),
            Range::Day,
            &[(-40 * DAY, 90.0), (-80_300, 84.6)],
            "2 observations in the last 24 hours: 84.6%, from Fri 30, 19:01 to 19:06.",
        ),
        // An hour has passed since the first, so a chart was announced in vain.
        (
            None,
            Range::Day,
            &[(-80_000, 80.0)],
            "One observation in the last 24 hours: 80% on Fri 30, 19:06.",
        ),
        // Only the quarter of an hour is known.
        (
            None,
            Range::ThreeDays,
            &[(-40 * DAY, 90.0), (-80_000, 80.0)],
            "One observation in the last 3 days: 80% from Fri 30, 19:00 to 19:15.",
        ),
        (
            None,
            Range::Year,
            &[(-400 * DAY, 90.0), (-40 * DAY, 80.0), (-40 * DAY + 60, 81.0)],
            "2 observations in the last year: 80 to 81%, on 22 Dec 2025.",
        ),
        (None, Range::Day, &[(-40 * DAY, 90.0)], "No data in the last 24 hours."),
        // The window cuts both days.
        (
            None,
            Range::Year,
            &[(-365 * DAY + 3600, 90.0), (-3600, 80.0)],
            "No complete day in the last year.",
        ),
    ] {
        let found = summary(latest, range, recorded);
        let expected = match expected.split_once(". ") {
            Some((since, span)) => {
                Some(format!("{since}. The chart appears after the first {span}."))
            }
            None => Some(expected.to_owned()).filter(|expected| !expected.is_empty()),
        };
        assert_eq!(found, expected, "{range:?} {recorded:?}");
    }
}

#[test]
fn amounts_and_directions_without_a_chart_are_described_in_a_sentence() {
    let mut source = weather();
    let reading = source.reading.as_mut().unwrap();
    reading.values = values([
        ("rain", Value::number(0.25, Unit::Inch)),
        ("wind_direction", Value::number(90.0, Unit::Degree)),
        ("wind_speed", Value::number(0.0, Unit::MilePerHour)),
    ]);
    let direction = |at, degrees, speed| {
        [
            (at, "wind_direction", degrees, Unit::Degree),
            (at, "wind_speed", speed, Unit::MilePerHour),
        ]
    };
    let long_ago = (-3_000_000, "rain", 0.1, Unit::Inch);
    let calm = [direction(-8000, 90.0, 0.0), direction(-4000, 45.0, 0.0)].concat();
    for (field, recorded, expected) in [
        ("rain", &[long_ago][..], "Observations in the last 24 hours: only at 17:10."),
        ("wind_direction", &calm, "No value in the last 24 hours: calm."),
    ] {
        let chart = drawn(&source, field, Range::Day, recorded);
        assert_eq!(chart.summary(), Some(expected));
        // The picture is one nevertheless.
        assert!(chart.picture(WIDE, Theme::Light).ends_with("</svg>"));
    }
}
