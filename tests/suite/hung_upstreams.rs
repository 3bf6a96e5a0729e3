//! Upstreams that accept connections and never answer: every route of the site answers.

use std::collections::BTreeSet;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use serde_json::json;

use crate::harness::eventually;
use crate::server::{Server, body, code, json};

const HISTORY: &str = "/api/v1/history?field=well.pressure&hours=1";

/// A request for each operation of the OpenAPI document, and its status while every upstream hangs:
/// method, path of the document, target, status codes. A poll too soon after another gets 429.
const OPERATIONS: &[(&str, &str, &str, &[u16])] = &[
    ("get", "/", "/", &[200]),
    ("get", "/group/{group}", "/group/valley/north", &[200]),
    ("get", "/source/{source}", "/source/well", &[200]),
    ("get", "/chart/{source}.{field}.svg", "/chart/well.pressure.svg", &[200]),
    ("get", "/api/v1/status", "/api/v1/status", &[200]),
    ("get", "/api/v1/sources", "/api/v1/sources", &[200]),
    ("get", "/api/v1/sources/{source}", "/api/v1/sources/well", &[200]),
    ("post", "/api/v1/sources/{source}/poll", "/api/v1/sources/well/poll", &[202, 429]),
    ("get", "/api/v1/values/{source}.{field}", "/api/v1/values/well.pressure", &[200]),
    ("get", "/api/v1/values/{source}.{field}.txt", "/api/v1/values/well.pressure.txt", &[200]),
    ("get", "/api/v1/history", HISTORY, &[200]),
    ("get", "/api/v1/events", "/api/v1/events", &[200]),
    ("get", "/alerts", "/alerts", &[200]),
    ("get", "/alert/{alert}", "/alert/silent", &[200]),
    ("get", "/api/v1/alerts", "/api/v1/alerts", &[200]),
    ("get", "/api/v1/alerts/{alert}", "/api/v1/alerts/silent", &[200]),
    ("post", "/api/v1/alerts/{alert}/acknowledge", "/api/v1/alerts/silent/acknowledge", &[409]),
    ("post", "/api/v1/alerts/{alert}/silence", "/api/v1/alerts/silent/silence?for=1h", &[200]),
    ("post", "/api/v1/alerts/{alert}/unsilence", "/api/v1/alerts/silent/unsilence", &[200]),
    ("get", "/openapi.json", "/openapi.json", &[200]),
    ("get", "/ping", "/ping", &[200]),
    ("get", "/healthz", "/healthz", &[200]),
    ("get", "/readyz", "/readyz", &[503]),
    ("get", "/assets/{name}", "", &[200]),
    ("get", "/favicon.ico", "/favicon.ico", &[200]),
    ("get", "/robots.txt", "/robots.txt", &[200]),
    ("get", "/login", "/login", &[303]),
    ("post", "/login", "/login", &[303]),
    ("post", "/logout", "/logout", &[303]),
];

/// Returns method and path of each operation in the OpenAPI document of the server, without HEAD
/// and OPTIONS, which every route has.
fn documented(server: &Server) -> BTreeSet<(String, String)> {
    let document = json(&server.get("/openapi.json"));
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
    });
    operations.filter(|(method, _)| ["get", "post"].contains(&method.as_str())).collect()
}

/// Returns the target of an asset that the page links to.
fn asset(server: &Server) -> String {
    let page = server.get("/");
    let (_, rest) = page.split_once("/assets/").expect("the page links to an asset");
    let name = rest.split('"').next().unwrap();
    format!("/assets/{name}")
}

fn source(name: &str, upstream: &Upstream) -> Source {
    Source::json(name, &upstream.url())
        .value("pressure", "/pressure", "inHg")
        .set("interval", "1s")
        .set("timeout", "500ms")
}

#[test]
fn every_route_under_hung_upstreams_answers_and_adds_no_thread() {
    let well = Upstream::answering(r#"{"pressure": 29.92}"#);
    let spring = Upstream::hung();
    let config = Config::https()
        .set("history.flush", "200ms")
        .source(source("well", &well).set("group", "valley/north"))
        .source(source("spring", &spring))
        .push("alert", json!({ "name": "silent", "source": "well", "failing": "1h" }));
    let server = Server::start(&config);
    server.eventually_status("the well has answered", |status| {
        status["sources"]["well"]["state"] == "fresh"
    });
    eventually("its value is recorded", || code(&server.get(HISTORY)) == 200);

    well.set(None);
    let status = server.eventually_status("both have failed", |status| {
        let failures = |name: &str| status["sources"][name]["error"]["failures"].as_u64();
        failures("well") >= Some(1) && failures("spring") >= Some(1)
    });
    let source_status = &status["sources"]["well"];
    assert_eq!(source_status["values"]["pressure"]["value"], 29.92, "the last good value is kept");
    assert_eq!(source_status["error"]["kind"], "timeout");
    assert_eq!(status["sources"]["spring"]["state"], "waiting");

    let threads = server.status_line("Threads");
    let (well_before, spring_before) = (well.connections(), spring.connections());
    eventually("each source has been polled again", || {
        well.connections() > well_before && spring.connections() > spring_before
    });
    let tried: BTreeSet<(String, String)> = OPERATIONS
        .iter()
        .map(|(method, path, ..)| (method.to_string(), path.to_string()))
        .collect();
    assert_eq!(tried, documented(&server), "OPERATIONS differ from the OpenAPI document");
    let asset = asset(&server);
    for (method, _, target, expected) in OPERATIONS {
        let target = if target.is_empty() { &asset } else { *target };
        let method = method.to_ascii_uppercase();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let response = server.ask(&request);
        assert!(expected.contains(&code(&response)), "{method} {target}: {response}");
    }
    assert_eq!(code(&server.get("/nowhere")), 404);
    assert_eq!(server.status_line("Threads"), threads, "a hung upstream added a thread");

    let page = server.get("/");
    assert!(body(&page).contains("29.92"), "{page}");
    assert!(body(&page).contains("<time datetime="), "a reading has no age: {page}");
    let problem = json(&server.get("/api/v1/status?max_age=0"));
    assert_eq!(problem["status"], 503);

    spring.set(Some(r#"{"pressure": 30.01}"#));
    server.eventually_status("a recovered upstream is fresh again", |status| {
        status["sources"]["spring"]["state"] == "fresh"
    });
}
