//! The table at the end of an attack.

use std::fmt;
use std::time::Duration;

use crate::hostile::canary::Song;
use crate::hostile::mode::Mode;
use crate::hostile::swarm::Tally;

/// What an attack has come to.
pub struct Report {
    /// Each mode's connections.
    pub tallies: Vec<(Mode, Tally)>,
    /// The visitor's experience.
    pub canary: Song,
    /// The most connections seen to wait for accept.
    pub fullest_queue: u32,
    /// Connections lost to a full accept queue.
    pub overflows: u64,
    /// Processor time of the server, where it is the attack's own.
    pub cpu: Option<Duration>,
    /// The largest memory of the server seen.
    pub memory_kib: u64,
    /// For how long it was attacked.
    pub time: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n| mode | held at the end | opened | closed by the server | lived at most |"
        )?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: |")?;
        for (mode, tally) in &self.tallies {
            writeln!(
                f,
                "| {} | {} | {} | {} | {:.1} s |",
                mode.as_str(),
                tally.held,
                tally.opened,
                tally.closed,
                tally.longest.as_secs_f64()
            )?;
        }
        let canary = &self.canary;
        let visits = canary.served.len() + canary.missed.len();
        let millis = |share| canary.quantile(share).as_secs_f64() * 1e3;
        writeln!(f)?;
        writeln!(f, "canary: {} of {visits} visits served", canary.served.len())?;
        writeln!(
            f,
            "canary: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms (goal: p99 of at most 50 ms)",
            millis(0.5),
            millis(0.99),
            millis(1.0)
        )?;
        for reason in canary.missed.iter().take(5) {
            writeln!(f, "canary: missed: {reason}")?;
        }
        writeln!(
            f,
            "accept queue: {} at most; lost to a full one: {}",
            self.fullest_queue, self.overflows
        )?;
        if let Some(cpu) = self.cpu {
            let share = 100.0 * cpu.as_secs_f64() / self.time.as_secs_f64();
            writeln!(f, "server: {share:.0} % of a core, {} KiB at most", self.memory_kib)?;
        }
        Ok(())
    }
}
