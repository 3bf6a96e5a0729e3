//! Pictures of charts over a real file of the history.

use std::collections::HashSet;

use http::header::{CONTENT_TYPE, ETAG};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::board::{Change, Finite, Sample, Value};
use crate::format::suffix;
use crate::history::{History, import};
use crate::site::chart::fixture::recorded_site;
use crate::site::fixture::{get, now, site_with, stale, tank, text, values};
use crate::units::Unit;

#[test]
fn picture_has_title_description_ticks_and_gaps() {
    let recorded = recorded_site("Cistern");
    let site = &recorded.site;
    let response = get(site, "/chart/tank.level.svg", &[]);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "image/svg+xml");
    let svg = text(&response);
    for expected in [
        "<title id=\"t-tank-level-720\">Level of Cistern, the last 24 hours</title>",
        // The latest reading is from the board and is not written yet.
        "Between 40.0% and 84.6%; the latest is 84.6%. There is one gap.</desc>",
        "xmlns=\"http://www.w3.org/2000/svg\"",
        "prefers-color-scheme: dark",
        ">20:00</text>",
        ">Sat 31</text>",
        ">100</text>",
    ] {
        assert!(svg.contains(expected), "{expected} is not in {svg}");
    }
    assert_eq!(svg.matches("class=\"stale\"").count(), 1, "{svg}");
    assert_eq!(svg.matches("class=\"line\"").count(), 2, "the line ends at the gap: {svg}");
    let tag = response.headers()[ETAG].to_str().unwrap();
    assert_eq!(get(site, "/chart/tank.level.svg", &[("if-none-match", tag)]).status(), 304);
}

#[test]
fn reading_from_before_the_window_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let old = stale(tank(), 8 * 3600);
    let sample = Sample::new(
        "tank".into(),
        "level".into(),
        old.reading.as_ref().unwrap().observed.at,
        Finite::new(84.6).unwrap(),
        Some(Unit::Percent),
    );
    import(&path, &TimeZone::UTC, [Change::Observed(vec![sample])]).unwrap();
    let site = site_with(vec![old], History::read_only(&path, TimeZone::UTC));
    let response = get(&site, "/chart/tank.level.svg?range=6h", &[]);
    assert_eq!(response.status(), 200, "{}", text(&response));
    assert!(text(&response).contains(">No data in this period</text>"), "{}", text(&response));
    let small = get(&site, "/chart/tank.level.svg?range=6h&width=160&height=160", &[]);
    assert!(text(&small).contains(">No data</text>"), "{}", text(&small));
    assert_eq!(get(&site, "/chart/tank.level.svg?range=24h", &[]).status(), 200);
}

/// Returns the description of the chart of a field whose value was `old` a quarter of an hour ago and is
/// `new` now. The history contains the new value, too, if `is_written`.
fn description_of(old: (f64, Unit), new: (f64, Unit), is_written: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let sample = |ago: i64, (value, unit): (f64, Unit)| {
        Change::Observed(vec![Sample::new(
            "tank".into(),
            "field".into(),
            Timestamp::from_second(now().as_second() - ago).unwrap(),
            Finite::new(value).unwrap(),
            Some(unit),
        )])
    };
    let mut samples = vec![sample(1140, old)];
    if is_written {
        samples.push(sample(240, new));
    }
    import(&path, &TimeZone::UTC, samples).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([("field", Value::number(new.0, new.1))]);
    let site = site_with(vec![source], history);
    let response = get(&site, "/chart/tank.field.svg?range=6h", &[]);
    let (_, description) = text(&response).split_once("<desc").unwrap();
    description.split(['>', '<']).nth(1).unwrap().to_owned()
}

#[test]
fn chart_is_in_the_current_unit_of_its_field() {
    use Unit::{Celsius, Fahrenheit, Litre, UsGallon};
    for (old, new, expected) in [
        ((20.0, Celsius), (50.0, Fahrenheit), [50.0, 68.0]),
        ((68.0, Fahrenheit), (10.0, Celsius), [10.0, 20.0]),
        ((100.0, UsGallon), (300.0, Litre), [300.0, 379.0]),
        ((379.0, Litre), (90.0, UsGallon), [90.0, 100.0]),
        // A level that was a depth before cannot be converted: the depths are left out.
        ((70.0, Unit::Inch), (80.0, Unit::Percent), [80.0, 80.0]),
    ] {
        let unit = suffix(Some(new.1));
        for is_written in [false, true] {
            let description = description_of(old, new, is_written);
            let between = description.strip_prefix("Between ").unwrap();
            let (least, rest) = between.split_once(&format!("{unit} and ")).unwrap();
            let (most, _) = rest.split_once(&format!("{unit};")).unwrap();
            let found = [least, most].map(|number| number.parse::<f64>().unwrap());
            assert_eq!(found, expected, "{description}");
        }
    }
}

#[test]
fn picture_differs_by_range_size_and_theme() {
    let recorded = recorded_site("Cistern");
    let site = &recorded.site;
    let mut seen = HashSet::new();
    for query in [
        "range=6h",
        "range=24h",
        "range=3d",
        "range=7d",
        "range=30d",
        "range=1y",
        "width=400&height=200",
        "theme=dark",
        "theme=light",
    ] {
        let response = get(site, &format!("/chart/tank.level.svg?{query}"), &[]);
        assert_eq!(response.status(), 200, "{query}");
        assert!(seen.insert(text(&response).to_owned()), "{query}");
    }
    for query in ["range=2d", "width=10", "height=9999", "theme=pink", "field=tank.level", "range"]
    {
        let response = get(site, &format!("/chart/tank.level.svg?{query}"), &[]);
        assert_eq!(response.status(), 400, "{query}");
    }
    for path in ["/chart/tank.level", "/chart/tank.svg", "/chart/well.level.svg", "/chart/.svg"] {
        assert_eq!(get(site, path, &[]).status(), 404, "{path}");
    }
}

#[test]
fn band_spans_least_and_most_of_points_that_cover_several_observations() {
    let recorded = recorded_site("Cistern");
    let site = &recorded.site;
    let bands = |range: &str| {
        let response = get(site, &format!("/chart/tank.level.svg?range={range}"), &[]);
        let svg = text(&response);
        let lines = svg.matches("class=\"line\"").count();
        (svg.matches("class=\"between\"").count(), lines)
    };
    // A point is one observation, then covers three that differ, then those of a day. There the legend has
    // one of each more; the band of three days is no wider than the line.
    assert_eq!(bands("24h"), (0, 2));
    assert_eq!(bands("3d"), (2, 2));
    assert_eq!(bands("1y"), (2, 2));
    let response = get(site, "/chart/tank.level.svg?range=1y", &[]);
    let svg = text(&response);
    assert!(svg.contains("the latest is 84.6%."), "{svg}");
    assert!(svg.contains(">mean per day</text>"), "{svg}");
    assert!(svg.contains(">lowest to highest</text>"), "{svg}");
    // The band is along the most and back along the least of the two complete days. This one has only
    // begun: a line to its mean or to the current reading would be a spur.
    let (_, band) = svg.split_once("class=\"between\" d=\"M").unwrap();
    let (band, _) = band.split_once('"').unwrap();
    assert_eq!(band.matches('l').count(), 3, "{band}");
    assert!(band.ends_with('z'), "{band}");
}

#[test]
fn directions_are_dots_on_a_compass_and_amounts_are_bars() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let samples = (0..288).flat_map(|number: i64| {
        let at = Timestamp::from_second(now().as_second() - 300 * (288 - number)).unwrap();
        let sample = |field: &str, value: f64, unit| {
            Sample::new("tank".into(), field.into(), at, Finite::new(value).unwrap(), Some(unit))
        };
        // Around north. Nothing blows in the first half.
        let speed = if number < 144 { 0.0 } else { 3.0 };
        let direction = if number % 2 == 0 { 350.0 } else { 10.0 };
        let wind = [
            sample("wind_speed", speed, Unit::MetrePerSecond),
            sample("wind_direction", direction, Unit::Degree),
        ];
        let rain = (number % 12 == 0).then(|| sample("rain", 1.5, Unit::Millimetre));
        [Change::Observed(wind.into_iter().chain(rain).collect())]
    });
    import(&path, &TimeZone::UTC, samples).unwrap();
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([
        ("wind_direction", Value::number(350.0, Unit::Degree)),
        ("rain", Value::number(1.5, Unit::Millimetre)),
    ]);
    let site = site_with(vec![source], History::read_only(&path, TimeZone::UTC));
    let page = get(&site, "/source/tank?range=3d", &[]);
    let page = text(&page);
    for expected in [
        "data-aggregate=\"mean direction of\"",
        "data-aggregate=\"total of\"",
        "mean direction per 15 minutes",
        "total per 3 hours",
    ] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
    let picture = |field: &str| {
        let response = get(&site, &format!("/chart/tank.{field}.svg?range=3d"), &[]);
        assert_eq!(response.status(), 200);
        let svg = text(&response).to_owned();
        let (drawing, labels) = (svg.split_once("class=\"time\"").unwrap().1.to_owned(), svg);
        (drawing, labels)
    };
    let (drawing, labels) = picture("wind_direction");
    let compass: Vec<&str> = labels
        .match_indices("class=\"value\"")
        .map(|(at, _)| labels[at..].split(['>', '<']).nth(1).unwrap())
        .collect();
    assert_eq!(compass, ["N", "E", "S", "W", "N"]);
    let (_, dots) = drawing.split_once("<path class=\"dots\" d=\"").unwrap();
    let dots: Vec<f64> = dots
        .split('"')
        .next()
        .unwrap()
        .split_terminator("h0")
        .map(|dot| dot.split_once(' ').unwrap().1.parse().unwrap())
        .collect();
    // Half a day, by quarters of an hour. A calm has no direction.
    assert!((47..=49).contains(&dots.len()), "{dots:?}");
    let ends =
        [dots.iter().copied().fold(f64::MAX, f64::min), dots.iter().copied().fold(0.0, f64::max)];
    for dot in &dots {
        let distance = (dot - ends[0]).min(ends[1] - dot);
        assert!(distance < 10.0, "the mean of 350° and 10° is north: {dots:?}");
    }
    assert!(!drawing.contains("class=\"line\"") && !drawing.contains("class=\"between\""));
    assert!(labels.contains("The latest is "), "{labels}");

    let (drawing, _) = picture("rain");
    let (_, bars) = drawing.split_once("<path class=\"bar\" d=\"").unwrap();
    let bars = bars.split('"').next().unwrap();
    assert!((8..=9).contains(&bars.matches('z').count()), "{bars}");
    assert!(!drawing.contains("class=\"line\"") && !drawing.contains("class=\"latest\""));
}
