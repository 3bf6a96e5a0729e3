//! The program's own parts: access, history, threads, configuration, certificates, log, version.

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::family::Family;
use crate::access::{self, CallerClass, FailureReason};
use crate::admin::configuration::LiveConfiguration;
use crate::admin::health::Health;
use crate::certificates::LiveCertificates;
use crate::history::History;
use crate::kernel::pause;
use crate::logging;

/// Returns the number of refused requests and of verified passwords.
pub(super) fn access(stats: &access::Stats) -> [Family; 3] {
    let mut failures =
        Family::counter("auth_failures_total", "Number of requests without access, by reason.");
    for &reason in FailureReason::VARIANTS {
        failures = failures.sample(&[("reason", reason.as_str())], stats.failures(reason) as f64);
    }
    let verifications = Family::counter(
        "auth_verifications_total",
        "Number of passwords verified by argon2id, right or wrong.",
    );
    let mut comparisons = Family::counter(
        "auth_comparisons_total",
        "Number of passwords compared, with a remembered one or by argon2id, by class of caller.",
    );
    for &caller in CallerClass::VARIANTS {
        let count = stats.comparisons(caller) as f64;
        comparisons = comparisons.sample(&[("caller", caller.as_str())], count);
    }
    [failures, verifications.sample(&[], stats.verifications() as f64), comparisons]
}

/// Returns the number of values and events written to the history, of errors, and of dropped ones; and whether
/// this process may record it, and can.
pub(super) fn history(history: &History) -> [Family; 5] {
    let gauge = |name, help, is_true: bool| {
        let family = Family::gauge(name, help);
        // Neither has a meaning without a history.
        let samples = history.is_enabled().then_some(f64::from(u8::from(is_true)));
        samples.into_iter().fold(family, |family, value| family.sample(&[], value))
    };
    let count = |name, help, value: u64| Family::counter(name, help).sample(&[], value as f64);
    [
        count(
            "history_rows_total",
            "Number of values and events written to the history.",
            history.rows(),
        ),
        count(
            "history_errors_total",
            "Number of failed writes and reads of the history.",
            history.errors(),
        ),
        count(
            "history_dropped_total",
            "Number of values and events dropped because the disk was full or too slow.",
            history.dropped(),
        ),
        gauge(
            "history_lock_held",
            "1 if this process has the lock on the history, 0 while another one has it or it cannot be used.",
            history.has_lock(),
        ),
        gauge(
            "history_up",
            "1 if the history can be written, 0 while it cannot.",
            history.health().error.is_none(),
        ),
    ]
}

/// Returns the age of each thread's heartbeat, and the age beyond which the thread is stuck.
pub(super) fn heartbeats(health: &Health) -> [Family; 2] {
    let mut age = Family::gauge("heartbeat_age_seconds", "Time since a thread's latest heartbeat.");
    let mut bound = Family::gauge(
        "heartbeat_bound_seconds",
        "Age of a thread's heartbeat beyond which the thread counts as stuck.",
    );
    for thread in health.threads().into_iter().chain(health.admin_threads()) {
        let labels = [("thread", &*thread.thread)];
        age = age.sample(&labels, thread.age.as_secs_f64());
        bound = bound.sample(&labels, thread.bound.as_secs_f64());
    }
    [age, bound]
}

/// Returns the outcomes of reloads.
pub(super) fn reloads(configuration: &LiveConfiguration) -> [Family; 2] {
    let (applied, refused) = configuration.reloads();
    [
        Family::counter(
            "config_reloads_total",
            "Number of configuration reloads requested by HUP, by outcome.",
        )
        .sample(&[("outcome", "ok")], applied as f64)
        .sample(&[("outcome", "refused")], refused as f64),
        Family::gauge(
            "config_last_reload_successful",
            "1 if the last configuration reload succeeded, else 0; 0 while its read hangs.",
        )
        .sample(&[], f64::from(u8::from(configuration.latest_succeeded()))),
    ]
}

/// Returns the end of each certificate's validity, its issuers' included, and the outcome of the latest load of
/// the certificate files; no sample for plain HTTP.
pub(super) fn certificates(certificates: Option<&LiveCertificates>) -> [Family; 2] {
    let mut not_after = Family::gauge(
        "certificate_not_after_timestamp_seconds",
        "End of the validity of a certificate and its issuers in the file, Unix time.",
    );
    let info = certificates.map(LiveCertificates::info).unwrap_or_default();
    // Certificates of the same names, such as an ECDSA and an RSA one, share a series, which shows
    // the one that expires first.
    let mut soonest: BTreeMap<String, i64> = BTreeMap::new();
    for certificate in &*info {
        let at = certificate.validity.end.at.as_second();
        let earliest = soonest.entry(certificate.names.join(",")).or_insert(at);
        *earliest = at.min(*earliest);
    }
    for (name, at) in &soonest {
        not_after = not_after.sample(&[("name", name)], *at as f64);
    }
    let mut loaded = Family::gauge(
        "certificate_last_reload_successful",
        "1 if the latest certificate files were loaded, else 0.",
    );
    if let Some(live) = certificates {
        let succeeded = live.renewal_failure().is_none();
        loaded = loaded.sample(&[], f64::from(u8::from(succeeded)));
    }
    [not_after, loaded]
}

/// Returns the number of lines that are missing from the log, by cause, and the current wait for
/// standard error.
pub(super) fn log() -> [Family; 3] {
    let log = logging::stats();
    [
        Family::counter(
            "log_lines_dropped_total",
            "Number of log lines dropped because standard error was too slow or failed.",
        )
        .sample(&[], log.dropped as f64),
        Family::counter(
            "log_lines_suppressed_total",
            "Number of log lines suppressed because one place in the code logged too often.",
        )
        .sample(&[], log.suppressed as f64),
        Family::gauge(
            "log_blocked_seconds",
            "Duration of the current write to standard error; 0 between writes.",
        )
        .sample(&[], pause::sure(log.blocked).as_secs_f64()),
    ]
}

/// Returns the version as a label.
pub(super) fn build_info() -> Family {
    Family::gauge("build_info", "Version of the running program; the value is always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)
}
