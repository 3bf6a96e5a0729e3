//! Restarts of a program by supervisord: stop, wait until it is down, start.
//!
//! supervisord has no call that restarts a program, and `stopProcess` may take as long as the
//! program's `stopwaitsecs`. So the stop is requested without waiting, and the state is polled until
//! the program is down. If that takes too long, [`Restarter::resume`] starts the program later, so that
//! a program that this process has stopped does not stay down.

use std::thread;
use std::time::{Duration, Instant};

use super::{Eligibility, POLL_INTERVAL, RestartError, Restarter};
use crate::supervisor::rpc::{ProcessInfo, ProcessState, RpcError, Supervisord, fault};

/// Restarts one program of supervisord.
pub struct ProgramRestarter {
    supervisord: Supervisord,
    /// `name` or `group:name`.
    program: String,
    /// Bound on stop and start together.
    timeout: Duration,
    /// Time after a start of the program in which it is not restarted.
    grace: Duration,
    /// Process at the latest check of the eligibility.
    pid: Option<i32>,
    /// True while the program is to be started because this process has stopped it.
    pub(super) start_is_pending: bool,
}

impl ProgramRestarter {
    /// Returns a restarter of `program`, which is `name` or `group:name`, that takes no longer than
    /// `timeout` for a restart, and leaves the program alone for the time `grace` after its start.
    pub fn new(
        supervisord: Supervisord,
        program: String,
        timeout: Duration,
        grace: Duration,
    ) -> ProgramRestarter {
        ProgramRestarter {
            supervisord,
            program,
            timeout,
            grace,
            pid: None,
            start_is_pending: false,
        }
    }

    /// Returns the state of the program.
    ///
    /// # Errors
    /// The call failed.
    pub fn info(&self) -> Result<ProcessInfo, RpcError> {
        self.supervisord.info(&self.program)
    }

    /// Returns an error's text, and how to mend it.
    fn explain(&self, error: &RpcError) -> String {
        match self.supervisord.remedy(error) {
            Some(remedy) => format!("{error}; {remedy}"),
            None => error.to_string(),
        }
    }

    /// Starts the program that this process has stopped. Returns a description of the new process.
    fn start(&mut self) -> Result<String, RestartError> {
        match self.supervisord.start(&self.program) {
            Ok(()) => {}
            Err(error) => match error.fault() {
                // An operator has started it meanwhile.
                Some(fault::ALREADY_STARTED) => {}
                // supervisord retries a failed spawn itself; in SHUTDOWN_STATE it is about to exit.
                Some(fault::SPAWN_ERROR | fault::SHUTDOWN_STATE) => {
                    self.start_is_pending = false;
                    return Err(RestartError::Unfinished(error.to_string()));
                }
                _ => return Err(RestartError::Unfinished(format!("{error}; trying again"))),
            },
        }
        self.start_is_pending = false;
        Ok(match self.info() {
            Ok(info) => format!("process {}", info.pid),
            Err(_) => "a new process".to_owned(),
        })
    }

    /// Polls the state until the program is down. Returns false if supervisord or an operator has
    /// started it again before that was seen.
    fn wait_until_down(&self, old_pid: i32, deadline: Instant) -> Result<bool, RestartError> {
        loop {
            let info = self.info();
            match &info {
                Ok(ProcessInfo { state, .. }) if is_down(*state) => return Ok(true),
                Ok(ProcessInfo { state: ProcessState::Backoff, .. }) => return Ok(false),
                Ok(ProcessInfo {
                    state: ProcessState::Starting | ProcessState::Running,
                    pid,
                    ..
                }) if *pid != old_pid => {
                    return Ok(false);
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                let timeout = self.timeout.as_secs_f64();
                let state =
                    info.map_or_else(|error| error.to_string(), |info| info.state.to_string());
                return Err(RestartError::Unfinished(format!(
                    "it is still not down after {timeout} s: {state}; it is started as soon as it is"
                )));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Returns what to do about a program that supervisord has given up.
pub fn gave_up(program: &str, reason: &str) -> String {
    let separator = if reason.is_empty() { "" } else { ": " };
    format!(
        "supervisord has given up {program} (FATAL){separator}{reason}; it ended too soon after each \
         start, and is not started again. Read why: supervisorctl tail {program} stderr. Mend the \
         cause, and start it: supervisorctl start {program}"
    )
}

/// Returns true if a program in that state has no process.
fn is_down(state: ProcessState) -> bool {
    use ProcessState::{Exited, Fatal, Stopped, Unknown};
    matches!(state, Stopped | Exited | Fatal | Unknown)
}

impl Restarter for ProgramRestarter {
    fn eligibility(&mut self) -> Result<Eligibility, String> {
        self.pid = None;
        let info = self.info().map_err(|error| self.explain(&error))?;
        self.pid = Some(info.pid).filter(|pid| *pid > 0);
        Ok(match info.state {
            ProcessState::Fatal => Eligibility::GaveUp(gave_up(&self.program, &info.spawn_error)),
            ProcessState::Running if info.uptime < self.grace => Eligibility::Ineligible(format!(
                "supervisord started it {} s ago",
                info.uptime.as_secs()
            )),
            ProcessState::Running => Eligibility::Eligible,
            state @ ProcessState::Stopped => {
                Eligibility::Stopped(format!("supervisord reports {state}"))
            }
            state => Eligibility::Ineligible(format!("supervisord reports {state}")),
        })
    }

    fn process(&self) -> Option<i32> {
        self.pid
    }

    fn restart(&mut self) -> Result<String, RestartError> {
        let not_begun = |error: RpcError| RestartError::NotBegun(self.explain(&error));
        let old_pid = self.info().map_err(not_begun)?.pid;
        let begun = Instant::now();
        match self.supervisord.stop(&self.program) {
            Ok(()) => {}
            // supervisord may have received the call, although it did not answer.
            Err(error @ RpcError::Unreachable(_)) => log::warn!("{error}"),
            Err(error) => return Err(not_begun(error)),
        }
        self.start_is_pending = true;
        if !self.wait_until_down(old_pid, begun + self.timeout)? {
            self.start_is_pending = false;
            return Ok(format!("supervisord started it again in place of process {old_pid}"));
        }
        let stop_seconds = begun.elapsed().as_secs_f64();
        let new = self.start()?;
        Ok(format!("{new} in place of {old_pid}, which took {stop_seconds:.1} s to stop"))
    }

    fn resume(&mut self) -> Option<String> {
        if !self.start_is_pending {
            return None;
        }
        match self.info() {
            Ok(info) if is_down(info.state) => {
                Some(self.start().unwrap_or_else(|error| error.to_string()))
            }
            Ok(ProcessInfo { state: ProcessState::Stopping, .. }) => None,
            Ok(info) => {
                // supervisord did not receive the stop, or the program was started meanwhile.
                self.start_is_pending = false;
                Some(format!("supervisord reports {}", info.state))
            }
            Err(error) => Some(error.to_string()),
        }
    }
}
