//! The I/O driver's interface to the kernel, and its implementation by epoll(7).
//!
//! The models put a fake in the place of [`Epoll`], whose events their threads make.

use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Registry, Token};

use super::slot_table::SlotToken;
use crate::log_throttle::LogThrottle;
use crate::ready::Ready;

/// Events taken from the kernel at a time.
const EVENTS: usize = 256;

/// Token of the waker: no slot has it.
const WAKE: Token = Token(usize::MAX);

/// Source of events.
pub(crate) trait Poller {
    /// Ends a call of [`Poller::poll`] from another thread.
    type Waker: Wake;

    /// Waits for events, or for a wake-up, for no longer than `timeout`.
    fn poll(&mut self, timeout: Option<Duration>);

    /// Returns the events of the latest poll.
    fn events(&self) -> impl Iterator<Item = (SlotToken, Ready)>;
}

/// Handle that interrupts a thread in its wait for events.
pub(crate) trait Wake {
    /// Interrupts the current wait, or the next one if the thread does not wait.
    fn wake(&self);
}

/// The epoll instance of all connections, edge-triggered.
pub(crate) struct Epoll {
    poll: Poll,
    events: Events,
    errors: LogThrottle,
}

impl Epoll {
    /// Creates an epoll instance, the handle by which sockets are registered with it, and its waker.
    pub(crate) fn new() -> io::Result<(Epoll, Registry, Waker)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&poll, WAKE)?;
        let events = Events::with_capacity(EVENTS);
        Ok((Epoll { poll, events, errors: LogThrottle::default() }, registry, waker))
    }
}

impl Poller for Epoll {
    type Waker = Waker;

    fn poll(&mut self, timeout: Option<Duration>) {
        if let Err(error) = self.poll.poll(&mut self.events, timeout) {
            // After an error the buffer holds events of an earlier call.
            self.events.clear();
            if error.kind() != io::ErrorKind::Interrupted {
                self.errors.warn(format_args!("epoll_wait failed: {error}"));
            }
        }
    }

    fn events(&self) -> impl Iterator<Item = (SlotToken, Ready)> {
        let of_slots = self.events.iter().filter(|event| event.token() != WAKE);
        of_slots.map(|event| (SlotToken::from(event.token()), edges(event)))
    }
}

/// Interrupts a thread in `epoll_wait`.
pub(crate) struct Waker(mio::Waker);

impl Waker {
    /// Creates a waker for the thread that polls there, whose event has that token.
    pub(crate) fn new(poll: &Poll, token: Token) -> io::Result<Waker> {
        mio::Waker::new(poll.registry(), token).map(Waker)
    }
}

impl Wake for Waker {
    fn wake(&self) {
        if let Err(error) = self.0.wake() {
            log::warn!("cannot wake a thread that waits for events: {error}");
        }
    }
}

/// Returns the edges that an event reports.
fn edges(event: &Event) -> Ready {
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
