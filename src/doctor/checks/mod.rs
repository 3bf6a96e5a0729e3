//! Findings about a server that answers, from its scoreboard and its health checks, one file a subject.

mod alerts;
mod certificates;
mod fill;
mod history;
mod listeners;
mod process;
mod replica;
mod sources;
mod workers;

use super::finding::Finding;
use super::responses::Responses;
use crate::admin::client::{RequestError, Response};
use crate::admin::scoreboard::report::Report as Scoreboard;

pub(super) use self::process::open_files;

/// Returns the findings in the order of the page.
pub(super) fn findings(scoreboard: &Scoreboard, responses: &Responses) -> Vec<Finding> {
    let mut findings = vec![
        process::process(scoreboard),
        health_check(
            "health",
            &responses.health,
            "no thread is stuck",
            "restart the server; `pumphouse-web watch` does so, and the server exits by itself if it \
             can serve no request",
        ),
    ];
    findings.extend(process::clock(scoreboard));
    findings.extend(listeners::waiting(scoreboard));
    findings.extend(listeners::accept_queues(scoreboard));
    findings.push(listeners::losses(scoreboard));
    findings.extend(workers::workers(scoreboard));
    findings.push(listeners::connections(scoreboard));
    findings.push(workers::queue(scoreboard));
    findings.extend(listeners::admin(scoreboard));
    findings.push(health_check(
        "readiness",
        &responses.ready,
        "every source has answered and none is stale",
        "see the sources below; the pages still show their last values with their ages",
    ));
    findings.extend(replica::findings(scoreboard));
    findings.extend(sources::sources(scoreboard));
    findings.extend(alerts::alerts(scoreboard));
    findings.extend(scoreboard.process.as_ref().map(open_files));
    findings.push(process::limits(scoreboard));
    findings.extend(certificates::certificates(scoreboard));
    findings.push(history::history(scoreboard));
    findings.push(process::reloads(scoreboard));
    findings.push(process::log(scoreboard));
    findings
}

/// Returns the finding about `/healthz` or `/readyz`.
fn health_check(
    subject: &'static str,
    response: &Result<Response, RequestError>,
    well: &str,
    advice: &str,
) -> Finding {
    match response {
        Ok(Response { status: 200, .. }) => Finding::well(subject, well),
        Ok(Response { status, body }) => {
            let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let detail = problem["detail"].as_str().unwrap_or("no reason given");
            Finding::wrong(subject, format!("{detail} ({status})"), advice)
        }
        Err(error) => Finding::wrong(subject, format!("no response: {error}"), advice),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::finding::Mark;

    /// Returns the scoreboard of a server without problems.
    fn healthy() -> Value {
        json!({
            "service": {"version": env!("CARGO_PKG_VERSION"), "uptime_seconds": 4800.2},
            "process": {"pid": 42, "open_files": 40, "open_files_limit": 1024, "threads": 19,
                        "resident_bytes": 10_485_760, "cpu_seconds": 1.7},
            "limits": {"workers": 2, "queue": 64, "backlog": 1024, "somaxconn": 4096,
                       "max_connections": 970, "max_connections_configured": 970},
            "reloads": {"ok": 2, "refused": 0, "latest_refused": false},
            "acceptor_silent_seconds": 0.1,
            "workers": [{"state": "waiting"}, {"state": "handling", "route": "/ping", "seconds": 0.1}],
            "connections": {"idle": 3, "active": 1},
            "connections_shed": {"queue_timeout": 0},
            "queue_depth": 0,
            "accept_queues": [{"listener": "0.0.0.0:6443", "depth": 0, "limit": 1024}],
            "pollers": [{"source": "tank", "phase": "waiting", "seconds": 42.0}],
            "sources": [{"source": "tank", "state": "fresh", "age_seconds": 242.0, "error": null}],
            "certificates": [{"names": ["pump.example"], "days_left": 59}],
            "recorder": {"enabled": true, "rows": 8123},
        })
    }

    /// Returns the leases of a replica that polls its share, with these members instead.
    fn leases(others: Value) -> Value {
        let mut leases = json!({"replica": "a", "instance": "42", "state": "confirmed",
            "live": ["a", "b", "c"], "held": 10, "designated": 10, "unheld": 0, "total": 30});
        let Value::Object(others) = others else { panic!("{others}") };
        leases.as_object_mut().unwrap().extend(others);
        leases
    }

    #[test]
    fn replica_without_problems_has_well_findings_and_a_single_machine_none() {
        let mut board = healthy();
        board["store"] = json!({"up": true, "host": "db1:5432", "version": 150_004});
        board["leases"] = leases(json!({}));
        let found = check(board);
        for (subject, detail) in [
            ("store", "PostgreSQL 15.4 at db1:5432"),
            ("leases", "a polls 10 of 30 sources, with 3 replicas: a, b, c"),
            ("spool", "empty"),
        ] {
            let finding = found.iter().find(|finding| finding.subject == subject).unwrap();
            assert_eq!((finding.mark, &*finding.detail), (Mark::Well, detail));
        }
        let alone = check(healthy());
        assert!(alone.iter().all(|it| !["store", "leases", "spool"].contains(&it.subject)));
    }

    fn response(status: u16, body: &str) -> Result<Response, RequestError> {
        Ok(Response { status, body: body.as_bytes().to_vec() })
    }

    fn check(board: Value) -> Vec<Finding> {
        let scoreboard: Scoreboard = serde_json::from_value(board).unwrap();
        let ok = || response(200, "ok\n");
        findings(&scoreboard, &Responses { health: ok(), ready: ok(), scoreboard: ok() })
    }

    #[test]
    fn healthy_server_has_no_findings_but_well_ones() {
        let found = check(healthy());
        assert!(found.iter().all(|finding| finding.mark == Mark::Well), "{found:#?}");
        for (subject, detail) in [
            ("accept queue", "0 / 1024 waiting at 0.0.0.0:6443"),
            ("workers", "1 of 2 busy"),
            ("connections", "4 of 970: active 1, idle 3"),
            ("source", "tank: fresh, observed 4 min ago; poller waiting for 42 s"),
            ("open files", "40 of 1024"),
            ("certificate", "pump.example: 59 days left"),
            ("history", "8123 rows written, 0 errors, 0 dropped since the start"),
        ] {
            let finding = found.iter().find(|finding| finding.subject == subject).unwrap();
            assert_eq!(finding.detail, detail);
        }
    }

    #[test]
    fn problem_is_found_and_has_advice() {
        let failing = |state: &str, failures: u64| {
            json!([{"source": "tank", "state": state, "age_seconds": 9000.0, "error": {
                "kind": "timeout", "message": "no answer", "failures": failures, "seconds": 900.0}}])
        };
        for (member, value, mark, expected) in [
            (
                "accept_queues",
                json!([{"listener": "0.0.0.0:6443", "depth": 129, "limit": 128}]),
                Mark::Wrong,
                "129 / 128 waiting",
            ),
            (
                "listeners",
                json!([{"address": "192.0.2.7:6443", "state": "waiting", "since": "2026-01-31T16:00:00Z",
                        "error": "this machine has no such address"}]),
                Mark::Wrong,
                "waiting for 192.0.2.7:6443 since 2026-01-31T16:00:00Z: this machine has no such address",
            ),
            ("accept_queues", json!([]), Mark::Note, "no TCP listener"),
            (
                "workers",
                json!([{"state": "handling", "route": "/api/v1/history", "seconds": 31.0}]),
                Mark::Wrong,
                "worker 0 has been handling /api/v1/history for 31 s",
            ),
            ("workers", json!([{"state": "reading", "seconds": 0.1}]), Mark::Wrong, "1 of 1 busy"),
            (
                "admin",
                json!({"stuck": ["admin worker 1 for 12 s"]}),
                Mark::Wrong,
                "stuck: admin worker 1 for 12 s",
            ),
            ("connections", json!({"idle": 900}), Mark::Wrong, "900 of 970: idle 900"),
            ("queue_depth", json!(16), Mark::Wrong, "16 requests wait for 2 workers"),
            ("connections_shed", json!({"queue_timeout": 4}), Mark::Note, "queue_timeout 4"),
            ("listen_overflows_total", json!(7), Mark::Note, "7 listen overflows"),
            (
                "sources",
                json!([{"source": "tank", "state": "stale", "age_seconds": 9000.0}]),
                Mark::Wrong,
                "tank: stale, observed 2 h ago",
            ),
            ("sources", failing("stale", 1), Mark::Wrong, "timeout: no answer"),
            (
                "recorder",
                json!({"enabled": true, "silent_seconds": 600.0}),
                Mark::Wrong,
                "the recorder waits for the disk for 10 min",
            ),
            (
                "channels",
                json!([{"channel": "phone", "kind": "ntfy", "failure": {"kind": "refused",
                        "message": "HTTP 403", "since": "2026-01-31T02:09:00Z"}}]),
                Mark::Wrong,
                "phone (ntfy): fails since 2026-01-31T02:09:00Z: HTTP 403",
            ),
            (
                "sources",
                failing("fresh", 3),
                Mark::Wrong,
                "polls have failed for 15 min, 3 in a row",
            ),
            ("sources", failing("fresh", 2), Mark::Note, "2 in a row"),
            (
                "sources",
                json!([{"source": "tank", "state": "waiting"}]),
                Mark::Note,
                "tank: waiting",
            ),
            (
                "process",
                json!({"open_files": 900, "open_files_limit": 1024}),
                Mark::Wrong,
                "900 of",
            ),
            (
                "limits",
                json!({"queue": 64, "backlog": 1024, "max_connections": 970,
                       "max_connections_configured": 4096}),
                Mark::Note,
                "lowered from 4096",
            ),
            (
                "limits",
                json!({"queue": 64, "backlog": 1024, "somaxconn": 128, "max_connections": 970}),
                Mark::Note,
                "grants a backlog of 128",
            ),
            (
                "certificates",
                json!([{"names": ["a", "b"], "days_left": 13}]),
                Mark::Wrong,
                "a, b: expires in 13 days",
            ),
            (
                "certificates",
                json!([{"names": ["a"], "days_left": -1, "not_after": "2026-01-01T00:00:00Z"}]),
                Mark::Wrong,
                "expired on 2026-01-01",
            ),
            (
                "certificates",
                json!([{"names": ["a"], "days_left": 90, "problems": [
                    {"problem": "clients refuse the chain", "advice": "use", "refused": true}]}]),
                Mark::Wrong,
                "clients refuse the chain",
            ),
            (
                "certificates",
                json!([{"names": ["a"], "days_left": 3, "expiring_issuer": "CN=middle"}]),
                Mark::Wrong,
                "a: its issuer \"CN=middle\" expires in 3 days",
            ),
            (
                "certificates",
                json!([{"names": ["a"], "days_left": 90, "not_before": "2026-02-01T00:00:00Z",
                        "valid": false}]),
                Mark::Wrong,
                "a: not valid before 2026-02-01T00:00:00Z",
            ),
            (
                "certificates",
                json!([{"names": [], "days_left": 90,
                        "problems": [{"problem": "the certificate has no name", "advice": "issue"}]}]),
                Mark::Note,
                "the certificate has no name",
            ),
            (
                "certificates",
                json!([{"names": ["a"], "days_left": 90, "error": "c.pem: empty\nd.pem: empty",
                        "since": "2026-01-31T17:00:00Z"}]),
                Mark::Wrong,
                "not been loaded since 2026-01-31T17:00:00Z: d.pem: empty",
            ),
            ("certificates", json!([]), Mark::Note, "plain HTTP"),
            (
                "recorder",
                json!({"enabled": true, "trouble": {"reason": "the disk is full", "seconds": 60.0}}),
                Mark::Wrong,
                "the disk is full for 60 s",
            ),
            (
                "recorder",
                json!({"enabled": true, "holder": "process 7, started 2026-01-31T16:00:00Z",
                       "trouble": {"reason": "another process", "seconds": 60.0}}),
                Mark::Wrong,
                "recorded by another process for 60 s: process 7, started 2026-01-31T16:00:00Z",
            ),
            (
                "recorder",
                json!({"enabled": true, "unlocked": "cannot lock the history by x.lock"}),
                Mark::Wrong,
                "cannot lock the history by x.lock; 0 rows",
            ),
            ("recorder", json!({"enabled": true, "dropped": 3}), Mark::Note, "3 dropped"),
            ("recorder", json!({"enabled": false}), Mark::Note, "not configured"),
            (
                "store",
                json!({"up": false, "since": "2026-01-31T16:00:00Z", "away_seconds": 180.0,
                       "message": "db1:5432: no route", "spool_rows": 124}),
                Mark::Wrong,
                "away for 3 min, since 2026-01-31T16:00:00Z: db1:5432: no route",
            ),
            ("store", json!({"spool_rows": 124}), Mark::Note, "no call has ended yet"),
            (
                "store",
                json!({"up": false, "away_seconds": 180.0, "spool_rows": 124}),
                Mark::Note,
                "124 records wait for the database",
            ),
            (
                "store",
                json!({"up": true, "spool_rows": 7}),
                Mark::Note,
                "7 records are being written to the database",
            ),
            (
                "leases",
                leases(json!({"namesake": "77"})),
                Mark::Wrong,
                "another process, 77, has the name a",
            ),
            (
                "leases",
                leases(json!({"unheld": 2, "sources": [
                    {"source": "tank", "holder": "a", "designated": "a"},
                    {"source": "well", "designated": "b"},
                    {"source": "pond", "holder": "d", "designated": "b"}]})),
                Mark::Wrong,
                "no replica polls 2 of 30 sources: well, pond",
            ),
            (
                "leases",
                json!({"replica": "a", "state": "ended"}),
                Mark::Wrong,
                "a polls no source: it could not use the database since its start",
            ),
            (
                "leases",
                leases(json!({"instance": null, "state": "unconfirmed", "live": []})),
                Mark::Note,
                "polls on without a confirmed lease",
            ),
            ("leases", leases(json!({"state": "ended"})), Mark::Wrong, "a polls no source"),
            (
                "leases",
                leases(json!({"state": "unconfirmed"})),
                Mark::Note,
                "polls on without a confirmed lease",
            ),
            ("leases", leases(json!({"designated": 12})), Mark::Note, "2 sources change hands"),
            (
                "leases",
                leases(json!({"held": 0, "designated": 0})),
                Mark::Note,
                "0 of 30 sources, with 3 replicas: a, b, c",
            ),
            (
                "reloads",
                json!({"ok": 1, "hanging_seconds": 20.0}),
                Mark::Wrong,
                "the read of the configuration has not ended for 20 s",
            ),
            ("reloads", json!({"refused": 1, "latest_refused": true}), Mark::Wrong, "1 refused"),
            (
                "log",
                json!({"dropped": 12, "blocked_seconds": 31.0}),
                Mark::Wrong,
                "standard error has been full for 31 s; 12 lines dropped",
            ),
            ("log", json!({"suppressed": 3}), Mark::Note, "0 lines dropped and 3 suppressed"),
            (
                "service",
                json!({"version": env!("CARGO_PKG_VERSION"), "clock_correction_seconds": -7200.5}),
                Mark::Note,
                "the clock of this machine is 2 h ahead of that of the database",
            ),
            ("service", json!({"version": "0.0.9"}), Mark::Note, "pumphouse-web 0.0.9"),
        ] {
            let mut board = healthy();
            board[member] = value.clone();
            let found = check(board);
            let finding = found.iter().find(|finding| finding.detail.contains(expected));
            let finding = finding.unwrap_or_else(|| panic!("{expected:?} is not in {found:#?}"));
            assert_eq!(finding.mark, mark, "{member} {value}");
            assert!(mark != Mark::Wrong || finding.advice.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn unhealthy_and_unanswered_checks_are_wrong_with_their_reasons() {
        let scoreboard: Scoreboard = serde_json::from_value(healthy()).unwrap();
        let responses = Responses {
            health: response(503, r#"{"detail": "Stuck: acceptor for 12 s."}"#),
            ready: Err(RequestError::Timeout),
            scoreboard: response(200, "{}"),
        };
        let found = findings(&scoreboard, &responses);
        let wrong: Vec<&str> = found
            .iter()
            .filter(|finding| finding.mark == Mark::Wrong)
            .map(|finding| finding.detail.as_str())
            .collect();
        assert_eq!(wrong, ["Stuck: acceptor for 12 s. (503)", "no response: timed out"]);
    }
}
