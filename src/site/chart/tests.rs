//! Drawings, and their cache, over a real file of the history.

use std::sync::Arc;
use std::task::Poll;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::fixture::recorded_site;
use super::{Cached, Chart, Drawing, Range, Subject};
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
        let subject = Subject { source, field: "level", range: Range::Week };
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
    draw(&ChartCache::default(), &history, Subject { source, field, range }, 0)
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
    Subject { source, field: "level", range: Range::SixHours }
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
