//! The sources, and the history of their readings.

use crate::admin::scoreboard::report::{Report as Scoreboard, Source};
use crate::data_lock::NO_RIGHTS;
use crate::doctor::finding::{Finding, span};

/// Failed polls in a row from which on a source is wrong: fewer may be a passing failure of the
/// network.
const MAX_FAILURES: u64 = 3;

const CHECK_UPSTREAM: &str = "see the upstream's answer by `pumphouse-web check --poll`; a restart of \
                              this server does not help";

pub(super) fn sources(scoreboard: &Scoreboard) -> impl Iterator<Item = Finding> {
    scoreboard.sources.iter().map(|source| self::source(scoreboard, source))
}

fn source(scoreboard: &Scoreboard, source: &Source) -> Finding {
    let name = &source.source;
    let age = source.age_seconds.map(|age| format!(", observed {} ago", span(age)));
    let mut detail = format!("{name}: {}{}", source.state, age.unwrap_or_default());
    if let Some(error) = &source.error {
        detail = format!(
            "{detail}; polls have failed for {}, {} in a row: {}: {}",
            span(error.seconds),
            error.failures,
            error.kind,
            error.message
        );
    }
    if let Some(poller) = scoreboard.pollers.iter().find(|poller| poller.source == *name) {
        detail = format!("{detail}; poller {} for {}", poller.phase, span(poller.seconds));
    }
    let is_failing = source.error.as_ref().is_some_and(|error| error.failures >= MAX_FAILURES);
    match &*source.state {
        "stale" if source.error.is_none() => Finding::wrong(
            "source",
            detail,
            "check the sensor, as the upstream answers with old data; or raise stale_after",
        ),
        "stale" => Finding::wrong("source", detail, CHECK_UPSTREAM),
        _ if is_failing => Finding::wrong("source", detail, CHECK_UPSTREAM),
        "fresh" if source.error.is_none() => Finding::well("source", detail),
        _ => Finding::note("source", detail),
    }
}

pub(super) fn history(scoreboard: &Scoreboard) -> Finding {
    let recorder = &scoreboard.recorder;
    if !recorder.enabled {
        return Finding::note("history", "not configured");
    }
    let detail = format!(
        "{} rows written, {} errors, {} dropped since the start",
        recorder.rows, recorder.errors, recorder.dropped
    );
    if let (Some(holder), Some(trouble)) = (&recorder.holder, &recorder.trouble) {
        let detail = format!(
            "recorded by another process for {}: {holder}; {detail}",
            span(trouble.seconds)
        );
        return Finding::wrong(
            "history",
            detail,
            "stop one of the two, or give each a [history] path of its own; this one takes over within a \
             minute after the other has ended",
        );
    }
    if let Some(trouble) = &recorder.trouble {
        let detail = format!("{} for {}; {detail}", trouble.reason, span(trouble.seconds));
        return Finding::wrong("history", detail, trouble_advice(&trouble.reason));
    }
    if let Some(reason) = &recorder.unlocked {
        let advice = "the lock's file must be a regular file of the server's user, on a file system with locks: \
                      chown or remove it; the server tries again each minute";
        return Finding::wrong("history", format!("{reason}; {detail}"), advice);
    }
    if recorder.errors > 0 || recorder.dropped > 0 {
        return Finding::note("history", detail);
    }
    Finding::well("history", detail)
}

/// Returns the advice on an error of the history.
fn trouble_advice(reason: &str) -> &'static str {
    if reason.contains(NO_RIGHTS) {
        "let the server's user write the file and the folder of [history] path: chown USER FOLDER FILE; the rows \
         in memory are written within a minute after that"
    } else if reason.contains("read-only") {
        "mount the file system of [history] path writable, and let the server's user write the file; the rows in \
         memory are written once it works again"
    } else if reason.contains("\"path\" in [history]") {
        "make the folder or correct [history] path, as the reason says, and reload; `pumphouse-web check` tests it"
    } else {
        "check the disk of [history] path: the rows in memory are written once it works again"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_on_the_history_follows_its_error() {
        for (reason, expected) in [
            (
                "cannot open the history /d/p.db: the user w must not write /d; allow it",
                "chown USER FOLDER",
            ),
            (
                "cannot open the history /d/p.db: /d is on a read-only file system",
                "mount the file system",
            ),
            ("the file is read-only (attempt to write)", "mount the file system"),
            ("nothing is stored: \"path\" in [history]: /d is a folder", "correct [history] path"),
            ("the disk is full", "check the disk"),
        ] {
            assert!(trouble_advice(reason).contains(expected), "{reason}");
        }
    }
}
