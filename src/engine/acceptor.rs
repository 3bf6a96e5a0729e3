//! The thread that accepts, waits for readiness, hands over, and watches the clock. It makes
//! no system call that can wait for a client: it neither reads nor writes.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use mio::{Events, Poll, Token};
use rustls::ServerConfig;
use strum::EnumCount;

use super::addresses::{Addresses, ClientNet};
use super::eviction::{Candidate, Candidates, Cutoffs, candidate_of, largest_holders};
use super::limits::{
    ACCEPT_BACKOFF, ACCEPT_BATCH, ACCEPT_PACE, SWEEP_INTERVAL, Settings, TURNED_AWAY,
    UNPROVEN_GRACE,
};
use super::log_throttle::LogThrottle;
use super::oversight::Oversight;
use super::session::{Session, Task};
use super::shared::{Errand, Shared};
use super::slot::{Place, Slot};
use super::socket::{Listener, Stream};
use super::stats::{ACCEPTOR_PULSE, CloseReason, ConnectionState, ShedReason};

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;

/// Tokens: listeners count up from zero.
pub(super) const WAKE: Token = Token(usize::MAX);

/// See the module's documentation.
pub(super) struct Acceptor {
    poll: Poll,
    listeners: Vec<Listening>,
    /// Open connections.
    open: usize,
    settings: Arc<Settings>,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
    /// Keys of connections that the workers have closed.
    closed: Receiver<usize>,
    oversight: Oversight,
    candidates: Candidates,
    addresses: Addresses,
    reserve: Option<File>,
    next_sweep: Instant,
    last_accept: Instant,
    draining: bool,
    errors: LogThrottle,
    crowds: LogThrottle,
    memory: LogThrottle,
}

struct Listening {
    listener: Listener,
    /// An edge has come in, and the kernel has not said since that it would block.
    ready: bool,
    /// Out of descriptors or memory: not tried again before then.
    resume_at: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(
        poll: Poll,
        listeners: Vec<Listener>,
        tls: Option<Arc<ServerConfig>>,
        shared: Arc<Shared>,
        closed: Receiver<usize>,
    ) -> io::Result<Acceptor> {
        let mut listening = Vec::new();
        for (index, mut listener) in listeners.into_iter().enumerate() {
            listener.register(poll.registry(), Token(index))?;
            listening.push(Listening { listener, ready: true, resume_at: None });
        }
        let settings = shared.settings.load_full();
        let addresses = Addresses::new(settings.address_cap(), settings.trusted_proxies.clone());
        Ok(Acceptor {
            poll,
            listeners: listening,
            open: 0,
            settings,
            tls,
            shared,
            closed,
            oversight: Oversight::new(Instant::now()),
            candidates: Candidates::default(),
            addresses,
            reserve: open_reserve(),
            next_sweep: Instant::now(),
            last_accept: Instant::now(),
            draining: false,
            errors: LogThrottle::default(),
            crowds: LogThrottle::default(),
            memory: LogThrottle::default(),
        })
    }

    /// Runs until the server has been told to stop and the last connection is gone. No error
    /// of a client or of the kernel ends it.
    pub(super) fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !(self.draining && self.open == 0) {
            let timeout = self.timeout(Instant::now());
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.errors.warn(format_args!("waiting for readiness failed: {error}"));
            }
            let mut now = Instant::now();
            if !events.is_empty() && now.duration_since(self.last_accept) < ACCEPT_PACE {
                // Many come: a moment later several can be let in at once.
                std::thread::sleep(ACCEPT_PACE);
                now = Instant::now();
            }
            self.shared.stats.acceptor_beat();
            for event in &events {
                if let Some(listening) = self.listeners.get_mut(event.token().0) {
                    listening.ready = true;
                }
            }
            self.take_closed();
            self.take_settings();
            // Before anybody is let in: whoever waits at a passed socket is for the next process.
            if self.shared.draining.load(Ordering::Acquire) && !self.draining {
                self.begin_drain();
            }
            if self.shared.budget.is_relief_pending() {
                self.relieve();
            }
            self.accept_ready(now);
            self.oversight.look(&self.shared, now);
            if now >= self.next_sweep {
                self.sweep(now);
            }
        }
        self.shared.stop();
    }

    /// How long to wait: not at all while a listener may have more, until the next sweep while
    /// there is something to watch, else until the next sign of life is due.
    fn timeout(&self, now: Instant) -> Duration {
        if self.listeners.iter().any(|listening| listening.is_due(now)) {
            return Duration::ZERO;
        }
        let watching =
            self.open > 0 || self.listeners.iter().any(|listening| listening.resume_at.is_some());
        let sweep =
            if watching { self.next_sweep.saturating_duration_since(now) } else { ACCEPTOR_PULSE };
        self.oversight.timeout(&self.shared, now).map_or(sweep, |look| look.min(sweep))
    }

    /// Goes on with the latest settings.
    fn take_settings(&mut self) {
        let latest = self.shared.settings.load();
        if !Arc::ptr_eq(&latest, &self.settings) {
            self.settings = Arc::clone(&latest);
            let trusted = self.settings.trusted_proxies.clone();
            self.addresses.renew(self.settings.address_cap(), trusted);
            self.shared.budget.set_limit(self.settings.max_buffered_bytes);
        }
    }

    fn take_closed(&mut self) {
        while let Ok(key) = self.closed.try_recv() {
            self.release(key);
        }
    }

    fn accept_ready(&mut self, now: Instant) {
        for index in 0..self.listeners.len() {
            if self.listeners[index].is_due(now) {
                self.listeners[index].resume_at = None;
                self.accept_from(index, ACCEPT_BATCH);
            }
        }
    }

    /// Accepts until the kernel says that it would block, or `most` times.
    fn accept_from(&mut self, index: usize, most: usize) {
        let now = Instant::now();
        for _ in 0..most {
            // Given up, and its number taken by another thread before it could be had again: it
            // goes before a connection, or the next newcomers would wait in silence.
            if self.reserve.is_none() {
                self.reserve = open_reserve();
            }
            match self.listeners[index].listener.accept() {
                Ok((stream, address)) => {
                    self.shared.stats.count_accepted();
                    self.last_accept = now;
                    self.admit(stream, address);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.listeners[index].ready = false;
                    return;
                }
                Err(error) if is_exhaustion(&error) => {
                    // The kernel looks for a descriptor before it looks for a connection, so
                    // this alone does not say that anybody waits.
                    if self.turn_away_by_reserve(index) {
                        self.shared.stats.count_accept_error();
                        self.errors.warn(format_args!(
                            "cannot accept: {error}; newcomers are turned away until descriptors \
                             are free (raise `ulimit -n`, or lower max_connections)"
                        ));
                    } else {
                        self.listeners[index].resume_at = Some(Instant::now() + ACCEPT_BACKOFF);
                        return;
                    }
                }
                // The newcomer was gone before it was accepted (ECONNABORTED and its kin,
                // accept(2)): the next one may be well.
                Err(_) => self.shared.stats.count_accept_error(),
            }
        }
    }

    /// Gives up the reserved descriptor to accept a connection and close it at once, so that
    /// it is not left waiting in silence. False when nobody waits, or nothing can be done.
    fn turn_away_by_reserve(&mut self, index: usize) -> bool {
        drop(self.reserve.take());
        let accepted = self.listeners[index].listener.accept();
        let turned_away = accepted.is_ok();
        drop(accepted);
        self.reserve = open_reserve();
        if turned_away {
            self.shared.stats.count_shed(ShedReason::Descriptors);
        }
        turned_away && self.reserve.is_some()
    }

    fn admit(&mut self, stream: Stream, address: Option<SocketAddr>) {
        let visitor = self.addresses.visitor(address);
        if let Err(reason) = self.make_place(visitor) {
            return self.turn_away(stream, reason);
        }
        let now = Instant::now();
        let (tls, budget) = (self.tls.clone(), &self.shared.budget);
        let mut session = Session::new(stream, tls, &self.settings, budget, address, now);
        let mut slots = self.shared.slots();
        let entry = slots.vacant_entry();
        let key = entry.key();
        if let Err(error) = session.register(self.shared.watch.registry(), Token(key)) {
            self.shared.stats.count_accept_error();
            self.errors.warn(format_args!("cannot watch a new connection: {error}"));
            return;
        }
        let epoch = self.shared.epoch;
        let deadline = epoch.ticks(session.deadline().at());
        entry.insert(Arc::new(Slot::new(key, visitor, session, deadline, epoch.ticks(now))));
        self.open += 1;
        self.addresses.enter(visitor);
    }

    /// Sees to it that there is a place for one more, if need be at another's cost.
    fn make_place(&mut self, visitor: Option<ClientNet>) -> Result<(), ShedReason> {
        let cap = self.settings.max_connections;
        if self.open >= cap || self.addresses.at_cap(visitor).is_some() {
            // Some may have closed by themselves since they were last counted.
            self.take_closed();
        }
        if let Some(visitor) = self.addresses.at_cap(visitor) {
            if !self.evict_among(visitor) {
                return Err(ShedReason::AddressCap);
            }
            self.crowds.warn(format_args!(
                "{visitor} is at max_connections_per_address, and its idle connections give way; \
                 a proxy belongs into trusted_proxies"
            ));
        }
        if self.open >= cap && !self.evict_for(visitor) {
            return Err(ShedReason::ConnectionCap);
        }
        Ok(())
    }

    /// Says no to a newcomer at the cap. Over TLS that would take a handshake, so there the
    /// close must say it.
    fn turn_away(&self, stream: Stream, reason: ShedReason) {
        self.shared.stats.count_shed(reason);
        self.shared.stats.count_closed(CloseReason::Shed);
        let turned_away = &self.shared.turned_away;
        if self.tls.is_none() && turned_away.load(Ordering::Relaxed) < TURNED_AWAY {
            turned_away.fetch_add(1, Ordering::Relaxed);
            self.shared.send_usher(Errand::TurnAway(stream));
        }
    }

    /// Closes, of one visitor's connections, the one that has waited longest for it.
    fn evict_among(&mut self, visitor: ClientNet) -> bool {
        if self.addresses.is_exhausted(visitor) {
            return false;
        }
        let longest = candidate_of(visitor, &self.shared.slots(), &self.addresses, self.cutoffs());
        let evicted = longest.is_some_and(|candidate| self.evict(&candidate));
        if !evicted {
            self.addresses.set_exhausted(visitor);
        }
        evicted
    }

    /// Closes the connection that has waited longest for its client, of the largest crowd; but
    /// a newcomer never costs a smaller crowd than its own anything. False when none can go.
    fn evict_for(&mut self, newcomer: Option<ClientNet>) -> bool {
        let crowd = self.addresses.crowd(newcomer);
        let cutoffs = self.cutoffs();
        loop {
            if self.candidates.is_empty() {
                // A connection whose request the kernel holds already is no candidate.
                self.shared.watch.glance(|events| self.shared.sight(events));
            }
            let next = self.candidates.next(&self.shared.slots(), &self.addresses, cutoffs);
            let Some(candidate) = next else { return false };
            if self.addresses.crowd(candidate.visitor()) < crowd {
                self.candidates.put_back(candidate);
                return newcomer.is_some_and(|visitor| self.evict_among(visitor));
            }
            if self.evict(&candidate) {
                return true;
            }
        }
    }

    /// Closes the largest holders of buffered bytes until the budget suffices. If it never does,
    /// as the rest is exempt or in the workers' hands, relief stays pending until the next sweep.
    fn relieve(&mut self) {
        if self.shared.budget.is_exceeded() {
            let holders = largest_holders(&self.shared.slots(), &self.addresses);
            for slot in holders {
                if !self.shared.budget.is_exceeded() {
                    break;
                }
                let session = slot.evict_waiting();
                if self.close_evicted(slot.key, session, CloseReason::Memory) {
                    self.memory.warn(format_args!(
                        "connections hold more than max_buffered_bytes ({} bytes): closed the \
                         largest holder ({} bytes) of the largest group of addresses",
                        self.settings.max_buffered_bytes,
                        slot.held_bytes()
                    ));
                }
            }
        }
        if !self.shared.budget.is_exceeded() {
            self.shared.budget.clear_relief();
        }
    }

    /// Gives the place of a connection to a newcomer.
    fn evict(&mut self, candidate: &Candidate) -> bool {
        self.close_evicted(candidate.key(), candidate.take(), CloseReason::Evicted)
    }

    fn close_evicted(&mut self, key: usize, session: Option<Session>, reason: CloseReason) -> bool {
        let Some(session) = session else { return false };
        session.abort();
        self.shared.stats.count_closed(reason);
        self.release(key);
        true
    }

    /// The ticks before which connections must have been waiting to count as old.
    fn cutoffs(&self) -> Cutoffs {
        let now = Instant::now();
        let ago = |grace| self.shared.epoch.ticks(now.checked_sub(grace).unwrap_or(now));
        Cutoffs { in_request: ago(self.settings.eviction_grace), unproven: ago(UNPROVEN_GRACE) }
    }

    /// Frees a closed connection's place.
    fn release(&mut self, key: usize) {
        let slot = self.shared.slots().try_remove(key);
        if let Some(slot) = slot {
            self.open -= 1;
            self.addresses.leave(slot.visitor);
        }
    }

    /// Looks at every connection's clock, and counts what they are doing.
    fn sweep(&mut self, now: Instant) {
        let tick = self.shared.epoch.ticks(now);
        let patience = u64::try_from(self.settings.queue_timeout.as_millis()).unwrap_or(u64::MAX);
        let mut counts = [0; ConnectionState::COUNT];
        let slots = self.shared.slots();
        for (_, slot) in &*slots {
            let state = match slot.place() {
                Place::Parked => {
                    self.expire_when_due(slot, Place::Parked, tick);
                    slot.state()
                }
                // With a response under way it is owed the rest, and has until its deadline.
                Place::Queued if slot.state().is_answered() => {
                    self.expire_when_due(slot, Place::Queued, tick);
                    ConnectionState::Queued
                }
                Place::Queued => {
                    if slot.since().saturating_add(patience) <= tick && slot.turn_away() {
                        self.shared.stats.count_shed(ShedReason::QueueTimeout);
                        self.shared.send_usher(Errand::Slot(Arc::clone(slot), Task::Shed));
                    }
                    ConnectionState::Queued
                }
                Place::Driven | Place::Errand => ConnectionState::Active,
                Place::Closed => continue,
            };
            counts[state as usize] += 1;
        }
        drop(slots);
        self.shared.queue.prune();
        self.shared.stats.set_connections(counts);
        self.shared.stats.set_queue_depth(self.shared.queue.len());
        self.relieve();
        self.shared.budget.clear_relief();
        self.shared.stats.set_buffered_bytes(self.shared.budget.used());
        self.candidates = Candidates::default();
        self.addresses.forget_exhausted();
        self.next_sweep = now + SWEEP_INTERVAL;
    }

    fn expire_when_due(&self, slot: &Arc<Slot>, at: Place, tick: u64) {
        if slot.deadline() <= tick && slot.call_away(at) {
            self.shared.send_usher(Errand::Slot(Arc::clone(slot), Task::Expire));
        }
    }

    /// Stops accepting, and tells every parked connection. Those that the kernel has let in at
    /// a listener of our own would be reset by its close, so they are taken; those at a passed
    /// socket stay in its queue, which outlives us.
    fn begin_drain(&mut self) {
        self.draining = true;
        for index in 0..self.listeners.len() {
            if self.listeners[index].listener.is_passed() {
                // The supervisor's copy keeps the socket open, and a registration lasts as long.
                let registry = self.poll.registry();
                if let Err(error) = self.listeners[index].listener.deregister(registry) {
                    self.errors.warn(format_args!("cannot let go of a passed socket: {error}"));
                }
            } else {
                self.accept_from(index, usize::MAX);
            }
        }
        self.listeners.clear();
        for (_, slot) in &*self.shared.slots() {
            if slot.call_away(Place::Parked) {
                self.shared.send_usher(Errand::Slot(Arc::clone(slot), Task::Drain));
            }
        }
    }
}

impl Listening {
    fn is_due(&self, now: Instant) -> bool {
        self.ready && self.resume_at.is_none_or(|at| now >= at)
    }
}

/// The process or the system has no descriptor or memory left for a connection (accept(2)).
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhaustion = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| exhaustion.iter().any(|errno| errno.raw_os_error() == code))
}

fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests;
