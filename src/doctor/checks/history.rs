//! The history of the readings.

use crate::admin::health::RECORDER_BOUND;
use crate::admin::scoreboard::report::{Report as Scoreboard, Trouble};
use crate::doctor::finding::{Finding, span};
use crate::history::FaultKind;

const END_THE_OTHER: &str = "stop one of the two, or give each a [history] path of its own; this one takes over \
                             within a minute after the other has ended";

pub(super) fn history(scoreboard: &Scoreboard) -> Finding {
    let recorder = &scoreboard.recorder;
    if !recorder.enabled {
        return Finding::note("history", "not configured");
    }
    let detail = format!(
        "{} rows written, {} errors, {} dropped since the start",
        recorder.rows, recorder.errors, recorder.dropped
    );
    let silent = recorder.silent_seconds;
    if silent > RECORDER_BOUND.as_secs_f64() {
        let detail = format!("the recorder waits for the disk for {}; {detail}", span(silent));
        let advice = "check the disk of [history] path (`dmesg` shows its errors): the rows in memory are written once \
                      it answers; a restart does not mend it, and loses them";
        return Finding::wrong("history", detail, advice);
    }
    if let (Some(holder), Some(trouble)) = (&recorder.holder, &recorder.trouble) {
        let detail = format!(
            "recorded by another process for {}: {holder}; {detail}",
            span(trouble.seconds)
        );
        return Finding::wrong("history", detail, END_THE_OTHER);
    }
    if let Some(trouble) = &recorder.trouble {
        let detail = format!("{} for {}; {detail}", trouble.reason, span(trouble.seconds));
        return Finding::wrong("history", detail, advice(trouble));
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

/// Returns the advice on a fault of the history.
fn advice(trouble: &Trouble) -> &'static str {
    let kind = trouble.cause.as_deref().and_then(|cause| cause.parse().ok());
    match kind {
        Some(FaultKind::NoPlace) => {
            "make the folder, as the reason says: the server tries again each minute; or correct [history] path \
             and restart the server; `pumphouse-web check` tests it"
        }
        Some(FaultKind::NoRights) => {
            "let the server's user write the file and the folder of [history] path: chown USER FOLDER FILE; the \
             rows in memory are written within a minute after that"
        }
        Some(FaultKind::ReadOnly) => {
            "mount the file system of [history] path writable, and let the server's user write the file; the \
             rows in memory are written once it works again"
        }
        Some(FaultKind::DiskFull) => {
            "make room on the disk of [history] path (`df` shows it): the rows in memory are written once it works \
             again"
        }
        Some(FaultKind::DiskError | FaultKind::TooSlow) => {
            "check the disk of [history] path (`dmesg` shows its errors), or the limit that the reason names: the \
             rows in memory are written once it works again"
        }
        Some(FaultKind::Held) => END_THE_OTHER,
        Some(FaultKind::Locked) => {
            "end the other program that has the file of [history] path open (`fuser FILE` shows it); the rows in \
             memory are written after that"
        }
        Some(FaultKind::Damaged) => {
            "check the disk of [history] path (`dmesg` shows its errors): the damaged file is set aside, and the \
             rows in memory are written to a new one"
        }
        Some(FaultKind::Foreign) => "write another [history] path, and restart the server",
        Some(FaultKind::NewerVersion) => {
            "install the later version of this program again, or write another [history] path and restart the \
             server"
        }
        Some(FaultKind::Store) => {
            "check the database of [store] url, and the way to it, as the reason says: the observations in the \
             spool are written once it answers"
        }
        Some(FaultKind::Clock) => {
            "set the clock of the machine, by NTP if it can (`timedatectl` shows it): the readings in memory are \
             recorded once it is right"
        }
        // Also a server of another version, whose fault this program does not know.
        Some(FaultKind::Other) | None => {
            "check the folder, the rights and the disk of [history] path, as the reason says: the rows in memory \
             are written once it works again"
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strum::VariantArray as _;

    use super::*;

    fn of(trouble: serde_json::Value) -> &'static str {
        advice(&serde_json::from_value(trouble).unwrap())
    }

    #[test]
    fn advice_follows_the_cause_and_not_the_words_of_the_reason() {
        let words = "the user w must not write /d; the file is read-only; \"path\" in [history]: /d is a folder";
        for (cause, expected) in [
            ("no-place", "correct [history] path"),
            ("no-rights", "chown USER FOLDER"),
            ("read-only", "mount the file system"),
            ("disk-full", "make room"),
            ("clock", "set the clock"),
            ("other", "as the reason says"),
        ] {
            let advice = of(json!({"cause": cause, "reason": words, "seconds": 1.0}));
            assert!(advice.contains(expected), "{cause}: {advice}");
        }
    }

    #[test]
    fn server_without_the_cause_or_with_an_unknown_one_gets_general_advice() {
        for trouble in [
            json!({"reason": "the user w must not write /d", "seconds": 1.0}),
            json!({"cause": null, "reason": "the disk is full", "seconds": 1.0}),
            json!({"cause": "eaten-by-mice", "reason": "gone", "seconds": 1.0}),
        ] {
            assert!(of(trouble.clone()).contains("as the reason says"), "{trouble}");
        }
    }

    #[test]
    fn each_documented_cause_is_a_kind_and_each_kind_is_documented() {
        let documented = include_str!("../../admin/scoreboard/report.rs");
        let rows = documented.lines().filter_map(|line| line.strip_prefix("//! | `"));
        let mut names: Vec<&str> = rows
            .filter_map(|row| row.split_once("` |"))
            .flat_map(|(names, _)| names.split("`, `"))
            .collect();
        let mut kinds: Vec<&str> = FaultKind::VARIANTS.iter().map(|kind| kind.as_str()).collect();
        names.sort_unstable();
        kinds.sort_unstable();
        assert_eq!(names, kinds);
    }
}
