//! The process: version, resources, limits, reloads and the log.

use super::fill::is_nearly_full;
use crate::admin::scoreboard::report::Report as Scoreboard;
use crate::doctor::finding::{Finding, span};
use crate::kernel::descriptors;
use crate::kernel::process::ProcessInfo;

/// Duration of a write to standard error, seconds, from which on its reader is considered blocked.
/// Other writes take microseconds.
const LOG_BLOCKED: f64 = 2.0;

pub(super) fn process(scoreboard: &Scoreboard) -> Finding {
    let service = &scoreboard.service;
    let mut detail =
        format!("pumphouse-web {}, up {}", service.version, span(service.uptime_seconds));
    if let Some(facts) = &scoreboard.process {
        let ProcessInfo { pid, threads, resident_bytes, cpu_seconds, .. } = facts;
        let mib = *resident_bytes as f64 / f64::from(1 << 20);
        detail = format!("{detail}; pid {pid}, {threads} threads, {mib:.1} MiB, ")
            + &format!("{cpu_seconds:.1} s of processor time");
    }
    let installed = env!("CARGO_PKG_VERSION");
    if service.version == installed {
        return Finding::well("process", detail);
    }
    Finding::note("process", detail)
        .advise(format!("restart the server to run the installed version {installed}"))
}

/// Returns the finding about the clock of the machine, if the server corrects it.
pub(super) fn clock(scoreboard: &Scoreboard) -> Option<Finding> {
    let correction = scoreboard.service.clock_correction_seconds;
    let direction = if correction < 0.0 { "ahead of" } else { "behind" };
    let detail = format!(
        "the clock of this machine is {} {direction} that of the database, whose time is used",
        span(correction.abs())
    );
    let advice = "run NTP on the machines of the servers and of the database";
    (correction != 0.0).then(|| Finding::note("clock", detail).advise(advice))
}

/// Returns the finding about the open files of a process, which need not be a server of this program.
pub(in crate::doctor) fn open_files(facts: &ProcessInfo) -> Finding {
    let open = facts.open_files;
    let Some(limit) = facts.open_files_limit else {
        return Finding::well("open files", format!("{open}, without a limit"));
    };
    let detail = format!("{open} of {limit}");
    if is_nearly_full(open, limit) {
        return Finding::wrong(
            "open files",
            detail,
            format!("raise RLIMIT_NOFILE: {}", descriptors::SETTINGS),
        );
    }
    Finding::well("open files", detail)
}

pub(super) fn limits(scoreboard: &Scoreboard) -> Finding {
    let limits = &scoreboard.limits;
    let (effective, configured) = (limits.max_connections, limits.max_connections_configured);
    let mut detail = format!("{effective} connections, a backlog of {}", limits.backlog);
    let mut advice = Vec::new();
    if effective < configured {
        detail += &format!("; lowered from {configured} connections to fit the open files");
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

pub(super) fn reloads(scoreboard: &Scoreboard) -> Finding {
    let reloads = &scoreboard.reloads;
    let detail = format!("{} applied, {} refused", reloads.ok, reloads.refused);
    if let Some(seconds) = reloads.hanging_seconds {
        return Finding::wrong(
            "reloads",
            format!("{detail}; the read of the configuration has not ended for {}", span(seconds)),
            "no HUP is applied until it ends: a file that the configuration names may be on a file system that \
             does not answer, or be a named pipe",
        );
    }
    if reloads.latest_refused {
        return Finding::wrong(
            "reloads",
            format!("{detail}; the latest was refused, so an older configuration is in force"),
            "correct the errors that `pumphouse-web check` reports, then send HUP again",
        );
    }
    Finding::well("reloads", detail)
}

pub(super) fn log(scoreboard: &Scoreboard) -> Finding {
    let log = &scoreboard.log;
    let detail =
        format!("{} lines dropped and {} suppressed since the start", log.dropped, log.suppressed);
    if log.blocked_seconds >= LOG_BLOCKED {
        return Finding::wrong(
            "log",
            format!("standard error has been full for {}; {detail}", span(log.blocked_seconds)),
            "resume or restart the process that reads it, such as a stopped supervisor, a paused \
             terminal or a full journal; the server does not wait for it",
        );
    }
    if log.dropped > 0 || log.suppressed > 0 {
        return Finding::note("log", detail);
    }
    Finding::well("log", detail)
}
