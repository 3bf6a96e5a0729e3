//! The workers, and the queue in front of them.

use crate::admin::scoreboard::report::Report as Scoreboard;
use crate::doctor::finding::{Finding, span};

/// Time that a worker spends on one connection, seconds, from which on it is reported.
const LONG_AT_WORK: f64 = 1.0;

/// Waiting requests for each worker, from which on the workers do not keep up: a burst of fewer is
/// over in milliseconds.
const QUEUED_PER_WORKER: u64 = 8;

pub(super) fn workers(scoreboard: &Scoreboard) -> Vec<Finding> {
    let total = scoreboard.workers.len();
    let busy = scoreboard.workers.iter().filter(|worker| worker.state != "waiting").count();
    let detail = format!("{busy} of {total} busy");
    let mut findings = vec![if total > 0 && busy == total {
        Finding::wrong(
            "workers",
            detail,
            "see below what the workers do: further requests wait, and get 503 after queue_timeout",
        )
    } else {
        Finding::well("workers", detail)
    }];
    for (number, worker) in scoreboard.workers.iter().enumerate() {
        let Some(seconds) = worker.seconds.filter(|seconds| *seconds >= LONG_AT_WORK) else {
            continue;
        };
        let route = worker.route.as_deref().unwrap_or("no route yet");
        let detail =
            format!("worker {number} has been {} {route} for {}", worker.state, span(seconds));
        findings.push(Finding::wrong(
            "workers",
            detail,
            "check the disk if the route reads the history: handlers take milliseconds otherwise",
        ));
    }
    findings
}

pub(super) fn queue(scoreboard: &Scoreboard) -> Finding {
    let (depth, workers) = (scoreboard.queue_depth, scoreboard.limits.workers as u64);
    let detail = format!("{depth} requests wait for {workers} workers");
    if depth >= QUEUED_PER_WORKER * workers {
        return Finding::wrong(
            "queue",
            detail,
            "the workers do not keep up: see above what they do",
        );
    }
    Finding::well("queue", detail)
}
