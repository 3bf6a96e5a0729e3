//! The watchdog thread: checks the heartbeats of the other threads, reports those that are stuck,
//! and ends the process when it can serve no request any more.
//!
//! Four times a second the thread reads atomics that the other threads update. It treats
//! three conditions that last for `watchdog_timeout` as fatal, because in each of them no request
//! is served:
//!
//! 1. The acceptor's heartbeat is older than that.
//! 2. Connections are queued, and no worker has taken one for that long. A worker can hang
//!    between two connections, where it counts neither as busy nor as waiting.
//! 3. Every worker has been at one connection for that long.
//!
//! It then logs the scoreboard and exits with [`INTERNAL_FAILURE`], since a thread that hangs
//! cannot be ended; the supervisor starts the process again. A single stuck thread is logged, and
//! turns `/healthz` of the admin listener into 503. A stuck admin engine is logged only, as
//! visitors are still served, and so is a stuck recorder, as no restart mends a disk.
//!
//! Nothing is fatal, and no thread counts as stuck, until the watchdog's own ticks have come on time for as
//! long: a process that was stopped, or a machine that slept, finds every heartbeat old. See
//! `kernel::pause`.
//!
//! The same thread logs shed connections, pings systemd and sends it changes of state again.

mod admin_report;
mod backlog;
mod renderer;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use self::admin_report::AdminReport;
use self::backlog::Backlog;
pub use self::renderer::Render;
use self::renderer::Renderer;
use super::shed_log::ShedLog;
use super::systemd;
use crate::admin::health::{Health, StuckThread};
use crate::engine::{Activity, Stats, WorkerState};
use crate::kernel::pause::{self, WATCHDOG_TICK as TICK};
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StopToken};

/// Exit code of a process that the watchdog ends: `EX_SOFTWARE` of sysexits.h.
pub const INTERNAL_FAILURE: u8 = 70;

/// Ends the process; returns in tests only.
pub type GiveUp = Box<dyn Fn() + Send>;

/// Handle to the thread `pw-watchdog`. Dropping it ends the thread.
#[derive(Debug)]
pub struct Watchdog {
    _thread: OwnedThread,
}

/// Inputs of the watchdog.
pub struct Watched {
    /// Heartbeats of all threads that have one.
    pub health: Arc<Health>,
    /// Renders the scoreboard, which is logged when a thread is stuck.
    pub scoreboard: Render,
    /// Time for which a fatal condition must last (`watchdog_timeout`).
    pub timeout: Duration,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(watched: Watched, give_up: GiveUp) -> io::Result<Watchdog> {
        let Watched { health, scoreboard, timeout } = watched;
        let mut renderer = Renderer::start(scoreboard)?;
        let watch = move |stop| run(&health, &mut renderer, timeout, &give_up, &stop);
        Ok(Watchdog { _thread: OwnedThread::spawn(threads::WATCHDOG, watch)? })
    }
}

/// Runs the checks until `stop` is disconnected.
///
/// Blocks on nothing else than, for a bounded time, on a rendering: neither the exit nor a stop may
/// depend on a file.
fn run(
    health: &Health,
    renderer: &mut Renderer,
    timeout: Duration,
    give_up: &GiveUp,
    stop: &StopToken,
) {
    let stall_guard = pause::process_guard();
    let is_sure = |silence| pause::sure(silence) == silence;
    stall_guard.tick(Instant::now());
    let mut backlog = Backlog::default();
    let mut stuck_log: OnChange<Vec<String>> = OnChange::new();
    let systemd_expects_pings = systemd::expects_pings();
    let mut shed_log = ShedLog::default();
    let mut admin_backlog = Backlog::default();
    let mut admin_shed_log = ShedLog::with_prefix("admin listener: ");
    let mut admin_report = AdminReport::default();
    while stop.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let now = Instant::now();
        let engine = &health.engine;
        stall_guard.tick(now);
        backlog.update(now, engine);
        shed_log.update(engine, now);
        let failure = fatal(engine, &backlog, now, timeout);
        if let Some(failure) = failure.filter(|_| is_sure(timeout)) {
            log::error!("giving up: {failure}; scoreboard: {}", renderer.line());
            give_up();
        } else if systemd_expects_pings {
            systemd::ping();
        }
        systemd::resend();
        if let Some(admin) = health.admin.get() {
            admin_backlog.update(now, admin);
            admin_shed_log.update(admin, now);
            let failure = fatal(admin, &admin_backlog, now, timeout)
                .or_else(|| list(&health.admin_stuck()))
                .filter(|_| is_sure(timeout));
            admin_report.update(failure.as_deref(), now);
        }
        let stuck = health.all_stuck();
        let names: Vec<String> = stuck.iter().map(|thread| thread.thread.clone()).collect();
        match list(&stuck) {
            // After a pause, it is not known for a while whether a late thread is stuck.
            None if !health.has_late_thread() && stuck_log.clear() => {
                log::info!("no thread is stuck any more")
            }
            Some(list) if stuck_log.set(names) => {
                log::error!("stuck: {list}; scoreboard: {}", renderer.line());
            }
            _ => {}
        }
    }
    stall_guard.end();
}

/// Returns `worker 3 for 31 s, board for 92 s`; `None` if no thread is stuck.
fn list(stuck: &[StuckThread]) -> Option<String> {
    let stuck: Vec<String> = stuck.iter().map(ToString::to_string).collect();
    (!stuck.is_empty()).then(|| stuck.join(", "))
}

/// Returns the reason why an engine has been unable to serve a request for longer than `timeout`;
/// `None` if it can.
fn fatal(engine: &Stats, backlog: &Backlog, now: Instant, timeout: Duration) -> Option<String> {
    let silent = engine.acceptor_age();
    if silent > timeout {
        return Some(format!("the acceptor has been silent for {:.1} s", silent.as_secs_f64()));
    }
    let age = backlog.age(now);
    if age > timeout {
        let age = age.as_secs_f64();
        return Some(format!("connections are queued, and no worker has taken one for {age:.1} s"));
    }
    let busy = |worker: &Activity| match worker.look() {
        (WorkerState::Waiting, _) | (_, None) => Duration::ZERO,
        (_, Some((_, busy))) => busy,
    };
    // The shortest counts: before that worker took its connection, it was free.
    let busy = engine.workers().iter().map(busy).min()?;
    (busy > timeout)
        .then(|| format!("every worker has been at one connection for {:.1} s", busy.as_secs_f64()))
}
