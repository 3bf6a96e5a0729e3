//! States of the site that a visitor may see, each behind a real server.

use std::any::Any;
use std::f64::consts::TAU;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;
use serde_json::json;

use crate::access::with_anna;
use crate::demo::Demo;
use crate::harness::eventually;
use crate::server::{BINARY, Server};
use crate::webdriver::Browser;

/// A page in one state, visited.
pub struct Scene {
    /// Preferences of the visitor besides the colours.
    pub features: &'static [(&'static str, &'static str)],
    /// Servers and upstreams of the page.
    _running: Vec<Box<dyn Any>>,
}

/// Brings a browser to a state.
pub type Visit = fn(&Browser) -> Scene;

/// All states, by their names.
pub const ALL: &[(&str, Visit)] = &[
    ("fresh", |browser| demo(browser, "")),
    ("year", |browser| demo(browser, "?range=1y")),
    ("forced-colours", forced_colours),
    ("source-tank-6h", |browser| demo(browser, "source/tank?range=6h")),
    ("source-tank-24h", |browser| demo(browser, "source/tank?range=24h")),
    ("source-tank-3d", |browser| demo(browser, "source/tank?range=3d")),
    ("source-tank-7d", |browser| demo(browser, "source/tank?range=7d")),
    ("source-tank-30d", |browser| demo(browser, "source/tank?range=30d")),
    ("source-tank-1y", |browser| demo(browser, "source/tank?range=1y")),
    ("source-weather", |browser| demo(browser, "source/weather?range=7d")),
    ("source-pump", |browser| demo(browser, "source/pump?range=24h")),
    ("tables", tables),
    ("404", |browser| demo(browser, "nowhere")),
    ("no-sources", |browser| served(browser, Vec::new(), Config::https(), "Nothing to watch")),
    ("one-tank", |browser| sources(browser, &["tank"])),
    ("one-weather", |browser| sources(browser, &["weather"])),
    ("one-other", |browser| sources(browser, &["pump"])),
    ("two-tanks", |browser| sources(browser, &["tank", "tank"])),
    ("two-others", |browser| sources(browser, &["pump", "pump"])),
    ("tank-other", |browser| sources(browser, &["tank", "pump"])),
    ("weather-tank", |browser| sources(browser, &["weather", "tank"])),
    ("three", |browser| sources(browser, &["tank", "weather", "pump"])),
    ("three-others", |browser| sources(browser, &["pump", "pump", "weather"])),
    ("four", |browser| sources(browser, &["tank", "weather", "pump", "tank"])),
    ("five", |browser| sources(browser, &["tank", "tank", "weather", "pump", "pump"])),
    ("no-history", |browser| {
        let (config, running) = configured(&["tank", "weather", "pump"]);
        served(browser, running, config.set("history.enabled", false), "Observed")
    }),
    ("history", recorded),
    ("first-observation", |browser| with_samples(browser, Vec::new())),
    ("few-observations", few_observations),
    ("history-problem", history_problem),
    ("stale", |browser| {
        values(
            browser,
            "tank",
            &format!(
                r#"{{"level":84.6,"volume":1185,"depth":49.1,"at":{}}}"#,
                seconds_ago(3 * 3600 + 240)
            ),
            "STALE",
        )
    }),
    ("failing-from-the-start", failing_from_the_start),
    ("failing-fresh", |browser| failing(browser, 30)),
    ("failing-stale", |browser| failing(browser, 9000)),
    ("waiting", waiting),
    ("low", |browser| {
        values(browser, "tank", r#"{"level":8,"volume":112,"depth":4.6}"#, "Very low")
    }),
    ("nulls", |browser| {
        served_json(
            browser,
            &["tank", "weather", "pump"],
            r#"{"level":null,"depth":12,
            "temperature":null,"wind_direction":null,"wind_speed":3,"battery":null,
            "mode":null}"#,
            "No level",
        )
    }),
    ("texts", texts),
    ("notes", notes),
    ("millimetres", |browser| {
        let upstream = Upstream::answering(r#"{"level":84,"battery":3.1,"quality":3}"#);
        let source = Source::json("tank", &upstream.url())
            .set("title", "Rain barrel")
            .value("level", "/level", "mm")
            .value("battery", "/battery", "V")
            .value("quality", "/quality", "");
        served(browser, vec![Box::new(upstream)], Config::https().source(source), "84")
    }),
    ("huge", |browser| {
        served_json(
            browser,
            &["tank", "weather", "pump"],
            r#"{"level":176.3,"volume":42511987654,
            "depth":98765432.1,"temperature":-1234.5,"pressure":123456789,"battery":1e250,
            "humidity":100000000,"rain":1234567.89,"flow":123456789.12,"total":98765432101}"#,
            "176",
        )
    }),
    ("tiny", |browser| {
        served_json(
            browser,
            &["tank", "weather", "pump"],
            r#"{"level":0.04,"volume":0.0042,
            "depth":0.000012,"temperature":-0.04,"wind_speed":0,"wind_direction":0,"rain":0.00012,
            "battery":1e-9,"total":0.05}"#,
            "Calm",
        )
    }),
    ("long-texts", |browser| {
        let (config, running) = configured(&["tank", "pump"]);
        let title = "The cistern behind the upper barn, which also feeds the trough in the paddock";
        served(browser, running, config.set("site.title", title), "Observed")
    }),
    ("lost", lost),
    ("signed-out", signed_out),
    ("login", |browser| login(browser, false)),
    ("login-wrong", |browser| login(browser, true)),
];

fn seconds_ago(seconds: i64) -> i64 {
    Timestamp::now().as_second() - seconds
}

fn scene(running: Vec<Box<dyn Any>>) -> Scene {
    Scene { features: &[], _running: running }
}

/// Waits until the page contains a text.
fn wait_for(browser: &Browser, text: &str) {
    eventually(text, || browser.text("body").to_lowercase().contains(&text.to_lowercase()));
}

/// Loads the page again until every source has answered and its chart is drawn.
fn settle(browser: &Browser) {
    eventually("every source has answered", || {
        let text = browser.text("main").to_lowercase();
        let is_settled = text.contains("observed")
            && !["no reading yet", "nothing recorded", "moment"].iter().any(|it| text.contains(it));
        if !is_settled {
            browser.run("location.reload()");
        }
        is_settled
    });
}

fn demo(browser: &Browser, path: &str) -> Scene {
    let demo = Demo::start();
    browser.visit(&format!("{}{path}", demo.url()));
    if path != "nowhere" {
        settle(browser);
    }
    scene(vec![Box::new(demo)])
}

fn forced_colours(browser: &Browser) -> Scene {
    Scene { features: &[("forced-colors", "active")], ..demo(browser, "") }
}

fn tables(browser: &Browser) -> Scene {
    let scene = demo(browser, "source/tank?range=24h");
    browser.run("for (const table of document.querySelectorAll('details')) table.open = true");
    scene
}

/// Starts a server, visits its page, and waits for a text.
fn served(browser: &Browser, mut running: Vec<Box<dyn Any>>, config: Config, text: &str) -> Scene {
    let server = Server::start(&config);
    visit(browser, &server, text);
    running.push(Box::new(server));
    scene(running)
}

fn visit(browser: &Browser, server: &Server, text: &str) {
    let url = format!("https://localhost:{}/", server.address.port());
    eventually(text, || {
        browser.visit(&url);
        browser.text("body").to_lowercase().contains(&text.to_lowercase())
    });
}

/// Returns a source of kind `json` with the fields of a tank, of weather or of a pump.
fn source(name: &str, kind: &str, url: &str) -> Source {
    let (title, fields): (_, &[(&str, &str)]) = match kind {
        "tank" => ("Cistern", &[("level", "%"), ("volume", "gal"), ("depth", "in")]),
        "weather" => (
            "At the ridge",
            &[
                ("conditions", ""),
                ("temperature", "degF"),
                ("humidity", "%"),
                ("wind_speed", "mph"),
                ("wind_gust", "mph"),
                ("wind_direction", "deg"),
                ("pressure", "inHg"),
                ("rain", "in"),
            ],
        ),
        _ => (
            "Booster pump",
            &[
                ("outlet_pressure", "psi"),
                ("flow", "gal/min"),
                ("battery", "V"),
                ("running", "bool"),
                ("total", "kWh"),
                ("mode", ""),
            ],
        ),
    };
    let source = Source::json(name, url).set("title", title).set("interval", "1m");
    fields.iter().fold(source, |source, (field, unit)| {
        let unit = if matches!(*field, "wind_direction") { "" } else { unit };
        source.value(field, &format!("/{field}"), unit)
    })
}

/// An answer with all fields of all kinds.
const ANSWER: &str = r#"{"level":84.6,"volume":1185,"depth":49.09,"conditions":"Partly cloudy",
    "temperature":52.3,"humidity":35,"wind_speed":9.4,"wind_gust":14,"wind_direction":315,
    "pressure":30.05,"rain":0.12,"outlet_pressure":52,"flow":11.8,"battery":12.84,"running":1,
    "total":1834.2,"mode":"automatic"}"#;

/// Returns a configuration with sources of these kinds, and their upstream.
fn configured(kinds: &[&str]) -> (Config, Vec<Box<dyn Any>>) {
    configured_with(kinds, ANSWER)
}

fn configured_with(kinds: &[&str], answer: &str) -> (Config, Vec<Box<dyn Any>>) {
    let upstream = Upstream::answering(answer);
    let named = kinds.iter().enumerate();
    let sources = named.map(|(index, kind)| source(&format!("s{index}"), kind, &upstream.url()));
    let config = Config::https().set("history.flush", "200ms");
    (config.sources(sources), vec![Box::new(upstream)])
}

fn sources(browser: &Browser, kinds: &[&str]) -> Scene {
    let (config, running) = configured(kinds);
    let scene = served(browser, running, config, "Observed");
    settle(browser);
    scene
}

fn served_json(browser: &Browser, kinds: &[&str], answer: &str, text: &str) -> Scene {
    let (config, running) = configured_with(kinds, answer);
    let scene = served(browser, running, config, text);
    eventually("every source has answered", || !browser.text("main").contains("No reading yet"));
    scene
}

/// Visits the page of one source whose upstream sends these values and the time `at`.
fn values(browser: &Browser, kind: &str, answer: &str, text: &str) -> Scene {
    let upstream = Upstream::answering(answer);
    let mut source = source("s0", kind, &upstream.url());
    if answer.contains("\"at\"") {
        source = source.observed_at_unix();
    }
    served(browser, vec![Box::new(upstream)], Config::https().source(source), text)
}

fn failing_from_the_start(browser: &Browser) -> Scene {
    let (config, running) = configured(&["weather"]);
    let down = source("down", "tank", "http://127.0.0.1:1/").set("title", "Upper tank");
    served(browser, running, config.source(down), "No connection")
}

/// Visits the page of a tank whose upstream has failed since an observation of this age.
fn failing(browser: &Browser, age: i64) -> Scene {
    let answer =
        format!(r#"{{"level":84.6,"volume":1185,"depth":49.1,"at":{}}}"#, seconds_ago(age));
    let upstream = Upstream::answering(&answer);
    let tank = source("s0", "tank", &upstream.url()).observed_at_unix().set("interval", "1s");
    let config = Config::https().source(tank.set("stale_after", "20m"));
    let (other, mut running) = configured(&["weather"]);
    drop(other);
    let scene = served(browser, Vec::new(), config, "Observed");
    upstream.set(Some("<html>Service maintenance</html>"));
    wait_for(browser, "cannot be understood");
    running.push(Box::new(upstream));
    running.push(Box::new(scene));
    self::scene(running)
}

fn waiting(browser: &Browser) -> Scene {
    let upstream = Upstream::hung();
    let sources = ["tank", "weather", "pump"].map(|kind| {
        source(kind, kind, &upstream.url()).set("timeout", "10m").set("interval", "20m")
    });
    served(
        browser,
        vec![Box::new(upstream)],
        Config::https().sources(sources),
        "3 of 3 have no reading yet",
    )
}

/// Visits the page of sources that send texts in each field.
fn texts(browser: &Browser) -> Scene {
    let upstream = Upstream::answering(
        r#"{"level":"FULL","volume":"1,185 gal or so","depth":"2 ft 3 in","status":"normal",
        "conditions":"Rain, some of it heavy, with hail","wind_direction":"ZW","temperature":"mild"}"#,
    );
    let of = |name: &str, title: &str, fields: &[&str]| {
        let source = Source::json(name, &upstream.url()).set("title", title);
        fields.iter().fold(source, |source, field| source.value(field, &format!("/{field}"), ""))
    };
    let tank = of("tank", "Float switch", &["level", "volume", "depth", "status"]);
    let sky = of("sky", "At the ridge", &["conditions", "wind_direction", "temperature"]);
    let config = Config::https().source(tank).source(sky);
    served(browser, vec![Box::new(upstream)], config, "FULL")
}

fn notes(browser: &Browser) -> Scene {
    let page = Upstream::answering(
        r#"<html><body><span class="inchLevel">63.40</span><span class="updated_on">3 minutes,
        20 seconds ago</span><script>var ptlevel={level: 85};</script></body></html>"#,
    );
    let observed = Timestamp::now().saturating_sub(SignedDuration::from_mins(10)).unwrap();
    let station = Upstream::answering(&format!(
        r#"{{"properties":{{"timestamp":"{observed:.0}","textDescription":"Clear",
        "temperature":{{"unitCode":"wmoUnit:degC","value":57.2,"qualityControl":"Q"}},
        "windDirection":{{"unitCode":"wmoUnit:degree_(angle)","value":null,"qualityControl":"Z"}},
        "windSpeed":{{"unitCode":"wmoUnit:km_h-1","value":7.5,"qualityControl":"Q"}},
        "relativeHumidity":{{"unitCode":"wmoUnit:percent","value":35,"qualityControl":"V"}}}}}}"#
    ));
    let aged = Upstream::answering(&format!(
        r#"{{"well":{{"v":7.25,"t":{}}},"pump":{{"v":"running","t":{}}}}}"#,
        seconds_ago(40 * 86_400),
        seconds_ago(10)
    ));
    let old = |name: &str, unit: &str| {
        let time = json!({"pointer": format!("/{name}/t"), "format": "unix"});
        let value = json!({"pointer": format!("/{name}/v"), "observed_at": time});
        let mut value = value.as_object().unwrap().clone();
        if !unit.is_empty() {
            value.insert("unit".into(), unit.into());
        }
        serde_json::Value::from(value)
    };
    let gauges = Source::json("gauges", &aged.url())
        .set("values.well_depth", old("well", "ft"))
        .set("values.pump", old("pump", ""));
    let tank = Source::new("ptlevel", "tank", &format!("{}s", page.url()))
        .set("height", 58)
        .set("capacity", 1400);
    let weather = Source::new("nws", "weather", &station.url()).set("station", "KFLL");
    let config = Config::https().source(tank).source(weather).source(gauges);
    served(
        browser,
        vec![Box::new(page), Box::new(station), Box::new(aged)],
        config,
        "Stale, observed",
    )
}

/// Visits the page of sources with a day of history.
fn recorded(browser: &Browser) -> Scene {
    let now = Timestamp::now().as_second();
    let samples = (1..24 * 60).rev().step_by(5).flat_map(|minutes| {
        let at = Timestamp::from_second(now - minutes * 60).unwrap();
        let wave = (minutes as f64 / 480.0 * TAU).sin();
        let number = |field: &str, value: f64, unit| {
            let value = Finite::new((value * 10.0).round() / 10.0).unwrap();
            Sample::new("s0".into(), field.into(), at, value, Some(unit))
        };
        [
            number("level", 70.0 + 14.0 * wave, Unit::Percent),
            number("volume", 980.0 + 190.0 * wave, Unit::UsGallon),
            number("depth", 40.0 + 8.0 * wave, Unit::Inch),
        ]
    });
    with_samples(browser, samples.collect())
}

/// Visits the page of a source that was recorded for long, with few observations in a day.
fn few_observations(browser: &Browser) -> Scene {
    let now = Timestamp::now().as_second();
    let samples = [40 * 86_400, 900, 600].map(|ago| {
        let at = Timestamp::from_second(now - ago).unwrap();
        let level = Finite::new(83.0).unwrap();
        Sample::new("s0".into(), "level".into(), at, level, Some(Unit::Percent))
    });
    with_samples(browser, samples.into())
}

fn with_samples(browser: &Browser, samples: Vec<Sample>) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    import(&path, &TimeZone::UTC, [Change::Observed(samples)]).unwrap();
    let (config, mut running) = configured(&["tank"]);
    running.push(Box::new(folder));
    let config = config.set("history.path", path.to_str().unwrap()).set("history.flush", "200ms");
    let scene = served(browser, running, config, "Observed");
    settle(browser);
    scene
}

/// Visits a page whose server has a full disk.
fn history_problem(browser: &Browser) -> Scene {
    let (config, mut running) = configured(&["tank", "pump"]);
    let shell = format!(
        "mkdir disk && exec unshare --mount sh -c \
         'mount -t tmpfs -o size=512k tmpfs disk && exec {BINARY} serve' #"
    );
    let config = config.set("history.path", "disk/pumphouse.db");
    let server = Server::start_after(&shell, &config);
    visit(browser, &server, "Observed");
    let ballast = format!("/proc/{}/cwd/disk/ballast", server.process());
    // The write fails once the disk is full.
    let _ = std::fs::write(ballast, vec![0; 1 << 20]);
    server.wait_for_log("the disk is full");
    visit(browser, &server, "History is not being written");
    running.push(Box::new(server));
    scene(running)
}

/// Visits a page whose server then ends.
fn lost(browser: &Browser) -> Scene {
    let (config, running) = configured(&["tank", "weather"]);
    let server = Server::start(&config);
    visit(browser, &server, "Observed");
    drop(server);
    wait_for(browser, "Connection lost");
    scene(running)
}

/// Visits a page with an account that then signs out elsewhere.
fn signed_out(browser: &Browser) -> Scene {
    let (sources, running) = configured(&["tank", "weather"]);
    drop(sources);
    let server = Server::start(&with_anna().sources([source("s0", "tank", "http://127.0.0.1:1/")]));
    sign_in(browser, &server, "right");
    wait_for(browser, "Cistern");
    browser.run_async(
        "const done = arguments[0];
         fetch('/logout', { method: 'POST', redirect: 'manual' }).then(it => done(it.type))",
    );
    wait_for(browser, "not signed in");
    scene([running, vec![Box::new(server)]].into_iter().flatten().collect())
}

fn sign_in(browser: &Browser, server: &Server, password: &str) {
    browser.visit(&format!("https://localhost:{}/", server.address.port()));
    browser.keys("#username", "anna");
    browser.keys("#password", password);
    browser.click(".sign-in button");
}

fn login(browser: &Browser, is_wrong: bool) -> Scene {
    let server = Server::start(&with_anna());
    if is_wrong {
        sign_in(browser, &server, "wrong");
        wait_for(browser, "is wrong");
    } else {
        browser.visit(&format!("https://localhost:{}/", server.address.port()));
    }
    scene(vec![Box::new(server)])
}
