//! A dead gateway of a thousand tanks is one message, and so is its recovery.

use hostile::config::{Config, Source};
use hostile::receiver::{AlertmanagerReceiver, Front, FrontFault};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{of_rule, webhook};
use crate::harness::eventually;
use crate::server::{Server, json};

/// Number of tanks behind the gateway.
const TANKS: usize = 1000;

/// Seconds until a reading is stale.
const STALE_AFTER: i64 = 600;

fn answer(age: i64) -> String {
    format!(r#"{{"level": 50, "at": {}}}"#, Timestamp::now().as_second() - age)
}

fn tank(number: usize, url: &str) -> Source {
    Source::json(&format!("tank_{number}"), url)
        .value("level", "/level", "%")
        .observed_at_unix()
        .set("group", if number.is_multiple_of(2) { "north/a" } else { "north/b" })
        .set("interval", "10s")
        .set("stale_after", format!("{STALE_AFTER}s"))
}

#[test]
fn dead_gateway_of_a_thousand_tanks_is_one_message_and_its_recovery_another() {
    let receiver = AlertmanagerReceiver::start(None);
    // Every tank turns stale at one time, when all have been polled.
    let gateway = Upstream::answering(&answer(STALE_AFTER - 25));
    let front = Front::start(gateway.address(), None);
    let url = format!("http://{}/", front.address());
    let channel = |group_wait: &str| {
        let mut channel = webhook("hook", receiver.address());
        channel["group_wait"] = group_wait.into();
        channel
    };
    let dead = json!({ "name": "gateway_dead", "group": "north", "stale": true });
    let config = Config::https()
        .set("history.enabled", false)
        .sources((0..TANKS).map(|number| tank(number, &url)))
        .push("alert", dead);
    let server = Server::start(&config.clone().push("notify", channel("5s")));
    let count = |of: &str| -> usize {
        let all = json(&server.get("/api/v1/alerts"));
        let alerts = all["alerts"].as_array().cloned().unwrap_or_default();
        let is_meant = |it: &&Value| it["name"] == "gateway_dead" && it["state"] == of;
        alerts.iter().filter(is_meant).count()
    };
    eventually("all are fresh", || {
        let counts = server.status();
        let sources = counts["sources"].as_object().cloned().unwrap_or_default();
        sources.len() == TANKS && sources.values().all(|it| it["state"] == "fresh")
    });
    front.inject(FrontFault::DropsAfter(1));
    eventually("all fire", || count("firing") == TANKS);
    assert!(server.get("/").contains("1,000 sources"), "the page has a line for each");
    eventually("the message", || !receiver.posted().is_empty());
    let posted = of_rule(receiver.posted(), "gateway_dead");
    assert_eq!(posted.len(), TANKS, "all in one message");
    assert!(posted.iter().all(|posted| posted.body == 0 && !posted.is_resolved));

    // The recovery takes as long as an interval.
    server.reload(&config.push("notify", channel("20s")));
    assert_eq!(count("firing"), TANKS, "the reload ended incidents");
    gateway.set(Some(&answer(0)));
    front.recover();
    eventually("none fires", || count("firing") == 0);
    eventually("the message about the recovery", || {
        receiver.posted().iter().any(|posted| posted.is_resolved)
    });
    let posted = of_rule(receiver.posted(), "gateway_dead");
    assert_eq!(posted.len(), 2 * TANKS, "all in one message");
    assert!(posted[TANKS..].iter().all(|posted| posted.body == 1 && posted.is_resolved));
    assert_eq!(receiver.taken().len(), 2);
}
