//! The overview of many sources in a browser: it updates in place, works without scripts, and is accessible.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use serde_json::json;

use crate::browser::{axe, violations};
use crate::browser_updates::{AN_HOUR_LATER, serve, wait_for};
use crate::harness::eventually;
use crate::scenes::ALL;
use crate::server::Server;
use crate::webdriver::{Browser, Engine};

fn member(number: usize, upstream: &Upstream) -> Source {
    Source::json(&format!("s{number:03}"), &upstream.url())
        .set("title", format!("Tank {number}"))
        .set("group", ["north/ridge", "south"][number % 2])
        .set("interval", "1s")
        .set("stale_after", "10h")
        .value("level", "/level", "%")
}

/// Script that returns the names of the rows, in their order.
const ROWS: &str =
    "return [...document.querySelectorAll('.fleet tbody tr')].map(it => it.dataset.key)";

/// Returns the state of a row, and the word of its badge.
fn row(browser: &Browser, name: &str) -> serde_json::Value {
    browser.run(&format!(
        "const row = document.querySelector('tr[data-key={name}]');
         return [row.dataset.state, row.querySelector('.badge span').textContent]"
    ))
}

#[test]
fn row_of_a_source_that_turns_stale_moves_to_the_top_and_focus_stays() {
    let upstream = Upstream::answering(r#"{"level":41}"#);
    let late = Upstream::answering("{}");
    let observed_now =
        || late.set(Some(&format!(r#"{{"level":7,"at":{}}}"#, Timestamp::now().as_second())));
    let fleet = (0..14).map(|number| match number {
        5 => member(number, &upstream).set("stale_after", "30m"),
        9 => member(number, &late).set("stale_after", "5s").observed_at_unix(),
        _ => member(number, &upstream),
    });
    let config = Config::http().sources(fleet);
    let by_name: Vec<String> = (0..14).map(|number| format!("s{number:03}")).collect();
    let mut worst_first = by_name.clone();
    worst_first[..=9].rotate_right(1);
    let folder = tempfile::tempdir().unwrap();
    for engine in Engine::ALL {
        let (server, port) = serve(folder.path(), &config);
        let browser = Browser::open(engine, 1280, 700);
        eventually("every row is fresh", || {
            observed_now();
            browser.visit(&format!("http://127.0.0.1:{port}/"));
            browser.run("return document.querySelectorAll('tr.row[data-state=fresh]').length") == 14
        });
        browser.run("document.querySelector('#words').value = 'typed'; scrollTo(0, 60);");
        // Focus in a row that another one passes, and in the row that moves: down, and up.
        for (name, title, turns_stale) in
            [("s003", "Tank 3", true), ("s009", "Tank 9", false), ("s009", "Tank 9", true)]
        {
            browser.run(&format!(
                "window.row = document.querySelector('tr[data-key={name}]');
                 row.querySelector('a').focus({{ preventScroll: true }})"
            ));
            let expected = json!(if turns_stale { &worst_first } else { &by_name });
            eventually(&format!("{expected:?}"), || {
                if !turns_stale {
                    observed_now();
                }
                browser.run(ROWS) == expected
            });
            if turns_stale {
                wait_for(&browser, ["1 stale · Pumphouse", "1 of 14 stale", ""]);
                assert_eq!(row(&browser, "s009"), json!(["stale", "Stale"]), "{engine:?}");
            }
            let held = browser.run(&format!(
                "return [document.querySelector('tr[data-key={name}]') === window.row,
                     document.activeElement.textContent, document.querySelector('#words').value, scrollY]"
            ));
            assert_eq!(held, json!([true, title, "typed", 60]), "{engine:?}");
        }
        // Rows turn stale on time also while the server cannot be reached.
        drop(server);
        browser.run(AN_HOUR_LATER);
        wait_for(
            &browser,
            ["No connection, Stale · 1 stale", "; 2 of 14 stale", "Connection lost"],
        );
        assert_eq!(row(&browser, "s005"), json!(["stale", "Stale"]), "{engine:?}");
        assert_eq!(row(&browser, "s006"), json!(["fresh", "Fresh"]), "{engine:?}");
    }
}

#[test]
fn filters_search_groups_and_pages_of_the_overview_work_without_scripts() {
    let upstream = Upstream::answering(r#"{"level":41}"#);
    let fleet = (0..130).map(|number| match number {
        41 | 77 => member(number, &upstream).set("url", "http://127.0.0.1:1/"),
        _ => member(number, &upstream),
    });
    let fleet = fleet.map(|source| source.set("interval", "1m"));
    let server = Server::start(&Config::https().sources(fleet));
    let browser = Browser::without_scripts(1280, 900);
    eventually("every source has answered or failed", || {
        browser.visit(&format!("https://localhost:{}/", server.address.port()));
        let summary = browser.text("#summary");
        summary.contains("2 of 130 failing") && !summary.contains("no reading yet")
    });
    // The page that a click leads to may not be loaded yet.
    let clicked = |selector: &str, part: &str, words: &[&str]| {
        browser.click(selector);
        eventually(&format!("{selector}: {words:?}"), || {
            let text = browser.text(part);
            words.iter().all(|words| text.contains(words))
        });
    };
    clicked(".pages [rel=next]", ".pages", &["101–130 of 130", "Worse"]);
    clicked(".pages [rel=prev]", ".pages", &["1–100 of 130", "Better"]);
    clicked(".filters [href*='state=failing']", ".filters [aria-current]", &["Failing 2"]);
    assert!(browser.text(".fleet tbody").contains("Tank 77"));
    browser.keys("#words", "tank 41");
    clicked(".search button", ".filters [aria-current]", &["Failing 1"]);
    let rows = browser.text(".fleet tbody");
    assert!(rows.contains("Tank 41") && !rows.contains("Tank 77"), "{rows}");
    browser.visit(&format!("https://localhost:{}/", server.address.port()));
    clicked(".groups [href$='group/north']", "main", &["All sources", "65 fresh"]);
    clicked(".groups [href$='group/north/ridge']", "main", &["north", "ridge", "Tank 128"]);
    clicked(".path a", "main", &["1–100 of 130"]);
}

#[test]
fn overview_has_no_axe_violation_and_does_not_scroll_sideways() {
    let axe = axe();
    for name in ["overview", "overview-group"] {
        let (_, visit) = ALL.iter().find(|(state, _)| *state == name).expect("a state");
        let browser = Browser::open(Engine::Chromium, 1280, 900);
        let _scene = visit(&browser);
        browser.run(&axe);
        for (width, height) in [(1280, 900), (320, 640)] {
            browser.resize(width, height);
            let needed = browser.run("return document.documentElement.scrollWidth");
            assert_eq!(needed, width, "{name}");
            // The dark theme differs in its colours only.
            for (colours, rules) in [("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")] {
                browser.emulate("", &[("prefers-color-scheme", colours)]);
                let found = violations(&browser, rules);
                assert_eq!(found, json!([]), "{name} at {width}, {colours}: {found:#}");
            }
        }
    }
}
