//! The admin listener, apart from the public engine.

use std::io::Write as _;

use crate::hostile::client::{Client, PATIENCE, read_response};
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

#[test]
fn it_is_asked_for_by_names_of_this_machine_only() {
    let server = Server::start(&Setup::default());
    let ask = |host: &str| {
        let mut stream = std::net::TcpStream::connect(server.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        code(&String::from_utf8(read_response(&mut stream).unwrap()).unwrap())
    };
    for (host, expected) in
        [("127.0.0.1:6480", 200), ("localhost", 200), ("evil.example:6480", 421)]
    {
        assert_eq!(ask(host), expected, "{host}");
    }
}
