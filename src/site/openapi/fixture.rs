//! Sites and requests for the tests of the document.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value as Json;
use strum::VariantArray as _;

use super::schema_check::Operation;
use crate::access::percent::percent_encoded;
use crate::alert::{AlertState, AlertView, AlertsHandle, AlertsView};
use crate::board::{Change, ErrorKind, Event, EventKind, Finite, Sample, SourceView, Value};
use crate::config::{Severity, SourceSelection};
use crate::engine::{Activity, Response};
use crate::history::{History, import};
use crate::site::Site;
use crate::site::alert_fixture::{channels, ended, handle, low, on, tank_is_low, tank_low, view};
use crate::site::fixture::{
    failing, now, pump, request, site_with, stale, tank, values, waiting, weather,
};
use crate::units::Unit;

/// Sources in every state, with texts that need escaping.
pub(super) fn sources() -> Vec<SourceView> {
    let mut odd = pump();
    odd.name = "odd".into();
    odd.title = "It's <odd> & $(worse)".into();
    let reading = odd.reading.as_mut().unwrap();
    reading.observed.inferred = true;
    reading.values = values([
        ("state", Value::text("'\"\n\r\0\u{7f}é`$(exit)`")),
        ("gone", Value::missing(None, "it's null")),
        ("level", Value::number(-0.000_001, Unit::Percent)),
        ("huge", Value::number(f64::MAX, Unit::Volt)),
    ]);
    vec![
        grouped(tank()),
        failing(stale(weather(), 7200), ErrorKind::Http, "503"),
        odd,
        waiting("well", "json"),
    ]
}

/// Returns the source in the group of the examples.
pub(super) fn grouped(source: SourceView) -> SourceView {
    SourceView { group: Some("north/ridge".into()), ..source }
}

/// Returns a site with recorded data, and the folder of its file.
pub(super) fn recorded_site(sources: Vec<SourceView>) -> (tempfile::TempDir, Site) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let end = now().as_second();
    let sample = |ago: i64| {
        Sample::new(
            "tank".into(),
            "level".into(),
            jiff::Timestamp::from_second(end - ago * 300).unwrap(),
            Finite::new(50.0 + (ago % 10) as f64 / 3.0).unwrap(),
            Some(Unit::Percent),
        )
    };
    let happened = |kind| {
        let source = (kind != EventKind::Started).then(|| "tank".into());
        Change::Happened(Event { at: now(), kind, source, detail: "said so".into() })
    };
    let changes = EventKind::VARIANTS.iter().copied().map(happened);
    let changes = changes.chain([Change::Observed((0..600).rev().map(sample).collect())]);
    import(&path, &TimeZone::UTC, changes).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    let has_tank = sources.iter().any(|source| &*source.name == "tank");
    let site = site_with(sources, history).with_alerts(alerts(has_tank), channels(Vec::new()));
    (folder, site)
}

/// Returns alerts in every state, or the one of the examples while it does not fire.
fn alerts(is_firing: bool) -> AlertsHandle {
    let low = |name| low(name, SourceSelection::All, Severity::Warning);
    let ended = ended(&tank_low(), 7, -60);
    let alerts = match is_firing {
        true => vec![
            tank_is_low(),
            on(low("pending"), &["odd"], AlertState::Pending),
            on(low("known"), &["odd", "weather"], AlertState::Acknowledged),
            AlertView {
                silenced_until: Some(now()),
                fault: Some("it's <another> quantity".into()),
                ..on(low("quiet"), &["tank"], AlertState::Silenced)
            },
            low("calm"),
        ],
        false => vec![tank_low()],
    };
    let view = AlertsView { recent: [ended.clone()].into(), ..view(alerts) };
    handle(view, Arc::new(move |_, _| Ok(vec![ended.clone()])))
}

/// Sends a request at the time of the fixture.
pub(super) fn send(site: &Site, method: &str, target: &str, fields: &[(&str, &str)]) -> Response {
    site.answer(&request(method, target, fields), now(), &Activity::default()).1
}

/// Returns the value, percent-encoded.
pub(super) fn encoded(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => return items.iter().map(encoded).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    percent_encoded(&text)
}

/// Returns the operation's path with the examples of its parameters. `asset` is an existing file.
pub(super) fn example_path(operation: &Operation, asset: &str) -> String {
    let mut path = operation.path.clone();
    for parameter in operation.parameters.iter().filter(|parameter| parameter["in"] == "path") {
        let name = parameter["name"].as_str().unwrap();
        let value = match name {
            "name" => asset.to_owned(),
            _ => encoded(&parameter["example"]),
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    assert!(!path.contains('{'), "{path}: a parameter of the path is not documented");
    path
}

/// Returns the parameters of the query, each with its examples.
pub(super) fn in_query(operation: &Operation) -> Vec<(String, &Json, Vec<Json>)> {
    let listed = operation.parameters.iter().filter(|parameter| parameter["in"] == "query");
    let examples = |parameter: &Json| {
        let examples =
            parameter["examples"].as_object().expect("each parameter of a query has examples");
        examples.values().map(|example| example["value"].clone()).collect()
    };
    listed
        .map(|parameter| {
            (parameter["name"].as_str().unwrap().to_owned(), parameter, examples(parameter))
        })
        .collect()
}

/// Returns the required parameters of the query, with their first examples.
pub(super) fn required(operation: &Operation) -> String {
    let needed =
        in_query(operation).into_iter().filter(|(_, parameter, _)| parameter["required"] == true);
    needed.map(|(name, _, examples)| format!("{name}={}&", encoded(&examples[0]))).collect()
}

pub(super) fn asset_of(site: &Site) -> String {
    site.context.assets.style.path.rsplit('/').next().unwrap().to_owned()
}

/// Returns true if the route rejects unknown parameters. Pages and probes ignore them.
pub(super) fn is_strict(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/chart/")
}
