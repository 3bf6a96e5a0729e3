//! The Grafana dashboard, the alert rules and the scrape configuration of `examples`.

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

use super::{busy, samples};
use crate::server::body;

const DASHBOARD: &str = include_str!("../../../examples/grafana-dashboard.json");
const RULES: &str = include_str!("../../../examples/prometheus-rules.yml");
const SCRAPES: &str = include_str!("../../../examples/prometheus.yml");

/// Metrics of a server that shares a store. `admin::metrics::replica` tests them.
const OF_REPLICAS: [&str; 3] = ["pumphouse_lease", "pumphouse_store_up", "pumphouse_spool_rows"];

/// Metric in an expression, with the label values that it selects.
struct Selector {
    name: String,
    labels: Vec<(String, Vec<String>)>,
}

fn named_in(expression: &str) -> Vec<Selector> {
    let mut named = Vec::new();
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut rest = expression;
    while let Some(at) = ["pumphouse_", "process_"].iter().filter_map(|it| rest.find(it)).min() {
        rest = &rest[at..];
        let end = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let mut labels = Vec::new();
        if let Some((matchers, _)) = after.strip_prefix('{').and_then(|it| it.split_once('}')) {
            for matcher in matchers.split(',').filter(|matcher| !matcher.contains('$')) {
                let (label, value) = matcher.split_once(['=', '!']).unwrap();
                // Selected and excluded values must exist.
                let value = value.trim_start_matches(['=', '~']).trim_matches('"');
                let values = value.split('|').map(str::to_owned).collect();
                labels.push((label.to_owned(), values));
            }
        }
        named.push(Selector { name: name.to_owned(), labels });
        rest = after;
    }
    named
}

/// Collects the expressions of a dashboard: of targets, variables and annotations.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if ["expr", "definition", "query"].contains(&&**name) => {
                        found.push(text.clone());
                    }
                    other => expressions(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[test]
fn dashboard_and_rules_name_existing_metrics_and_labels() {
    let (server, _well, _silent) = busy();
    let found = samples(body(&server.admin_get("/metrics")));

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    let mut queries = Vec::new();
    expressions(&dashboard, &mut queries);
    assert!(queries.len() > 40, "{queries:?}");

    let rules = Yaml::load_from_str(RULES).unwrap();
    let rules = rules[0]["groups"][0]["rules"].as_sequence().unwrap();
    assert!(rules.len() >= 12);
    let mut alerts = BTreeSet::new();
    for rule in rules {
        let text = |node: &Yaml<'_>| node.as_str().unwrap_or_else(|| panic!("{rule:?}")).to_owned();
        queries.push(text(&rule["expr"]));
        let alert = text(&rule["alert"]);
        let severity = text(&rule["labels"]["severity"]);
        // The rule on the alerts of the server has the severity of each.
        let known = ["warning", "critical", "{{ $labels.severity }}"];
        assert!(known.contains(&&*severity), "{alert}: {severity}");
        let summary = text(&rule["annotations"]["summary"]);
        // A rule on all replicas names their job.
        let names = ["{{ $labels.instance }}", "{{ $labels.job }}"];
        assert!(names.iter().any(|name| summary.contains(name)), "{alert}: {summary}");
        let runbook = text(&rule["annotations"]["runbook"]);
        assert!(runbook.len() > 40 && runbook.ends_with('.'), "{alert}: {runbook}");
        assert!(alerts.insert(alert.clone()), "{alert} is there twice");
    }

    let scrapes = Yaml::load_from_str(SCRAPES).unwrap();
    let jobs = scrapes[0]["scrape_configs"].as_sequence().unwrap().iter();
    let jobs: BTreeSet<&str> = jobs.map(|job| job["job_name"].as_str().unwrap()).collect();
    for expression in queries {
        let named = named_in(&expression).into_iter();
        for Selector { name, labels } in named.filter(|it| !OF_REPLICAS.contains(&&*it.name)) {
            let of_name: Vec<_> = found.iter().filter(|sample| sample.name == name).collect();
            assert!(!of_name.is_empty(), "{name}, of {expression}, is not scraped");
            for (label, values) in labels {
                for value in &values {
                    if label == "job" {
                        assert!(jobs.contains(&**value), "{expression} selects job {value}");
                        continue;
                    }
                    let there =
                        of_name.iter().any(|sample| sample.labels.get(&label) == Some(value));
                    assert!(there, "no {name} with {label}={value}, of {expression}");
                }
            }
        }
    }
}
