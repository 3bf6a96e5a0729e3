//! The command `watch`: assembles the monitor from its settings, and runs it.

use std::io;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::alarm::Alarms;
use super::alarm_command::AlarmCommand;
use super::command_output::CommandOutput;
use super::event_listener::{self, Events};
use super::monitor::{Monitor, MonitorSettings, TickSource};
use super::plan::{Plan, PlanError, Planner, ProbeSettings};
use super::plan_reader::PlanReader;
use super::probe::Prober;
use super::restart::{CommandRestarter, ProgramRestarter, Restarter};
use super::restart_policy::RestartLimits;
use super::rpc::Supervisord;
use super::serve_options::ReadOptions;
use super::server::ProbedServer;
use super::shell::ShellCommand;
use crate::config::{Secret, location};
use crate::kernel::pause::Moment;
use crate::kernel::signals;
use crate::outbound::Endpoint;
use crate::threads;

/// Settings of the command.
pub struct WatchSettings {
    /// Way to restart the server.
    pub method: RestartMethod,
    /// Addresses to probe.
    pub probes: ProbeSettings,
    /// Bound on all probes of a tick together.
    pub timeout: Duration,
    /// Limits of the restart policy.
    pub limits: RestartLimits,
    /// Bound on one restart.
    pub restart_timeout: Duration,
    /// Command that passes alarms on.
    pub alarm_exec: Option<String>,
    /// True to restart nothing, and log when a restart would be due.
    pub dry_run: bool,
    /// Reader of the command line of the server's process.
    pub read_options: ReadOptions,
}

/// Way to restart the server.
pub enum RestartMethod {
    /// supervisord stops and starts a program, and sends the ticks on standard input.
    Supervisord {
        /// Name of the program: `NAME` or `GROUP:NAME`.
        program: String,
        /// Address of supervisord.
        address: Endpoint,
        /// User name and password, if supervisord demands them.
        user: Option<(String, Secret)>,
    },
    /// A shell command restarts the server; a timer makes the ticks.
    Command(String),
}

/// Error of starting the command.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system allows too few threads.
    #[error(transparent)]
    Threads(#[from] threads::Shortage),
    /// The handlers of signals cannot be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[source] io::Error),
    /// The configuration or the file of trusted certificates cannot be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is no pipe or thread for the command's output.
    #[error("cannot read the command's output: {0}")]
    CommandOutput(#[source] io::Error),
    /// There is no thread for supervisord's events.
    #[error(transparent)]
    Listener(#[from] io::Error),
}

/// Runs the monitor until a signal, or the end of supervisord, ends it.
///
/// # Errors
/// The monitor cannot start. Once it runs, no error ends it.
pub fn watch(settings: WatchSettings) -> Result<(), WatchError> {
    let mut planner = Planner::new(settings.probes.clone());
    let (plan, fault) = first_plan(&mut planner, settings.probes.config.as_deref())?;
    threads::ensure(&thread_names(&settings, &planner, plan.probes().count()), 0)?;
    let requests = signals::listen().map_err(WatchError::Signals)?;
    let WatchSettings {
        method,
        timeout,
        limits,
        restart_timeout,
        alarm_exec,
        dry_run,
        read_options,
        ..
    } = settings;
    let probed = match plan.addresses() {
        none if none.is_empty() => "no address yet".to_owned(),
        addresses => addresses,
    };
    let prober = Prober::new(plan, timeout);
    let server = ProbedServer::new(prober, PlanReader::start(planner)?, fault);
    let (_alarm_command, report) = match alarm_exec {
        Some(command) => {
            let (handle, report) =
                AlarmCommand::start(command).map_err(WatchError::CommandOutput)?;
            (Some(handle), report)
        }
        None => (None, Box::new(drop) as _),
    };
    let (name, restarter, ticks) = prepare(method, restart_timeout, limits.grace)?;
    log::info!(
        "watching {name} at {probed}: --failures {}, --max-restarts {} an hour{}",
        limits.failures,
        limits.max_restarts,
        if dry_run { ", --dry-run" } else { "" }
    );
    let settings = MonitorSettings { name, limits, is_dry_run: dry_run, read_options };
    let alarms = Alarms::new(report);
    let monitor =
        Monitor::new(settings, Box::new(server), restarter, alarms, Box::new(Moment::now));
    monitor.run(&ticks, &requests);
    Ok(())
}

/// Returns the first plan, and what is wrong with the configuration.
///
/// The server has the same configuration, so a fault in it is what the alarms of this command are for. The
/// command runs on, and reads the file again. Only a file that does not exist is taken for a mistake.
fn first_plan(
    planner: &mut Planner,
    config: Option<&Path>,
) -> Result<(Plan, Option<String>), PlanError> {
    match planner.load(false) {
        // The first plan differs from none.
        Ok(plan) => Ok((plan.unwrap_or_default(), None)),
        Err(PlanError::Config(error)) if !matches!(location(config).try_exists(), Ok(false)) => {
            Ok((planner.by_options(), Some(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

/// Returns the names of the threads that the command needs at the same time, beside that of the log.
/// Without one of them it could neither probe nor restart later.
fn thread_names(settings: &WatchSettings, planner: &Planner, probes: usize) -> Vec<String> {
    let for_method = match settings.method {
        RestartMethod::Supervisord { .. } => threads::LISTENER,
        RestartMethod::Command(_) => threads::COMMAND_OUTPUT,
    };
    let for_alarms =
        settings.alarm_exec.iter().flat_map(|_| [threads::ALARM, threads::COMMAND_OUTPUT]);
    [threads::SIGNALS, threads::PLAN, for_method]
        .into_iter()
        .chain(for_alarms)
        .map(str::to_owned)
        .chain((0..probes).map(|_| threads::PROBE.to_owned()))
        .chain(planner.lookup_threads())
        .collect()
}

/// Returns the server's name for the log, the restarter, and the source of ticks.
fn prepare(
    method: RestartMethod,
    restart_timeout: Duration,
    grace: Duration,
) -> Result<(String, Box<dyn Restarter>, TickSource), WatchError> {
    match method {
        RestartMethod::Supervisord { program, address, user } => {
            let user = user.as_ref().map(|(name, password)| (name.as_str(), password));
            let supervisord = Supervisord::new(address, user);
            let restarter =
                ProgramRestarter::new(supervisord, program.clone(), restart_timeout, grace);
            if let Ok(info) = restarter.info() {
                log::info!("supervisord reports {program} as {}", info.state);
            }
            let ticks = supervisord_ticks(program.clone())?;
            Ok((program, Box::new(restarter), ticks))
        }
        RestartMethod::Command(command) => {
            let output =
                CommandOutput::start("restart command").map_err(WatchError::CommandOutput)?;
            let command = ShellCommand { command, timeout: restart_timeout, output };
            let restarter = CommandRestarter(command);
            Ok(("the server".to_owned(), Box::new(restarter), TickSource::Timer))
        }
    }
}

/// Starts the event listener protocol on standard input and output.
fn supervisord_ticks(program: String) -> io::Result<TickSource> {
    let (tick_sender, ticks) = bounded(1);
    let (gave_up_sender, gave_up) = bounded(1);
    let events = Events { ticks: tick_sender, gave_up: gave_up_sender, program };
    // Detached, as no read of standard input can be interrupted: it ends with that, or with the
    // process.
    threads::spawn_detached(threads::LISTENER, move || {
        event_listener::listen(io::stdin().lock(), io::stdout().lock(), &events);
    })?;
    Ok(TickSource::Supervisord { ticks, gave_up })
}
