//! The admin listener, apart from the public engine.

use crate::hostile::client::Client;
use crate::hostile::mode::Mode;
use crate::hostile::upstream::Upstream;
use crate::server::{Server, Setup, body, code, json};

#[test]
fn health_readiness_and_metrics() {
    let well = Upstream::answering(r#"{"pressure": 29.92}"#);
    let sources = format!(
        "[[source]]\nname = \"well\"\nkind = \"json\"\nurl = \"{}\"\ninterval = \"1s\"\n\
         [source.values.pressure]\npointer = \"/pressure\"\nunit = \"inHg\"\n",
        well.url()
    );
    let server = Server::start(&Setup { sources: &sources, ..Setup::default() });
    server.eventually_status("the well has answered", |status| {
        status["sources"]["well"]["state"] == "fresh"
    });
    assert_eq!(code(&server.get("/ping")), 200);
    assert_eq!(body(&server.admin_get("/healthz")), "ok\n");
    let metrics = server.admin_get("/metrics");
    for line in [
        "pumphouse_value{source=\"well\",field=\"pressure\",unit=\"inHg\"} 29.92",
        "pumphouse_source_state{source=\"well\",state=\"fresh\"} 1",
        "pumphouse_http_requests_total{code=\"200\",method=\"GET\",route=\"/ping\"} 1",
        "pumphouse_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(body(&metrics).lines().any(|told| told == line), "{line} is not in {metrics}");
    }
    assert!(!metrics.to_lowercase().contains("tiny-http"), "no name of a library: {metrics}");

    let nowhere = server.admin_get("/");
    assert_eq!((code(&nowhere), &json(&nowhere)["status"]), (404, &serde_json::json!(404)));
}

#[test]
fn it_answers_while_the_public_side_is_full() {
    let server = Server::start(&Setup { server: "max_connections = 20", ..Setup::default() });
    let crowd: Vec<Client> = (0..20)
        .map(|_| Client::start(Mode::Silent, server.address, &server.client).unwrap())
        .collect();
    assert_eq!(body(&server.admin_get("/healthz")), "ok\n");
    assert!(body(&server.admin_get("/metrics")).contains("pumphouse_connections_accepted_total"));
    drop(crowd);
}
