//! Levels, freshness, failures and notices.

use jiff::tz::TimeZone;

use super::html;
use crate::access::{Admission, Restricted, Rules};
use crate::board::{ErrorKind, Observed, SourceView, Value};
use crate::history::History;
use crate::site::fixture::{
    at, failing, get, pump, site, site_under, site_with, stale, tank, text, values, waiting,
    weather,
};
use crate::site::{CertificateState, StoreOutage};
use crate::store::{FaultScope, StoreFault};
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
                "<title>85% · Pumphouse</title>",
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
        (percent(0.0), &["<title>0% ·", ">0<", "Very low"], &[]),
        (percent(0.3), &["<title>0.3% ·", ">0.3<", "Very low"], &[]),
        (percent(100.2), &["<title>100% ·"], &["more than full"]),
        (percent(104.0), &["<title>104% ·", ">104<", "more than full"], &[]),
        (percent(-3.0), &["<title>−3% ·", ">−3<", "less than empty", "Very low"], &[]),
        (
            vec![tank_at(no_level)],
            &["<title>Pumphouse</title>", "Level unknown", "No level: the page had no level"],
            &["<title>0", "Very low", "Low level"],
        ),
        (
            vec![timeout(stale(tank(), 10_800)), pump()],
            &[
                "<title>Failing · 85% (stale) · Pumphouse</title>",
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
            &["<title>Failing · 85% · Pumphouse</title>"],
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
        let state = CertificateState { days, renewal_failed_since: None };
        let site = site(vec![tank()]).with_certificates(Box::new(move |_| state));
        let page = text(&get(&site, "/", &[])).to_owned();
        assert_eq!(page.contains("certificate"), days.is_some(), "{days:?}");
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
}

#[test]
fn failed_renewal_is_announced_with_its_age_alone() {
    let state = CertificateState { days: None, renewal_failed_since: Some(at(-600)) };
    let site = site(vec![tank()]).with_certificates(Box::new(move |_| state));
    let page = text(&get(&site, "/", &[])).to_owned();
    let notice = page.split("<p class=\"notice\"").nth(1).expect("a notice");
    let notice = notice.split("</p>").next().unwrap();
    assert!(notice.contains("renewed certificate has not been loaded for "), "{notice}");
    assert!(notice.contains("10 minutes"), "{notice}");
    assert!(!notice.contains(".pem"), "{notice}");
}

#[test]
fn outage_of_the_database_is_announced_with_its_reason_to_accounts_only() {
    let guests = Restricted { public: vec!["/".to_owned()], ..Restricted::default() };
    let guests = Rules { admission: Admission::Restricted(guests), ..Rules::default() };
    let page = |path: &str, seconds: i64, rules: Rules| {
        let (scope, message) = (FaultScope::Database, "db1:5432: no route".into());
        let fault = StoreFault { scope, since: at(-seconds), message };
        let outage = StoreOutage { fault, polled: 2 };
        let site =
            site_under(vec![tank()], rules).with_store(Box::new(move || Some(outage.clone())));
        text(&get(&site, path, &[])).to_owned()
    };
    for path in ["/", "/source/tank"] {
        let open = page(path, 600, Rules::default());
        for words in [
            "has been away for ",
            "10 minutes",
            ": db1:5432: no route. This replica polls 2 sources on;",
            "New observations wait on its disk.",
        ] {
            assert!(open.contains(words), "{words:?} is not in {open}");
        }
    }
    let guest = page("/", 600, guests);
    assert!(guest.contains("Some readings may be old"), "{guest}");
    assert!(!guest.contains("db1"), "{guest}");
    let short = page("/", 3, Rules::default());
    assert!(!short.contains("has been away"), "a closed connection is made again: {short}");
}

#[test]
fn refusal_of_what_replicas_share_is_announced_beside_the_history_that_may_be_well() {
    let guests = Restricted { public: vec!["/".to_owned()], ..Restricted::default() };
    let guests = Rules { admission: Admission::Restricted(guests), ..Rules::default() };
    let page = |rules: Rules| {
        let (scope, message) = (FaultScope::Sharing, "no rights".into());
        let fault = StoreFault { scope, since: at(-600), message };
        let outage = StoreOutage { fault, polled: 2 };
        let site =
            site_under(vec![tank()], rules).with_store(Box::new(move || Some(outage.clone())));
        text(&get(&site, "/", &[])).to_owned()
    };
    let open = page(Rules::default());
    assert!(open.contains("have not exchanged all of them for "), "{open}");
    assert!(open.contains(": the database answers, but no rights."), "{open}");
    assert!(!open.contains("has been away"), "{open}");
    let guest = page(guests);
    assert!(guest.contains("have not exchanged all of them") && !guest.contains("no rights"));
}

#[test]
fn reading_in_the_future_is_stale_and_said_to_be_ahead_of_the_clock() {
    // A saved reading, and a clock that is behind.
    let ahead = |seconds: i64| {
        let mut source = tank();
        let reading = source.reading.as_mut().unwrap();
        reading.observed.at = at(seconds);
        reading.fetched_at = at(seconds);
        reading.stale_at = at(seconds + 1200);
        source
    };
    for (seconds, is_ahead, words) in [
        (7260, true, "2 hours 1 minute ahead of the server&#39;s clock</time>"),
        (30, true, "less than a minute ahead of the server&#39;s clock</time>"),
        (2, false, ">just now</time>"),
    ] {
        let html = html(vec![ahead(seconds)]).replace('\'', "&#39;");
        assert!(html.contains(words), "{words}: {html}");
        for words in
            ["1 of 1 stale", "<span>Stale</span>", "85% (stale)", "STALE</strong> — observed <time"]
        {
            assert_eq!(html.contains(words), is_ahead, "{seconds}: {words}: {html}");
        }
        assert_eq!(html.contains("just now"), !is_ahead, "{html}");
    }
    // A value with such a time of its own, and a failure that began under another clock.
    let mut source = failing(tank(), ErrorKind::Timeout, "no answer within 10 s");
    source.error.as_mut().unwrap().since = at(3600);
    let own =
        Value { observed: Some(Observed::absolute(at(3600))), ..Value::number(3.0, Unit::Foot) };
    source.reading.as_mut().unwrap().values = values([("well_depth", own)]);
    let html = html(vec![source]).replace('\'', "&#39;");
    assert!(html.contains("<span>Stale, observed</span> <time"), "{html}");
    assert!(html.contains("1 hour ahead of the server&#39;s clock"), "{html}");
    assert!(html.contains(">an unknown time</time>"), "{html}");
}

#[test]
fn times_behind_ages_are_those_of_the_zone_that_the_page_names() {
    let folder = tempfile::tempdir().unwrap();
    let zone = TimeZone::get("America/Denver").unwrap();
    let history = History::read_only(&folder.path().join("none.db"), zone);
    let site = site_with(vec![failing(tank(), ErrorKind::Timeout, "no answer")], history);
    for path in ["/", "/source/tank"] {
        let page = get(&site, path, &[]);
        let titles: Vec<&str> = text(&page).split("<time ").skip(1).collect();
        assert!(titles.len() >= 3, "{}", text(&page));
        for time in titles {
            let (_, title) = time.split_once("title=\"").unwrap();
            let title = title.split('"').next().unwrap();
            assert!(title.contains(", 10:") || title.contains(", 09:"), "{title}");
            assert!(title.ends_with("America/Denver"), "{title}");
        }
        assert!(text(&page).contains("Times are those of America/Denver."));
    }
}
