//! Example files for other programs: what they refer to exists.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value as Json;

use crate::demo::Demo;
use crate::harness::eventually;
use crate::server::Server;

const HOME_ASSISTANT: &str = include_str!("../../examples/home-assistant.yaml");
const PROMETHEUS: &str = include_str!("../../examples/prometheus.yml");

/// Collects every text under this key of a document.
fn under<'a>(node: &'a Yaml<'a>, key: &str, found: &mut Vec<String>) {
    for item in node.as_vec().into_iter().flatten() {
        under(item, key, found);
    }
    for (name, value) in node.as_mapping().into_iter().flatten() {
        match value.as_str() {
            Some(text) if name.as_str() == Some(key) => found.push(text.to_owned()),
            _ => under(value, key, found),
        }
    }
}

fn parsed(text: &str) -> Yaml<'_> {
    let mut documents = Yaml::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// Returns the names in a text that begin with `prefix`.
fn words<'a>(text: &'a str, begin: &'a str) -> impl Iterator<Item = &'a str> {
    let is_other = |sign: char| !sign.is_ascii_alphanumeric() && sign != '_' && sign != '.';
    text.split(is_other).filter(move |word| word.starts_with(begin))
}

#[test]
fn home_assistant_example_names_existing_members() {
    let demo = Demo::start();
    let status = || -> Json {
        let url = format!("{}api/v1/status", demo.url());
        let curl = std::process::Command::new("curl").args(["-skf", &url]).output().unwrap();
        serde_json::from_slice(&curl.stdout).unwrap()
    };
    eventually("the sources have answered", || {
        let sources = &status()["sources"];
        sources.as_object().unwrap().values().all(|source| source["state"] == "fresh")
    });
    let status = status();
    let document = parsed(HOME_ASSISTANT);
    let mut templates = Vec::new();
    under(&document, "value_template", &mut templates);
    under(&document, "availability", &mut templates);
    assert!(templates.len() > 6, "{templates:?}");
    for template in &templates {
        let paths: Vec<&str> = words(template, "value_json.").collect();
        assert!(!paths.is_empty(), "{template}");
        for path in paths {
            let pointer = path.trim_start_matches("value_json").replace('.', "/");
            let found = status.pointer(&pointer);
            // An error is null while the source is healthy.
            let is_there = found.is_some_and(|it| !it.is_null() || pointer.ends_with("/error"));
            assert!(is_there, "{pointer} is not in {status}");
        }
    }
    let mut resources = Vec::new();
    under(&document, "resource", &mut resources);
    assert!(matches!(&resources[..], [one] if one.ends_with("/api/v1/status")), "{resources:?}");
}

#[test]
fn prometheus_example_names_existing_metrics() {
    let upstream = Upstream::answering(r#"{"level": 50}"#);
    let source =
        Source::json("tank", &upstream.url()).value("level", "/level", "%").set("interval", "1s");
    let server = Server::start(&Config::https().source(source));
    server.eventually_status("the tank has answered", |status| {
        status["sources"]["tank"]["state"] == "fresh"
    });
    let document = parsed(PROMETHEUS);
    let mut paths = Vec::new();
    under(&document, "metrics_path", &mut paths);
    assert_eq!(paths, ["/metrics"]);
    let metrics = server.admin_get(&paths[0]);
    let named: Vec<&str> = words(PROMETHEUS, "pumphouse_").collect();
    assert!(named.len() > 4, "{named:?}");
    for name in named {
        assert!(metrics.contains(&format!("\n{name}{{")), "{name} is not among the metrics");
    }
    assert!(
        PROMETHEUS.contains("[\"127.0.0.1:6480\"]"),
        "the default address of the admin listener is missing"
    );
}
