//! Puts the parts together, runs them until asked to stop, and takes them apart.

mod backfill;
mod listen;
mod losses;
mod redirect;
mod reload;
mod slow_reload;
mod start;
mod stop;
pub mod systemd;
mod threads_needed;
pub mod watchdog;

use std::process::ExitCode;
use std::sync::Arc;

use crossbeam_channel::{Receiver, never, select};
use jiff::Timestamp;

use self::slow_reload::SlowReload;
use self::stop::Teardown;
/// Error that ends a command; the caller prints it.
pub type Failure = Box<dyn std::error::Error>;
use crate::access::{Gate, SessionKeeper};
use crate::admin::Admin;
use crate::admin::configuration::{Limits, LiveConfiguration};
use crate::board::{Board, Change, Event, EventKind, Reporter};
use crate::certificates::{CertificateWatch, LiveCertificates};
use crate::config::{self, Certificates, Config};
use crate::engine::Engine;
use crate::history::{ChangeSender, History, Recorder};
use crate::kernel::descriptors;
use crate::kernel::listen_queue::somaxconn;
use crate::kernel::signals::{self, Request};
use crate::last_values::Saver;
use crate::server::watchdog::Watchdog;
use crate::site::Site;
use crate::threads;
use crate::upstream::Pollers;

/// What is served, once all of it has been read and checked.
pub(super) struct Setup {
    pub(super) config: Config,
    /// What the public listeners show; without any they speak plain HTTP.
    pub(super) certificates: Option<Certificates>,
}

/// Reads the setup anew, as HUP asks for.
pub(super) type Again = Box<dyn Fn() -> Result<Setup, Failure> + Send + Sync>;

/// The running server, in the order in which its parts are taken down.
struct Running {
    config: Config,
    watchdog: Watchdog,
    certificate_watch: Option<CertificateWatch>,
    /// Writes sessions of browsers down; `None` without accounts or without a place.
    sessions: Option<SessionKeeper>,
    certificates: Option<Arc<LiveCertificates>>,
    configuration: Arc<LiveConfiguration>,
    engine: Engine,
    /// Sends those who speak plain HTTP to the other one.
    redirect: Option<Engine>,
    site: Arc<Site>,
    gate: Arc<Gate>,
    pollers: Pollers,
    reporter: Reporter,
    saver: Option<Saver>,
    board: Board,
    history: History,
    change_sender: ChangeSender,
    recorder: Recorder,
    admin: Admin,
    teardown: Teardown,
}

/// Checks that the system gives every thread that the server needs, that of the log included.
///
/// # Errors
/// It gives fewer.
pub(super) fn ensure_threads_with_log(setup: &Setup) -> Result<(), threads::Shortage> {
    let mut names = threads_needed::at_start(&setup.config);
    names.insert(0, threads::LOG.to_owned());
    threads::ensure(&names, threads_needed::memory(&setup.config))
}

/// Serves until TERM or INT; on HUP goes on with what `again` reads.
pub(super) fn run(setup: Setup, again: Option<Again>) -> Result<ExitCode, Failure> {
    let beside = redirect::descriptors(&setup.config);
    descriptors::grow(&setup.config, beside);
    let memory = threads_needed::memory(&setup.config);
    threads::ensure(&threads_needed::at_start(&setup.config), memory)?;
    if threads::lacks_allocator_thread() {
        log::warn!(
            "the allocator has no thread: memory that many connections held returns to the system \
             late; if the limits on threads refused it when the process began, start it again"
        );
    }
    // Done before any thread that serves is started, so that signals are handled from its start.
    let requests = signals::listen().map_err(|error| format!("cannot watch signals: {error}"))?;
    let mut slow_reload = again.map(SlowReload::start).transpose()?;
    let mut running = Running::start(setup)?;
    systemd::ready();
    serve(&mut running, &requests, slow_reload.as_mut());
    running.stop();
    Ok(ExitCode::SUCCESS)
}

/// Follows signals until one asks for the end. Waits for no file: see [`SlowReload`].
fn serve(
    running: &mut Running,
    requests: &Receiver<Request>,
    mut slow_reload: Option<&mut SlowReload>,
) {
    let never = never();
    loop {
        let setups = slow_reload.as_ref().map_or(&never, |reload| &reload.setups).clone();
        select! {
            recv(requests) -> request => match (request, &mut slow_reload) {
                (Ok(Request::Stop) | Err(_), _) => return,
                (Ok(Request::Reload), Some(slow_reload)) => {
                    if slow_reload.read() {
                        systemd::reloading();
                    }
                }
                (Ok(Request::Reload), None) => {
                    log::warn!("HUP: the demo has nothing to read anew");
                }
            },
            recv(setups) -> setup => {
                // It holds the other end itself, so its thread may fail and this goes on.
                let (Ok(setup), Some(slow_reload)) = (setup, &mut slow_reload) else { continue };
                take_up(running, setup, slow_reload);
                if slow_reload.note_taken() {
                    systemd::ready();
                }
            }
        }
    }
}

/// Goes on with a setup that was read, or logs why not.
fn take_up(running: &mut Running, setup: Result<Setup, String>, slow_reload: &SlowReload) {
    let setup = setup.and_then(|setup| {
        let (before, after) = (&running.config, &setup.config);
        let more = threads_needed::memory(after).saturating_sub(threads_needed::memory(before));
        threads::ensure(&threads_needed::at_reload(before, after), more)
            .map_err(|shortage| shortage.to_string())?;
        Ok(setup)
    });
    match setup {
        Ok(setup) => running.reload(setup, slow_reload),
        Err(error) => {
            running.configuration.refuse();
            // A line for each problem of the file.
            for problem in error.lines() {
                log::error!("HUP: nothing changes: {problem}");
            }
        }
    }
}

/// Sent to upstreams, so that they know whom to ask.
pub(super) fn user_agent(site: &config::Site) -> String {
    let product = concat!("pumphouse-web/", env!("CARGO_PKG_VERSION"));
    match &site.contact {
        Some(contact) => format!("{product} ({contact})"),
        None => product.to_owned(),
    }
}

/// How many connections there is room for.
pub(super) fn admitted_connections(config: &Config) -> usize {
    descriptors::admit(config, redirect::descriptors(config))
}

/// How much of everything there may be.
fn limits(config: &Config) -> Limits {
    Limits {
        workers: config.server.engine.workers,
        queue: admitted_connections(config),
        backlog: config.server.backlog,
        somaxconn: somaxconn(),
        max_connections: admitted_connections(config),
        max_connections_configured: config.server.engine.max_connections,
    }
}

/// Something that happened to the program itself.
fn program(kind: EventKind, detail: &str) -> Change {
    let (at, detail) = (Timestamp::now(), detail.into());
    Change::Happened(Event { at, kind, source: None, detail })
}
