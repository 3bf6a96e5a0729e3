//! The composition root: builds the server from a [`Setup`], runs it until a signal ends it, and
//! takes it apart.
//!
//! ```text
//! SetupLoader ─► Setup ─► required_threads, descriptor_budget ─► Running::start ─► signals ─► stop
//!      ▲                                                               │
//!      └── HUP: reload_thread ─► Running::reload ◄─────────────────────┘
//! ```
//! In order:
//!
//! 1. [`SetupLoader::load`] reads and checks the configuration and the certificates.
//! 2. The descriptor table is grown, and every thread that the server needs is created once and
//!    ended again, so that a system that allows too few fails the start, not a later moment.
//! 3. Signal handlers are installed before any thread that serves exists.
//! 4. `Running::start` binds the listeners and starts the parts, each of which owns its
//!    threads.
//! 5. The main thread then only waits for signals and for setups that a reload has read. It
//!    reads no file and waits for no other thread, so that it can act on TERM at any time.
//! 6. `Running::stop` drains the engine and ends the threads within `drain_timeout`.
//!
//! No other module imports this one, except the commands and `check`.

mod admin_pages;
mod alerts;
mod data;
mod descriptor_budget;
mod earlier_files;
mod error;
mod late_listeners;
mod listen;
mod redirect;
mod reload;
mod reload_thread;
mod replica;
mod required_threads;
mod setup;
mod shed_log;
mod source_changes;
mod start;
mod stop;
pub mod systemd;
pub mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, never, select, tick};

use self::alerts::Alerts;
pub use self::descriptor_budget::DescriptorLimits;
pub(crate) use self::descriptor_budget::admitted_connections;
pub use self::error::StartError;
use self::late_listeners::{LateListeners, RETRY_INTERVAL, Role};
pub use self::listen::ListenError;
use self::reload_thread::ReloadThread;
use self::replica::Replica;
pub use self::setup::{Overrides, Setup, SetupErrors, SetupLoader};
use self::stop::Teardown;
use self::watchdog::Watchdog;
use crate::access::{Gate, SessionWriter};
use crate::admin::Admin;
use crate::admin::configuration::{EffectiveLimits, LiveConfiguration};
use crate::board::{Board, Change, Event, EventKind, Reporter};
use crate::certificates::{CertificateWatcher, LiveCertificates};
use crate::config::Config;
use crate::data_lock::DataLock;
use crate::engine::Engine;
use crate::history::{ChangeSender, History, Recorder};
use crate::kernel::listen_queue::somaxconn;
use crate::kernel::signals::{self, Request};
use crate::last_values::Saver;
use crate::logging;
use crate::site::Site;
use crate::threads;
use crate::upstream::Pollers;
use crate::wall_clock;

/// Interval of the checks whether a read of the configuration hangs.
const READ_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The running server. [`stop`] ends its parts in order; if a start fails at its end, they are dropped
/// in the order of this list.
struct Running {
    config: Config,
    watchdog: Watchdog,
    certificate_watcher: Option<CertificateWatcher>,
    /// Writes browser sessions to a file; `None` without accounts or without a place for it.
    sessions: Option<SessionWriter>,
    certificates: Option<Arc<LiveCertificates>>,
    configuration: Arc<LiveConfiguration>,
    engine: Engine,
    /// Addresses that the machine does not have yet.
    late_listeners: LateListeners,
    /// Redirects plain HTTP to HTTPS; `None` without `redirect_listen`.
    redirect: Option<Engine>,
    site: Arc<Site>,
    gate: Arc<Gate>,
    pollers: Pollers,
    reporter: Reporter,
    saver: Option<Saver>,
    board: Board,
    /// Leases of this replica; `None` if this machine is alone.
    replica: Option<Replica>,
    history: History,
    change_sender: ChangeSender,
    recorder: Recorder,
    alerts: Alerts,
    /// Lock on the files of the history.
    lock: Arc<DataLock>,
    admin: Admin,
    teardown: Teardown,
}

/// Starts the log.
///
/// # Errors
/// The format is unknown, or the system refuses the log's thread. In the second case the
/// error names the number of threads that the whole server needs, if the setup can be loaded.
pub fn start_log(format: Option<logging::Format>, loader: &SetupLoader) -> Result<(), StartError> {
    let started = logging::start(format);
    if let Err(logging::StartError::Thread(_)) = started
        && let Ok(Setup { config, .. }) = loader.load()
    {
        let mut names = required_threads::at_start(&config);
        names.insert(0, threads::LOG.to_owned());
        threads::ensure(&names, required_threads::memory(&config))?;
    }
    Ok(started?)
}

/// Serves until TERM or INT. On HUP, reloads what `loader` reads; without one, HUP is ignored.
///
/// # Errors
/// The server cannot start. Once it runs, no error ends it.
pub fn run(setup: Setup, loader: Option<SetupLoader>) -> Result<(), StartError> {
    let limits = descriptor_budget::raise(&setup.config);
    let (mut running, requests, mut reload_thread) =
        start(setup, loader).map_err(|error| error.with_descriptor_limits(limits))?;
    running.notify_ready();
    serve(&mut running, &requests, reload_thread.as_mut());
    running.stop();
    Ok(())
}

/// Starts the server and the threads that send it requests.
fn start(
    setup: Setup,
    loader: Option<SetupLoader>,
) -> Result<(Running, Receiver<Request>, Option<ReloadThread>), StartError> {
    let memory = required_threads::memory(&setup.config);
    threads::ensure(&required_threads::at_start(&setup.config), memory)?;
    descriptor_budget::reserve(&setup.config);
    if threads::lacks_allocator_thread() {
        log::warn!(
            "the allocator has no thread, so freed memory returns to the system late; if a limit on \
             threads refused it when the process started, restart the server"
        );
    }
    let requests = signals::listen().map_err(StartError::Signals)?;
    let reload_thread = loader.map(ReloadThread::start).transpose()?;
    Ok((Running::start(setup)?, requests, reload_thread))
}

/// Handles signals and loaded setups until a signal requests the stop.
fn serve(
    running: &mut Running,
    requests: &Receiver<Request>,
    mut reload_thread: Option<&mut ReloadThread>,
) {
    let no_setups = never();
    let mut retries =
        if running.late_listeners.is_complete() { never() } else { tick(RETRY_INTERVAL) };
    let mut read_checks = never();
    loop {
        let setups = reload_thread.as_ref().map_or(&no_setups, |thread| &thread.setups).clone();
        select! {
            recv(requests) -> request => match (request, &mut reload_thread) {
                (Ok(Request::Stop) | Err(_), _) => return,
                (Ok(Request::Reload), Some(reload_thread)) => {
                    if let Some(start) = reload_thread.reading_since() {
                        log::info!(
                            "HUP: waits for the read in progress, which began {} s ago",
                            start.elapsed().as_secs()
                        );
                    }
                    read_checks = tick(READ_CHECK_INTERVAL);
                    if reload_thread.read_setup() {
                        systemd::reloading();
                    }
                }
                (Ok(Request::Reload), None) => {
                    log::warn!("HUP: ignored: the demo has no configuration file");
                }
            },
            recv(setups) -> setup => {
                // The handle holds a sender, too, so the channel is never disconnected.
                let (Ok(setup), Some(reload_thread)) = (setup, &mut reload_thread) else { continue };
                running.configuration.record_hanging_read(None);
                apply(running, setup, reload_thread);
                if reload_thread.note_setup_taken() {
                    read_checks = never();
                    running.notify_ready();
                }
            }
            recv(read_checks) -> _ => {
                if let Some(thread) = &mut reload_thread
                    && let Some(start) = thread.new_hanging_read()
                {
                    running.configuration.record_hanging_read(Some(start));
                    log::error!(
                        "HUP: reading the configuration has not ended for {} s, so nothing changes until \
                         it does: a file that it names may be on a file system that does not answer, or \
                         be a named pipe",
                        start.elapsed().as_secs()
                    );
                }
            }
            recv(retries) -> _ => {
                running.listen_on_late_addresses();
                if running.late_listeners.is_complete() {
                    retries = never();
                }
            }
        }
    }
}

impl Running {
    /// Tries to listen on the addresses that the machine did not have.
    fn listen_on_late_addresses(&mut self) {
        let (engine, redirect, admin) = (&self.engine, &self.redirect, &self.admin);
        let listens = self.late_listeners.retry(|role, listener| match (role, redirect) {
            (Role::Public(_), _) => engine.add_listener(listener),
            (Role::Redirect, Some(redirect)) => redirect.add_listener(listener),
            // Redirect addresses wait only if there is an engine for them.
            (Role::Redirect, None) => Ok(()),
            (Role::Admin, _) => admin.add_listener(listener),
        });
        if listens {
            systemd::status(&self.status());
        }
    }

    /// Notifies systemd that the start or a reload is complete.
    fn notify_ready(&self) {
        systemd::ready(&self.status());
    }

    /// Returns the status that `systemctl status` shows.
    fn status(&self) -> String {
        match self.late_listeners.missing() {
            None => "Serving".to_owned(),
            Some(missing) => format!("Serving; {missing}"),
        }
    }
}

/// Applies a loaded setup, or logs why the running one stays in force.
fn apply(running: &mut Running, setup: Result<Setup, SetupErrors>, reload_thread: &ReloadThread) {
    if let (Err(refused), Some(in_use), Some(live)) =
        (&setup, &running.config.tls, &running.certificates)
        && let Some(errors) = refused.certificates(in_use)
    {
        live.record_failure(errors.to_string());
    }
    let setup = setup.map_err(|errors| errors.to_string()).and_then(|setup| {
        let (before, after) = (&running.config, &setup.config);
        let added =
            required_threads::memory(after).saturating_sub(required_threads::memory(before));
        threads::ensure(&required_threads::at_reload(before, after), added)
            .map_err(|shortage| shortage.to_string())?;
        Ok(setup)
    });
    match setup {
        Ok(setup) => running.reload(setup, reload_thread),
        Err(error) => {
            running.configuration.record_refused();
            // The text has a line for each error in the file.
            for problem in error.lines() {
                log::error!("HUP: nothing changes: {problem}");
            }
        }
    }
}

/// Returns the limits in force under a configuration.
fn effective_limits(config: &Config) -> EffectiveLimits {
    EffectiveLimits {
        workers: config.server.engine.workers,
        queue: admitted_connections(config),
        backlog: config.server.backlog,
        somaxconn: somaxconn(),
        max_connections: admitted_connections(config),
        max_connections_configured: config.server.engine.max_connections,
    }
}

/// Returns an event of the program itself, as of now.
fn program_event(kind: EventKind, detail: &str) -> Change {
    let (at, detail) = (wall_clock::now(), detail.into());
    Change::Happened(Event { at, kind, source: None, detail })
}
