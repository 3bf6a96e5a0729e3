//! How a service is restarted: by supervisord, or by a command.

use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::command_output::CommandOutput;
use super::rpc::{ProcessInfo, RpcError, State, Supervisord, fault};

/// Between two looks at whether something has ended.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest wait for the end of a command that was killed.
const MAX_KILL_WAIT: Duration = Duration::from_secs(2);

/// Whether a service that fails its probes is to be restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is meant to run.
    Due,
    /// It is not, or somebody else is seeing to it; why.
    LeaveAlone(String),
}

/// Why a restart did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// Nothing was done.
    #[error("{0}")]
    NotBegun(String),
    /// It was begun, and counts as a restart.
    #[error("{0}")]
    Unfinished(String),
}

/// Restarts one service. No method takes longer than its bound.
pub trait Restarter {
    /// Whether it is to be restarted.
    ///
    /// # Errors
    /// That cannot be told.
    fn standing(&mut self) -> Result<Standing, String>;

    /// Restarts it; gives what was done.
    ///
    /// # Errors
    /// See [`RestartError`].
    fn restart(&mut self) -> Result<String, RestartError>;

    /// Goes on with a restart that was left unfinished; gives what was done, if anything was.
    fn resume(&mut self) -> Option<String>;
}

/// A program of supervisord's.
pub struct Supervised {
    /// Who runs it.
    pub supervisord: Supervisord,
    /// `name` or `group:name`.
    pub program: String,
    /// Bound on stop and start together.
    pub bound: Duration,
    /// Started less than this ago, it has not had its chance yet.
    pub grace: Duration,
    stopped_by_us: bool,
}

impl Supervised {
    /// That program, with that bound on a restart.
    pub fn new(
        supervisord: Supervisord,
        program: String,
        bound: Duration,
        grace: Duration,
    ) -> Supervised {
        Supervised { supervisord, program, bound, grace, stopped_by_us: false }
    }

    /// What supervisord knows of it.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub fn info(&self) -> Result<ProcessInfo, RpcError> {
        self.supervisord.info(&self.program)
    }

    /// Starts what we have stopped; gives its new process number.
    fn start(&mut self) -> Result<String, RestartError> {
        match self.supervisord.start(&self.program) {
            Ok(()) => {}
            Err(error) => match error.fault() {
                // Somebody was quicker.
                Some(fault::ALREADY_STARTED) => {}
                // From here supervisord goes on by itself, or is about to end.
                Some(fault::SPAWN_ERROR | fault::SHUTDOWN_STATE) => {
                    self.stopped_by_us = false;
                    return Err(RestartError::Unfinished(error.to_string()));
                }
                _ => return Err(RestartError::Unfinished(format!("{error}; trying again"))),
            },
        }
        self.stopped_by_us = false;
        Ok(match self.info() {
            Ok(info) => format!("process {}", info.pid),
            Err(_) => "a new process".to_owned(),
        })
    }

    /// Waits until it is down. False: it was up again before that was seen.
    fn wait_until_down(&self, old: i32, deadline: Instant) -> Result<bool, RestartError> {
        loop {
            let seen = self.info();
            match &seen {
                Ok(ProcessInfo { state, .. }) if is_down(*state) => return Ok(true),
                Ok(ProcessInfo { state: State::Backoff, .. }) => return Ok(false),
                Ok(ProcessInfo { state: State::Starting | State::Running, pid, .. })
                    if *pid != old =>
                {
                    return Ok(false);
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                let bound = self.bound.as_secs_f64();
                let seen = seen
                    .map_or_else(|error| error.to_string(), |info| info.state.as_str().to_owned());
                return Err(RestartError::Unfinished(format!(
                    "it is still not down after {bound} s: {seen}; it is started as soon as it is"
                )));
            }
            thread::sleep(PAUSE);
        }
    }
}

fn is_down(state: State) -> bool {
    matches!(state, State::Stopped | State::Exited | State::Fatal | State::Unknown)
}

impl Restarter for Supervised {
    fn standing(&mut self) -> Result<Standing, String> {
        let info = self.info().map_err(|error| error.to_string())?;
        Ok(match info.state {
            State::Running if info.uptime < self.grace => Standing::LeaveAlone(format!(
                "supervisord started it {} s ago",
                info.uptime.as_secs()
            )),
            State::Running => Standing::Due,
            state => Standing::LeaveAlone(format!("supervisord says {}", state.as_str())),
        })
    }

    fn restart(&mut self) -> Result<String, RestartError> {
        let not_begun = |error: RpcError| RestartError::NotBegun(error.to_string());
        let old = self.info().map_err(not_begun)?.pid;
        let begun = Instant::now();
        match self.supervisord.stop(&self.program) {
            Ok(()) => {}
            // Without an answer it may have been heard.
            Err(error @ RpcError::Unreachable(_)) => log::warn!("{error}"),
            Err(error) => return Err(not_begun(error)),
        }
        self.stopped_by_us = true;
        if !self.wait_until_down(old, begun + self.bound)? {
            self.stopped_by_us = false;
            return Ok(format!("supervisord started it again in place of process {old}"));
        }
        let down = begun.elapsed().as_secs_f64();
        let new = self.start()?;
        Ok(format!("{new} in place of {old}, which took {down:.1} s to stop"))
    }

    fn resume(&mut self) -> Option<String> {
        if !self.stopped_by_us {
            return None;
        }
        match self.info() {
            Ok(info) if is_down(info.state) => {
                Some(self.start().unwrap_or_else(|error| error.to_string()))
            }
            Ok(ProcessInfo { state: State::Stopping, .. }) => None,
            Ok(info) => {
                // The stop was not heard after all, or somebody else has started it.
                self.stopped_by_us = false;
                Some(format!("supervisord says {}", info.state.as_str()))
            }
            Err(error) => Some(error.to_string()),
        }
    }
}

/// A command for the shell, such as `systemctl restart pumphouse-web`.
pub struct ByCommand {
    /// What `sh -c` is told.
    pub command: String,
    /// Bound on it; then it is killed, with all its children.
    pub bound: Duration,
    /// Takes its output; nothing waits for that to end.
    pub output: CommandOutput,
}

impl ByCommand {
    fn run(&self) -> std::io::Result<Option<ExitStatus>> {
        use std::os::unix::process::CommandExt as _;
        let mut child = Command::new("sh")
            .args(["-c", &self.command])
            .stdin(Stdio::null())
            .stdout(self.output.stdio()?)
            .stderr(self.output.stdio()?)
            .process_group(0)
            .spawn()?;
        let deadline = Instant::now() + self.bound;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                use rustix::process::{Pid, Signal, kill_process_group};
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                // One in a system call that hangs does not end by that, and is not waited for.
                let killed = Instant::now();
                while child.try_wait()?.is_none() && killed.elapsed() < MAX_KILL_WAIT {
                    thread::sleep(PAUSE);
                }
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Restarter for ByCommand {
    /// Nobody can be asked.
    fn standing(&mut self) -> Result<Standing, String> {
        Ok(Standing::Due)
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
                let bound = self.bound.as_secs_f64();
                Err(RestartError::Unfinished(format!("the command was killed after {bound} s")))
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

#[cfg(test)]
mod tests;
