//! Restarts by a command, such as `systemctl restart pumphouse-web`.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Eligibility, POLL_INTERVAL, RestartError, Restarter};
use crate::supervisor::command_output::CommandOutput;

/// Longest wait for the end of a command that was killed.
const MAX_KILL_WAIT: Duration = Duration::from_secs(2);

/// Restarts the server by a command that `sh` runs.
pub struct CommandRestarter {
    /// Argument of `sh -c`.
    pub command: String,
    /// Bound on the command. Then it is killed, with its process group.
    pub timeout: Duration,
    /// Logs the output of the command.
    pub output: CommandOutput,
}

impl CommandRestarter {
    /// Runs the command. Returns `None` if it was killed.
    fn run(&self) -> io::Result<Option<ExitStatus>> {
        let mut child = Command::new("sh")
            .args(["-c", &self.command])
            .stdin(Stdio::null())
            .stdout(self.output.stdio()?)
            .stderr(self.output.stdio()?)
            .process_group(0)
            .spawn()?;
        let deadline = Instant::now() + self.timeout;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                // A process that hangs in a system call survives the signal until that returns.
                let killed = Instant::now();
                while child.try_wait()?.is_none() && killed.elapsed() < MAX_KILL_WAIT {
                    thread::sleep(POLL_INTERVAL);
                }
                return Ok(None);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Restarter for CommandRestarter {
    /// Returns that the server is eligible, as there is no supervisor to query.
    fn eligibility(&mut self) -> Result<Eligibility, String> {
        Ok(Eligibility::Eligible)
    }

    fn restart(&mut self) -> Result<String, RestartError> {
        let begun = Instant::now();
        match self.run() {
            Ok(Some(status)) if status.success() => {
                Ok(format!("the command took {:.1} s", begun.elapsed().as_secs_f64()))
            }
            Ok(Some(status)) => {
                Err(RestartError::Unfinished(format!("the command ended with {status}")))
            }
            Ok(None) => {
                let timeout = self.timeout.as_secs_f64();
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
