//! The watchdog: a thread that looks whether the others pass through their loops, says so when
//! one does not, and gives the process up when nobody can be served any more.

mod admin;
mod renderer;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use self::admin::AdminReport;
pub use self::renderer::Render;
use self::renderer::Renderer;
use super::losses::Losses;
use super::systemd;
use crate::admin::health::{Health, Stuck};
use crate::engine::{Stats, WorkerState};
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StopToken};

/// How the process ends when the watchdog gives it up: `EX_SOFTWARE` of sysexits.h. Whoever
/// supervises it is to start it again.
pub const INTERNAL_FAILURE: u8 = 70;

/// From one look to the next.
const TICK: Duration = Duration::from_millis(250);

/// The watchdog's own looks may come that late before it concludes that the whole process, or
/// the machine, stood still, and that nobody is to blame for being silent meanwhile.
const PUNCTUAL: Duration = Duration::from_secs(1);

/// Called when nobody can be served any more; does not return in the real program.
pub type GiveUp = Box<dyn Fn() + Send>;

/// The thread `pw-watchdog`. Dropping this ends it.
#[derive(Debug)]
pub struct Watchdog {
    _thread: OwnedThread,
}

/// What the watchdog looks at.
pub struct Watched {
    /// Every thread that has a heartbeat.
    pub health: Arc<Health>,
    /// Renders the scoreboard, which is logged when one of them is stuck.
    pub scoreboard: Render,
    /// `watchdog_timeout`: when the acceptor, or every worker, has been stuck for so long, it
    /// gives up.
    pub timeout: Duration,
}

impl Watchdog {
    /// Starts to look.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start(watched: Watched, give_up: GiveUp) -> io::Result<Watchdog> {
        let Watched { health, scoreboard, timeout } = watched;
        let mut renderer = Renderer::start(scoreboard)?;
        let watch = move |stop| run(&health, &mut renderer, timeout, &give_up, &stop);
        Ok(Watchdog { _thread: OwnedThread::spawn(threads::WATCHDOG, watch)? })
    }
}

/// Waits for nothing but `stopped`, and for a short time for a rendering: neither the exit nor a stop
/// may depend on a file.
fn run(
    health: &Health,
    renderer: &mut Renderer,
    timeout: Duration,
    give_up: &GiveUp,
    stopped: &StopToken,
) {
    let mut calm = Calm::from(Instant::now());
    let mut backlog = Backlog::default();
    let mut stuck_log: OnChange<Vec<String>> = OnChange::new();
    let waited_for = systemd::wants_signs_of_life();
    let mut losses = Losses::default();
    let mut admin_backlog = Backlog::default();
    let mut admin_losses = Losses::of("admin listener: ");
    let mut admin_report = AdminReport::default();
    while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let now = Instant::now();
        let engine = &health.engine;
        calm.look(now);
        backlog.look(now, engine);
        losses.look(engine, now);
        let failure = fatal(engine, &backlog, now, timeout);
        if let Some(failure) = failure.filter(|_| calm.has_lasted(timeout)) {
            log::error!("giving up: {failure}; scoreboard: {}", renderer.line());
            give_up();
        } else if waited_for {
            systemd::watchdog();
        }
        systemd::resend();
        if let Some(admin) = health.admin.get() {
            admin_backlog.look(now, admin);
            admin_losses.look(admin, now);
            let failure = fatal(admin, &admin_backlog, now, timeout)
                .or_else(|| list(&health.admin_stuck()))
                .filter(|_| calm.has_lasted(timeout));
            admin_report.look(failure.as_deref(), now);
        }
        let stuck = health.stuck();
        let names: Vec<String> = stuck.iter().map(|it| it.thread.clone()).collect();
        match list(&stuck) {
            None if stuck_log.clear() => log::info!("no thread is stuck any more"),
            Some(list) if stuck_log.set(names) => {
                log::error!("stuck: {list}; scoreboard: {}", renderer.line());
            }
            _ => {}
        }
    }
}

/// `worker 3 for 31 s, board for 92 s`; `None` when no thread is stuck.
fn list(stuck: &[Stuck]) -> Option<String> {
    let stuck: Vec<String> = stuck.iter().map(ToString::to_string).collect();
    (!stuck.is_empty()).then(|| stuck.join(", "))
}

/// Reason for which an engine can serve no request: its acceptor or every worker has been stuck for
/// that long.
fn fatal(engine: &Stats, backlog: &Backlog, now: Instant, timeout: Duration) -> Option<String> {
    let silent = engine.acceptor_age();
    if silent > timeout {
        return Some(format!("the acceptor has been silent for {:.1} s", silent.as_secs_f64()));
    }
    let waiting = backlog.waiting(now);
    if waiting > timeout {
        let waiting = waiting.as_secs_f64();
        return Some(format!("no worker has taken what is queued for {waiting:.1} s"));
    }
    let busy = |worker: &crate::engine::Activity| match worker.look() {
        (WorkerState::Waiting, _) | (_, None) => Duration::ZERO,
        (_, Some((_, busy))) => busy,
    };
    // The one that began last: before that, somebody was free.
    let busy = engine.workers().iter().map(busy).min()?;
    (busy > timeout)
        .then(|| format!("every worker has been at one connection for {:.1} s", busy.as_secs_f64()))
}

/// Since when something has been queued and no worker has taken anything.
#[derive(Default)]
struct Backlog(Option<Instant>);

impl Backlog {
    fn look(&mut self, now: Instant, engine: &Stats) {
        let latest = engine.workers().iter().map(|worker| worker.since_taking()).min();
        self.note(now, engine.queue_depth(), latest.unwrap_or_default());
    }

    /// `latest`: how long ago a worker last took something.
    fn note(&mut self, now: Instant, depth: u64, latest: Duration) {
        self.0 = match self.0 {
            _ if depth == 0 => None,
            None => Some(now),
            Some(since) if latest < now.duration_since(since) => Some(now),
            since => since,
        };
    }

    fn waiting(&self, now: Instant) -> Duration {
        self.0.map_or(Duration::ZERO, |since| now.duration_since(since))
    }
}

/// Since when the watchdog itself has been running on time. A process that was stopped, or a
/// machine that slept, finds every heartbeat old when it wakes up.
struct Calm {
    since: Instant,
    latest: Instant,
}

impl From<Instant> for Calm {
    fn from(now: Instant) -> Calm {
        Calm { since: now, latest: now }
    }
}

impl Calm {
    fn look(&mut self, now: Instant) {
        if now.duration_since(self.latest) > TICK + PUNCTUAL {
            self.since = now;
        }
        self.latest = now;
    }

    fn has_lasted(&self, timeout: Duration) -> bool {
        self.latest.duration_since(self.since) > timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_moves_is_no_backlog() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let long_ago = Duration::from_secs(3600);
        let mut backlog = Backlog::default();
        backlog.note(at(0), 0, long_ago);
        assert_eq!(backlog.waiting(at(1)), Duration::ZERO);
        backlog.note(at(1), 3, long_ago);
        backlog.note(at(4), 3, long_ago);
        assert_eq!(backlog.waiting(at(4)), Duration::from_secs(3));
        backlog.note(at(5), 3, Duration::from_secs(2));
        assert_eq!(backlog.waiting(at(6)), Duration::from_secs(1), "one was taken");
        backlog.note(at(6), 0, long_ago);
        assert_eq!(backlog.waiting(at(6)), Duration::ZERO);
    }

    #[test]
    fn a_machine_that_slept_blames_nobody() {
        let start = Instant::now();
        let at = |tick: u64| start + Duration::from_millis(tick * 250);
        let timeout = Duration::from_secs(4);
        let mut calm = Calm::from(start);
        (1..=16).for_each(|tick| calm.look(at(tick)));
        assert!(!calm.has_lasted(timeout));
        calm.look(at(17));
        assert!(calm.has_lasted(timeout));
        calm.look(at(40));
        assert!(!calm.has_lasted(timeout), "it stood still for almost six seconds");
        (41..=57).for_each(|tick| calm.look(at(tick)));
        assert!(calm.has_lasted(timeout));
    }
}
