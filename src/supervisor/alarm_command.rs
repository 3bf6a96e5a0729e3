//! The command of `--alarm-exec`, which passes alarms on: by mail, or to a phone.
//!
//! A thread of its own runs it, one report after the other, so neither the probes nor a restart waits for
//! it. Each run has a minute; then the command is killed with its process group. Reports that it does not
//! keep up with wait in a queue of 32, and beyond that are dropped and logged. When `watch` ends, the command
//! in progress has five seconds left; reports in the queue are lost, but are in the log.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TrySendError, bounded, select};

use super::alarm::{AlarmReport, ReportAlarm};
use super::command_output::CommandOutput;
use super::shell::ShellCommand;
use crate::threads::{self, OwnedThread, StopToken};

/// Bound on one run.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Time that is left to the command in progress when `watch` ends. It is shorter than the `stopwaitsecs`
/// of the example of supervisord.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);

/// Most reports that wait.
const CAPACITY: usize = 32;

/// Variables of the command's environment.
const TEXT: &str = "PUMPHOUSE_ALARM";
const KIND: &str = "PUMPHOUSE_ALARM_KIND";
const STATE: &str = "PUMPHOUSE_ALARM_STATE";

/// Handle to the thread. Dropping it ends the thread, after the command in progress or five seconds.
pub struct AlarmCommand {
    ending: Arc<OnceLock<Instant>>,
    _thread: OwnedThread,
}

impl AlarmCommand {
    /// Starts the thread that runs `command` for each report. Returns its handle, and the function that
    /// passes reports to it.
    ///
    /// # Errors
    /// The system has no descriptor or no thread left.
    pub fn start(command: String) -> io::Result<(AlarmCommand, ReportAlarm)> {
        AlarmCommand::start_bounded(command, TIMEOUT, LAST_TIMEOUT)
    }

    fn start_bounded(
        command: String,
        timeout: Duration,
        last_timeout: Duration,
    ) -> io::Result<(AlarmCommand, ReportAlarm)> {
        let output = CommandOutput::start("alarm command")?;
        let command = ShellCommand { command, timeout, output };
        let (sender, reports) = bounded(CAPACITY);
        let ending = Arc::new(OnceLock::new());
        let ended = Arc::clone(&ending);
        let thread = OwnedThread::spawn(threads::ALARM, move |stop| {
            let is_over = || ended.get().is_some_and(|at: &Instant| at.elapsed() >= last_timeout);
            run(&command, &reports, &stop, is_over);
        })?;
        let report: ReportAlarm = Box::new(move |report: AlarmReport| {
            if let Err(TrySendError::Full(report)) = sender.try_send(report) {
                log::error!(
                    "the alarm command is too slow, {CAPACITY} reports wait: not reported: {}",
                    report.text
                );
            }
        });
        Ok((AlarmCommand { ending, _thread: thread }, report))
    }
}

impl Drop for AlarmCommand {
    fn drop(&mut self) {
        let _ = self.ending.set(Instant::now());
    }
}

fn run(
    command: &ShellCommand,
    reports: &Receiver<AlarmReport>,
    stop: &StopToken,
    is_over: impl Fn() -> bool,
) {
    loop {
        let report = select! {
            recv(stop) -> _ => return,
            recv(reports) -> report => match report {
                Ok(report) => report,
                Err(_) => return,
            },
        };
        // No variable of an environment holds a NUL.
        let text = report.text.replace('\0', " ");
        let state: &str = report.state.into();
        let variables = [(TEXT, text.as_str()), (KIND, report.kind.as_str()), (STATE, state)];
        match command.run(&variables, &is_over) {
            Ok(Some(status)) if status.success() => {}
            Ok(Some(status)) => log::error!("the alarm command ended with {status}"),
            Ok(None) => log::error!("the alarm command was killed, as its time was up"),
            Err(error) => log::error!("the alarm command cannot be run: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::supervisor::alarm::{AlarmKind, AlarmState};

    const AMPLE: Duration = Duration::from_secs(60);

    fn report(text: &str) -> AlarmReport {
        let (kind, state) = (AlarmKind::CertificateName, AlarmState::Begins);
        AlarmReport { kind, state, text: text.to_owned() }
    }

    fn wait_for(path: &Path, text: &str) {
        let deadline = Instant::now() + AMPLE;
        while !std::fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
            assert!(Instant::now() < deadline, "{text} is not in {}", path.display());
            std::thread::yield_now();
        }
    }

    #[test]
    fn command_gets_text_kind_and_state_in_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reports");
        let command = format!(
            "echo \"$PUMPHOUSE_ALARM_KIND $PUMPHOUSE_ALARM_STATE $PUMPHOUSE_ALARM\" >> {}",
            file.display()
        );
        let (_handle, send) = AlarmCommand::start(command).unwrap();
        send(report("$(false) it's\0bad"));
        wait_for(&file, "certificate_name begins $(false) it's bad\n");
    }

    #[test]
    fn command_that_hangs_is_killed_with_its_children_and_delays_no_sender() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        // The child would keep the pipe of the output, and `wait` would not return.
        let command = format!("sleep 600 & echo $! >> {}; wait", file.display());
        let (handle, send) =
            AlarmCommand::start_bounded(command, Duration::from_millis(50), AMPLE).unwrap();
        // More than the queue holds: none waits for the command.
        (0..2 * CAPACITY).for_each(|number| send(report(&number.to_string())));
        let deadline = Instant::now() + AMPLE;
        let pids = || std::fs::read_to_string(&file).unwrap_or_default();
        while pids().lines().count() < 2 {
            assert!(Instant::now() < deadline, "the second report follows the first");
            std::thread::yield_now();
        }
        let first = pids().lines().next().unwrap().to_owned();
        let is_alive = || {
            // A process that was killed and not reaped yet is a zombie.
            let stat = std::fs::read_to_string(format!("/proc/{first}/stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while is_alive() {
            assert!(Instant::now() < deadline, "the child was killed");
            std::thread::yield_now();
        }
        drop(handle);
    }

    #[test]
    fn end_of_watch_leaves_the_command_its_last_time_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("begun");
        let command = format!("echo yes > {}; sleep 600", file.display());
        let (handle, send) =
            AlarmCommand::start_bounded(command, AMPLE * 10, Duration::from_millis(50)).unwrap();
        send(report("a"));
        wait_for(&file, "yes");
        let begun = Instant::now();
        drop(handle);
        assert!(begun.elapsed() < AMPLE, "{:?}", begun.elapsed());
    }
}
