//! Alerts as guests of public routes see them.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::access::{answer, request_as, restricted};
use super::parsed;
use crate::access::{Admission, Restricted, Rules};
use crate::alert::{Acknowledgement, AlertState};
use crate::board::{Change, Event, EventKind};
use crate::config::{Severity, SourceSelection};
use crate::history::{History, import};
use crate::site::alert_fixture::{
    alerting_site_under, channels, handle, low, no_past, on, tank_low, view,
};
use crate::site::fixture::{Unobserved, at, request, site_over, tank, text};

#[test]
fn guests_see_neither_names_of_accounts_nor_details_of_the_server() {
    let mut people = restricted();
    people.public = vec!["/api/v1/alerts".to_owned(), "/api/v1/alerts/{alert}".to_owned()];
    let rules = Rules { admission: Admission::Restricted(people), ..Rules::default() };
    let mut tank = on(tank_low(), &["tank"], AlertState::Acknowledged);
    let mut server = on(
        low("waiting", SourceSelection::All, Severity::Warning),
        &["x"],
        AlertState::Acknowledged,
    );
    server.subjects[0].key.source = None;
    for alert in [&mut tank, &mut server] {
        let subject = &mut alert.subjects[0];
        let incident = Arc::make_mut(subject.incident.as_mut().unwrap());
        incident.subject = subject.key.clone();
        incident.acknowledged = Some(Acknowledgement { by: "anna".into(), at: at(0) });
        incident.evidence.detail = Some("535 denied".into());
        subject.evidence.detail = Some("535 denied".into());
    }
    let alerts = handle(view(vec![tank, server]), no_past());
    let site = alerting_site_under(vec![self::tank()], rules, alerts, channels(Vec::new()));
    let seen =
        |target: &str, level: &str| parsed(&answer(&site, &request_as("GET", target, level, &[])));
    for member in ["alerts", "incidents"] {
        let of_all = |level| {
            let body = seen("/api/v1/alerts", level);
            let items = body[member].as_array().unwrap().clone();
            items
                .into_iter()
                .map(|it| (it["name"].clone(), it["detail"].clone(), it["acknowledged_by"].clone()))
                .collect::<Vec<_>>()
        };
        let shown = |name: &str, detail: Json, by: Json| (json!(name), detail, by);
        // The body of the one is not that of the other, in whatever order they come.
        for _ in 0..2 {
            let guest = of_all("none");
            assert!(
                guest.contains(&shown("tank_low", json!("535 denied"), Json::Null)),
                "{guest:?}"
            );
            assert!(guest.contains(&shown("waiting", Json::Null, Json::Null)), "{guest:?}");
            let script = of_all("read");
            assert!(
                script.contains(&shown("waiting", json!("535 denied"), json!("anna"))),
                "{script:?}"
            );
        }
        let one =
            |level| seen("/api/v1/alerts/waiting", level)[member][0]["acknowledged_by"].clone();
        assert_eq!((one("none"), one("read")), (Json::Null, json!("anna")), "{member}");
    }
    let machine = site.respond(&request("GET", "/api/v1/alerts", &[]));
    assert!(text(&machine).contains("anna"), "the admin listener shows everything");
}

#[test]
fn guests_do_not_see_in_events_who_silenced_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let detail = "tank_low: until 2026-02-01T00:00:00Z by anna".into();
    let event = Event { at: at(0), kind: EventKind::AlertSilenced, source: None, detail };
    import(&path, &TimeZone::UTC, [Change::Happened(event)]).unwrap();
    let people = Restricted { public: vec!["/api/v1/events".to_owned()], ..restricted() };
    let rules = Rules { admission: Admission::Restricted(people), ..Rules::default() };
    let history = History::read_only(&path, TimeZone::UTC);
    let site = site_over(vec![tank()], history, Arc::new(Unobserved), rules);
    for (level, expected) in [
        ("none", "tank_low: until 2026-02-01T00:00:00Z"),
        ("read", "tank_low: until 2026-02-01T00:00:00Z by anna"),
    ] {
        let seen = parsed(&answer(&site, &request_as("GET", "/api/v1/events", level, &[])));
        assert_eq!(seen["events"][0]["detail"], expected, "{level}: {seen}");
    }
}
