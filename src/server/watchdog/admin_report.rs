//! Logs that the admin engine is stuck, and that it has recovered.
//!
//! Visitors are still served meanwhile, so the process is not ended. The line has no scoreboard,
//! because the stuck thread may be the one that renders it.

use std::time::{Duration, Instant};

use log::Level;

/// Minimum time between two lines about a stuck admin engine.
const INTERVAL: Duration = Duration::from_secs(60);

/// State of the admin engine as last logged.
#[derive(Debug, Default)]
pub(super) struct AdminReport {
    stuck: bool,
    latest: Option<Instant>,
}

impl AdminReport {
    /// Logs a change of the state. `failure` is the reason why the engine is stuck, or `None` if it is
    /// not.
    pub(super) fn update(&mut self, failure: Option<&str>, now: Instant) {
        if let Some((level, line)) = self.line(failure, now) {
            log::log!(level, "{line}");
        }
    }

    fn line(&mut self, failure: Option<&str>, now: Instant) -> Option<(Level, String)> {
        match failure {
            Some(failure) => {
                let is_due = self.latest.is_none_or(|latest| now >= latest + INTERVAL);
                if !is_due {
                    return None;
                }
                self.stuck = true;
                self.latest = Some(now);
                let line = format!(
                    "the admin listener is stuck: {failure}; visitors are still served; a restart \
                     repairs it"
                );
                Some((Level::Error, line))
            }
            None if std::mem::take(&mut self.stuck) => {
                Some((Level::Info, "the admin listener is no longer stuck".to_owned()))
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuck_admin_listener_is_reported_once_a_minute_and_its_recovery_once() {
        let start = Instant::now();
        let mut report = AdminReport::default();
        let stuck = Some("the acceptor has been silent for 5.0 s");
        for (second, failure, expected) in [
            (0, None, None),
            (1, stuck, Some(Level::Error)),
            (2, stuck, None),
            (60, stuck, None),
            (61, stuck, Some(Level::Error)),
            (62, None, Some(Level::Info)),
            (63, None, None),
            (64, stuck, None),
            (65, None, None),
            (121, stuck, Some(Level::Error)),
        ] {
            let line = report.line(failure, start + Duration::from_secs(second));
            assert_eq!(line.map(|(level, _)| level), expected, "at {second} s");
        }
    }
}
