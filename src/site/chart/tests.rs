//! Charts over a real file.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::cache::STALLED_AFTER;
use super::*;
use crate::board::{Change, Finite, Sample, Value};
use crate::history::{History, import};
use crate::site::Site;
use crate::site::fixture::{get, now, site, site_with, tank, text, values};
use crate::units::Unit;

impl Charts {
    /// Lets what is kept become so many seconds older.
    pub(in crate::site) fn age(&self, seconds: i64) {
        self.kept().charts.values_mut().for_each(|entry| entry.drawn_at -= seconds);
    }

    /// Holds a drawing up, as a disk that hangs.
    pub(in crate::site) fn stall(&self) {
        self.kept().at_work_since = Instant::now().checked_sub(STALLED_AFTER);
    }

    /// Number of charts that are kept.
    pub(in crate::site) fn number(&self) -> usize {
        self.kept().charts.len()
    }
}

struct Place {
    _folder: tempfile::TempDir,
    site: Site,
}

/// Two days of a level at five minutes, with a gap of four hours.
fn place(title: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let end = now().as_second() - 840;
    let times = (0..576).map(|n| end - n * 300).rev();
    let samples = times.filter(|at| !(end - 40_000..end - 25_600).contains(at)).map(|at| Sample {
        source: "tank".into(),
        field: "level".into(),
        at: Timestamp::from_second(at).unwrap(),
        value: Finite::new(40.0 + (at / 300 % 20) as f64).unwrap(),
        unit: Some(Unit::Percent),
    });
    import(&path, &TimeZone::UTC, [Change::Observed(samples.collect())]).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    let mut source = tank();
    source.title = title.into();
    Place { _folder: folder, site: site_with(vec![source], history) }
}

#[test]
fn a_chart_tells_what_it_shows_and_where_nothing_is_known() {
    let Place { site, .. } = &place("Cistern");
    let response = get(site, "/chart/tank.level.svg", &[]);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "image/svg+xml");
    let svg = text(&response);
    for told in [
        "<title id=\"t-tank-level-720\">Level of Cistern, the last 24 hours</title>",
        // The latest is the board's, which has not been written yet.
        "Between 40.0 % and 84.6 %; the latest is 84.6 %. There is one gap.</desc>",
        "xmlns=\"http://www.w3.org/2000/svg\"",
        "prefers-color-scheme: dark",
        ">20:00</text>",
        ">Sat 31</text>",
        ">100</text>",
    ] {
        assert!(svg.contains(told), "{told} is not in {svg}");
    }
    assert_eq!(svg.matches("class=\"stale\"").count(), 1, "{svg}");
    assert_eq!(svg.matches("class=\"line\"").count(), 2, "the line ends at the gap: {svg}");
    let tag = response.headers()[ETAG].to_str().unwrap();
    assert_eq!(get(site, "/chart/tank.level.svg", &[("if-none-match", tag)]).status(), 304);
}

#[test]
fn a_reading_from_before_the_window_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let old = crate::site::fixture::stale(tank(), 8 * 3600);
    let sample = Sample {
        source: "tank".into(),
        field: "level".into(),
        at: old.reading.as_ref().unwrap().observed.at,
        value: Finite::new(84.6).unwrap(),
        unit: Some(Unit::Percent),
    };
    import(&path, &TimeZone::UTC, [Change::Observed(vec![sample])]).unwrap();
    let site = site_with(vec![old], History::read_only(&path, TimeZone::UTC));
    let response = get(&site, "/chart/tank.level.svg?range=6h", &[]);
    assert_eq!(response.status(), 404, "{}", text(&response));
    assert!(text(&response).contains("Nothing of tank.level was recorded in the last 6 hours."));
    assert_eq!(get(&site, "/chart/tank.level.svg?range=24h", &[]).status(), 200);
}

/// The description of the one chart of a source that told `was` a quarter of an hour ago, and
/// tells `is` now, by way of the history and not.
fn told_of_units(was: (f64, Unit), is: (f64, Unit), is_written: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let sample = |ago: i64, (value, unit): (f64, Unit)| {
        Change::Observed(vec![Sample {
            source: "tank".into(),
            field: "it".into(),
            at: Timestamp::from_second(now().as_second() - ago).unwrap(),
            value: Finite::new(value).unwrap(),
            unit: Some(unit),
        }])
    };
    let mut told = vec![sample(1140, was)];
    if is_written {
        told.push(sample(240, is));
    }
    import(&path, &TimeZone::UTC, told).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([("it", Value::number(is.0, is.1))]);
    let site = site_with(vec![source], history);
    let response = get(&site, "/chart/tank.it.svg?range=6h", &[]);
    let (_, description) = text(&response).split_once("<desc").unwrap();
    description.split(['>', '<']).nth(1).unwrap().to_owned()
}

#[test]
fn a_chart_is_in_the_unit_that_is_told_now() {
    use Unit::{Celsius, Fahrenheit, Litre, UsGallon};
    for (was, is, told) in [
        ((20.0, Celsius), (50.0, Fahrenheit), [50.0, 68.0]),
        ((68.0, Fahrenheit), (10.0, Celsius), [10.0, 20.0]),
        ((100.0, UsGallon), (300.0, Litre), [300.0, 379.0]),
        ((379.0, Litre), (90.0, UsGallon), [90.0, 100.0]),
        // A level was a depth once: nothing of that belongs in this chart.
        ((70.0, Unit::Inch), (80.0, Unit::Percent), [80.0, 80.0]),
    ] {
        let unit = crate::site::page::symbol(is.1);
        for is_written in [false, true] {
            let description = told_of_units(was, is, is_written);
            let between = description.strip_prefix("Between ").unwrap();
            let (least, rest) = between.split_once(&format!(" {unit} and ")).unwrap();
            let (most, _) = rest.split_once(&format!(" {unit};")).unwrap();
            let found = [least, most].map(|number| number.parse::<f64>().unwrap());
            assert_eq!(found, told, "{description}");
        }
    }
}

#[test]
fn each_range_size_and_theme_has_its_picture() {
    let Place { site, .. } = &place("Cistern");
    let mut seen = std::collections::HashSet::new();
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
fn pages_show_charts_with_their_numbers() {
    let Place { site, .. } = &place("<Cistern>");
    for (path, charts) in [("/", 2), ("/source/tank", 2), ("/source/tank?range=1y", 2)] {
        let response = get(site, path, &[]);
        let html = text(&response);
        assert_eq!(html.matches("<svg class=\"chart ").count(), charts, "{path}: {html}");
        assert!(html.contains("of &lt;Cistern&gt;"), "{html}");
        assert!(!html.contains("http:"), "a chart in a page names no other place");
        assert_eq!(
            html.matches("<details class=\"numbers\" id=\"numbers-tank-level\">").count(),
            1
        );
        assert!(html.contains("<th scope=\"col\">Most (%)</th>"), "{path}: {html}");
        assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
    }
    let response = get(site, "/source/tank", &[]);
    let html = text(&response);
    assert!(html.contains("Sat 31 Jan 2026, 17:00</th>"), "{html}");
    // Depth and volume are told, but nothing of them was recorded.
    assert_eq!(html.matches("Nothing recorded yet.").count(), 2, "{html}");
    let week = get(site, "/?range=7d", &[]);
    assert!(text(&week).contains("href=\"/?range=7d\" aria-current=\"true\""));
    assert_eq!(get(site, "/source/well", &[]).status(), 404);
}

#[test]
fn a_page_without_a_history_has_no_charts_and_one_that_fails_says_so() {
    let off = site(vec![tank()]);
    let response = get(&off, "/", &[]);
    assert!(!text(&response).contains("class=\"chart") && !text(&response).contains("ranges"));
    let gone = History::read_only("/nowhere/p.db".as_ref(), TimeZone::UTC);
    let errors = gone.clone();
    let gone = site_with(vec![tank()], gone);
    let response = get(&gone, "/source/tank", &[]);
    assert_eq!(response.status(), 200);
    assert!(text(&response).contains("The history cannot be read at the moment."));
    assert_eq!(errors.errors(), 1, "asked once for all charts of the page");
    let again = get(&gone, "/", &[]);
    assert!(text(&again).contains("The history cannot be read at the moment."));
    assert_eq!(errors.errors(), 1, "and not again for a moment");
}

#[test]
fn a_chart_is_drawn_once_until_there_is_something_new() {
    let Place { site, .. } = &place("Cistern");
    let snapshot = site.context.snapshot();
    let chart = |seconds| {
        let wanted = Wanted { source: &snapshot.sources[0], field: "level", range: Range::Week };
        let at = now() + SignedDuration::from_secs(seconds);
        if let Known::Current(outcome) = site.context.charts.look(&site.context.history, wanted, at)
        {
            return outcome.unwrap();
        }
        let mut drawing = Drawing::new(&site.context.history, wanted, at);
        loop {
            if let Poll::Ready(outcome) =
                drawing.advance(&site.context.charts, &site.context.history)
            {
                return outcome.unwrap();
            }
        }
    };
    let first = chart(0);
    assert!(Arc::ptr_eq(&first, &chart(30)));
    assert!(!Arc::ptr_eq(&first, &chart(7 * 24 * 3600 / 600)), "a pixel later");
}

#[test]
fn a_page_with_charts_changes_with_a_pixel_and_not_with_the_second() {
    let Place { site, .. } = &place("Cistern");
    let tag = |path, seconds| {
        let request = crate::site::fixture::request("GET", path, &[]);
        let at = crate::site::fixture::at(seconds);
        let (_, response) = site.answer(&request, at, &crate::engine::Activity::default());
        response.headers()[ETAG].clone()
    };
    for path in ["/", "/source/tank"] {
        assert_eq!(tag(path, 1), tag(path, 2), "{path}");
        assert_eq!(tag(path, 1), tag(path, 30), "{path}");
    }
}

#[test]
fn a_band_spans_the_least_and_the_most_where_points_stand_for_several() {
    let Place { site, .. } = &place("Cistern");
    let bands = |range: &str| {
        let response = get(site, &format!("/chart/tank.level.svg?range={range}"), &[]);
        let svg = text(&response);
        let lines = svg.matches("class=\"line\"").count();
        (svg.matches("class=\"between\"").count(), lines)
    };
    // An observation a point; then three, which differ; then all of a day.
    assert_eq!(bands("24h"), (0, 2));
    assert_eq!(bands("3d"), (2, 2));
    assert_eq!(bands("1y"), (1, 1));
    let response = get(site, "/chart/tank.level.svg?range=1y", &[]);
    assert!(text(&response).contains("the latest is 84.6 %."), "it ends at what is so now");
    let (_, band) = text(&response).split_once("class=\"between\" d=\"M").unwrap();
    let (band, _) = band.split_once('"').unwrap();
    // Three days and now: there along the most, and back along the least, lower on the screen.
    assert_eq!(band.matches('l').count(), 7, "{band}");
    assert!(band.ends_with('z'), "{band}");
    let steps: Vec<f64> = band
        .trim_end_matches('z')
        .split('l')
        .skip(1)
        .map(|step| step.split_once(' ').unwrap().1.parse().unwrap())
        .collect();
    // From the first day's most by way of now, where they are one, to that day's least.
    assert_eq!(steps[3], 0.0, "{band}");
    assert!(steps.iter().sum::<f64>() > 10.0, "{band}");
}
