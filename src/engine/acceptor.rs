//! The acceptor: the thread that accepts connections, keeps their deadlines and enforces the caps.
//!
//! It accepts from every listener and registers each new connection with the scheduler's epoll
//! instance, from which workers take its events. Ten times a second it sweeps over all connections
//! ([`sweep`]): it claims those whose deadline has passed for the reaper. At a cap it evicts a
//! connection for a new one, or rejects the new one ([`caps`]). And it runs the scheduler's
//! [`StallCheck`].
//!
//! No client can hold it up: it neither reads nor writes nor does a handshake, and takes no lock that
//! is held during I/O. Where bytes must be sent, it leaves that to the reaper.
//!
//! Connections that follow each other within [`ACCEPT_PACE`] are accepted several at a time, since to
//! wake the acceptor costs more than to accept.

mod caps;
mod sweep;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use mio::{Events, Poll, Token};
use rustls::ServerConfig;

use super::client_counts::ClientCounts;
use super::eviction::Candidates;
use super::limits::Settings;
use super::listener::Listener;
use super::log_throttle::LogThrottle;
use super::new_listeners::Registered;
use super::scheduler::{Place, Slot, SlotToken, StallCheck};
use super::session::{Session, Task};
use super::shared::{ReaperTask, Shared};
use super::socket::Stream;
use super::stats::{ACCEPTOR_PULSE, ShedReason};

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;

/// Most connections accepted from one listener before the others, and the clock, have their turn.
const ACCEPT_BATCH: usize = 512;

/// Interval below which connections count as a burst: the acceptor then sleeps for as long, and
/// accepts several at a time.
const ACCEPT_PACE: Duration = Duration::from_micros(300);

/// Pause of a listener after `accept(2)` ran out of descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// State of the acceptor's thread.
pub(super) struct Acceptor {
    poll: Poll,
    listeners: Vec<ListenerState>,
    /// Number of open connections.
    open: usize,
    settings: Arc<Settings>,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared>,
    /// Listeners that are added, at the start and later.
    added: Receiver<Registered>,
    /// Tokens of connections that other threads have closed.
    closed: Receiver<SlotToken>,
    stall_check: StallCheck,
    candidates: Candidates,
    counts: ClientCounts,
    /// Descriptor that is closed to accept, and reject, when there is no other left.
    spare_fd: Option<File>,
    next_sweep: Instant,
    last_accept: Instant,
    draining: bool,
    error_log: LogThrottle,
    client_cap_log: LogThrottle,
    memory_log: LogThrottle,
}

/// A listener, and whether to accept from it.
struct ListenerState {
    token: Token,
    listener: Listener,
    /// The kernel has reported an edge, and `accept(2)` has not returned `EAGAIN` since.
    ready: bool,
    /// End of the pause after descriptors or memory ran out.
    resume_at: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(
        poll: Poll,
        added: Receiver<Registered>,
        tls: Option<Arc<ServerConfig>>,
        shared: Arc<Shared>,
        closed: Receiver<SlotToken>,
    ) -> Acceptor {
        let settings = shared.settings.load_full();
        let counts = ClientCounts::new(settings.address_cap(), settings.trusted_proxies.clone());
        Acceptor {
            poll,
            listeners: Vec::new(),
            added,
            open: 0,
            settings,
            tls,
            shared,
            closed,
            stall_check: StallCheck::new(Instant::now()),
            candidates: Candidates::default(),
            counts,
            spare_fd: open_spare_fd(),
            next_sweep: Instant::now(),
            last_accept: Instant::now(),
            draining: false,
            error_log: LogThrottle::default(),
            client_cap_log: LogThrottle::default(),
            memory_log: LogThrottle::default(),
        }
    }

    /// Runs until the server is stopped and the last connection is closed. No error of a client or
    /// of the kernel ends it.
    pub(super) fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !(self.draining && self.open == 0) {
            let timeout = self.timeout(Instant::now());
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.error_log.warn(format_args!("epoll_wait of the acceptor failed: {error}"));
            }
            let mut now = Instant::now();
            if !events.is_empty() && now.duration_since(self.last_accept) < ACCEPT_PACE {
                std::thread::sleep(ACCEPT_PACE);
                now = Instant::now();
            }
            self.shared.stats.acceptor_beat();
            for event in &events {
                let is_of = |state: &&mut ListenerState| state.token == event.token();
                if let Some(state) = self.listeners.iter_mut().find(is_of) {
                    state.ready = true;
                }
            }
            self.take_added();
            self.remove_closed();
            self.load_settings();
            // Before it accepts: connections in the queue of an inherited socket are for the next
            // process.
            if self.shared.draining.load(Ordering::Acquire) && !self.draining {
                self.begin_drain();
            }
            if self.shared.memory.is_reclaim_requested() {
                self.reclaim_memory();
            }
            self.accept_ready(now);
            self.stall_check.run(&self.shared.scheduler, now);
            if now >= self.next_sweep {
                self.sweep(now);
            }
        }
        self.shared.stop();
    }

    /// Returns how long to wait for events: not at all while a listener may have more connections,
    /// until the next sweep while there is something to sweep, else until the next heartbeat.
    fn timeout(&self, now: Instant) -> Duration {
        if self.listeners.iter().any(|state| state.is_due(now)) {
            return Duration::ZERO;
        }
        let sweeps = self.open > 0 || self.listeners.iter().any(|state| state.resume_at.is_some());
        let timeout =
            if sweeps { self.next_sweep.saturating_duration_since(now) } else { ACCEPTOR_PULSE };
        let stall_check = self.stall_check.timeout(&self.shared.scheduler, now);
        stall_check.map_or(timeout, |check| check.min(timeout))
    }

    /// Takes the listeners that were added. One that comes when the server stops is closed.
    fn take_added(&mut self) {
        while let Ok((token, listener)) = self.added.try_recv() {
            if !self.draining {
                self.listeners.push(ListenerState {
                    token,
                    listener,
                    ready: true,
                    resume_at: None,
                });
            }
        }
    }

    /// Applies new settings, if there are any.
    fn load_settings(&mut self) {
        let latest = self.shared.settings.load();
        if !Arc::ptr_eq(&latest, &self.settings) {
            self.settings = Arc::clone(&latest);
            let trusted = self.settings.trusted_proxies.clone();
            self.counts.configure(self.settings.address_cap(), trusted);
            self.shared.memory.set_limit(self.settings.max_buffered_bytes);
        }
    }

    /// Removes the connections that other threads have closed.
    fn remove_closed(&mut self) {
        while let Ok(token) = self.closed.try_recv() {
            self.remove(token);
        }
    }

    /// Removes a closed connection from the table.
    fn remove(&mut self, token: SlotToken) {
        let slot = self.shared.scheduler.slots().remove(token);
        if let Some(slot) = slot {
            self.open -= 1;
            self.counts.remove(slot.client_net);
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

    /// Accepts until the kernel has no more connections, or `most` times.
    fn accept_from(&mut self, index: usize, most: usize) {
        let now = Instant::now();
        for _ in 0..most {
            // Another thread may have taken the descriptor when it was closed. It is opened again
            // before a connection takes the next free one, so that later ones can be rejected.
            if self.spare_fd.is_none() {
                self.spare_fd = open_spare_fd();
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
                    // The kernel looks for a descriptor before it looks for a connection, so the
                    // error alone does not show that a client waits.
                    if self.reject_by_spare_fd(index) {
                        self.shared.stats.count_accept_error();
                        self.error_log.warn(format_args!(
                            "cannot accept: {error}; new connections are closed until descriptors \
                             are free (raise `ulimit -n`, or lower max_connections)"
                        ));
                    } else {
                        self.listeners[index].resume_at = Some(Instant::now() + ACCEPT_BACKOFF);
                        return;
                    }
                }
                // The client was gone before the connection was accepted (ECONNABORTED and similar
                // errors, accept(2)). The next connection may be well.
                Err(_) => self.shared.stats.count_accept_error(),
            }
        }
    }

    /// Closes the spare descriptor to accept a connection and close it at once, so that its client
    /// does not wait in vain. Returns false if no client waits, or nothing can be done.
    fn reject_by_spare_fd(&mut self, index: usize) -> bool {
        drop(self.spare_fd.take());
        let accepted = self.listeners[index].listener.accept();
        let rejected = accepted.is_ok();
        drop(accepted);
        self.spare_fd = open_spare_fd();
        if rejected {
            self.shared.stats.count_shed(ShedReason::Descriptors);
        }
        rejected && self.spare_fd.is_some()
    }

    /// Makes a new connection one of the scheduler's, or rejects it at a cap.
    fn admit(&mut self, stream: Stream, address: Option<SocketAddr>) {
        let client_net = self.counts.client_net(address);
        if let Err(reason) = self.make_room(client_net) {
            return self.reject_at_cap(stream, reason);
        }
        let now = Instant::now();
        let (tls, memory) = (self.tls.clone(), &self.shared.memory);
        let mut session = Session::new(stream, tls, &self.settings, memory, address, now);
        // Locked until the slot is in the table, so that no event of the socket comes earlier.
        let mut slots = self.shared.scheduler.slots();
        let token = slots.next_token();
        if let Err(error) = session.register(&self.shared.registry, token.into()) {
            self.shared.stats.count_accept_error();
            self.error_log.warn(format_args!("cannot register a new connection: {error}"));
            return;
        }
        let epoch = self.shared.scheduler.epoch;
        let (state, deadline) = (session.state(), epoch.ticks(session.deadline().at()));
        let slot = Slot::new(token, client_net, session, state, deadline, epoch.ticks(now));
        slots.insert(Arc::new(slot));
        self.open += 1;
        self.counts.add(client_net);
    }

    /// Closes the listeners, and claims every parked connection for the reaper.
    ///
    /// Closing a listener of our own would reset the connections in its queue, so these are accepted
    /// first. An inherited socket stays open with its queue, for the next process.
    fn begin_drain(&mut self) {
        self.draining = true;
        for index in 0..self.listeners.len() {
            if self.listeners[index].listener.is_inherited() {
                // The supervisor's copy keeps the socket open, and a registration lasts as long.
                let registry = self.poll.registry();
                if let Err(error) = self.listeners[index].listener.deregister(registry) {
                    self.error_log
                        .warn(format_args!("cannot deregister an inherited socket: {error}"));
                }
            } else {
                self.accept_from(index, usize::MAX);
            }
        }
        self.listeners.clear();
        for slot in self.shared.scheduler.slots().iter() {
            if slot.claim(Place::Parked) {
                self.shared.send_reaper(ReaperTask::Drive(Arc::clone(slot), Task::Drain));
            }
        }
    }
}

impl ListenerState {
    fn is_due(&self, now: Instant) -> bool {
        self.ready && self.resume_at.is_none_or(|at| now >= at)
    }
}

/// Returns true if the process or the system has no descriptor or memory left (accept(2)).
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhaustion = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| exhaustion.iter().any(|errno| errno.raw_os_error() == code))
}

fn open_spare_fd() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests;
