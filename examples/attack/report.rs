//! The report on an attack in all modes.

use std::fmt;
use std::time::Duration;

use hostile::canary::CanaryReport;
use hostile::mode::Mode;
use hostile::scenario::CANARY_P99;
use hostile::swarm::Tally;

use crate::goals::Goal;

/// Result of an attack in all modes.
pub struct Report {
    /// Connections of each mode.
    pub tallies: Vec<(Mode, Tally)>,
    /// Visits of the canary.
    pub canary: CanaryReport,
    /// Largest number of connections that waited to be accepted.
    pub fullest_queue: u32,
    /// Number of connections that a full accept queue dropped.
    pub overflows: u64,
    /// Resources and counts of the server, if it was started here.
    pub server: Option<ServerCounts>,
    /// Duration of the attack.
    pub time: Duration,
}

/// Resources and counts of a server.
pub struct ServerCounts {
    /// Processor time used during the attack.
    pub cpu: Duration,
    /// Largest resident memory, KiB.
    pub memory_kib: u64,
    /// Number of connections closed for each reason.
    pub closed: Vec<(String, u64)>,
}

impl Report {
    /// Returns the goals with what was measured.
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
            "| mode | opened | held at the end | closed when due | closed earlier | lived at most \
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
            "{} served; p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.canary.tally(),
            millis(0.5),
            millis(0.99),
            millis(1.0)
        );
        row(f, "all at once", &all, &canary)?;
        writeln!(
            f,
            "\nA connection is due when the deadline of its phase has passed, or when it violates the \
             protocol or a limit. Connections closed earlier were evicted at the cap, or refused by \
             the route."
        )?;
        for reason in self.canary.missed.iter().take(5) {
            writeln!(f, "Missed visit: {reason}.")?;
        }
        writeln!(
            f,
            "\nAccept queue: at most {}; connections dropped by a full one: {}.",
            self.fullest_queue, self.overflows
        )?;
        if let Some(ServerCounts { cpu, memory_kib, closed }) = &self.server {
            let share = 100.0 * cpu.as_secs_f64() / self.time.as_secs_f64();
            writeln!(f, "Server: {share:.0} % of a core, at most {memory_kib} KiB resident.")?;
            let reasons = closed.iter().map(|(reason, count)| format!("{count} {reason}"));
            writeln!(f, "Closed by reason: {}.", reasons.collect::<Vec<_>>().join(", "))?;
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
