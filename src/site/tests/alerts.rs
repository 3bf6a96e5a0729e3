//! The API of alerts, and the commands on them.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::access::{answer, header, request_as, restricted};
use super::parsed;
use crate::access::{Admission, Rules, Scope, Scopes};
use crate::alert::{AlertState, AlertsHandle, CommandError, PastError};
use crate::config::{Severity, SourceSelection};
use crate::engine::Response;
use crate::site::Site;
use crate::site::alert_fixture::{
    alerting_site, alerting_site_under, channels, ended, handle, low, no_past, on, tank_is_low,
    tank_low, view,
};
use crate::site::fixture::{get, request, site, tank, text, weather};

fn post(site: &Site, target: &str, fields: &[(&str, &str)]) -> Response {
    answer(site, &request("POST", target, fields))
}

/// Returns the names, sources and states of a body.
fn listed(body: &Json) -> Vec<String> {
    let alerts = body["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| format!("{} {} {}", alert["name"], alert["source"], alert["state"]))
        .map(|line| line.replace('"', ""))
        .collect()
}

#[test]
fn list_has_what_fires_first_then_what_is_pending_then_the_order_of_the_configuration() {
    let everywhere = |name: &str| low(name, SourceSelection::All, Severity::Warning);
    let view = view(vec![
        tank_low(),
        on(everywhere("b"), &["weather"], AlertState::Pending),
        on(everywhere("c"), &["weather", "tank"], AlertState::Acknowledged),
        everywhere("d"),
        on(everywhere("e"), &["tank"], AlertState::Firing),
    ]);
    let firing: Vec<String> = view
        .firing()
        .iter()
        .map(|(alert, subject)| {
            let (source, state) = (subject.key.source.as_deref().unwrap(), subject.state.as_str());
            format!("{} {source} {state}", alert.name)
        })
        .collect();
    let site = alerting_site(vec![tank(), weather()], AlertsHandle::fixed(view));
    let response = get(&site, "/api/v1/alerts", &[]);
    let listed = listed(&parsed(&response));
    assert_eq!(listed[..3], firing);
    assert_eq!(
        listed,
        [
            "e tank firing",
            "c weather acknowledged",
            "c tank acknowledged",
            "b weather pending",
            "tank_low tank inactive",
            "d null inactive",
        ]
    );
}

#[test]
fn alert_has_all_members_and_its_incidents() {
    let alert = tank_is_low();
    let past = ended(&alert, 7, -86_400);
    let reader = {
        let past = past.clone();
        Arc::new(move |_: &str, _| Ok(vec![past.clone()]))
    };
    let site = alerting_site(vec![tank()], handle(view(vec![alert, tank_low_of("other")]), reader));
    let body = parsed(&get(&site, "/api/v1/alerts/tank_low", &[]));
    assert_eq!(
        body["alerts"],
        json!([{
            "name": "tank_low",
            "state": "firing",
            "severity": "critical",
            "source": "tank",
            "field": "volume",
            "condition": "below 300 gal",
            "since": "2026-01-31T16:20:00Z",
            "value": 280.0,
            "threshold": 300.0,
            "unit": "gal",
            "observed_at": "2026-01-31T17:16:00Z",
            "detail": null,
            "acknowledged_by": null,
            "acknowledged_at": null,
            "silenced_until": null,
            "fault": null,
            "incident": "0000000000001000",
        }])
    );
    assert_eq!(body["incidents"].as_array().unwrap().len(), 2);
    assert_eq!(
        body["incidents"][1],
        json!({
            "id": "0000000000000007",
            "name": "tank_low",
            "source": "tank",
            "title": "Cistern",
            "field": "volume",
            "severity": "critical",
            "condition": "below 300 gal",
            "since": "2026-01-30T17:05:00Z",
            "fired_at": "2026-01-30T17:10:00Z",
            "ended_at": "2026-01-30T17:20:00Z",
            "end_reason": "resolved",
            "value_at_fire": 290.0,
            "value": 280.0,
            "threshold": 300.0,
            "unit": "gal",
            "observed_at": "2026-01-31T17:16:00Z",
            "detail": null,
            "acknowledged_by": null,
            "acknowledged_at": null,
        })
    );
    assert_eq!(body["incidents_error"], Json::Null);
    let limited = parsed(&get(&site, "/api/v1/alerts/tank_low?limit=1", &[]));
    assert_eq!(limited["incidents"].as_array().unwrap().len(), 1);
    let inactive = parsed(&get(&site, "/api/v1/alerts/other", &[]));
    assert_eq!(inactive["alerts"][0]["threshold"], 300.0, "{inactive}");
    assert_eq!(inactive["alerts"][0]["value"], Json::Null, "{inactive}");
    for (target, code) in [
        ("/api/v1/alerts/none", 404),
        ("/api/v1/alerts/tank_low?limit=0", 400),
        ("/api/v1/alerts/tank_low?limit=501", 400),
        ("/api/v1/alerts?limit=1", 400),
    ] {
        assert_eq!(get(&site, target, &[]).status(), code, "{target}");
    }
}

fn tank_low_of(name: &str) -> crate::alert::AlertView {
    low(name, SourceSelection::One("tank".into()), Severity::Info)
}

#[test]
fn list_has_an_entity_tag_that_changes_with_the_view() {
    let alerts = AlertsHandle::fixed(view(vec![tank_low()]));
    let site = alerting_site(vec![tank()], alerts.clone());
    let first = get(&site, "/api/v1/alerts", &[]);
    let tag = header(&first, "etag");
    let conditional = || get(&site, "/api/v1/alerts", &[("if-none-match", &tag)]);
    assert_eq!(conditional().status(), 304);
    alerts.replace(view(vec![tank_is_low()]));
    assert_eq!(conditional().status(), 200);
    let brief = parsed(&get(&site, "/api/v1/alerts?incidents=0", &[]));
    assert_eq!(brief["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(brief["incidents"], json!([]));
    let full = parsed(&get(&site, "/api/v1/alerts", &[]));
    assert_eq!(full["incidents"].as_array().unwrap().len(), 1, "{full}");
    assert_eq!(get(&site, "/api/v1/alerts?incidents=1", &[]).status(), 400);
    let without = get(&self::site_without(), "/api/v1/alerts", &[]);
    assert_eq!(text(&without), "{\"alerts\":[],\"incidents\":[],\"incidents_error\":null}\n");
}

fn site_without() -> Site {
    site(vec![tank()])
}

#[test]
fn ten_thousand_subjects_are_listed_in_pieces() {
    let names: Vec<String> = (0..10_000).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dead = on(low("dead", SourceSelection::All, Severity::Warning), &names, AlertState::Firing);
    let site = alerting_site(vec![tank()], AlertsHandle::fixed(view(vec![dead])));
    let body = parsed(&get(&site, "/api/v1/alerts", &[]));
    assert_eq!(body["alerts"].as_array().unwrap().len(), 10_000);
    assert_eq!(body["incidents"].as_array().unwrap().len(), 10_000);
    let one = parsed(&get(&site, "/api/v1/alerts/dead", &[]));
    assert_eq!(one["incidents"].as_array().unwrap().len(), 50);
}

#[test]
fn incidents_of_memory_are_sent_while_the_file_cannot_be_read() {
    let alert = tank_low();
    let recent = [ended(&alert, 7, -60)].into();
    let alerts = crate::alert::AlertsView { recent, ..view(vec![alert]) };
    let past = Arc::new(|_: &str, _| Err(PastError("/secret/path is damaged".into())));
    let site = alerting_site(vec![tank()], handle(alerts, past));
    let response = get(&site, "/api/v1/alerts/tank_low", &[]);
    let body = parsed(&response);
    assert_eq!(body["incidents"].as_array().unwrap().len(), 1);
    assert!(body["incidents_error"].as_str().unwrap().contains("cannot be read"), "{body}");
    assert!(!text(&response).contains("secret"), "{body}");
}

#[test]
fn commands_answer_with_the_alert_and_the_next_request_shows_it() {
    let everywhere = on(
        low("dead", SourceSelection::All, Severity::Warning),
        &["tank", "weather"],
        AlertState::Firing,
    );
    let alerts = handle(view(vec![tank_is_low(), tank_low_of("calm"), everywhere]), no_past());
    let site = alerting_site(vec![tank(), weather()], alerts);
    let response = post(&site, "/api/v1/alerts/dead/acknowledge?source=tank", &[]);
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "cache-control"), "no-store");
    let body = parsed(&response);
    assert_eq!(listed(&body), ["dead weather firing", "dead tank acknowledged"]);
    assert_eq!(body["alerts"][1]["acknowledged_by"], "anonymous");
    assert_eq!(body["incidents"].as_array().unwrap().len(), 2);
    let silenced = post(&site, "/api/v1/alerts/calm/silence?for=1d12h", &[]);
    assert_eq!(parsed(&silenced)["alerts"][0]["silenced_until"], "2026-02-02T05:20:00Z");
    let shown = parsed(&get(&site, "/api/v1/alerts/calm", &[]));
    assert_eq!(shown["alerts"][0]["silenced_until"], "2026-02-02T05:20:00Z");
    let unsilenced = post(&site, "/api/v1/alerts/calm/unsilence", &[("if-none-match", "*")]);
    assert_eq!(parsed(&unsilenced)["alerts"][0]["silenced_until"], Json::Null);
}

#[test]
fn wrong_command_is_refused_with_a_reason() {
    let site = alerting_site(
        vec![tank()],
        handle(view(vec![tank_is_low(), tank_low_of("calm")]), no_past()),
    );
    for (target, code, words) in [
        ("none/acknowledge", 404, "no alert of that name"),
        ("none/silence?for=1h", 404, "no alert of that name"),
        ("calm/acknowledge", 409, "does not fire"),
        ("tank_low/acknowledge?source=weather", 409, "does not fire"),
        ("tank_low/acknowledge?source=../x", 400, "source is"),
        ("tank_low/acknowledge?all=1", 400, "There is no parameter"),
        ("tank_low/silence", 400, "for=8h"),
        ("tank_low/silence?for=", 400, "for=8h"),
        ("tank_low/silence?for=8", 400, "for=8h"),
        ("tank_low/silence?for=-8h", 400, "for=8h"),
        ("tank_low/silence?for=0s", 400, "for=8h"),
        ("tank_low/silence?for=367d", 400, "366d"),
        ("tank_low/unsilence?for=8h", 400, "There is no parameter"),
    ] {
        let response = post(&site, &format!("/api/v1/alerts/{target}"), &[]);
        assert_eq!(response.status().as_u16(), code, "{target}");
        assert!(text(&response).contains(words), "{target}: {}", text(&response));
    }
    let busy = alerting_site(vec![tank()], AlertsHandle::fixed(view(vec![tank_is_low()])));
    let response = post(&busy, "/api/v1/alerts/tank_low/unsilence", &[]);
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "1");
    let standby = AlertsHandle::answering(
        view(vec![tank_is_low()]),
        |_, _| Err(CommandError::Standby),
        no_past(),
    );
    let response =
        post(&alerting_site(vec![tank()], standby), "/api/v1/alerts/tank_low/acknowledge", &[]);
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "30");
}

#[test]
fn page_whose_session_has_ended_gets_the_form_and_no_dialog_of_the_browser() {
    let rules = Rules { admission: Admission::Restricted(restricted()), ..Rules::default() };
    let alerts = handle(view(vec![tank_is_low()]), no_past());
    let site = alerting_site_under(vec![tank()], rules, alerts, channels(Vec::new()));
    let target = "/api/v1/alerts/tank_low/acknowledge?next=/alert/tank_low";
    let challenges = |response: &Response| header(response, "www-authenticate");
    let script = post(&site, target, &[]);
    assert!(challenges(&script).contains("Basic"), "a program may send a password");
    for origin in [("sec-fetch-site", "same-origin"), ("origin", "https://tank.example")] {
        let fetched = post(&site, target, &[origin, ("accept", "application/json")]);
        assert_eq!(fetched.status(), 401);
        assert_eq!(challenges(&fetched), "Bearer realm=\"Pumphouse\"", "{origin:?}");
        let form = post(&site, target, &[origin, HTML]);
        assert_eq!(form.status(), 401);
        assert_eq!(challenges(&form), "Bearer realm=\"Pumphouse\"", "{origin:?}");
        let page = text(&form);
        assert!(page.contains("action=\"../../../../login\""), "{page}");
        assert!(page.contains("name=\"next\" value=\"/alert/tank_low\""), "{page}");
    }
    // Other addresses of the API keep their challenges.
    let poll = post(&site, "/api/v1/sources/tank/poll", &[("sec-fetch-site", "same-origin")]);
    assert!(challenges(&poll).contains("Basic"));
}

#[test]
fn command_reads_no_disk() {
    let past = Arc::new(|_: &str, _| panic!("a command has read the disk"));
    let site = alerting_site(vec![tank()], handle(view(vec![tank_is_low()]), past));
    for command in ["acknowledge", "silence?for=8h", "unsilence"] {
        let body = parsed(&post(&site, &format!("/api/v1/alerts/tank_low/{command}"), &[]));
        assert_eq!(body["incidents"].as_array().unwrap().len(), 1, "{command}: {body}");
    }
}

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[test]
fn form_of_an_alert_that_has_ended_leads_back_to_its_page() {
    let site = alerting_site(vec![tank()], handle(view(vec![tank_low()]), no_past()));
    let target = "/api/v1/alerts/tank_low/acknowledge?next=/alert/tank_low";
    let response = post(&site, target, &[HTML]);
    assert_eq!(response.status(), 303);
    assert_eq!(header(&response, "location"), "../../../../alert/tank_low");
    assert_eq!(post(&site, target, &[]).status(), 409);
}

#[test]
fn form_of_a_page_is_redirected_to_a_page_of_this_site() {
    let html = HTML;
    for (next, place) in [
        ("", "../../../../"),
        ("?next=/", "../../../../"),
        ("?next=/source/tank", "../../../../source/tank"),
        ("?next=%2F%2Fevil.example", "../../../../"),
        ("?next=/../x", "../../../../"),
        ("?next=https://evil.example/", "../../../../"),
    ] {
        let site = alerting_site(vec![tank()], handle(view(vec![tank_is_low()]), no_past()));
        let target = format!("/api/v1/alerts/tank_low/acknowledge{next}");
        let response = post(&site, &target, &[html]);
        assert_eq!(response.status(), 303, "{next}");
        assert_eq!(header(&response, "location"), place, "{next}");
        assert_eq!(header(&response, "cache-control"), "no-store");
    }
}

#[test]
fn command_needs_the_scope_and_no_page_of_another_site_can_send_one() {
    let mut people = restricted();
    people.users[0].scopes = Scopes::new(vec![Scope::Read, Scope::Alert]);
    let rules = Rules { admission: Admission::Restricted(people), ..Rules::default() };
    let site = |rules: &Rules| {
        let alerts = handle(view(vec![tank_is_low()]), no_past());
        alerting_site_under(vec![tank()], rules.clone(), alerts, channels(Vec::new()))
    };
    for command in ["acknowledge", "silence?for=8h", "unsilence"] {
        let target = format!("/api/v1/alerts/tank_low/{command}");
        let send = |level: &str, fields: &[(&str, &str)]| {
            answer(&site(&rules), &request_as("POST", &target, level, fields))
        };
        for (level, code) in [
            ("none", 401),
            ("read", 403),
            ("poll", 403),
            ("nothing", 403),
            ("admin", 200),
            ("user", 200),
        ] {
            assert_eq!(send(level, &[]).status().as_u16(), code, "{command} {level}");
        }
        for field in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            assert_eq!(send("user", &[field]).status(), 403, "{command} {field:?}");
            let open = answer(&site(&Rules::default()), &request("POST", &target, &[field]));
            assert_eq!(open.status(), 403, "{command} {field:?}");
        }
        let silent = site(&Rules::default());
        for method in ["GET", "HEAD"] {
            let response = answer(&silent, &request(method, &target, &[]));
            assert_eq!(response.status(), 405, "{method} {command}");
            assert_eq!(header(&response, "allow"), "POST, OPTIONS");
        }
        assert_eq!(silent.context.alerts.view().version, 1, "{command}: a GET changed something");
    }
    let acknowledged = answer(
        &site(&rules),
        &request_as("POST", "/api/v1/alerts/tank_low/acknowledge", "user", &[]),
    );
    assert_eq!(parsed(&acknowledged)["alerts"][0]["acknowledged_by"], "anna");
    let by_token = answer(
        &site(&rules),
        &request_as("POST", "/api/v1/alerts/tank_low/acknowledge", "admin", &[]),
    );
    assert_eq!(parsed(&by_token)["alerts"][0]["acknowledged_by"], "admin");
}
