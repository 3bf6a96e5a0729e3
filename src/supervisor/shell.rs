//! A shell command with a bound on its time.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::command_output::CommandOutput;

/// Interval between two checks whether the command has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Longest wait for the end of a command that was killed.
const MAX_KILL_WAIT: Duration = Duration::from_secs(2);

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
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline || is_over() {
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
