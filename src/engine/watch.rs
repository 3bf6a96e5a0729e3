//! The watch: one epoll over all connections, kept by whichever worker has nothing else to do.
//!
//! A worker that finds the queue empty takes the watch and waits there. What becomes ready it
//! puts into the queue and then serves from the queue itself: no other thread is woken for it,
//! which would cost more than the request. Nobody keeps the watch meanwhile, so the acceptor
//! looks after it: see `oversight`.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Registry, Token, Waker};

use super::log_throttle::LogThrottle;
use super::ready::Ready;

/// Events taken from the kernel at a time.
const EVENTS: usize = 256;

/// Connections' tokens count up from zero.
const WAKE: Token = Token(usize::MAX);

/// See the module's documentation.
pub(super) struct Watch {
    station: Mutex<Station>,
    registry: Registry,
    waker: Waker,
    attended: AtomicBool,
    turns: AtomicU64,
}

struct Station {
    poll: Poll,
    events: Events,
    errors: LogThrottle,
}

impl Watch {
    pub(super) fn new() -> io::Result<Watch> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKE)?;
        let station =
            Station { poll, events: Events::with_capacity(EVENTS), errors: LogThrottle::default() };
        Ok(Watch {
            station: Mutex::new(station),
            registry,
            waker,
            attended: AtomicBool::new(false),
            turns: AtomicU64::new(0),
        })
    }

    /// Where sockets are registered, each under its connection's key.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Somebody waits at the watch.
    pub(super) fn is_attended(&self) -> bool {
        self.attended.load(Ordering::SeqCst)
    }

    /// How many times somebody has come to the watch: progress, for those who look from outside.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Sends away whoever keeps the watch.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::warn!("the watch could not be woken: {error}");
        }
    }

    /// Keeps the watch until something becomes ready, and gives that to `sight`. Does not wait
    /// unless `may_wait`, asked once nobody else can come. False when somebody else has the watch.
    pub(super) fn keep(
        &self,
        may_wait: impl FnOnce() -> bool,
        sight: impl FnOnce(&Events),
    ) -> bool {
        self.take(|station| {
            self.turns.fetch_add(1, Ordering::Relaxed);
            self.attended.store(true, Ordering::SeqCst);
            let timeout = if may_wait() { None } else { Some(Duration::ZERO) };
            station.poll(timeout);
            self.attended.store(false, Ordering::SeqCst);
            sight(&station.events);
        })
    }

    /// Looks at what is ready without waiting, while nobody keeps the watch.
    pub(super) fn glance(&self, sight: impl FnOnce(&Events)) -> bool {
        self.take(|station| {
            station.poll(Some(Duration::ZERO));
            sight(&station.events);
        })
    }

    fn take(&self, then: impl FnOnce(&mut Station)) -> bool {
        let mut station = match self.station.try_lock() {
            Ok(station) => station,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => return false,
        };
        then(&mut station);
        true
    }
}

impl Station {
    fn poll(&mut self, timeout: Option<Duration>) {
        if let Err(error) = self.poll.poll(&mut self.events, timeout) {
            // What the events hold now is of no meaning.
            self.events.clear();
            if error.kind() != io::ErrorKind::Interrupted {
                self.errors.warn(format_args!("waiting for readiness failed: {error}"));
            }
        }
    }
}

/// The edges that an event tells of.
pub(super) fn edges(event: &Event) -> Ready {
    let mut edges = Ready::NONE;
    if event.is_readable() {
        edges.insert(Ready::READ);
    }
    if event.is_writable() {
        edges.insert(Ready::WRITE);
    }
    if event.is_read_closed() {
        edges.insert(Ready::READ);
        edges.insert(Ready::READ_CLOSED);
    }
    if event.is_error() || event.is_write_closed() {
        edges.insert(Ready::READ);
        edges.insert(Ready::WRITE);
        edges.insert(Ready::BROKEN);
    }
    edges
}
