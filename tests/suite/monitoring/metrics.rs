//! `/metrics`: every family with its type, its HELP text and its labels.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sample, busy, samples};
use crate::server::body;

#[test]
fn scrape_has_every_metric_of_the_contract() {
    let (server, _well, _silent) = busy();
    let scrape = server.admin_get("/metrics");
    let scrape = body(&scrape);
    let found = samples(scrape);
    let distinct: BTreeSet<&Sample> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "a series appears twice: {scrape}");
    let mut listed = BTreeSet::new();
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
            "reason=queue_timeout|heavy_timeout|connection_cap|address_cap|descriptors",
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
             decode|rate_limited|resources|panic",
        ),
        ("poll_duration_seconds", "histogram", "source=well|gone"),
        ("source_age_seconds", "gauge", "source=well"),
        ("source_state", "gauge", "source=well|gone state=waiting|fresh|stale"),
        ("source_value", "gauge", "source=well field=level unit=%"),
        ("source_value", "gauge", "source=well field=pressure unit=inHg"),
        ("history_rows_total", "counter", ""),
        ("history_errors_total", "counter", ""),
        ("history_dropped_total", "counter", ""),
        ("history_lock_held", "gauge", ""),
        ("history_up", "gauge", ""),
        (
            "alert_state",
            "gauge",
            "alert=well_low severity=warning state=inactive|pending|silenced|acknowledged|firing",
        ),
        ("notifications_total", "counter", "channel=hook outcome=sent|failed|dropped"),
        ("notifications_waiting", "gauge", "channel=hook"),
        ("heartbeat_pings_total", "counter", "outcome=ok|fail|error"),
        ("log_lines_dropped_total", "counter", ""),
        ("log_lines_suppressed_total", "counter", ""),
        ("log_blocked_seconds", "gauge", ""),
        (
            "auth_failures_total",
            "counter",
            "reason=malformed|password|token|scope|cross_site|throttled|busy|stranger_limit|host",
        ),
        ("auth_verifications_total", "counter", ""),
        ("auth_comparisons_total", "counter", "caller=known|stranger"),
        ("build_info", "gauge", concat!("version=", env!("CARGO_PKG_VERSION"))),
        ("certificate_last_reload_successful", "gauge", ""),
        ("certificate_not_after_timestamp_seconds", "gauge", "name=localhost,127.0.0.1,::1"),
        ("config_reloads_total", "counter", "outcome=ok|refused"),
        ("config_last_reload_successful", "gauge", ""),
        (
            "heartbeat_age_seconds",
            "gauge",
            "thread=acceptor|worker_0|worker_7|board|alerts|recorder|scheduler|poller_well|admin_acceptor|\
             admin_worker_4",
        ),
        (
            "heartbeat_bound_seconds",
            "gauge",
            "thread=acceptor|worker_0|worker_7|board|alerts|recorder|scheduler|poller_well|admin_acceptor|\
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
        listed.insert(name.clone());
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
    // The kernel has chosen the port.
    listed.insert("pumphouse_listener_up".to_owned());
    let up = format!("pumphouse_listener_up{{address=\"{}\"}} 1", server.address);
    assert!(scrape.lines().any(|line| line == up), "{up} is not in {scrape}");
    let is_current = |name: &&str| !scrape.contains(&format!("# HELP {name} deprecated: "));
    let families =
        scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let unlisted: Vec<&str> =
        families.filter(is_current).filter(|name| !listed.contains(*name)).collect();
    assert!(unlisted.is_empty(), "metrics that this test does not list: {unlisted:?}");
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
