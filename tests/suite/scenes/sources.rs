//! Sources of kind `json` with the fields of a tank, of weather or of a pump.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;

use super::Scene;
use super::stage::{Complete, Running, served, served_when};
use crate::webdriver::Browser;

/// Returns a source of kind `json` with the fields of a tank, of weather or of a pump.
pub(super) fn source(name: &str, kind: &str, url: &str) -> Source {
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
pub(super) const ANSWER: &str = r#"{"level":84.6,"volume":1185,"depth":49.09,"conditions":"Partly cloudy",
    "temperature":52.3,"humidity":35,"wind_speed":9.4,"wind_gust":14,"wind_direction":315,
    "pressure":30.05,"rain":0.12,"outlet_pressure":52,"flow":11.8,"battery":12.84,"running":1,
    "total":1834.2,"mode":"automatic"}"#;

/// Returns a configuration with sources of these kinds, and their upstream.
pub(super) fn configured(kinds: &[&str]) -> (Config, Running) {
    configured_with(kinds, ANSWER)
}

pub(super) fn configured_with(kinds: &[&str], answer: &str) -> (Config, Running) {
    configured_every("1m", kinds, answer)
}

/// Returns a configuration with sources of these kinds that are polled at an interval, and their upstream.
pub(super) fn configured_every(interval: &str, kinds: &[&str], answer: &str) -> (Config, Running) {
    let upstream = Upstream::answering(answer);
    let named = kinds.iter().enumerate();
    let sources = named.map(|(index, kind)| {
        source(&format!("s{index}"), kind, &upstream.url()).set("interval", interval)
    });
    (Config::https().sources(sources), vec![Box::new(upstream)])
}

pub(super) fn sources(browser: &Browser, kinds: &[&str]) -> Scene {
    let (config, running) = configured(kinds);
    served(browser, running, config, "Observed")
}

pub(super) fn served_json(browser: &Browser, kinds: &[&str], answer: &str, text: &str) -> Scene {
    let (config, running) = configured_with(kinds, answer);
    // A value that is null has no chart.
    served_when(browser, running, config, text, Complete::Readings)
}

/// Visits the page of one source whose upstream sends these values and the time `at`.
pub(super) fn values(browser: &Browser, kind: &str, answer: &str, text: &str) -> Scene {
    let upstream = Upstream::answering(answer);
    let mut source = source("s0", kind, &upstream.url());
    if answer.contains("\"at\"") {
        source = source.observed_at_unix();
    }
    served(browser, vec![Box::new(upstream)], Config::https().source(source), text)
}

pub(super) fn seconds_ago(seconds: i64) -> i64 {
    Timestamp::now().as_second() - seconds
}
