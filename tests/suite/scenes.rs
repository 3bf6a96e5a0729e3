//! States of the site that a visitor may see, each behind a real server.

mod alerts;
mod failures;
mod fleets;
mod recorded;
mod sign_in;
mod sources;
mod stage;
mod values;

use hostile::config::Config;

use self::sources::{configured, served_json, sources, values};
use self::stage::{Running, demo, served};
use crate::webdriver::Browser;

/// A page in one state, visited.
pub struct Scene {
    /// Preferences of the visitor besides the colours.
    pub features: &'static [(&'static str, &'static str)],
    /// Servers and upstreams of the page.
    _running: Running,
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
    ("history", recorded::day),
    ("first-observation", recorded::first_observation),
    ("few-observations", recorded::few_observations),
    ("history-problem", recorded::full_disk),
    ("stale", failures::stale),
    ("failing-from-the-start", failures::from_the_start),
    ("failing-fresh", |browser| failures::since(browser, 30)),
    ("failing-stale", |browser| failures::since(browser, 9000)),
    ("waiting", failures::no_answer),
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
    ("texts", values::texts),
    ("notes", values::notes),
    ("millimetres", values::millimetres),
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
    ("overview", fleets::overview),
    ("overview-group", fleets::group),
    ("alerts-firing", |browser| alerts::firing(browser, "")),
    ("alerts", |browser| alerts::firing(browser, "alerts")),
    ("alert", |browser| alerts::firing(browser, "alert/level_outside_of_the_usual_range")),
    ("alert-source", |browser| alerts::firing(browser, "source/s0")),
    ("alert-answered", alerts::answered),
    ("lost", failures::server_gone),
    ("signed-out", sign_in::ended),
    ("login", |browser| sign_in::form(browser, false)),
    ("login-wrong", |browser| sign_in::form(browser, true)),
];

fn forced_colours(browser: &Browser) -> Scene {
    Scene { features: &[("forced-colors", "active")], ..demo(browser, "") }
}

fn tables(browser: &Browser) -> Scene {
    let scene = demo(browser, "source/tank?range=24h");
    browser.run("for (const table of document.querySelectorAll('details')) table.open = true");
    scene
}
