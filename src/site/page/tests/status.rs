//! Levels, freshness, failures and notices.

use super::html;
use crate::board::{ErrorKind, SourceView, Value};
use crate::site::fixture::{failing, get, pump, site, stale, tank, text, values, waiting, weather};
use crate::units::Unit;

fn tank_at(level: Value) -> SourceView {
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([("level", level)]);
    source
}

#[test]
fn page_shows_levels_freshness_and_failures() {
    let percent = |level| vec![tank_at(Value::number(level, Unit::Percent))];
    let no_level = Value::missing(Some(Unit::Percent), "the page had no level");
    let mut inferred = tank();
    inferred.reading.as_mut().unwrap().observed.inferred = true;
    let timeout = |source| failing(source, ErrorKind::Timeout, "no answer within 10 s");
    // Sources, texts of the page, texts that the page must not have.
    let table: Vec<(Vec<SourceView>, &[&str], &[&str])> = vec![
        (
            vec![tank(), weather()],
            &[
                "<title>85 % · Pumphouse</title>",
                ">85<",
                ">1,185<",
                ">gallons<",
                "All 2 readings are fresh",
                "Observed <time datetime=\"2026-01-31T17:16:00Z\" data-age=\"ago\" \
                 title=\"Saturday, 31 January 2026, 17:16:00 UTC\">4 minutes ago</time>",
                ">just now</time>",
                "Partly cloudy",
                "Wind from NW",
                "the station sent null",
            ],
            &["STALE", "Low level", "Very low", "class=\"failure\"", "data-failing"],
        ),
        (percent(25.0), &["Low level"], &["Very low"]),
        (percent(25.1), &[], &["Low level", "Very low"]),
        (percent(10.0), &["Very low"], &["Low level"]),
        (percent(0.0), &["<title>0 % ·", ">0<", "Very low"], &[]),
        (percent(0.3), &["<title>0.3 % ·", ">0.3<", "Very low"], &[]),
        (percent(100.2), &["<title>100 % ·"], &["more than full"]),
        (percent(104.0), &["<title>104 % ·", ">104<", "more than full"], &[]),
        (percent(-3.0), &["<title>−3 % ·", ">−3<", "less than empty", "Very low"], &[]),
        (
            vec![tank_at(no_level)],
            &["<title>Pumphouse</title>", "Level unknown", "No level: the page had no level"],
            &["<title>0", "Very low", "Low level"],
        ),
        (
            vec![timeout(stale(tank(), 10_800)), pump()],
            &[
                "<title>Failing · 85 % (stale) · Pumphouse</title>",
                "data-state=\"failing\"><span class=\"part\" data-state=\"failing\">",
                "1 of 2 failing to update</span></span> <span class=\"part\" data-state=\"stale\">",
                "1 of 2 stale",
                "<span>Failing</span>",
                "<strong>STALE</strong> — ",
                ">3 hours</time> old",
                ">3 hours 4 minutes ago</time>",
                ">85<",
                "No answer in time",
                "<code>timeout</code> no answer within 10 s",
                ">21 minutes</time>, 5 tries in a row.",
                "The values are the last good ones.",
            ],
            &[],
        ),
        (
            vec![timeout(waiting("tank", "ptlevel")), waiting("weather", "nws")],
            &[
                "<title>Failing · Pumphouse</title>",
                "1 of 2 failing to update",
                "1 of 2 has no reading yet",
                "data-state=\"waiting\" data-failing=\"true\"",
                "<span>Failing</span>",
                "No reading yet",
                "No answer in time",
                ">Waiting<",
            ],
            &["last good ones", "STALE"],
        ),
        (
            vec![weather(), tank(), timeout(pump())],
            &["<title>Failing · 85 % · Pumphouse</title>"],
            &[],
        ),
        (
            vec![timeout(tank()), weather()],
            &["1 of 2 failing to update", "All 2 readings are still fresh", "last good ones"],
            &["<span>Failing</span>"],
        ),
        (vec![inferred], &["(time estimated)"], &[]),
        (vec![tank()], &["The reading is fresh"], &["(time estimated)"]),
        (vec![], &["Nothing to watch yet", "<title>Pumphouse</title>"], &["summary"]),
    ];
    for (sources, expected, unexpected) in table {
        let html = html(sources);
        for words in expected {
            assert!(html.contains(words), "{words:?} is not in {html}");
        }
        for words in unexpected {
            assert!(!html.contains(words), "{words:?} is in {html}");
        }
    }
}

#[test]
fn certificate_that_expires_soon_is_announced_without_its_names() {
    for (days, expected) in [
        (None, ""),
        (Some(13), "certificate expires in 13 days;"),
        (Some(1), "certificate expires in 1 day;"),
        (Some(0), "certificate expires within a day;"),
        (Some(-1), "certificate has expired;"),
    ] {
        let site = site(vec![tank()]).with_expiry(Box::new(move |_| days));
        let page = text(&get(&site, "/", &[])).to_owned();
        assert_eq!(page.contains("certificate"), days.is_some(), "{days:?}");
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
}
