//! Alerts and channels on the admin listener.

use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_channel::bounded;
use serde_json::Value;

use super::fixture::{ALERT_TOKEN, READ_TOKEN, TestAdmin, channel, get, post, view};
use super::{Alerting, ChannelTester};
use crate::access::FailureReason;
use crate::alert::{AlertsHandle, Command, CommandError};
use crate::notify::{DeliveryError, DeliveryFault, TestFailure};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const ACKNOWLEDGE: &str = "/api/v1/alerts/leak/acknowledge";
const TEST: &str = "/api/v1/channels/phone/test";

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Commands that reached the alerts.
type Commands = Arc<Mutex<Vec<Command>>>;

/// Returns an admin listener whose alerts record commands, and refuse those for alerts that do not fire.
fn start() -> (TestAdmin, Commands) {
    start_with(Arc::new(|name| match name {
        "phone" => Ok(()),
        _ => Err(TestFailure::UnknownChannel),
    }))
}

fn start_with(tester: ChannelTester) -> (TestAdmin, Commands) {
    let commands = Commands::default();
    let seen = Arc::clone(&commands);
    let answer = move |command: Command, _: &mut _| {
        let is_idle = matches!(&command, Command::Acknowledge { alert, .. } if **alert == *"idle");
        seen.lock().unwrap().push(command);
        if is_idle { Err(CommandError::NotFiring) } else { Ok(()) }
    };
    let alerts = AlertsHandle::answering(view(2), answer, Arc::new(|_, _| Ok(Vec::new())));
    let channels = Arc::new(|| [channel("phone"), channel("mail")].into());
    let alerting = Alerting { alerts, channels, ..Alerting::default() };
    (TestAdmin::start(alerting, tester), commands)
}

#[test]
fn alerts_and_channels_are_read_without_a_token() {
    let (admin, _) = start();
    for (target, expected) in [
        ("/api/v1/alerts", 200),
        ("/api/v1/alerts/leak", 200),
        ("/api/v1/alerts/nowhere", 404),
        ("/api/v1/channels", 200),
        ("/api/v1/channels/phone", 404),
        ("/api/v1/status", 404),
    ] {
        let answer = admin.ask(&get(target));
        assert_eq!(answer.code, expected, "{target}: {answer:?}");
        assert_eq!(admin.ask_socket(&get(target)).code, expected, "{target}");
    }
    let channels: Value = serde_json::from_str(&admin.ask(&get("/api/v1/channels")).body).unwrap();
    let phone = &channels["channels"][0];
    assert_eq!((&phone["channel"], &phone["kind"]), (&"phone".into(), &"ntfy".into()));
    assert_eq!((&phone["waiting"], &phone["sent"]), (&2.into(), &7.into()));
    assert_eq!(phone["oldest"], "2026-01-31T16:40:00Z");
    assert_eq!(phone["failure"]["kind"], "refused");
    let foreign = get("/api/v1/alerts").replace("localhost", "evil.example");
    assert_eq!(admin.ask(&foreign).code, 421);
}

#[test]
fn command_over_tcp_needs_a_token_a_content_type_and_no_browser() {
    let (admin, commands) = start();
    let (good, read) = (bearer(ALERT_TOKEN), bearer(READ_TOKEN));
    let auth = |value| ("Authorization", value);
    for target in
        [ACKNOWLEDGE, "/api/v1/alerts/leak/silence?for=8h", "/api/v1/alerts/leak/unsilence", TEST]
    {
        let long = format!("{{{}}}", " ".repeat(super::writes::BODY_LIMIT));
        for (fields, body, expected) in [
            (&[JSON][..], "", 401),
            (&[JSON, auth("Bearer pumphouse_other")], "", 401),
            (&[JSON, auth("Basic YTpi")], "", 401),
            (&[JSON, auth(&read)], "", 403),
            (&[JSON, auth(&good), ("Origin", "http://localhost:6480")], "", 403),
            (&[JSON, auth(&good), ("Sec-Fetch-Site", "cross-site")], "", 403),
            (&[JSON, auth(&good), ("Sec-Fetch-Site", "same-site")], "", 403),
            (&[auth(&good)], "", 415),
            (&[auth(&good), ("Content-Type", "text/plain")], "", 415),
            (&[auth(&good), ("Content-Type", "application/x-www-form-urlencoded")], "", 415),
            (&[auth(&good), JSON, JSON], "", 415),
            (&[auth(&good), JSON], "{\"for\":\"8h\"}", 400),
            (&[auth(&good), JSON], "x", 400),
            (&[auth(&good), JSON], &long, 413),
        ] {
            let answer = admin.ask(&post(target, fields, body));
            assert_eq!(answer.code, expected, "{target} {fields:?}: {answer:?}");
            let is_challenged = answer.head.contains("www-authenticate: bearer");
            let is_about_the_token = matches!(expected, 401) || fields.contains(&auth(&read));
            assert_eq!(is_challenged, is_about_the_token, "{answer:?}");
            if expected == 401 {
                assert!(answer.body.contains("pumphouse-web token new"), "{answer:?}");
                assert!(answer.body.contains("admin_listen"), "{answer:?}");
            }
        }
        let foreign = post(target, &[JSON, auth(&good)], "").replace("localhost", "evil.example");
        assert_eq!(admin.ask(&foreign).code, 421);
        let answer = admin.ask(&get(target));
        assert_eq!(answer.code, 405, "a GET changes nothing");
        assert!(answer.head.contains("allow: post"), "{answer:?}");
    }
    assert_eq!(*commands.lock().unwrap(), []);
    let stats = admin.gate.stats();
    let counted = [FailureReason::Token, FailureReason::Scope, FailureReason::CrossSite];
    assert_eq!(counted.map(|reason| stats.failures(reason)), [4, 4, 12]);
}

#[test]
fn command_is_carried_out_by_the_holder_of_the_token_or_the_user_of_the_socket() {
    let (admin, commands) = start();
    let good = bearer(ALERT_TOKEN);
    let sent = [JSON, ("Authorization", &*good), ("Accept", "text/html")];
    let user = format!("uid {}", rustix::process::geteuid().as_raw());
    for (target, body) in [
        ("/api/v1/alerts/leak/acknowledge", ""),
        ("/api/v1/alerts/dry/acknowledge?source=s1", "{}"),
        ("/api/v1/alerts/leak/silence?for=8h", " { } "),
        ("/api/v1/alerts/leak/unsilence", ""),
    ] {
        let answer = admin.ask(&post(target, &sent, body));
        assert_eq!(answer.code, 200, "{target}: {answer:?}");
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(json["alerts"][0]["name"].is_string(), "{json}");
        assert_eq!(admin.ask_socket(&post(target, &[JSON], body)).code, 200, "{target}");
    }
    let by = |command: &Command| match command {
        Command::Acknowledge { by, .. } => by.to_string(),
        other => format!("{other:?}"),
    };
    let seen: Vec<String> = commands.lock().unwrap().iter().map(by).collect();
    assert_eq!(seen.len(), 8);
    assert_eq!((&*seen[0], &*seen[2]), ("phone", "phone"));
    assert!(seen[1].starts_with(&user) && seen[3].starts_with(&user), "{seen:?}");
    for (target, expected) in [
        ("/api/v1/alerts/idle/acknowledge", 409),
        ("/api/v1/alerts/nowhere/acknowledge", 404),
        ("/api/v1/alerts/leak/silence", 400),
        ("/api/v1/alerts/leak/silence?for=soon", 400),
    ] {
        let answer = admin.ask_socket(&post(target, &[JSON], ""));
        assert_eq!(answer.code, expected, "{target}: {answer:?}");
    }
}

#[test]
fn test_of_a_channel_reports_the_delivery() {
    let (admin, _) = start_with(Arc::new(|name| match name {
        "phone" => Ok(()),
        "mail" => Err(TestFailure::Delivery(DeliveryError::new(
            DeliveryFault::Refused,
            "535 authentication failed",
        ))),
        "slow" => Err(TestFailure::Busy),
        _ => Err(TestFailure::UnknownChannel),
    }));
    for (channel, expected, said) in [
        ("phone", 200, "sent"),
        ("mail", 502, "535 authentication failed"),
        ("slow", 503, "busy"),
        ("nowhere", 404, "no channel of that name"),
    ] {
        let target = format!("/api/v1/channels/{channel}/test");
        let answer = admin.ask_socket(&post(&target, &[JSON], ""));
        assert_eq!(answer.code, expected, "{answer:?}");
        assert!(answer.body.contains(said), "{answer:?}");
    }
}

#[test]
fn test_that_waits_leaves_all_other_pages() {
    let (entered, waits) = bounded::<()>(0);
    let (release, released) = bounded::<()>(0);
    let (admin, _) = start_with(Arc::new(move |_| {
        let _ = entered.send(());
        let _ = released.recv();
        Ok(())
    }));
    thread::scope(|scope| {
        let test = || admin.ask_socket(&post(TEST, &[JSON], ""));
        let first = scope.spawn(test);
        waits.recv().unwrap();
        let second = test();
        assert_eq!(second.code, 503, "{second:?}");
        assert!(second.head.contains("retry-after"), "{second:?}");
        for target in ["/healthz", "/metrics", "/scoreboard", "/api/v1/alerts", "/api/v1/channels"]
        {
            assert_eq!(admin.ask(&get(target)).code, 200, "{target}");
        }
        let command = admin.ask_socket(&post(ACKNOWLEDGE, &[JSON], ""));
        assert_eq!(command.code, 200, "{command:?}");
        drop(release);
        assert_eq!(first.join().unwrap().code, 200);
    });
}
