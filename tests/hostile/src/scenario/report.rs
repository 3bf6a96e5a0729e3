//! The table of scenarios, and the bounds that a server must keep in each.

use std::fmt;
use std::time::Duration;

use super::{Findings, Outcome, Stop};
use crate::canary::CanaryReport;

/// Bound on the canary's p99.
pub const CANARY_P99: Duration = Duration::from_millis(20);

/// Bound on the p99 of `/healthz` at the admin listener.
const ADMIN_P99: Duration = Duration::from_millis(50);

impl Outcome {
    /// Returns the faults that do not depend on the machine's speed; empty if there are none.
    pub fn faults(&self) -> Vec<String> {
        let Outcome { canary, admin, exit, restarts, findings, .. } = self;
        let mut faults = Vec::new();
        if let Some(status) = exit {
            faults.push(format!("the process ended: {status}"));
        }
        faults.extend(missed("canary", canary));
        faults.extend(missed("admin /healthz", admin));
        if let Some(restarts @ 1..) = restarts {
            faults.push(format!("watch restarted the server {restarts} times"));
        }
        faults.extend(findings.faults());
        faults
    }

    /// Returns the goals of speed that were missed.
    pub fn slow(&self) -> Vec<String> {
        let goals =
            [("canary", &self.canary, CANARY_P99), ("admin /healthz", &self.admin, ADMIN_P99)];
        let missed = goals.into_iter().filter(|(_, report, goal)| report.quantile(0.99) > *goal);
        missed.map(|(name, _, goal)| format!("{name}: p99 above {} ms", goal.as_millis())).collect()
    }
}

/// Returns a fault if a visit of the canary was missed, or none was served.
fn missed(name: &str, report: &CanaryReport) -> Option<String> {
    match report.missed.as_slice() {
        [] if report.served.is_empty() => Some(format!("{name}: no visit was served")),
        [] => None,
        [first, ..] => Some(format!("{name}: {} missed, first: {first}", report.missed.len())),
    }
}

impl Findings {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.accepted_guesses > 0 {
            faults.push(format!(
                "{} right guesses of throttled strangers were accepted",
                self.accepted_guesses
            ));
        }
        if let [first, ..] = self.owner_refused.as_slice() {
            let count = self.owner_refused.len();
            faults.push(format!("the owner was refused {count} times, first: {first}"));
        }
        if let Some(Stop::Hung(time)) = self.stop {
            faults.push(format!("TERM: the process still runs after {} s", time.as_secs()));
        }
        faults
    }
}

/// A table with a row for each scenario.
pub struct Scenarios<'a>(pub &'a [Outcome]);

impl fmt::Display for Scenarios<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| attack on a server of its own | canary | p50 ms | p99 ms | admin /healthz | p99 ms \
             | largest RSS, MiB | attackers | |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |"
        )?;
        for outcome in self.0 {
            let Outcome { scenario, canary, admin, memory_kib, findings, .. } = outcome;
            let responses = findings.responses.as_ref().map(ToString::to_string);
            let opened = findings.opened.map(|count| format!("{count} connections"));
            let stop = findings.stop.and_then(|stop| match stop {
                Stop::After(time) => Some(format!("TERM: ended in {:.1} s", time.as_secs_f64())),
                Stop::Hung(_) => None,
            });
            let notes: Vec<String> = responses.into_iter().chain(opened).chain(stop).collect();
            let faults: Vec<String> = outcome.faults().into_iter().chain(outcome.slow()).collect();
            let verdict = match faults.is_empty() {
                true => "reached".to_owned(),
                // A bar would end the cell.
                false => format!("**missed**: {}", faults.join("; ").replace('|', "/")),
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {:.1} | {} | {verdict} |",
                scenario,
                canary.tally(),
                millis(canary, 0.5),
                millis(canary, 0.99),
                admin.tally(),
                millis(admin, 0.99),
                *memory_kib as f64 / 1024.0,
                notes.join("; "),
            )?;
        }
        Ok(())
    }
}

fn millis(report: &CanaryReport, share: f64) -> String {
    match report.served.is_empty() {
        true => "–".to_owned(),
        false => format!("{:.1}", report.quantile(share).as_secs_f64() * 1e3),
    }
}
