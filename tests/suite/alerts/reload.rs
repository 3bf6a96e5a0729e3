//! Reloads: rules that did not change keep their incidents, and channels and the heartbeat come and go.

use hostile::receiver::{AlertmanagerReceiver, HttpAnswer, HttpReceiver};
use hostile::upstream::Upstream;
use serde_json::{Value, json};

use super::{FULL, LOW, config, of_rule, tank, tank_low, wait_for_state, webhook};
use crate::harness::eventually;
use crate::server::{Server, json};

/// Returns the messages of a receiver about the alert on `tank`, in order: `fires` and `over`, each with the incident.
fn received(receiver: &AlertmanagerReceiver) -> Vec<(String, String)> {
    let posted = of_rule(receiver.posted(), "tank_low").into_iter();
    posted
        .map(|it| (if it.is_resolved { "over" } else { "fires" }.to_owned(), it.incident))
        .collect()
}

fn fires(incident: &Value) -> (String, String) {
    ("fires".to_owned(), incident.as_str().unwrap().to_owned())
}

fn over(incident: &Value) -> (String, String) {
    ("over".to_owned(), incident.as_str().unwrap().to_owned())
}

#[test]
fn reload_keeps_the_incident_of_an_unchanged_rule_and_withdraws_that_of_a_changed_one() {
    let receiver = AlertmanagerReceiver::start(None);
    // The body about an end may have the incident that fires already.
    let received = |receiver: &AlertmanagerReceiver| {
        let mut messages = received(receiver);
        messages.dedup();
        messages
    };
    let upstream = Upstream::answering(LOW);
    let hook = || webhook("hook", receiver.address());
    let config = config(&upstream, [hook()]);
    let server = Server::start(&config);
    let first = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the fire", || received(&receiver) == [fires(&first)]);

    // Another rule, and other keys of channels and messages.
    let mut renamed = hook();
    renamed["timeout"] = "3s".into();
    let other = json!({ "name": "tank_stale", "source": "tank", "stale": true });
    let kept = super::config(&upstream, [renamed]).set("site.title", "North").push("alert", other);
    server.reload(&kept);
    server.eventually_status("it is polled", |it| it["sources"]["tank"]["state"] == "fresh");
    assert_eq!(super::shown(&server)["incident"], first);

    // A restart.
    let mut server = server;
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let server = server.start_again(&kept);
    assert_eq!(wait_for_state(&server, "firing")["incident"], first);

    // Another threshold: the incident is withdrawn, and another one begins.
    let mut changed = tank_low();
    changed["below"] = "45 %".into();
    let with_rule = |rule: Option<Value>| {
        let config = hostile::config::Config::https().source(tank(&upstream));
        let config = config.set("history.flush", "200ms").push("notify", hook());
        rule.into_iter().fold(config, |config, rule| config.push("alert", rule))
    };
    server.reload(&with_rule(Some(changed)));
    let mut second = Value::Null;
    eventually("another incident", || {
        second = super::shown(&server)["incident"].clone();
        second.is_string() && second != first
    });
    eventually("one message about the end, and one about the begin", || {
        received(&receiver).len() >= 3
    });
    assert_eq!(received(&receiver), [fires(&first), over(&first), fires(&second)]);
    let ended = json(&server.get("/api/v1/alerts/tank_low"))["incidents"][1].clone();
    assert_eq!((&ended["id"], &ended["end_reason"]), (&first, &json!("withdrawn")));

    // The rule is removed.
    server.reload(&with_rule(None));
    eventually("the end", || received(&receiver).len() >= 4);
    assert_eq!(received(&receiver)[3], over(&second));
    assert_eq!(super::shown(&server), Value::Null);
    upstream.set(Some(FULL));
    server.eventually_status("it is full", |it| {
        it["sources"]["tank"]["values"]["level"]["value"] == 90.0
    });
    assert_eq!(received(&receiver).len(), 4, "{:?}", received(&receiver));
}

#[test]
fn rule_changed_while_the_server_was_stopped_is_withdrawn_at_the_start() {
    let receiver = AlertmanagerReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let before = config(&upstream, [webhook("hook", receiver.address())]);
    let server = Server::start(&before);
    let first = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the fire", || received(&receiver) == [fires(&first)]);
    server.signal("KILL");
    let mut changed = tank_low();
    changed["severity"] = "critical".into();
    changed["below"] = "5 %".into();
    changed["clear"] = "6 %".into();
    let after = hostile::config::Config::https()
        .source(tank(&upstream))
        .push("notify", webhook("hook", receiver.address()))
        .push("alert", changed);
    let server = server.start_again(&after);
    eventually("one message about the end", || received(&receiver).len() >= 2);
    wait_for_state(&server, "inactive");
    assert_eq!(received(&receiver), [fires(&first), over(&first)]);
}

#[test]
fn channel_that_is_added_removed_or_renamed_gets_what_is_its_own() {
    let [one, two] = [AlertmanagerReceiver::start(None), AlertmanagerReceiver::start(None)];
    let upstream = Upstream::answering(LOW);
    let first = || webhook("one", one.address());
    let server = Server::start(&config(&upstream, [first()]));
    let incident = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the fire", || received(&one) == [fires(&incident)]);

    // An added channel does not know of the incident, and hears of the next one.
    server.reload(&config(&upstream, [first(), webhook("two", two.address())]));
    assert_eq!(super::shown(&server)["incident"], incident);
    upstream.set(Some(FULL));
    eventually("the end", || received(&one) == [fires(&incident), over(&incident)]);
    upstream.set(Some(LOW));
    let next = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the next one", || received(&two) == [fires(&next)]);

    // A removed channel gets nothing more. A renamed one is another one, and hears of what no other one knows.
    server.reload(&config(&upstream, [webhook("three", two.address())]));
    assert_eq!(super::shown(&server)["incident"], next);
    eventually("the fire again", || received(&two) == [fires(&next), fires(&next)]);
    upstream.set(Some(FULL));
    wait_for_state(&server, "inactive");
    upstream.set(Some(LOW));
    let last = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the last one", || received(&two).last() == Some(&fires(&last)));
    assert_eq!(received(&one).len(), 3, "{:?}", received(&one));
    assert_eq!(received(&two), [fires(&next), fires(&next), over(&next), fires(&last)]);
}

#[test]
fn messages_of_a_channel_that_is_removed_are_logged_and_the_incident_is_announced_elsewhere() {
    let receiver = AlertmanagerReceiver::start(None);
    receiver.answer(HttpAnswer::Fails { status: "401 Unauthorized", retry_after: None });
    let upstream = Upstream::answering(LOW);
    let with = |name: &str| config(&upstream, [webhook(name, receiver.address())]);
    let server = Server::start(&with("one"));
    let incident = wait_for_state(&server, "firing")["incident"].clone();
    server.wait_for_log("channel one: cannot send: ");
    receiver.answer(HttpAnswer::Takes);
    server.reload(&with("two"));
    server.wait_for_log(
        "channel one does not exist any more; messages that it had not sent are dropped: 1",
    );
    eventually("the fire", || received(&receiver) == [fires(&incident)]);

    // Also over a restart.
    receiver.answer(HttpAnswer::Fails { status: "401 Unauthorized", retry_after: None });
    upstream.set(Some(FULL));
    server.wait_for_log("channel two: cannot send: ");
    let mut server = server;
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let server = server.start_again(&with("three"));
    server.wait_for_log(
        "channel two does not exist any more; messages that it had not sent are dropped: 1",
    );
}

#[test]
fn message_that_is_rejected_holds_up_no_other_and_is_shown() {
    let receiver = AlertmanagerReceiver::start(None);
    receiver.answer(HttpAnswer::Fails { status: "400 Bad Request", retry_after: None });
    let upstream = Upstream::answering(LOW);
    let server = Server::start(&config(&upstream, [webhook("hook", receiver.address())]));
    let incident = wait_for_state(&server, "firing")["incident"].clone();
    server.wait_for_log("channel hook: a message of 1 notices is not taken: ");
    eventually("the page", || server.get("/").contains("1 message waiting since "));
    let metrics = server.admin_get("/metrics");
    assert!(metrics.contains("{channel=\"hook\",outcome=\"dropped\"} 0\n"), "{metrics}");
    receiver.answer(HttpAnswer::Takes);
    server.signal_and_wait("HUP", &["reloaded: nothing changed"]);
    eventually("the message", || received(&receiver) == [fires(&incident)]);
}

#[test]
fn hup_repeats_a_message_that_was_refused() {
    let receiver = AlertmanagerReceiver::start(None);
    // A channel that refuses is tried again after an hour.
    receiver.answer(HttpAnswer::Fails { status: "401 Unauthorized", retry_after: None });
    let upstream = Upstream::answering(LOW);
    let server = Server::start(&config(&upstream, [webhook("hook", receiver.address())]));
    server.wait_for_log("channel hook: cannot send: ");
    receiver.answer(HttpAnswer::Takes);
    server.signal_and_wait("HUP", &["reloaded: nothing changed"]);
    eventually("the message", || received(&receiver).len() == 1);
    server.wait_for_log("channel hook: messages are sent again");
}

#[test]
fn heartbeat_is_a_get_while_everything_works_and_follows_reloads() {
    let switches = [(); 2].map(|()| HttpReceiver::start(|_| Ok(String::new()), None));
    let upstream = Upstream::answering(FULL);
    let with = |switch: Option<&HttpReceiver>| {
        let config = config(&upstream, []);
        switch.into_iter().fold(config, |config, switch| {
            let url = format!("http://{}/ping/1234-5678", switch.address());
            config.set("heartbeat.url", url).set("heartbeat.every", "10s")
        })
    };
    let server = Server::start(&with(Some(&switches[0])));
    eventually("a ping", || !switches[0].taken().is_empty());
    let ping = &switches[0].taken()[0];
    assert_eq!((&*ping.line, ping.body.len()), ("GET /ping/1234-5678", 0));
    server.reload(&with(Some(&switches[1])));
    eventually("a ping of the other switch", || !switches[1].taken().is_empty());
    assert!(switches[0].taken().len() <= 2);
    server.reload(&with(None));
    assert!(server.serves());
}
