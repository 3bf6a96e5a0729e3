//! Restarts by a command, such as `systemctl restart pumphouse-web`.

use std::time::Instant;

use super::{Eligibility, RestartError, Restarter};
use crate::supervisor::shell::ShellCommand;

/// Restarts the server by a command.
pub struct CommandRestarter(pub ShellCommand);

impl Restarter for CommandRestarter {
    /// Returns that the server is eligible, as there is no supervisor to query.
    fn eligibility(&mut self) -> Result<Eligibility, String> {
        Ok(Eligibility::Eligible)
    }

    fn process(&self) -> Option<i32> {
        None
    }

    fn restart(&mut self) -> Result<String, RestartError> {
        let begun = Instant::now();
        match self.0.run(&[], || false) {
            Ok(Some(status)) if status.success() => {
                Ok(format!("the command took {:.1} s", begun.elapsed().as_secs_f64()))
            }
            Ok(Some(status)) => {
                Err(RestartError::Unfinished(format!("the command ended with {status}")))
            }
            Ok(None) => {
                let timeout = self.0.timeout.as_secs_f64();
                Err(RestartError::Unfinished(format!("the command was killed after {timeout} s")))
            }
            Err(error) => {
                Err(RestartError::NotBegun(format!("the command cannot be run: {error}")))
            }
        }
    }

    fn resume(&mut self) -> Option<String> {
        None
    }
}
