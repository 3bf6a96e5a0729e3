//! Pages in both engines: pictures without data, the range of charts, events, the hour that occurs twice, and
//! descriptions.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use pumphouse_web::board::{Change, Event, EventKind, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;
use serde_json::json;

use crate::browser_charts::place;
use crate::harness::eventually;
use crate::server::Server;
use crate::webdriver::{Browser, Engine};

const ZONE: &str = "America/Los_Angeles";

fn tank(url: &str) -> Source {
    Source::json("tank", url).set("title", "Cistern").value("level", "/level", "%")
}

fn config(source: Source) -> Config {
    Config::https().open().set("history.flush", "200ms").source(source)
}

#[test]
fn picture_of_a_chart_without_data_is_no_broken_image() {
    let upstream = Upstream::hung();
    let server =
        Server::start(&config(tank(&upstream.url()).set("timeout", "10m").set("interval", "20m")));
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1024, 700);
        browser.visit(&format!("https://{}/", server.address));
        for (query, size) in [("", [720, 240]), ("?range=1y&width=160&height=160", [160, 160])] {
            let seen = browser.run_async(&format!(
                "const done = arguments[0], image = new Image();
                 image.onload = () => done([image.naturalWidth, image.naturalHeight]);
                 image.onerror = () => done('broken');
                 image.src = '/chart/tank.level.svg{query}'"
            ));
            assert_eq!(seen, json!(size), "{engine:?} {query}");
        }
    }
}

#[test]
fn range_is_kept_between_pages() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let server = Server::start(&config(tank(&upstream.url())));
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1024, 700);
        let url = format!("https://{}/", server.address);
        eventually("a reading", || {
            browser.visit(&url);
            browser.text("main").contains("85")
        });
        let state = || {
            browser.run(
                "return [location.pathname + location.search,
                         document.querySelector('.ranges [aria-current]').firstChild.data]",
            )
        };
        let clicked = |selector: &str, expected: [&str; 2]| {
            browser.click(selector);
            eventually(&format!("{engine:?}: {expected:?}"), || state() == json!(expected));
        };
        clicked(".ranges a[href='?range=7d']", ["/?range=7d", "7d"]);
        clicked(".card h2 a", ["/source/tank?range=7d", "7d"]);
        clicked(".ranges a[href$='range=1y']", ["/source/tank?range=1y", "1y"]);
        clicked(".back a", ["/?range=1y", "1y"]);
        clicked(".ranges a[href='?range=24h']", ["/?range=24h", "24h"]);
        clicked(".card h2 a", ["/source/tank", "24h"]);
        clicked(".back a", ["/", "24h"]);
    }
}

#[test]
fn events_are_in_the_order_of_their_times_by_the_clocks_of_the_site() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let zone = TimeZone::get(ZONE).unwrap();
    let ago = |hours| Timestamp::now() - SignedDuration::from_hours(hours);
    // In the order in which they were noticed: a stale observation is noticed late.
    let times = [("connect: refused", ago(9)), ("noticed late", ago(30)), ("noticed", ago(5))];
    let events = times.map(|(detail, at)| {
        let kind =
            if detail.starts_with("noticed") { EventKind::Stale } else { EventKind::ErrorBegan };
        let at = Timestamp::from_second(at.as_second()).unwrap();
        Change::Happened(Event { at, kind, source: Some("tank".into()), detail: detail.into() })
    });
    import(&path, &zone, events).unwrap();
    let config = config(tank(&upstream.url()))
        .set("site.timezone", ZONE)
        .set("history.path", path.to_str().unwrap());
    let server = Server::start(&config);
    let expected = [times[2], times[0], times[1]];
    let expected =
        expected.map(|(_, at)| zone.to_datetime(at).strftime("%a %-d %b %Y, %H:%M").to_string());
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1024, 700);
        browser.visit(&format!("https://{}/source/tank", server.address));
        let shown = browser.run(
            "return [...document.querySelectorAll('.events .when span')].map(it => it.textContent)",
        );
        assert_eq!(shown, json!(expected), "{engine:?}");
    }
}

/// Returns the rule of a zone whose clocks went back from 2:00 to 1:00 at this time, which is a full hour.
fn zone_with_clocks_back_at(at: Timestamp) -> String {
    // Offset of the summer time, by which it is 2:00 then.
    let hour = i64::from(at.in_tz("UTC").unwrap().hour());
    let offset = (2 - hour + 36) % 24 - 12;
    let local = (at + SignedDuration::from_hours(offset)).in_tz("UTC").unwrap();
    let day = local.day_of_year() - 1;
    // Two months earlier, perhaps in the year before: as in the south.
    let start = (day + 365 - 60) % 365;
    format!("AAA{}BBB{},{start}/0,{day}/2", 1 - offset, -offset)
}

#[test]
fn hour_that_occurs_twice_has_two_rows_and_two_names() {
    let now = Timestamp::now();
    let hours = now.as_second().div_euclid(3600) - 10;
    let back = Timestamp::from_second(hours * 3600).unwrap();
    let rule = zone_with_clocks_back_at(back);
    let zone = TimeZone::posix(&rule).unwrap();
    for (hours, expected) in [(-1, "01:00"), (0, "01:00"), (1, "02:00")] {
        let local = zone.to_datetime(back.checked_add(hours.hours()).unwrap());
        assert_eq!(local.strftime("%H:%M").to_string(), expected, "{rule}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let samples = (1..280).map(|number| {
        let at = Timestamp::from_second(now.as_second() / 300 * 300 - number * 300).unwrap();
        let level = Finite::new(50.0 + (number % 20) as f64).unwrap();
        Sample::new("tank".into(), "level".into(), at, level, Some(Unit::Percent))
    });
    import(&path, &zone, [Change::Observed(samples.collect())]).unwrap();
    let upstream = Upstream::answering(r#"{"level": 55}"#);
    let config = config(tank(&upstream.url())).set("history.path", path.to_str().unwrap());
    let server = Server::start_after(&format!("export TZ='{rule}'"), &config);
    let day = zone.to_datetime(back).strftime("%a %-d").to_string();
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1280, 900);
        eventually("a chart", || {
            browser.visit(&format!("https://{}/source/tank", server.address));
            browser.run("return document.querySelector('.plot') !== null") == true
        });
        let rows = browser.run(
            "return [...document.querySelectorAll('.numbers th[scope=row]')]
                 .map(it => it.textContent).filter(it => it.includes(' 01:'))",
        );
        assert_eq!(
            rows,
            json!([format!("{day}, 01:00 AAA"), format!("{day}, 01:00 BBB")]),
            "{engine:?}"
        );
        // The read-out distinguishes them, too.
        for (minutes, abbreviation) in [(-30, "BBB"), (30, "AAA")] {
            let at = back.as_second() + minutes * 60;
            let (x, y) = place(&browser, at);
            browser.point(x, y);
            let text = browser.text(".readout");
            assert!(text.ends_with(&format!("01:30 {abbreviation}")), "{engine:?}: {text}");
        }
    }
}

#[test]
fn every_page_has_a_description() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let server = Server::start(&config(tank(&upstream.url())));
    for engine in Engine::ALL {
        let browser = Browser::open(engine, 1024, 700);
        let mut seen = Vec::new();
        for path in ["", "source/tank", "nowhere"] {
            browser.visit(&format!("https://{}/{path}", server.address));
            let description = browser.run(
                "const found = document.querySelectorAll('head meta[name=description]');
                 return found.length === 1 ? found[0].content : ''",
            );
            let description = description.as_str().unwrap().to_owned();
            assert!((20..160).contains(&description.len()), "{engine:?}, /{path}: {description}");
            seen.push(description);
        }
        assert!(seen[1].contains("Cistern"), "{engine:?}: {seen:?}");
    }
}
