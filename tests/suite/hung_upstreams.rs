//! All upstreams accept and never answer: what visitors see is served all the same.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::harness::eventually;
use crate::server::{Server, body, code, json};

const ROUTES: &[(&str, u16)] = &[
    ("/", 200),
    ("/ping", 200),
    ("/healthz", 200),
    ("/readyz", 503),
    ("/api/v1/status", 200),
    ("/api/v1/sources", 200),
    ("/api/v1/sources/well", 200),
    ("/api/v1/values/well.pressure", 200),
    ("/api/v1/values/well.pressure.txt", 200),
    ("/api/v1/status?max_age=0", 503),
    ("/source/well", 200),
    ("/api/v1/events", 200),
    ("/openapi.json", 200),
    ("/nowhere", 404),
];

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
    let config = Config::https().source(source("well", &well)).source(source("spring", &spring));
    let server = Server::start(&config);
    server.eventually_status("the well has answered", |status| {
        status["sources"]["well"]["state"] == "fresh"
    });

    well.set(None);
    let status = server.eventually_status("both have failed", |status| {
        let failures = |name: &str| status["sources"][name]["error"]["failures"].as_u64();
        failures("well") >= Some(1) && failures("spring") >= Some(1)
    });
    let told = &status["sources"]["well"];
    assert_eq!(told["values"]["pressure"]["value"], 29.92, "the last good value is kept");
    assert_eq!(told["error"]["kind"], "timeout");
    assert_eq!(status["sources"]["spring"]["state"], "waiting");

    let threads = server.status_line("Threads");
    let (well_before, spring_before) = (well.connections(), spring.connections());
    eventually("each has been polled again and hung", || {
        well.connections() > well_before && spring.connections() > spring_before
    });
    for (route, expected) in ROUTES {
        let response = server.get(route);
        assert_eq!(code(&response), *expected, "{route}: {response}");
    }
    assert_eq!(server.status_line("Threads"), threads, "a hung upstream holds its own thread only");

    let page = server.get("/");
    assert!(body(&page).contains("29.92"), "{page}");
    assert!(body(&page).contains("<time datetime="), "each reading tells its age: {page}");
    let problem = json(&server.get("/api/v1/status?max_age=0"));
    assert_eq!(problem["status"], 503);

    spring.set(Some(r#"{"pressure": 30.01}"#));
    server.eventually_status("a healed upstream is fresh again", |status| {
        status["sources"]["spring"]["state"] == "fresh"
    });
}
