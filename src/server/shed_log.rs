//! Logs connections that an engine shed or evicted.
//!
//! The engine only counts them: its acceptor must not spend its time on a line for each. The
//! watchdog's thread compares the counters with those of the last line, and logs the difference
//! at most once in ten seconds.

use std::time::{Duration, Instant};

use log::Level;
use strum::{EnumCount as _, VariantArray as _};

use crate::engine::{CloseReason, ShedReason, Stats};

/// Minimum time between two reports.
const INTERVAL: Duration = Duration::from_secs(10);

/// Logs the sheds and evictions of one engine, each once.
#[derive(Debug, Default)]
pub(super) struct ShedLog {
    /// Start of each line: empty for the public engine, `admin listener: ` for the admin engine.
    prefix: &'static str,
    logged: Counts,
    latest: Option<Instant>,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    shed: [u64; ShedReason::COUNT],
    evicted: u64,
}

impl Counts {
    fn of(engine: &Stats) -> Counts {
        Counts {
            shed: std::array::from_fn(|at| engine.shed(ShedReason::VARIANTS[at])),
            evicted: engine.closed(CloseReason::Evicted),
        }
    }
}

impl ShedLog {
    /// Returns a log whose lines begin with `prefix`.
    pub(super) fn with_prefix(prefix: &'static str) -> ShedLog {
        ShedLog { prefix, ..ShedLog::default() }
    }

    /// Logs what was shed and evicted since the last report, unless that was less than
    /// [`INTERVAL`] ago.
    pub(super) fn update(&mut self, engine: &Stats, now: Instant) {
        for (level, line) in self.lines(Counts::of(engine), now) {
            log::log!(level, "{}{line}", self.prefix);
        }
    }

    fn lines(&mut self, counts: Counts, now: Instant) -> Vec<(Level, String)> {
        if counts == self.logged || self.latest.is_some_and(|latest| now < latest + INTERVAL) {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.logged, counts);
        self.latest = Some(now);
        let shed: Vec<String> = ShedReason::VARIANTS
            .iter()
            .zip(counts.shed.into_iter().zip(before.shed))
            .filter(|(_, (count, before))| count > before)
            .map(|(reason, (count, before))| format!("{} {}", reason.as_str(), count - before))
            .collect();
        let mut lines = Vec::new();
        if !shed.is_empty() {
            lines.push((Level::Warn, format!("connections shed: {}", shed.join(", "))));
        }
        let evicted = counts.evicted - before.evicted;
        if evicted > 0 {
            lines.push((Level::Info, format!("connections evicted at a cap: {evicted}")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_shed_connection_is_logged_at_once_and_later_ones_in_sums() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut log = ShedLog::default();
        for (second, shed, evicted, expected) in [
            (0, [0, 0, 0, 0, 0], 0, &[][..]),
            (1, [2, 0, 0, 0, 0], 0, &["connections shed: queue_timeout 2"][..]),
            (2, [5, 0, 0, 0, 0], 0, &[]),
            (10, [5, 0, 1, 0, 0], 7, &[]),
            (
                11,
                [5, 0, 1, 0, 0],
                7,
                &[
                    "connections shed: queue_timeout 3, connection_cap 1",
                    "connections evicted at a cap: 7",
                ],
            ),
            (60, [5, 0, 1, 0, 0], 7, &[]),
            (61, [5, 0, 1, 0, 0], 8, &["connections evicted at a cap: 1"]),
        ] {
            let lines = log.lines(Counts { shed, evicted }, at(second));
            let lines: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
            assert_eq!(lines, expected, "at {second} s");
        }
    }
}
