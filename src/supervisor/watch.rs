//! The command `watch`: assembles the monitor from its settings, and runs it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::command_output::CommandOutput;
use super::event_listener;
use super::monitor::{Monitor, ProbedServer, TickSource};
use super::probe::Prober;
use super::restart::{CommandRestarter, ProgramRestarter, Restarter};
use super::restart_policy::RestartLimits;
use super::rpc::Supervisord;
use super::trust::TrustError;
use crate::config::Secret;
use crate::kernel::signals;
use crate::outbound::{Endpoint, Target};
use crate::threads;

/// Settings of the command.
pub struct WatchSettings {
    /// Way to restart the server.
    pub method: RestartMethod,
    /// Address of the admin listener.
    pub admin: Endpoint,
    /// Further addresses to probe.
    pub urls: Vec<Target>,
    /// File of certificates to trust; `None`: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// Bound on all probes of a tick together.
    pub timeout: Duration,
    /// Limits of the restart policy.
    pub limits: RestartLimits,
    /// Bound on one restart.
    pub restart_timeout: Duration,
    /// True to restart nothing, and log when a restart would be due.
    pub dry_run: bool,
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
    /// The file of trusted certificates cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
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
    threads::ensure(&thread_names(&settings), 0)?;
    let requests = signals::listen().map_err(WatchError::Signals)?;
    let WatchSettings { method, admin, urls, ca, timeout, limits, restart_timeout, dry_run } =
        settings;
    let mut targets = vec![Target::health(&admin)];
    targets.extend(urls);
    let probed: Vec<String> = targets.iter().map(Target::to_string).collect();
    let prober = Prober::new(targets, ca.as_deref(), timeout)?;
    let server = ProbedServer { prober, admin };
    let (name, restarter, ticks) = prepare(method, restart_timeout, limits.grace)?;
    log::info!(
        "watching {name} at {}: --failures {}, --max-restarts {} an hour{}",
        probed.join(", "),
        limits.failures,
        limits.max_restarts,
        if dry_run { ", --dry-run" } else { "" }
    );
    Monitor::new(name, Box::new(server), restarter, limits, dry_run).run(&ticks, &requests);
    Ok(())
}

/// Returns the names of the threads that the command needs at the same time, beside that of the log.
/// Without one of them it could neither probe nor restart later.
fn thread_names(settings: &WatchSettings) -> Vec<String> {
    let for_method = match settings.method {
        RestartMethod::Supervisord { .. } => threads::LISTENER,
        RestartMethod::Command(_) => threads::COMMAND_OUTPUT,
    };
    let probes = 1 + settings.urls.len();
    [threads::SIGNALS, for_method]
        .into_iter()
        .map(str::to_owned)
        .chain((0..probes).map(|_| threads::PROBE.to_owned()))
        .chain(Prober::lookup_threads(probes))
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
            // A connection that does not work is logged now, before it is needed.
            match restarter.info() {
                Ok(info) => log::info!("supervisord reports {program} as {}", info.state),
                Err(error) => log::error!("{program} could not be restarted: {error}"),
            }
            Ok((program, Box::new(restarter), supervisord_ticks()?))
        }
        RestartMethod::Command(command) => {
            let output = CommandOutput::start().map_err(WatchError::CommandOutput)?;
            let restarter = CommandRestarter { command, timeout: restart_timeout, output };
            Ok(("the server".to_owned(), Box::new(restarter), TickSource::Timer))
        }
    }
}

/// Starts the event listener protocol on standard input and output.
fn supervisord_ticks() -> io::Result<TickSource> {
    let (sender, ticks) = bounded(1);
    // Detached, as no read of standard input can be interrupted: it ends with that, or with the
    // process.
    threads::spawn_detached(threads::LISTENER, move || {
        event_listener::listen(io::stdin().lock(), io::stdout().lock(), &sender);
    })?;
    Ok(TickSource::Supervisord(ticks))
}
