//! The listeners: accept queues, lost connections, open connections, and the admin listener.

use super::fill::is_nearly_full;
use crate::admin::listeners::WaitCause;
use crate::admin::scoreboard::report::Report as Scoreboard;
use crate::doctor::finding::{Finding, span};

/// Returns a finding about each configured address that the server does not listen on yet.
pub(super) fn waiting(scoreboard: &Scoreboard) -> Vec<Finding> {
    let waiting = scoreboard.listeners.iter().filter_map(|listener| {
        let error = listener.error.as_deref()?;
        let detail = format!("waiting for {} since {}: {error}", listener.address, listener.since);
        let advice = match listener.cause.as_deref() {
            Some(cause) if cause == WaitCause::Failing.as_str() => {
                "the machine has the address now; the server listens within a second once the cause is gone \
                 (`ss -ltnp` shows which program has a port)"
            }
            Some(cause) if cause == WaitCause::Misconfigured.as_str() => {
                "the machine has the address now, and the configuration is wrong: correct the address or the \
                 server's privileges, and restart the server"
            }
            _ => {
                "the server listens within a second once the machine has it (`ip address` lists them); if \
                 the address is a mistake, correct it in the configuration and restart the server"
            }
        };
        Some(Finding::wrong("listener", detail, advice))
    });
    waiting.collect()
}

pub(super) fn accept_queues(scoreboard: &Scoreboard) -> Vec<Finding> {
    if scoreboard.accept_queues.is_empty() {
        let detail = "no TCP listener with a queue that the kernel reports";
        return vec![Finding::note("accept queue", detail)];
    }
    let queues = scoreboard.accept_queues.iter().map(|queue| {
        let (depth, limit) = (queue.depth, queue.limit);
        let detail = format!("{depth} / {limit} waiting at {}", queue.listener);
        if u64::from(depth) * 2 > u64::from(limit) {
            let advice = format!(
                "the latest heartbeat of the acceptor was {} ago: if that is long it is stuck, else \
                 more connections arrive than it can accept",
                span(scoreboard.acceptor_silent_seconds)
            );
            return Finding::wrong("accept queue", detail, advice);
        }
        Finding::well("accept queue", detail)
    });
    queues.collect()
}

/// Returns the finding about connections that were lost in the kernel or shed by the server.
pub(super) fn losses(scoreboard: &Scoreboard) -> Finding {
    let (overflows, drops) = (scoreboard.listen_overflows_total, scoreboard.listen_drops_total);
    let shed: Vec<String> = scoreboard
        .connections_shed
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    let mut detail = format!("{overflows} listen overflows and {drops} drops on this host so far");
    if shed.is_empty() {
        detail += "; no connection shed";
    } else {
        detail = format!("{detail}; connections shed since the start: {}", shed.join(", "));
    }
    if overflows == 0 && drops == 0 && shed.is_empty() {
        Finding::well("losses", detail)
    } else {
        Finding::note("losses", detail)
    }
}

pub(super) fn connections(scoreboard: &Scoreboard) -> Finding {
    let open: u64 = scoreboard.connections.values().sum();
    let max = scoreboard.limits.max_connections;
    let states: Vec<String> = scoreboard
        .connections
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(state, count)| format!("{state} {count}"))
        .collect();
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let detail = format!("{open} of {max}{states}");
    if is_nearly_full(open, max as u64) {
        return Finding::wrong(
            "connections",
            detail,
            "raise max_connections, with the limit on open files, or lower keep_alive: at the cap a \
             new connection evicts an idle one",
        );
    }
    Finding::well("connections", detail)
}

/// Returns the finding about an admin listener with a stuck part; another part has just answered.
pub(super) fn admin(scoreboard: &Scoreboard) -> Option<Finding> {
    let stuck = &scoreboard.admin.as_ref()?.stuck;
    (!stuck.is_empty()).then(|| {
        Finding::wrong(
            "admin",
            format!("stuck: {}", stuck.join(", ")),
            "restart the server when convenient: clients of the public listeners are still served",
        )
    })
}
