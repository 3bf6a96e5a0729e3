//! Metrics and scoreboard of a real server under traffic, and the example files that name them.

mod examples;
mod metrics;
mod scoreboard;

use std::collections::BTreeMap;

use hostile::client::Client;
use hostile::config::{Config, Source};
use hostile::mode::Mode;
use hostile::upstream::Upstream;

use crate::server::{Server, code};

/// An alert that does not fire, a channel without a receiver, and a dead man's switch.
const ALERTS: &str = r#"
[[alert]]
name = "well_low"
field = "well.level"
below = "10 %"

[[notify]]
name = "hook"
kind = "webhook"
url = "http://127.0.0.1:1/"

[heartbeat]
url = "http://127.0.0.1:1/"
"#;

/// Starts a server with a source that answers, one that does not, and requests of several statuses.
fn busy() -> (Server, Upstream, Client) {
    let well = Upstream::answering(r#"{"level": 84.6, "pressure": 29.92}"#);
    let config = Config::https()
        .set("history.flush", "1s")
        .source(
            Source::json("well", &well.url())
                .value("level", "/level", "%")
                .value("pressure", "/pressure", "inHg")
                .set("interval", "1s"),
        )
        .source(
            Source::json("gone", "http://127.0.0.1:1").value("v", "/v", "").set("interval", "1s"),
        )
        .append(ALERTS);
    let server = Server::start(&config);
    server.eventually_status("the well has answered, and the other has failed", |status| {
        status["sources"]["well"]["state"] == "fresh"
            && status["sources"]["gone"]["error"].is_object()
    });
    for (request, expected) in [
        ("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("POST /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("DELETE /ping HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
    ] {
        assert_eq!(code(&server.ask(request)), expected, "{request}");
    }
    let silent = Client::start(Mode::Silent, server.address, &server.client).unwrap();
    (server, well, silent)
}

/// Name and labels of a sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
}

/// Parses the part of the text format that the server uses.
fn samples(scrape: &str) -> Vec<Sample> {
    let lines = scrape.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let samples = lines.map(|line| {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        Sample { name: name.to_owned(), labels: labels_of(labels.strip_suffix('}').unwrap()) }
    });
    samples.collect()
}

/// Parses `a="b",c="d"`; values contain no quotes.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap();
        labels.insert(name.trim_start_matches(',').to_owned(), value.to_owned());
        rest = after;
    }
    labels
}
