//! The heartbeat: pings a dead man's switch outside while everything works.
//!
//! An alert can be sent only by a server that lives. The switch raises the alarm when the pings end, or when one says
//! that something does not work: polls are not made, the board is not published, the rules are not applied, or
//! messages wait. A ping has a total deadline, and no other thread waits for it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use jiff::Timestamp;

use super::delivery::DeliveryError;
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StopToken};
use crate::wall_clock;

/// Returns what does not work, in words; nothing if everything does. Must not block.
pub type Ailments = Box<dyn Fn() -> Vec<String> + Send>;

/// A dead man's switch.
pub trait Switch: Send {
    /// Sends a ping, within the time of the settings: that everything works, or the reason why not.
    ///
    /// # Errors
    /// The switch did not take it.
    fn ping(&self, reason: Option<&str>) -> Result<(), DeliveryError>;
}

/// Numbers of pings since the start.
#[derive(Debug, Default)]
pub struct PingCounts {
    well: AtomicU64,
    fail: AtomicU64,
    error: AtomicU64,
    is_configured: AtomicBool,
    failure: Mutex<Option<PingFailure>>,
}

/// Failure of the pings of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingFailure {
    /// Time of the first ping that failed since the latest one that was taken.
    pub since: Timestamp,
    /// Text of the latest failure, without secrets.
    pub message: Arc<str>,
}

impl PingCounts {
    /// Returns the outcomes with their numbers: `ok`, `fail` for pings with a reason, and `error` for pings that the
    /// switch did not take.
    pub fn outcomes(&self) -> [(&'static str, u64); 3] {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("ok", load(&self.well)), ("fail", load(&self.fail)), ("error", load(&self.error))]
    }

    /// Returns true if there is a switch to ping.
    pub fn is_configured(&self) -> bool {
        self.is_configured.load(Ordering::Relaxed)
    }

    /// Returns the counts of a heartbeat that has sent no ping yet, for tests.
    #[cfg(test)]
    pub(crate) fn configured() -> Arc<PingCounts> {
        let counts = PingCounts::default();
        counts.begin(true);
        Arc::new(counts)
    }

    /// Begins a heartbeat, or ends it.
    fn begin(&self, is_configured: bool) {
        self.is_configured.store(is_configured, Ordering::Relaxed);
        self.set_failure(None);
    }

    /// Returns the failure of the latest ping; `None` if the switch took it.
    pub fn failure(&self) -> Option<PingFailure> {
        self.lock().clone()
    }

    fn set_failure(&self, message: Option<&Arc<str>>) {
        let mut failure = self.lock();
        let since = failure.take().map(|failure| failure.since);
        *failure = message.map(|message| PingFailure {
            since: since.unwrap_or_else(wall_clock::now),
            message: message.clone(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<PingFailure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settings of the heartbeat.
pub struct HeartbeatSettings {
    /// Time from one ping to the next.
    pub every: Duration,
    /// Client of the switch.
    pub ping: Box<dyn Switch>,
}

/// Settings, and true if they are not those of before: the client of the switch is another one at each reload.
type Renewal = (Option<HeartbeatSettings>, bool);

/// Owner of the thread. Dropping it ends the thread, without waiting for a ping in progress.
#[derive(Debug)]
pub struct HeartbeatThread {
    settings: Sender<Renewal>,
    counts: Arc<PingCounts>,
    thread: Option<OwnedThread>,
}

impl HeartbeatThread {
    /// Starts the thread `pw-heartbeat`. The first ping is sent after `every`, when polls have been made.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        settings: Option<HeartbeatSettings>,
        ailments: Ailments,
    ) -> io::Result<HeartbeatThread> {
        let (sender, renewed) = unbounded();
        let counts = Arc::new(PingCounts::default());
        let shared = counts.clone();
        let thread = OwnedThread::spawn(threads::HEARTBEAT, move |stop| {
            let failure = OnChange::new();
            Beater { settings, ailments, counts: shared, failure }.run(&renewed, &stop);
        })?;
        Ok(HeartbeatThread { settings: sender, counts, thread: Some(thread) })
    }

    /// Applies settings; `None`: no pings. They do not delay the next ping.
    pub fn renew(&self, settings: Option<HeartbeatSettings>, is_changed: bool) {
        // The send fails only if the thread has ended, and then the process is about to exit.
        let _ = self.settings.send((settings, is_changed));
    }

    /// Returns the numbers of pings.
    pub fn counts(&self) -> Arc<PingCounts> {
        self.counts.clone()
    }
}

impl Drop for HeartbeatThread {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.detach();
        }
    }
}

struct Beater {
    settings: Option<HeartbeatSettings>,
    ailments: Ailments,
    counts: Arc<PingCounts>,
    /// Failure of the latest ping.
    failure: OnChange<Arc<str>>,
}

impl Beater {
    fn run(mut self, renewed: &Receiver<Renewal>, stop: &StopToken) {
        self.counts.begin(self.settings.is_some());
        let mut next = self.next(Instant::now());
        loop {
            let wait = next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()));
            select! {
                recv(stop) -> _ => return,
                recv(renewed) -> renewal => {
                    let Ok((settings, is_changed)) = renewal else { return };
                    self.settings = settings;
                    if is_changed {
                        self.counts.begin(self.settings.is_some());
                    }
                    // Reloads that come more often than pings do not defer the pings.
                    let latest = self.next(Instant::now());
                    next = latest.map(|latest| next.map_or(latest, |next| next.min(latest)));
                }
                default(wait) => {}
            }
            if next.is_some_and(|next| next <= Instant::now()) {
                next = self.next(Instant::now());
                self.beat();
            }
        }
    }

    /// Returns the time of the next ping. A ping that hangs delays the next one, and pings do not pile up.
    fn next(&self, now: Instant) -> Option<Instant> {
        self.settings.as_ref().map(|settings| now + settings.every)
    }

    fn beat(&mut self) {
        let Some(HeartbeatSettings { ping, .. }) = &self.settings else { return };
        let ailments = (self.ailments)();
        let reason = (!ailments.is_empty()).then(|| ailments.join("; "));
        let outcome = ping.ping(reason.as_deref());
        self.counts.set_failure(outcome.as_ref().err().map(|error| &error.message));
        let count = match (&reason, outcome) {
            (_, Err(error)) => {
                if self.failure.set(error.message.clone()) {
                    log::warn!("cannot send the heartbeat: {error}; it is sent again in time");
                }
                &self.counts.error
            }
            (reason, Ok(())) => {
                if self.failure.clear() {
                    log::info!("the heartbeat is sent again");
                }
                if reason.is_some() { &self.counts.fail } else { &self.counts.well }
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Wait without a heartbeat.
const IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::delivery::DeliveryFault;

    /// A switch that passes on each reason, and fails on request.
    struct FakeSwitch(Sender<Option<String>>, Arc<Mutex<bool>>);

    impl Switch for FakeSwitch {
        fn ping(&self, reason: Option<&str>) -> Result<(), DeliveryError> {
            self.0.send(reason.map(str::to_owned)).unwrap();
            match *self.1.lock().unwrap() {
                false => Ok(()),
                true => Err(DeliveryError::new(DeliveryFault::Transient, "refused")),
            }
        }
    }

    #[test]
    fn pings_say_what_does_not_work_and_are_counted() {
        let (sender, pings) = unbounded();
        let (ails, fails) =
            (Arc::new(Mutex::new(Vec::<String>::new())), Arc::new(Mutex::new(false)));
        let (shared, counter) = (ails.clone(), fails.clone());
        let settings = |every| {
            let ping = Box::new(FakeSwitch(sender.clone(), counter.clone()));
            Some(HeartbeatSettings { every, ping })
        };
        let every = Duration::from_millis(5);
        let ailments = Box::new(move || shared.lock().unwrap().clone());
        let thread = HeartbeatThread::start(settings(every), ailments).unwrap();
        let next = |expected: Option<&str>| {
            let limit = Instant::now() + Duration::from_secs(60);
            while pings.recv_deadline(limit).unwrap().as_deref() != expected {}
        };
        next(None);
        *ails.lock().unwrap() = vec!["the board is stuck".into(), "2 messages wait".into()];
        next(Some("the board is stuck; 2 messages wait"));
        *fails.lock().unwrap() = true;
        ails.lock().unwrap().clear();
        next(None);
        next(None);
        // The ping before the latest one has been counted.
        let counts = thread.counts().outcomes();
        assert!(counts.iter().all(|(_, number)| *number > 0), "{counts:?}");
        assert_eq!(&*thread.counts().failure().unwrap().message, "refused");
        thread.renew(None, true);
        thread.renew(settings(every), true);
        next(None);
    }

    #[test]
    fn reloads_that_come_more_often_than_pings_do_not_defer_them() {
        let (sender, pings) = unbounded();
        let settings = || {
            let ping = Box::new(FakeSwitch(sender.clone(), Arc::default()));
            Some(HeartbeatSettings { every: Duration::from_millis(500), ping })
        };
        let thread = HeartbeatThread::start(settings(), Box::new(Vec::new)).unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        while pings.try_recv().is_err() {
            assert!(Instant::now() < limit, "there is no ping");
            thread.renew(settings(), false);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
