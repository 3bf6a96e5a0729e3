//! What a server tells of itself, judged.

use super::Answers;
use super::ask::{Answer, AskError};
use super::finding::{Finding, Mark, span};
use crate::admin::scoreboard::report::{Report, Source};
use crate::certificates::EXPIRES_SOON_DAYS;
use crate::kernel::process::ProcessInfo;

/// A worker that has been at one connection for longer is worth a look.
const LONG_AT_WORK: f64 = 1.0;

/// A file that is this full may soon be of no use.
const NEARLY_FULL: f64 = 0.8;

/// Polls that failed in a row, before it is more than the weather on the line.
const FAILURES: u64 = 3;

/// A write to standard error that has lasted this long waits for its reader, seconds. Others take
/// microseconds.
const LOG_BLOCKED: f64 = 2.0;

pub(super) fn findings(told: &Report, answers: &Answers) -> Vec<Finding> {
    let mut findings = vec![
        process(told),
        asked(
            "health",
            &answers.health,
            "every thread passes through its loop",
            "a supervisor should restart it: `pumphouse-web watch` does, and the server itself when \
             nobody can be served",
        ),
    ];
    findings.extend(accept_queues(told));
    findings.push(losses(told));
    findings.extend(workers(told));
    findings.push(connections(told));
    findings.push(queue(told));
    findings.extend(admin(told));
    findings.push(asked(
        "readiness",
        &answers.ready,
        "every source has answered and none is stale",
        "see the sources below; the pages go on with the last values and their age",
    ));
    findings.extend(told.sources.iter().map(|source| self::source(told, source)));
    findings.extend(open_files(told));
    findings.push(limits(told));
    findings.extend(certificates(told));
    findings.push(history(told));
    findings.push(reloads(told));
    findings.push(log(told));
    findings
}

fn process(told: &Report) -> Finding {
    let service = &told.service;
    let mut detail =
        format!("pumphouse-web {}, up {}", service.version, span(service.uptime_seconds));
    if let Some(facts) = &told.process {
        let ProcessInfo { pid, threads, resident_bytes, cpu_seconds, .. } = facts;
        let mib = *resident_bytes as f64 / f64::from(1 << 20);
        detail = format!("{detail}; pid {pid}, {threads} threads, {mib:.1} MiB, ")
            + &format!("{cpu_seconds:.1} s of processor time");
    }
    if service.version == env!("CARGO_PKG_VERSION") {
        return Finding::well("process", detail);
    }
    let installed = env!("CARGO_PKG_VERSION");
    Finding::note("process", detail)
        .advise(format!("this is {installed}: restart the server to run what is installed"))
}

fn asked(
    subject: &'static str,
    answer: &Result<Answer, AskError>,
    well: &str,
    advice: &str,
) -> Finding {
    match answer {
        Ok(Answer { status: 200, .. }) => Finding::well(subject, well),
        Ok(Answer { status, body }) => {
            let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let detail = problem["detail"].as_str().unwrap_or("no reason given");
            Finding::wrong(subject, format!("{detail} ({status})"), advice)
        }
        Err(error) => Finding::wrong(subject, format!("cannot be asked: {error}"), advice),
    }
}

fn accept_queues(told: &Report) -> Vec<Finding> {
    let acceptor = told.acceptor_silent_seconds;
    let queues = told.accept_queues.iter().map(|queue| {
        let (depth, limit) = (queue.depth, queue.limit);
        let detail = format!("{depth} / {limit} waiting at {}", queue.listener);
        if u64::from(depth) * 2 > u64::from(limit) {
            let advice = format!(
                "the acceptor passed through its loop {} ago: if that is long it is stuck, else \
                 more come than it can take in",
                span(acceptor)
            );
            return Finding::wrong("accept queue", detail, advice);
        }
        Finding::well("accept queue", detail)
    });
    let queues: Vec<Finding> = queues.collect();
    if queues.is_empty() {
        vec![Finding::note("accept queue", "no TCP listener whose queue the kernel would tell")]
    } else {
        queues
    }
}

fn losses(told: &Report) -> Finding {
    let (overflows, drops) = (told.listen_overflows_total, told.listen_drops_total);
    let shed: Vec<String> = told
        .connections_shed
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    let mut detail = format!("{overflows} listen overflows and {drops} drops of this host so far");
    if shed.is_empty() {
        detail += "; nobody was turned away";
    } else {
        detail = format!("{detail}; turned away since the start: {}", shed.join(", "));
    }
    if overflows == 0 && drops == 0 && shed.is_empty() {
        Finding::well("losses", detail)
    } else {
        Finding::note("losses", detail)
    }
}

/// The admin listener, which has just answered, so only part of it can be stuck.
fn admin(told: &Report) -> Option<Finding> {
    let stuck = &told.admin.as_ref()?.stuck;
    (!stuck.is_empty()).then(|| {
        Finding::wrong(
            "admin",
            format!("stuck: {}", stuck.join(", ")),
            "visitors are still served; a restart repairs it",
        )
    })
}

fn workers(told: &Report) -> Vec<Finding> {
    let total = told.workers.len();
    let busy = told.workers.iter().filter(|worker| worker.state != "waiting").count();
    let detail = format!("{busy} of {total} busy");
    let all = total > 0 && busy == total;
    let mut findings = vec![if all {
        Finding::wrong(
            "workers",
            detail,
            "nobody is free: see below what they do; newcomers get 503 after queue_timeout",
        )
    } else {
        Finding::well("workers", detail)
    }];
    for (number, worker) in told.workers.iter().enumerate() {
        let Some(seconds) = worker.seconds.filter(|seconds| *seconds >= LONG_AT_WORK) else {
            continue;
        };
        let route = worker.route.as_deref().unwrap_or("no route yet");
        let detail =
            format!("worker {number} has been {} {route} for {}", worker.state, span(seconds));
        findings.push(Finding::wrong(
            "workers",
            detail,
            "handlers take milliseconds; one that reads the history waits for its disk",
        ));
    }
    findings
}

fn connections(told: &Report) -> Finding {
    let open: u64 = told.connections.values().sum();
    let most = told.limits.max_connections;
    let states: Vec<String> = told
        .connections
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(state, count)| format!("{state} {count}"))
        .collect();
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let detail = format!("{open} of {most}{states}");
    if is_nearly_full(open, most as u64) {
        return Finding::wrong(
            "connections",
            detail,
            "at the cap the longest idle give way; raise max_connections, with the open files, or \
             lower keep_alive",
        );
    }
    Finding::well("connections", detail)
}

/// Waiting requests for each worker from which on the workers do not keep up: a burst of fewer is
/// over in milliseconds.
const QUEUED_PER_WORKER: u64 = 8;

fn queue(told: &Report) -> Finding {
    let (depth, workers) = (told.queue_depth, told.limits.workers as u64);
    let detail = format!("{depth} requests wait for {workers} workers");
    if depth >= QUEUED_PER_WORKER * workers {
        return Finding::wrong("queue", detail, "the workers do not keep up: see what they do");
    }
    Finding::well("queue", detail)
}

fn source(told: &Report, source: &Source) -> Finding {
    let name = &source.source;
    let age = source.age_seconds.map(|age| format!(", observed {} ago", span(age)));
    let mut detail = format!("{name}: {}{}", source.state, age.unwrap_or_default());
    if let Some(error) = &source.error {
        detail = format!(
            "{detail}; polls fail since {}, {} in a row: {}: {}",
            span(error.seconds),
            error.failures,
            error.kind,
            error.message
        );
    }
    if let Some(poller) = told.pollers.iter().find(|poller| poller.source == *name) {
        detail = format!("{detail}; poller {} for {}", poller.phase, span(poller.seconds));
    }
    let failing = source.error.as_ref().is_some_and(|error| error.failures >= FAILURES);
    match &*source.state {
        "stale" if source.error.is_none() => Finding::wrong(
            "source",
            detail,
            "the upstream answers with old data: look at the sensor, or raise stale_after",
        ),
        "stale" => Finding::wrong("source", detail, ASK_UPSTREAM),
        _ if failing => Finding::wrong("source", detail, ASK_UPSTREAM),
        "fresh" if source.error.is_none() => Finding::well("source", detail),
        _ => Finding::note("source", detail),
    }
}

const ASK_UPSTREAM: &str =
    "`pumphouse-web check --poll` shows what it sends; no restart here will heal an upstream";

fn open_files(told: &Report) -> Option<Finding> {
    told.process.as_ref().map(files_of)
}

/// Also of a process that cannot be asked.
pub(super) fn files_of(facts: &ProcessInfo) -> Finding {
    let open = facts.open_files;
    let Some(limit) = facts.open_files_limit else {
        return Finding::well("open files", format!("{open}, without a limit"));
    };
    let detail = format!("{open} of {limit}");
    if is_nearly_full(open, limit) {
        return Finding::wrong(
            "open files",
            detail,
            "raise RLIMIT_NOFILE: supervisord's minfds, systemd's LimitNOFILE, a shell's ulimit -n",
        );
    }
    Finding::well("open files", detail)
}

fn limits(told: &Report) -> Finding {
    let limits = &told.limits;
    let (most, wanted) = (limits.max_connections, limits.max_connections_configured);
    let mut detail = format!("{most} connections, a backlog of {}", limits.backlog);
    let mut advice = Vec::new();
    if most < wanted {
        detail += &format!("; lowered from {wanted} connections to fit the open files");
        advice.push("raise RLIMIT_NOFILE, or lower max_connections".to_owned());
    }
    if let Some(granted) = limits.somaxconn.filter(|granted| *granted < limits.backlog) {
        detail += &format!("; the kernel grants a backlog of {granted}");
        advice.push(format!("sysctl net.core.somaxconn={}", limits.backlog));
    }
    if advice.is_empty() {
        return Finding::well("limits", detail);
    }
    Finding::note("limits", detail).advise(advice.join("; "))
}

fn certificates(told: &Report) -> Vec<Finding> {
    if told.certificates.is_empty() {
        return vec![Finding::note("certificate", "none: the listeners speak plain HTTP")];
    }
    let told = told.certificates.iter().map(|certificate| {
        let (names, days) = (certificate.names.join(", "), certificate.days_left);
        let (mark, detail) = match days {
            ..0 => (Mark::Wrong, format!("{names}: expired on {}", certificate.not_after)),
            0..EXPIRES_SOON_DAYS => (Mark::Wrong, format!("{names}: expires in {days} days")),
            _ => (Mark::Well, format!("{names}: {days} days left")),
        };
        match mark {
            Mark::Wrong => Finding::wrong(
                "certificate",
                detail,
                "renew it; the server takes renewed files up by itself within a minute, or on HUP",
            ),
            _ => Finding::well("certificate", detail),
        }
    });
    told.collect()
}

fn history(told: &Report) -> Finding {
    let recorder = &told.recorder;
    if !recorder.enabled {
        return Finding::note("history", "none is kept");
    }
    let detail = format!(
        "{} rows written, {} errors, {} dropped since the start",
        recorder.rows, recorder.errors, recorder.dropped
    );
    if let Some(trouble) = &recorder.trouble {
        let detail = format!("{} since {}; {detail}", trouble.reason, span(trouble.seconds));
        return Finding::wrong(
            "history",
            detail,
            "look at the disk of [history] path; what is held in memory is written when it is back",
        );
    }
    if recorder.errors > 0 || recorder.dropped > 0 {
        return Finding::note("history", detail);
    }
    Finding::well("history", detail)
}

fn reloads(told: &Report) -> Finding {
    let reloads = &told.reloads;
    let detail = format!("{} taken up, {} refused", reloads.ok, reloads.refused);
    if reloads.latest_refused {
        return Finding::wrong(
            "reloads",
            format!("{detail}; the latest was refused, and the server goes on as it was"),
            "`pumphouse-web check` says what is wrong with the file; then HUP again",
        );
    }
    Finding::well("reloads", detail)
}

fn log(told: &Report) -> Finding {
    let log = &told.log;
    let detail =
        format!("{} lines dropped and {} suppressed since the start", log.dropped, log.suppressed);
    if log.blocked_seconds >= LOG_BLOCKED {
        return Finding::wrong(
            "log",
            format!("standard error has been full for {}; {detail}", span(log.blocked_seconds)),
            "resume or restart what reads it: a stopped supervisor, a paused terminal, a full \
             journal; the server does not wait for it",
        );
    }
    if log.dropped > 0 || log.suppressed > 0 {
        return Finding::note("log", detail);
    }
    Finding::well("log", detail)
}

fn is_nearly_full(taken: u64, room: u64) -> bool {
    room > 0 && taken as f64 > NEARLY_FULL * room as f64
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A server with which all is well.
    fn well() -> Value {
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

    fn answered(status: u16, body: &str) -> Result<Answer, AskError> {
        Ok(Answer { status, body: body.as_bytes().to_vec() })
    }

    fn judge(board: Value) -> Vec<Finding> {
        let told: Report = serde_json::from_value(board).unwrap();
        let ok = || answered(200, "ok\n");
        findings(&told, &Answers { health: ok(), ready: ok(), scoreboard: ok() })
    }

    #[test]
    fn all_is_well_with_a_well_server() {
        let found = judge(well());
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
            let told = found.iter().find(|finding| finding.subject == subject).unwrap();
            assert_eq!(told.detail, detail);
        }
    }

    #[test]
    fn what_is_wrong_is_found_and_comes_with_advice() {
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
            ("sources", failing("fresh", 3), Mark::Wrong, "polls fail since 15 min, 3 in a row"),
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
            ("certificates", json!([]), Mark::Note, "plain HTTP"),
            (
                "recorder",
                json!({"enabled": true, "trouble": {"reason": "the disk is full", "seconds": 60.0}}),
                Mark::Wrong,
                "the disk is full since 60 s",
            ),
            ("recorder", json!({"enabled": true, "dropped": 3}), Mark::Note, "3 dropped"),
            ("recorder", json!({"enabled": false}), Mark::Note, "none is kept"),
            ("reloads", json!({"refused": 1, "latest_refused": true}), Mark::Wrong, "1 refused"),
            (
                "log",
                json!({"dropped": 12, "blocked_seconds": 31.0}),
                Mark::Wrong,
                "standard error has been full for 31 s; 12 lines dropped",
            ),
            ("log", json!({"suppressed": 3}), Mark::Note, "0 lines dropped and 3 suppressed"),
            ("service", json!({"version": "0.0.9"}), Mark::Note, "pumphouse-web 0.0.9"),
        ] {
            let mut board = well();
            board[member] = value.clone();
            let found = judge(board);
            let told = found.iter().find(|finding| finding.detail.contains(expected));
            let told = told.unwrap_or_else(|| panic!("{expected:?} is not in {found:#?}"));
            assert_eq!(told.mark, mark, "{member} {value}");
            assert!(mark != Mark::Wrong || told.advice.is_some(), "{told:?}");
        }
    }

    #[test]
    fn the_stuck_one_is_named() {
        let told: Report = serde_json::from_value(well()).unwrap();
        let answers = Answers {
            health: answered(503, r#"{"detail": "Stuck: acceptor for 12 s."}"#),
            ready: Err(AskError::Timeout),
            scoreboard: answered(200, "{}"),
        };
        let found = findings(&told, &answers);
        let wrong: Vec<&str> = found
            .iter()
            .filter(|finding| finding.mark == Mark::Wrong)
            .map(|finding| finding.detail.as_str())
            .collect();
        assert_eq!(
            wrong,
            ["Stuck: acceptor for 12 s. (503)", "cannot be asked: no answer in time"]
        );
    }
}
