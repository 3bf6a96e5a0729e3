//! The table at the end of an attack.

use std::fmt;
use std::time::Duration;

use hostile::canary::CanaryReport;
use hostile::mode::Mode;
use hostile::scenario::CANARY_P99;
use hostile::swarm::Tally;

use crate::goals::Goal;

/// What an attack has come to.
pub struct Report {
    /// Each mode's connections.
    pub tallies: Vec<(Mode, Tally)>,
    /// The visitor's experience.
    pub canary: CanaryReport,
    /// The most connections seen to wait for accept.
    pub fullest_queue: u32,
    /// Connections lost to a full accept queue.
    pub overflows: u64,
    /// What the server has counted, where it is the attack's own.
    pub server: Option<Inside>,
    /// For how long it was attacked.
    pub time: Duration,
}

/// A server, seen by itself and by its machine.
pub struct Inside {
    /// Processor time.
    pub cpu: Duration,
    /// The largest memory seen.
    pub memory_kib: u64,
    /// Connections that it closed, by its reason.
    pub closed: Vec<(String, u64)>,
}

impl Report {
    /// What was to be reached.
    pub fn goals(&self) -> Vec<Goal> {
        let canary = &self.canary;
        let visits = canary.served.len() + canary.missed.len();
        let p99 = canary.quantile(0.99).as_secs_f64() * 1e3;
        vec![
            Goal::all("canary: visits served", visits, canary.served.len()),
            Goal::at_most("canary: p99 of a visit", p99, CANARY_P99.as_secs_f64() * 1e3, "ms")
                .of_speed(),
            Goal::at_most(
                "connections lost to a full accept queue",
                self.overflows as f64,
                0.0,
                "",
            )
            .of_speed(),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| mode | opened | held at the end | closed when due | gave way before | lived at most \
             | canary |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |"
        )?;
        let mut all = Tally::default();
        for (mode, tally) in &self.tallies {
            row(f, &mode.to_string(), tally, "")?;
            all.opened += tally.opened;
            all.held += tally.held;
            all.closed += tally.closed;
            all.due += tally.due;
            all.longest = all.longest.max(tally.longest);
        }
        let millis = |share| self.canary.quantile(share).as_secs_f64() * 1e3;
        let canary = format!(
            "{} of {} served; p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.canary.served.len(),
            self.canary.served.len() + self.canary.missed.len(),
            millis(0.5),
            millis(0.99),
            millis(1.0)
        );
        row(f, "all at once", &all, &canary)?;
        writeln!(
            f,
            "\nDue is who has used up the deadline of its phase, or broken a rule; at the cap others \
             give way to newcomers before."
        )?;
        for reason in self.canary.missed.iter().take(5) {
            writeln!(f, "The canary was missed: {reason}.")?;
        }
        writeln!(
            f,
            "\nAccept queue: {} at most; lost to a full one: {}.",
            self.fullest_queue, self.overflows
        )?;
        if let Some(Inside { cpu, memory_kib, closed }) = &self.server {
            let share = 100.0 * cpu.as_secs_f64() / self.time.as_secs_f64();
            writeln!(f, "Server: {share:.0} % of a core, {memory_kib} KiB at most.")?;
            let told = closed.iter().map(|(reason, count)| format!("{count} {reason}"));
            writeln!(f, "It counted as closed: {}.", told.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, tally: &Tally, canary: &str) -> fmt::Result {
    let Tally { opened, held, closed, due, longest } = tally;
    let before = closed - due;
    let lived = match closed {
        0 => String::new(),
        _ => format!("{:.1} s", longest.as_secs_f64()),
    };
    writeln!(f, "| {name} | {opened} | {held} | {due} | {before} | {lived} | {canary} |")
}
