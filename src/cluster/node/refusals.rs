//! Statements of this thread that the database refuses although it answers: for lack of rights or of space on its disk,
//! for a lock that another session holds, or for tables that other software has changed.
//!
//! An outage is reported by [`StoreHealth`] itself. These concern leases and readings alone, so the history, whose
//! statements may succeed, has its own reports.

use std::time::Duration;

use crate::logging::OnChange;
use crate::postgres::PostgresError;
use crate::store::{StoreHealth, is_outage};

/// Interval at which a refusal that lasts is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Statements that may be refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Preparation,
    Renewal,
    Publication,
}

/// Refusals that last.
#[derive(Debug)]
pub(super) struct Refusals([Refusal; 3]);

#[derive(Debug)]
struct Refusal {
    reason: Option<String>,
    logged: OnChange<()>,
}

impl Refusals {
    pub(super) fn new() -> Refusals {
        let none = || Refusal { reason: None, logged: OnChange::repeating(LOG_INTERVAL) };
        Refusals([none(), none(), none()])
    }

    /// Notes the result of a step, logs a refusal and its end, and reports it as a fault while it lasts.
    pub(super) fn note<T>(
        &mut self,
        step: Step,
        result: &Result<T, PostgresError>,
        health: &StoreHealth,
    ) {
        let (what, again) = step.words();
        let refusal = &mut self.0[step as usize];
        match result {
            Ok(_) => {
                refusal.reason = None;
                if refusal.logged.clear() {
                    log::info!("{again}");
                }
            }
            // Whether the statement is still refused is not known.
            Err(error) if is_outage(error) => refusal.reason = None,
            Err(error) => {
                let reason = format!("{what}: {error}");
                if refusal.logged.set(()) {
                    log::warn!("{reason}");
                }
                refusal.reason = Some(reason);
            }
        }
        health.set_refusal(self.0.iter().find_map(|refusal| refusal.reason.as_deref()));
    }
}

impl Step {
    /// Returns the beginning of the message about a refusal, and the message about its end.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Step::Preparation => (
                "the tables of the database cannot be prepared",
                "the tables of the database are prepared",
            ),
            Step::Renewal => ("the leases cannot be renewed", "the leases are renewed again"),
            Step::Publication => (
                "readings cannot be published to the other replicas",
                "readings are published to the other replicas again",
            ),
        }
    }
}
