//! Metrics and scoreboard of a real server under traffic, and the example files that name them.

use std::collections::{BTreeMap, BTreeSet};

use hostile::client::Client;
use hostile::config::{Config, Source};
use hostile::mode::Mode;
use hostile::upstream::Upstream;
use pumphouse_web::kernel::listen_queue::granted_backlog;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

use crate::harness::eventually;
use crate::server::{Server, body, code, json};

const DASHBOARD: &str = include_str!("../../examples/grafana-dashboard.json");
const RULES: &str = include_str!("../../examples/prometheus-rules.yml");

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
        );
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

#[test]
fn scrape_has_every_metric_of_the_contract() {
    let (server, _well, _silent) = busy();
    let scrape = server.admin_get("/metrics");
    let scrape = body(&scrape);
    let found = samples(scrape);
    let distinct: BTreeSet<&Sample> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "a series appears twice: {scrape}");
    // Name without its prefix, type, and the values that each label must have.
    for (name, kind, labels) in [
        ("http_requests_total", "counter", "route=/ping method=GET code=200"),
        ("http_requests_total", "counter", "route=/api/v1/status method=POST code=405"),
        ("http_requests_total", "counter", "route=- method=GET code=404"),
        ("http_requests_total", "counter", "route=/ping method=DELETE code=405"),
        ("http_requests_total", "counter", "route=- method=- code=400"),
        ("http_request_duration_seconds", "histogram", "route=/ping"),
        ("connections", "gauge", "state=handshaking|reading|queued|active|writing|idle|lingering"),
        ("connections_accepted_total", "counter", ""),
        (
            "connections_closed_total",
            "counter",
            "reason=done|client_gone|tls_error|refused|handshake_timeout|header_timeout|\
             body_timeout|write_timeout|keep_alive|shed|evicted|memory|drain|handler_failed",
        ),
        (
            "connections_shed_total",
            "counter",
            "reason=queue_timeout|connection_cap|address_cap|descriptors",
        ),
        ("buffered_bytes", "gauge", ""),
        ("accept_errors_total", "counter", ""),
        ("accept_queue_depth", "gauge", ""),
        ("accept_queue_limit", "gauge", ""),
        ("listen_overflows_total", "counter", ""),
        ("listen_drops_total", "counter", ""),
        ("workers", "gauge", ""),
        ("workers_busy", "gauge", ""),
        ("queue_depth", "gauge", ""),
        (
            "polls_total",
            "counter",
            "source=well|gone outcome=ok|not_modified|timeout|dns|connect|tls|http|too_large|\
             decode|rate_limited|panic",
        ),
        ("poll_duration_seconds", "histogram", "source=well|gone"),
        ("source_age_seconds", "gauge", "source=well"),
        ("source_state", "gauge", "source=well|gone state=waiting|fresh|stale"),
        ("source_value", "gauge", "source=well field=level unit=%"),
        ("source_value", "gauge", "source=well field=pressure unit=inHg"),
        ("history_rows_total", "counter", ""),
        ("history_errors_total", "counter", ""),
        ("history_dropped_total", "counter", ""),
        ("log_lines_dropped_total", "counter", ""),
        ("log_lines_suppressed_total", "counter", ""),
        ("log_blocked_seconds", "gauge", ""),
        ("build_info", "gauge", concat!("version=", env!("CARGO_PKG_VERSION"))),
        ("certificate_not_after_timestamp_seconds", "gauge", "name=localhost,127.0.0.1,::1"),
        ("config_reloads_total", "counter", "outcome=ok|refused"),
        ("config_last_reload_successful", "gauge", ""),
        (
            "heartbeat_age_seconds",
            "gauge",
            "thread=acceptor|worker_0|worker_7|board|recorder|poller_well|admin_acceptor|\
             admin_worker_4",
        ),
        (
            "heartbeat_bound_seconds",
            "gauge",
            "thread=acceptor|worker_0|worker_7|board|recorder|poller_well|admin_acceptor|\
             admin_worker_4",
        ),
        ("admin_connections", "gauge", "state=handshaking|reading|queued|active|writing|idle"),
        (
            "admin_connections_closed_total",
            "counter",
            "reason=done|client_gone|tls_error|refused|handshake_timeout|header_timeout|\
             body_timeout|write_timeout|keep_alive|shed|evicted|drain|handler_failed",
        ),
        ("process_cpu_seconds_total", "counter", ""),
        ("process_start_time_seconds", "gauge", ""),
        ("process_open_fds", "gauge", ""),
        ("process_max_fds", "gauge", ""),
        ("process_resident_memory_bytes", "gauge", ""),
        ("process_virtual_memory_bytes", "gauge", ""),
        ("process_threads", "gauge", ""),
    ] {
        let prefix = if name.starts_with("process_") { "" } else { "pumphouse_" };
        let name = format!("{prefix}{name}");
        assert!(scrape.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let has_help = |line: &str| {
            line.strip_prefix(&format!("# HELP {name} ")).is_some_and(|help| help.len() > 10)
        };
        assert!(scrape.lines().any(has_help), "{name} has no HELP");
        let series = if kind == "histogram" { format!("{name}_count") } else { name };
        let mut wanted = vec![BTreeMap::new()];
        for label in labels.split_whitespace() {
            let (label, values) = label.split_once('=').unwrap();
            let with = |value: &str| {
                let (label, value) = (label.to_owned(), value.replace('_', " "));
                let value = if label == "thread" { value } else { value.replace(' ', "_") };
                (label, value)
            };
            wanted = wanted
                .iter()
                .flat_map(|known| {
                    values.split('|').map(|value| {
                        let mut labels: BTreeMap<String, String> = known.clone();
                        labels.extend([with(value)]);
                        labels
                    })
                })
                .collect();
        }
        for labels in wanted {
            let sample = Sample { name: series.clone(), labels };
            assert!(found.contains(&sample), "{sample:?} is not in {scrape}");
        }
    }
}

#[test]
fn renamed_metric_is_served_under_both_names_and_marked_deprecated() {
    let (server, _well, _silent) = busy();
    let now = || jiff::Timestamp::now().as_second() as f64;
    let before = now();
    let scrape = server.admin_get("/metrics");
    let after = now();
    let scrape = body(&scrape);
    let samples_of = |name: &str| -> BTreeMap<&str, f64> {
        let lines = scrape.lines().filter_map(|line| line.strip_prefix(name));
        let samples = lines.filter(|rest| rest.starts_with(['{', ' '])).map(|rest| {
            let (labels, value) = rest.rsplit_once(' ').unwrap();
            (labels, value.parse().unwrap())
        });
        samples.collect()
    };
    for (old, new) in [
        ("pumphouse_poll_total", "pumphouse_polls_total"),
        ("pumphouse_value", "pumphouse_source_value"),
        ("pumphouse_start_time_seconds", "process_start_time_seconds"),
        ("pumphouse_certificate_expiry_days", "pumphouse_certificate_not_after_timestamp_seconds"),
    ] {
        let successor = match old.ends_with("_days") {
            true => format!("replaced by {new}, a Unix time"),
            false => format!("renamed to {new}"),
        };
        let help = format!("# HELP {old} deprecated: {successor}; removed in the next release");
        assert!(scrape.lines().any(|line| line == help), "{help} is not in {scrape}");
        assert!(!scrape.contains(&format!("# HELP {new} deprecated")), "{new}");
        let (old_samples, new_samples) = (samples_of(old), samples_of(new));
        assert!(!new_samples.is_empty(), "{new}");
        if old.ends_with("_days") {
            let days = |at: f64, now: f64| ((at - now) / 86_400.0).floor();
            assert!(old_samples.keys().eq(new_samples.keys()), "{scrape}");
            for (days_left, at) in old_samples.values().zip(new_samples.values()) {
                assert!([days(*at, before), days(*at, after)].contains(days_left), "{scrape}");
            }
        } else if old == "pumphouse_start_time_seconds" {
            // The old one is by the server's clock in whole seconds, the new one by the kernel's.
            let (old, new) = (old_samples[""], new_samples[""]);
            assert!(old.fract() == 0.0 && (old - new).abs() < 60.0, "{old} and {new}");
        } else {
            assert_eq!(old_samples, new_samples, "{old} and {new}");
        }
    }
    assert_eq!(scrape.matches(" deprecated: ").count(), 4, "{scrape}");
}

#[test]
fn scoreboard_has_the_documented_members() {
    let (server, _well, _silent) = busy();
    let board = json(&server.admin_get("/scoreboard"));
    let at = |pointer: &str| board.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {board}"));
    for pointer in [
        "/service/uptime_seconds",
        "/process/open_files",
        "/process/open_files_limit",
        "/process/resident_bytes",
        "/process/cpu_seconds",
        "/limits/queue",
        "/limits/max_connections",
        "/limits/somaxconn",
        "/acceptor_silent_seconds",
        "/queue_depth",
        "/listen_overflows_total",
        "/listen_drops_total",
        "/connections/handshaking",
        "/connections/idle",
        "/connections_shed/queue_timeout",
        "/accept_queues/0/depth",
        "/pollers/0/seconds",
        "/admin/acceptor_silent_seconds",
        "/admin/queue_depth",
        "/admin/connections/idle",
        "/admin/connections_shed/queue_timeout",
        "/admin/connections_evicted",
        "/board/silent_seconds",
        "/recorder/silent_seconds",
        "/recorder/rows",
        "/log/queued",
        "/log/dropped",
        "/log/suppressed",
        "/log/blocked_seconds",
        "/sources/0/age_seconds",
        "/sources/1/error/failures",
    ] {
        assert!(at(pointer).is_number(), "{pointer}: {}", at(pointer));
    }
    for (pointer, expected) in [
        ("/service/version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("/process/pid", server.process().into()),
        ("/limits/backlog", 1024.into()),
        ("/accept_queues/0/listener", server.address.to_string().into()),
        ("/accept_queues/0/limit", granted_backlog(1024).into()),
        ("/pollers/0/source", "well".into()),
        ("/sources/0/state", "fresh".into()),
        ("/sources/0/error", Value::Null),
        ("/sources/1/state", "waiting".into()),
        ("/sources/1/age_seconds", Value::Null),
        ("/sources/1/error/kind", "connect".into()),
        ("/recorder/enabled", true.into()),
        ("/recorder/trouble", Value::Null),
        ("/reloads/latest_refused", false.into()),
        ("/stuck", Value::Array(Vec::new())),
        ("/admin/stuck", Value::Array(Vec::new())),
        ("/certificates/0/names/0", "localhost".into()),
    ] {
        assert_eq!(*at(pointer), expected, "{pointer}");
    }
    let workers = at("/workers").as_array().unwrap();
    assert_eq!(workers.len(), 8);
    for worker in workers {
        let busy = worker["state"] != "waiting";
        assert_eq!(worker["seconds"].is_number(), busy, "{worker}");
    }
    assert!(at("/process/threads").as_u64() >= Some(12), "{board}");
    assert!(at("/certificates/0/days_left").as_i64() > Some(14), "{board}");
}

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
        assert!(["warning", "critical"].contains(&&*severity), "{alert}: {severity}");
        let summary = text(&rule["annotations"]["summary"]);
        assert!(summary.contains("{{ $labels.instance }}"), "{alert}: {summary}");
        let runbook = text(&rule["annotations"]["runbook"]);
        assert!(runbook.len() > 40 && runbook.ends_with('.'), "{alert}: {runbook}");
        assert!(alerts.insert(alert.clone()), "{alert} is there twice");
    }

    for expression in queries {
        for Selector { name, labels } in named_in(&expression) {
            let of_name: Vec<_> = found.iter().filter(|sample| sample.name == name).collect();
            assert!(!of_name.is_empty(), "{name}, of {expression}, is not scraped");
            for (label, values) in labels.iter().filter(|(label, _)| label != "job") {
                for value in values {
                    let there =
                        of_name.iter().any(|sample| sample.labels.get(label) == Some(value));
                    assert!(there, "no {name} with {label}={value}, of {expression}");
                }
            }
        }
    }
}

#[test]
fn reload_is_counted_and_updates_the_scoreboard() {
    let server = Server::start(&Config::https().set("server.max_connections", 40));
    let config = server.folder().join("pumphouse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    for (text, reloads, limit) in [
        (text.replace("= 40", "= 50"), (1.0, 0.0, 1.0), 50),
        ("[server".to_owned(), (1.0, 1.0, 0.0), 50),
        (text.replace("= 40", "= 60"), (2.0, 1.0, 1.0), 60),
    ] {
        std::fs::write(&config, text).unwrap();
        server.signal("HUP");
        let counts = || {
            let scrape = server.admin_get("/metrics");
            let value = |name: &str| -> f64 {
                let line = scrape.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim().parse().unwrap()
            };
            let ok = value("pumphouse_config_reloads_total{outcome=\"ok\"}");
            let refused = value("pumphouse_config_reloads_total{outcome=\"refused\"}");
            (ok, refused, value("pumphouse_config_last_reload_successful "))
        };
        eventually("the reload is counted", || counts() == reloads);
        // The scoreboard is rendered at most once a second.
        eventually("the scoreboard has the limit", || {
            json(&server.admin_get("/scoreboard"))["limits"]["max_connections"] == limit
        });
    }
}
