//! Events of sources: each is reported once, in pages of the API and on the dashboard.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use serde_json::Value;

use crate::harness::eventually;
use crate::server::{Server, body, code, json};

fn events(server: &Server, query: &str) -> Vec<Value> {
    let page = json(&server.get(&format!("/api/v1/events{query}")));
    page["events"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// Returns a response that was observed this number of seconds from now.
fn observed(seconds: i64) -> String {
    let at = Timestamp::now().as_second() + seconds;
    format!(r#"{{"at": {at}, "level": 50}}"#)
}

#[test]
fn changes_of_a_source_are_reported_once_and_in_order() {
    let (tank, other) = (Upstream::answering(&observed(-7200)), Upstream::hung());
    let sources = [("tank", &tank), ("other", &other)].map(|(name, upstream)| {
        Source::json(name, &upstream.url())
            .value("level", "/level", "%")
            .observed_at_unix()
            .set("title", format!("The {name}"))
            .set("interval", "1s")
            .set("timeout", "500ms")
            .set("stale_after", "1h")
    });
    let server = Server::start(&Config::https().sources(sources));
    let of_tank = || events(&server, "?source=tank");
    let wait_for_event = |kind: &str| {
        eventually(kind, || kinds(&of_tank()).first() == Some(&kind));
        // The polls that follow report nothing again.
        let polls = tank.connections();
        eventually("the source is polled again", || tank.connections() >= polls + 2);
    };
    wait_for_event("stale");
    // The age of an observation in the future counts from its first sight.
    tank.set(Some(&observed(3600)));
    wait_for_event("fresh");
    tank.set(None);
    wait_for_event("error_began");
    tank.set(Some(&observed(3600)));
    wait_for_event("error_ended");

    let all = of_tank();
    assert_eq!(kinds(&all), ["error_ended", "error_began", "fresh", "stale"], "{all:#?}");
    for event in &all {
        let members: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["at", "detail", "id", "kind", "source"]);
        assert_eq!(event["source"], "tank");
        let at: Timestamp = event["at"].as_str().unwrap().parse().unwrap();
        // At most an hour ago, when the source became stale.
        let age = Timestamp::now().duration_since(at).as_secs();
        assert!((0..=3600 + 600).contains(&age), "{event}");
        assert_eq!(event["at"].as_str().unwrap().len(), "2026-01-31T17:16:00Z".len());
    }
    let details: Vec<&str> = all.iter().map(|event| event["detail"].as_str().unwrap()).collect();
    assert!(details[0].contains("had failed since "), "{details:?}");
    assert_eq!(details[1], "timeout: no complete response within 0.5 s");
    assert!(details[3].starts_with("the latest observation is of "), "{details:?}");

    // Without a source, the list has all events, including those of the program.
    let whole = events(&server, "");
    assert_eq!(kinds(&events(&server, "?source=other")), ["error_began"]);
    assert_eq!(kinds(&whole).iter().filter(|kind| **kind == "started").count(), 1);
    let started = whole.iter().find(|event| event["kind"] == "started").unwrap();
    assert!(started["source"].is_null(), "{started}");
    assert_eq!(whole.len(), all.len() + 2, "{whole:#?}");
    assert_eq!(kinds(&events(&server, "?source=nobody")), [""; 0]);
    assert_eq!(code(&server.get("/api/v1/events?limit=0")), 400);

    // All pages, to the end.
    for query in ["?limit=3", "?limit=1&source=tank"] {
        let mut target = format!("/api/v1/events{query}");
        let mut found = Vec::new();
        loop {
            let page = json(&server.get(&target));
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 3);
            found.extend(events.clone());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut target),
                None => break,
            }
        }
        assert_eq!(found, if query.contains("tank") { &all[..] } else { &whole[..] }, "{query}");
    }

    let page = server.get("/");
    let list = body(&page).split_once("Recent events").expect("the list has a heading").1;
    let list = list.split_once("</section>").unwrap().0;
    let mut rest = list;
    for words in ["answers again", "cannot be reached", "is fresh again", "turned stale"] {
        let item = format!("<strong>The tank</strong> {words}");
        let (_, behind) = rest.split_once(&item).unwrap_or_else(|| panic!("no {item} in {list}"));
        assert!(!behind.contains(&item), "reported twice: {list}");
        rest = behind;
    }
    assert!(list.contains("<strong>The other</strong> cannot be reached"), "{list}");
    assert!(list.contains("The server started"), "{list}");
}
