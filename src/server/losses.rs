//! Tells the log of connections that were turned away or had to give way. The engine counts
//! them and writes nothing: a log that nobody reads would hold up its acceptor.

use std::time::{Duration, Instant};

use log::Level;
use strum::{EnumCount, VariantArray};

use crate::engine::{CloseReason, ShedReason, Stats};

/// At most one line of each kind in this time.
const PERIOD: Duration = Duration::from_secs(10);

/// Reports one engine's losses, and remembers what it has reported.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Begins each line where it is not the public engine's: `admin listener: `.
    prefix: &'static str,
    told: Option<Counts>,
    latest: Option<Instant>,
}

/// Connections lost since the start.
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

impl Losses {
    /// Those of another engine than the public one.
    pub(super) fn of(prefix: &'static str) -> Losses {
        Losses { prefix, ..Losses::default() }
    }

    /// Logs what has been lost since the last line, unless that was just now.
    pub(super) fn look(&mut self, engine: &Stats, now: Instant) {
        for (level, line) in self.lines(Counts::of(engine), now) {
            log::log!(level, "{}{line}", self.prefix);
        }
    }

    fn lines(&mut self, counts: Counts, now: Instant) -> Vec<(Level, String)> {
        let told = self.told.unwrap_or_default();
        if counts == told || self.latest.is_some_and(|latest| now < latest + PERIOD) {
            return Vec::new();
        }
        self.told = Some(counts);
        self.latest = Some(now);
        let shed: Vec<(u64, &str)> = ShedReason::VARIANTS
            .iter()
            .zip(counts.shed.into_iter().zip(told.shed))
            .map(|(reason, (now, before))| (now - before, reason.as_str()))
            .filter(|(more, _)| *more > 0)
            .collect();
        let mut lines = Vec::new();
        if !shed.is_empty() {
            let reasons: Vec<String> =
                shed.iter().map(|(more, reason)| format!("{reason} {more}")).collect();
            lines.push((Level::Warn, format!("connections turned away: {}", reasons.join(", "))));
        }
        let evicted = counts.evicted - told.evicted;
        if evicted > 0 {
            lines.push((
                Level::Info,
                format!("connections that gave way to newer ones, at a cap: {evicted}"),
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_told_at_once_and_the_rest_in_sums() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut losses = Losses::default();
        for (second, shed, evicted, expected) in [
            (0, [0, 0, 0, 0, 0], 0, &[][..]),
            (1, [2, 0, 0, 0, 0], 0, &["connections turned away: queue_timeout 2"][..]),
            (2, [5, 0, 0, 0, 0], 0, &[]),
            (10, [5, 0, 1, 0, 0], 7, &[]),
            (
                11,
                [5, 0, 1, 0, 0],
                7,
                &[
                    "connections turned away: queue_timeout 3, connection_cap 1",
                    "connections that gave way to newer ones, at a cap: 7",
                ],
            ),
            (60, [5, 0, 1, 0, 0], 7, &[]),
            (61, [5, 0, 1, 0, 0], 8, &["connections that gave way to newer ones, at a cap: 1"]),
        ] {
            let told = losses.lines(Counts { shed, evicted }, at(second));
            let told: Vec<&str> = told.iter().map(|(_, line)| line.as_str()).collect();
            assert_eq!(told, expected, "at {second} s");
        }
    }
}
