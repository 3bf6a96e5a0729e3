//! Restarts of a server: by supervisord, or by a command.

mod command;
mod program;

pub use self::command::CommandRestarter;
pub use self::program::{ProgramRestarter, gave_up};

use std::time::Duration;

/// Interval between two checks whether a process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Permission to restart a server that fails its probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligibility {
    /// The server is meant to run.
    Eligible,
    /// The server is being started or stopped already; the reason.
    Ineligible(String),
    /// An operator has stopped the server; the reason.
    Stopped(String),
    /// supervisord has given up starting the server; what an operator has to do.
    GaveUp(String),
}

/// Error of a restart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// Nothing was done, and this does not count as a restart.
    #[error("{0}")]
    NotBegun(String),
    /// The restart was begun, and counts as one.
    #[error("{0}")]
    Unfinished(String),
}

/// Restarts one server. Each method has a bound on its time.
pub trait Restarter {
    /// Checks that the server may be restarted.
    ///
    /// # Errors
    /// The state of the server is unknown; the reason.
    fn eligibility(&mut self) -> Result<Eligibility, String>;

    /// Returns the process of the server, by the latest check of its eligibility; `None` if that is not known.
    fn process(&self) -> Option<i32>;

    /// Restarts the server, and returns a description of the outcome.
    ///
    /// # Errors
    /// The restart was not begun, or did not succeed.
    fn restart(&mut self) -> Result<String, RestartError>;

    /// Continues a restart that is unfinished. Returns a description of the outcome, or `None` if
    /// there was nothing to do.
    fn resume(&mut self) -> Option<String>;
}

#[cfg(test)]
mod tests;
