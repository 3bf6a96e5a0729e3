//! A shell command with a bound on its time.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::command_output::CommandOutput;
use crate::kernel::child::wait_or_kill;

/// Interval between two checks whether the command has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Command that `sh` runs in a process group of its own.
#[derive(Debug)]
pub struct ShellCommand {
    /// Argument of `sh -c`.
    pub command: String,
    /// Bound on the command. Then it is killed, with its process group.
    pub timeout: Duration,
    /// Logs the output of the command.
    pub output: CommandOutput,
}

impl ShellCommand {
    /// Runs the command with these variables in its environment, until it ends, its time is up, or
    /// `is_over` returns true. Returns `None` if it was killed.
    ///
    /// # Errors
    /// The command cannot be run.
    pub(super) fn run(
        &self,
        variables: &[(&str, &str)],
        is_over: impl Fn() -> bool,
    ) -> io::Result<Option<ExitStatus>> {
        let mut child = Command::new("sh")
            .args(["-c", &self.command])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(self.output.stdio()?)
            .stderr(self.output.stdio()?)
            .process_group(0)
            .spawn()?;
        let deadline = Instant::now() + self.timeout;
        let is_over = || Instant::now() >= deadline || is_over();
        wait_or_kill(&mut child, is_over, || thread::sleep(POLL_INTERVAL))
    }
}
