//! Alerts on pages: what fires on top, the pages of alerts, titles, buttons and their visitors.

use std::sync::Arc;

use http::header::AUTHORIZATION;

use crate::access::{Admission, Restricted, Rules, Scope, Scopes, Token, TokenHash};
use crate::alert::{
    Acknowledgement, AlertState, AlertView, AlertsHandle, AlertsView, CommandError, PastError,
};
use crate::board::{Datum, SourceView};
use crate::config::{Severity, SourceSelection};
use crate::notify::{ChannelFailure, ChannelStatus, DeliveryFault};
use crate::site::Site;
use crate::site::alert_fixture::{
    alerting_site, alerting_site_under, channels, ended, handle, low, no_past, on, tank_is_low,
    tank_low, view,
};
use crate::site::chart::fixture::recorded_site;
use crate::site::fixture::{at, get, tank, text, waiting, weather};

fn everywhere(name: &str, severity: Severity) -> AlertView {
    low(name, SourceSelection::All, severity)
}

fn page(alerts: AlertsView, target: &str) -> String {
    let site = alerting_site(vec![tank(), weather()], AlertsHandle::fixed(alerts));
    text(&get(&site, target, &[])).to_owned()
}

fn title(html: &str) -> &str {
    html.split_once("<title>").unwrap().1.split('<').next().unwrap()
}

/// Returns the text of a page without tags and repeated spaces.
fn words(html: &str) -> String {
    let pieces = html.split('<').filter_map(|piece| piece.split_once('>'));
    let text: String = pieces.map(|(_, text)| text).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn firing_alert_is_on_top_of_the_dashboard_and_of_its_source_only() {
    let alerts = || view(vec![tank_is_low()]);
    for target in ["/", "/source/tank"] {
        let html = page(alerts(), target);
        let line = "1 alert firesCritical tank_low · Cistern · Volume 280 gal (4 minutes ago), below 300 \
                    galFor 1 hour";
        assert!(words(&html).contains(line), "{target}: {}", words(&html));
        assert_eq!(title(&html), "⚠ tank_low · Cistern 280 gal · Pumphouse", "{target}");
        assert!(html.contains("assets/icon_alert."), "{target}");
        assert!(html.find("class=\"alerts\"") < html.find("class=\"cards"), "{target}");
        let announced =
            "data-announce=\"Critical alert tank_low: Cistern, 280 gal, below 300 gal\"";
        assert!(html.contains(announced), "{html}");
    }
    let other = page(alerts(), "/source/weather");
    assert!(!other.contains("class=\"alerts\""), "{other}");
    assert_eq!(title(&other), "At the ridge · Pumphouse");
    let calm = page(view(vec![tank_low()]), "/");
    assert!(!calm.contains("class=\"alerts\"") && calm.contains("assets/icon."), "{calm}");
    assert!(title(&calm).starts_with("85%"), "{}", title(&calm));
    assert!(calm.contains("href=\"./alerts\""), "the footer links to the alerts");
}

#[test]
fn answered_alert_stays_on_top_and_no_longer_alarms() {
    let mut known = on(tank_low(), &["tank"], AlertState::Acknowledged);
    let incident = Arc::make_mut(known.subjects[0].incident.as_mut().unwrap());
    incident.acknowledged = Some(Acknowledgement { by: "anna".into(), at: at(-600) });
    let html = page(view(vec![known]), "/");
    assert!(words(&html).contains("For 1 hour; acknowledged by anna at 17:10"), "{}", words(&html));
    assert!(!html.contains("data-announce") && !html.contains("icon_alert"), "{html}");
    assert!(!html.contains("Acknowledge<"), "{html}");
    let quiet = AlertView {
        silenced_until: Some(at(8 * 3600)),
        ..on(tank_low(), &["tank"], AlertState::Silenced)
    };
    let html = page(view(vec![quiet]), "/");
    assert!(words(&html).contains("silenced until 01:20"), "{}", words(&html));
    assert!(html.contains("End the silence") && !html.contains("icon_alert"), "{html}");
}

#[test]
fn lines_are_at_most_five_and_many_sources_of_one_alert_share_one() {
    let names: Vec<String> = (0..10_000).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dead = on(everywhere("dead", Severity::Critical), &names, AlertState::Firing);
    let mut alerts = vec![dead];
    alerts.extend((0..41).map(|number| {
        on(everywhere(&format!("a{number}"), Severity::Info), &["tank"], AlertState::Firing)
    }));
    let view = view(alerts);
    for target in ["/", "/alerts"] {
        let html = page(view.clone(), target);
        let text = words(&html);
        assert!(text.contains("42 alerts fire"), "{target}");
        assert!(text.contains("10,000 sources below 300 gal: t0, t1, t2 and 9,997 more"), "{text}");
        assert!(text.contains("and 37 more"), "{target}");
        assert!(html.contains("/alerts\">and 37 more"), "{target}");
        assert_eq!(title(&html).split(" · ").next(), Some("⚠ 42 alerts"), "{target}");
        assert!(html.len() < 100_000, "{target}: {}", html.len());
    }
    let html = page(view, "/alert/dead");
    assert!(words(&html).contains("And 9,900 other sources, none of them worse."), "{html}");
    assert!(html.len() < 200_000, "{}", html.len());
}

#[test]
fn texts_of_alerts_are_escaped() {
    const EVIL: &str = "<script>alert('x')</script>\"><img src=x onerror=y>";
    let mut alert = AlertView {
        condition: EVIL.into(),
        fault: Some(EVIL.into()),
        ..on(tank_low(), &["tank", "gone"], AlertState::Firing)
    };
    for subject in &mut alert.subjects {
        subject.evidence.value = Some(Datum::Text(EVIL.into()));
        subject.evidence.detail = Some(EVIL.into());
        let incident = Arc::make_mut(subject.incident.as_mut().unwrap());
        incident.title = EVIL.into();
        incident.at_fire.value = Some(Datum::Text(EVIL.into()));
        incident.acknowledged = Some(Acknowledgement { by: EVIL.into(), at: at(0) });
    }
    let channel = failing_channel(EVIL, DeliveryFault::Refused);
    let source = SourceView { title: EVIL.into(), ..tank() };
    let site = alerting_site_under(
        vec![source],
        Rules::default(),
        AlertsHandle::fixed(view(vec![alert])),
        channels(vec![channel]),
    );
    for target in ["/", "/source/tank", "/alerts", "/alert/tank_low"] {
        let response = get(&site, target, &[]);
        let html = text(&response);
        assert!(html.contains("&lt;script&gt;"), "{target}");
        assert!(!html.contains("<script>") && !html.contains("<img"), "{target}: {html}");
        for forbidden in ["style=", "onclick", "onload", "javascript:", "http://", "https://"] {
            assert!(!html.contains(forbidden), "{target}: {forbidden}");
        }
    }
}

fn failing_channel(message: &str, fault: DeliveryFault) -> ChannelStatus {
    ChannelStatus {
        name: "phone".into(),
        kind: "ntfy",
        waiting: 3,
        oldest: Some(at(-3600)),
        failure: Some(ChannelFailure { since: at(-7200), fault, message: message.into() }),
        failed: 2,
        ..ChannelStatus::default()
    }
}

fn token(name: &str, scopes: &[Scope]) -> Token {
    Token { name: name.to_owned(), hash: TokenHash::of(name), scopes: Scopes::new(scopes.to_vec()) }
}

/// Returns a site whose dashboard is public, with accounts that may read and that may answer alerts.
fn public_site() -> Site {
    let restricted = Restricted {
        tokens: vec![token("read", &[Scope::Read]), token("answer", &[Scope::Read, Scope::Alert])],
        public: vec!["/".to_owned()],
        ..Restricted::default()
    };
    let rules = Rules { admission: Admission::Restricted(restricted), ..Rules::default() };
    let mut alert = on(tank_low(), &["tank", "weather"], AlertState::Firing);
    alert.subjects[0].state = AlertState::Acknowledged;
    let incident = Arc::make_mut(alert.subjects[0].incident.as_mut().unwrap());
    incident.acknowledged = Some(Acknowledgement { by: "anna".into(), at: at(-600) });
    let mut server =
        on(everywhere("notifications_waiting", Severity::Info), &["x"], AlertState::Firing);
    server.subjects[0].key.source = None;
    server.subjects[0].evidence.detail = Some("phone: the server answers 503".into());
    alerting_site_under(
        vec![tank(), weather()],
        rules,
        AlertsHandle::fixed(view(vec![alert, server])),
        channels(vec![failing_channel("the server answers 503", DeliveryFault::Transient)]),
    )
}

#[test]
fn buttons_are_shown_to_those_who_may_answer_and_names_and_channels_to_accounts() {
    let site = public_site();
    // Twice, so that each page is also taken from the cache.
    for _ in 0..2 {
        for (target, token, buttons, names) in [
            ("/", "", false, false),
            ("/source/tank", "read", false, true),
            ("/source/tank", "answer", true, true),
            ("/alerts", "read", false, true),
            ("/alerts", "answer", true, true),
            ("/alert/tank_low", "read", false, true),
            ("/alert/tank_low", "answer", true, true),
        ] {
            let bearer = format!("Bearer {token}");
            let fields = [(AUTHORIZATION.as_str(), bearer.as_str())];
            let response = get(&site, target, if token.is_empty() { &[] } else { &fields });
            let html = text(&response);
            assert_eq!(response.status(), 200, "{target} {token}");
            assert_eq!(html.contains("<form class=\"answers\""), buttons, "{target} {token}");
            assert_eq!(html.contains("anna"), names, "{target} {token}");
            assert_eq!(html.contains("503"), names, "{target} {token}");
        }
    }
}

#[test]
fn forms_lead_to_the_commands_and_return_to_their_page() {
    for (target, root, next) in [
        ("/", "./", "%2F"),
        ("/source/tank", "../", "%2Fsource%2Ftank"),
        ("/alerts", "./", "%2Falerts"),
    ] {
        let html = page(view(vec![tank_is_low()]), target);
        for action in [
            format!("{root}api/v1/alerts/tank_low/acknowledge?source=tank&amp;next={next}"),
            format!("{root}api/v1/alerts/tank_low/silence?for=8h&amp;next={next}"),
        ] {
            assert!(html.contains(&format!("formaction=\"{action}\"")), "{action}: {html}");
        }
    }
    let own = page(view(vec![tank_is_low()]), "/alert/tank_low");
    for length in ["1h", "8h", "1d", "7d"] {
        assert!(
            own.contains(&format!("silence?for={length}&amp;next=%2Falert%2Ftank_low")),
            "{own}"
        );
    }
}

#[test]
fn next_request_shows_a_new_view_and_the_result_of_a_command() {
    let few = vec![tank(), weather()];
    let many: Vec<SourceView> =
        (0..40).map(|number| waiting(&format!("s{number}"), "json")).chain([tank()]).collect();
    for sources in [few, many] {
        let alerts = handle(view(vec![tank_is_low()]), no_past());
        let site = alerting_site(sources, alerts);
        let targets = ["/", "/source/tank", "/alerts", "/alert/tank_low"];
        let shown = |target: &str| text(&get(&site, target, &[])).contains("by anonymous");
        assert_eq!(targets.map(shown), [false; 4]);
        let command = crate::alert::Command::Silence {
            alert: "none".into(),
            length: std::time::Duration::from_secs(1),
            by: "anna".into(),
        };
        assert_eq!(site.context.alerts.command(command).unwrap_err(), CommandError::UnknownAlert);
        let post =
            crate::site::fixture::request("POST", "/api/v1/alerts/tank_low/acknowledge", &[]);
        let activity = crate::engine::Activity::default();
        assert_eq!(site.answer(&post, at(0), &activity).1.status(), 200);
        assert_eq!(targets.map(shown), [true; 4]);
    }
    let alerts = AlertsHandle::fixed(view(vec![tank_low()]));
    let site = alerting_site(vec![tank()], alerts.clone());
    for target in ["/", "/source/tank", "/alerts", "/alert/tank_low"] {
        assert!(!text(&get(&site, target, &[])).contains("1 alert fires"), "{target}");
    }
    alerts.replace(AlertsView { version: 2, ..view(vec![tank_is_low()]) });
    for target in ["/", "/source/tank", "/alerts"] {
        assert!(text(&get(&site, target, &[])).contains("1 alert fires"), "{target}");
    }
    assert!(text(&get(&site, "/alert/tank_low", &[])).contains("It fires."));
}

#[test]
fn page_of_an_alert_has_its_incidents_also_while_the_file_cannot_be_read() {
    let past = ended(&tank_low(), 7, -86_400);
    let readable = {
        let past = past.clone();
        handle(view(vec![tank_is_low()]), Arc::new(move |_: &str, _| Ok(vec![past.clone()])))
    };
    let site = alerting_site(vec![tank()], readable);
    let html = words(text(&get(&site, "/alert/tank_low", &[])));
    assert!(html.contains("Cistern: Volume below 300 gal"), "{html}");
    assert!(html.contains("CisternSat 31 Jan 2026, 16:20fires290 gal, then 280 gal"), "{html}");
    assert!(html.contains("Fri 30 Jan 2026, 17:0515 minutes290 gal"), "{html}");
    let recent = AlertsView { recent: [past].into(), ..view(vec![tank_low()]) };
    let broken = handle(recent, Arc::new(|_: &str, _| Err(PastError("damaged".into()))));
    let html = words(text(&get(&alerting_site(vec![tank()], broken), "/alert/tank_low", &[])));
    assert!(html.contains("The earlier incidents cannot be read at the moment."), "{html}");
    assert!(html.contains("Fri 30 Jan 2026, 17:05"), "{html}");
    let site = alerting_site(vec![tank()], AlertsHandle::fixed(view(vec![tank_low()])));
    assert!(text(&get(&site, "/alert/tank_low", &[])).contains("It has not fired yet."));
    assert_eq!(get(&site, "/alert/none", &[]).status(), 404);
}

#[test]
fn all_alerts_are_listed_the_worst_first() {
    let pending = on(everywhere("pending", Severity::Info), &["weather"], AlertState::Pending);
    let faulty = AlertView {
        fault: Some("level is a share".into()),
        ..everywhere("faulty", Severity::Critical)
    };
    let recent = [ended(&tank_low(), 7, -60)].into();
    let alerts = AlertsView { recent, ..view(vec![faulty, pending, tank_is_low()]) };
    let html = page(alerts, "/alerts");
    let place = |name: &str| html.find(&format!("<tr data-key=\"{name}\"")).unwrap();
    assert!(place("tank_low") < place("pending") && place("pending") < place("faulty"), "{html}");
    let text = words(&html);
    assert!(text.contains("cannot be applied: level is a share"), "{text}");
    assert!(text.contains("Latest incidents that have ended"), "{text}");
    assert!(page(AlertsView::default(), "/alerts").contains("No alert is configured."));
}

#[test]
fn channel_that_fails_is_a_notice_and_one_that_waits_is_none() {
    let page = |status: ChannelStatus| {
        let alerts = AlertsHandle::fixed(view(vec![tank_low()]));
        let site =
            alerting_site_under(vec![tank()], Rules::default(), alerts, channels(vec![status]));
        words(text(&get(&site, "/", &[])))
    };
    let failing = failing_channel("the server answers 503", DeliveryFault::Transient);
    let html = page(failing.clone());
    let expected = "3 messages waiting since 16:20 (phone: the server answers 503)";
    assert!(html.contains(expected), "{html}");
    let refused = failing_channel("401", DeliveryFault::Refused);
    let refused = ChannelStatus { waiting: 0, oldest: None, ..refused };
    let html = page(refused);
    assert!(html.contains("Messages are refused since 15:20 (phone: 401). The server's"), "{html}");
    let stall = Some("max_per_hour, 60, is used up".into());
    let stalled = page(ChannelStatus { failure: None, stall, ..failing.clone() });
    let expected = "3 messages waiting since 16:20 (phone: max_per_hour, 60, is used up)";
    assert!(stalled.contains(expected), "{stalled}");
    let loss = Some(ChannelFailure {
        since: at(-60),
        fault: DeliveryFault::Undeliverable,
        message: "422".into(),
    });
    let lossy =
        ChannelStatus { loss, dropped: 2, name: "phone".into(), ..ChannelStatus::default() };
    let html = page(lossy);
    let expected = "2 messages were dropped, the latest at 17:19 (phone: 422)";
    assert!(html.contains(expected), "{html}");
    for idle in [
        ChannelStatus { failure: None, ..failing.clone() },
        ChannelStatus { waiting: 0, oldest: None, ..failing },
    ] {
        let html = page(idle);
        assert!(!html.contains("phone"), "{html}");
    }
}

#[test]
fn chart_has_a_line_at_the_threshold_that_screen_readers_get() {
    let recorded = recorded_site("Cistern");
    let level = |threshold: f64| {
        let mut alert = tank_low();
        let mut rule = (*alert.rule).clone();
        rule.rule = crate::config::AlertRule::Field {
            sources: SourceSelection::All,
            field: "level".into(),
            condition: crate::config::FieldCondition::Below {
                threshold: crate::config::Limit { number: threshold, unit: None },
                clear: None,
            },
        };
        alert.rule = Arc::new(rule);
        alert
    };
    let alerts = AlertsHandle::fixed(view(vec![level(45.0)]));
    let site = recorded.site.with_alerts(alerts.clone(), channels(Vec::new()));
    let near = text(&get(&site, "/source/tank", &[])).to_owned();
    assert_eq!(near.matches("<line class=\"threshold\"").count(), 2, "in both sizes: {near}");
    assert!(near.contains("Alerts fire below 45% (tank_low)."), "{near}");
    // Another rule is another chart, though nothing new was recorded.
    alerts.replace(AlertsView { version: 2, ..view(vec![level(-500.0)]) });
    let far = text(&get(&site, "/source/tank", &[])).to_owned();
    assert_eq!(far.matches("<line class=\"threshold\"").count(), 0, "{far}");
    assert_eq!(far.matches("↓ below −500%").count(), 2, "{far}");
    let axis = |html: &str| html.split("data-low=\"").nth(1).unwrap()[..3].to_owned();
    assert_eq!(axis(&far), axis(&near), "a far threshold does not flatten the curve");
    let picture = get(&site, "/chart/tank.level.svg", &[]);
    assert!(text(&picture).contains("↓ below −500%"), "{}", text(&picture));
}
