//! A client's connection: its socket, its TLS layer and its HTTP state machine, driven as far
//! as they go without waiting.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use mio::{Registry, Token};
use rustls::ServerConfig;

use super::activity::{Activity, WorkerState};
use super::budget::{Budget, Charge};
use super::deadline::Deadline;
use super::heavy::HeavyState;
use super::http1::{Action, Closing, Connection, ServiceCall};
use super::lanes::{Client, Permit};
use super::limits::{SCRATCH, Settings};
use super::message::Peer;
use super::ready::Ready;
use super::refusal::Refusal;
use super::service::{Lane, Service};
use super::socket::Stream;
use super::stats::{CloseReason, ConnectionState, Stats};
use super::tls::TlsLayer;
use super::turn::Turn;
use closing::Stage;
use transfer::Flush;

mod calls;
mod closing;
mod transfer;

/// Task for which a session is driven.
///
/// Workers serve; all other tasks are the reaper's. They neither call the service nor read the source
/// of a body, as either may block: such work is left to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Read and write what the socket is ready for, and serve requests.
    Serve,
    /// Answer the next request with 503, as no worker was free within `queue_timeout`.
    Shed,
    /// Act on the deadline that has passed.
    Expire,
    /// Close the connection if it is idle: the server is stopping.
    Drain,
}

/// What came of driving a session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// It waits for its client.
    Park { wants: Ready, deadline: Deadline, state: ConnectionState },
    /// There is more to do for a worker, after others had their turn.
    Yield { deadline: Deadline, state: ConnectionState },
    /// It needs a permit of that lane, by [`Session::set_permit`], before it is driven on.
    Enter { lane: Lane, client: Client },
    /// It is over.
    Closed(CloseReason),
}

/// What sessions are driven for: the program, whether the server is stopping, and the driver's
/// entry on the scoreboard.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) service: &'a dyn Service,
    pub(super) draining: &'a AtomicBool,
    pub(super) activity: &'a Activity,
    pub(super) stats: &'a Stats,
}

impl Host<'_> {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Room to read into, one for each thread that drives sessions.
pub(super) struct Scratch {
    wire: Box<[u8]>,
    plain: Box<[u8]>,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        let room = || vec![0; SCRATCH].into_boxed_slice();
        Scratch { wire: room(), plain: room() }
    }
}

/// See the module's documentation.
pub(super) struct Session {
    stream: Stream,
    tls: Option<TlsLayer>,
    http: Connection,
    stage: Stage,
    /// The client's end of the stream was read.
    stream_ended: bool,
    handshake_deadline: Deadline,
    /// Work that a worker is to do: the usher came upon it, or it waits for a permit.
    held: Option<ServiceCall>,
    heavy: HeavyState,
    /// Its part of the budget for buffers.
    charge: Charge,
    /// Its socket is watched for room to write, too.
    watched_for_room: bool,
    /// Edges not yet used up: a direction is tried until the kernel says that it would block.
    ready: Ready,
}

impl Session {
    pub(super) fn new(
        stream: Stream,
        tls: Option<Arc<ServerConfig>>,
        settings: &Arc<Settings>,
        budget: &Arc<Budget>,
        address: Option<std::net::SocketAddr>,
        accepted: Instant,
    ) -> Session {
        let peer = Peer { address, tls: tls.is_some() };
        Session {
            stream,
            tls: tls.map(TlsLayer::new),
            http: Connection::new(Arc::clone(settings), peer, accepted),
            stage: Stage::Open,
            stream_ended: false,
            handshake_deadline: Deadline::of(accepted, settings.handshake_timeout),
            held: None,
            heavy: HeavyState::default(),
            charge: Charge::new(budget),
            watched_for_room: false,
            // A fresh socket has room to write to.
            ready: Ready::WRITE,
        }
    }

    /// Has its client's words watched for, under that token.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.register(registry, token)
    }

    /// Has the socket watched for room to write as well, as few ever need it.
    pub(super) fn watch_for_room(&mut self, registry: &Registry, token: Token) {
        if !std::mem::replace(&mut self.watched_for_room, true)
            && let Err(error) = self.stream.register_for_room(registry, token)
        {
            // It is closed at its deadline then.
            log::warn!("a connection cannot be watched for room to write: {error}");
        }
    }

    fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::is_handshaking)
    }

    /// What it waits for, as the metrics name it.
    pub(super) fn state(&self) -> ConnectionState {
        self.stage.state().unwrap_or_else(|| {
            if self.is_handshaking() { ConnectionState::Handshaking } else { self.http.state() }
        })
    }

    /// Lets it wait for that permit, or use it.
    pub(super) fn set_permit(&mut self, permit: Permit) {
        self.heavy.set_permit(permit);
    }

    /// When it must be looked at, whatever its client does.
    pub(super) fn deadline(&self) -> Deadline {
        match self.stage {
            Stage::Open if self.is_handshaking() => {
                self.handshake_deadline.min(self.http.deadline())
            }
            Stage::Open => match self.heavy.deadline() {
                Some(deadline) if self.held.is_some() && !self.http.is_flushing() => deadline,
                _ => self.http.deadline(),
            },
            Stage::Finishing { deadline, .. } | Stage::Lingering { deadline, .. } => deadline,
        }
    }

    /// Gives back room that buffers do not need while the session waits, and charges the budget
    /// with the rest. Returns the bytes that are held.
    pub(super) fn settle(&mut self) -> usize {
        let bytes = self.http.shrink() + self.tls.as_mut().map_or(0, TlsLayer::shrink);
        self.charge.set(bytes);
        bytes
    }

    /// Drops the connection rudely: what the client has not taken is lost.
    pub(super) fn abort(self) {
        if self.state() == ConnectionState::Writing {
            self.stream.abort_on_close();
        }
    }

    /// Returns true if a response was put into the output, now or before.
    pub(super) fn has_answered(&self) -> bool {
        self.http.has_answered()
    }

    /// Has the socket closed by a reset if a response under way would look complete otherwise.
    pub(super) fn reset_if_truncated(&self) {
        if self.http.is_close_delimited() {
            self.stream.abort_on_close();
        }
    }

    /// Goes as far as possible without waiting, and within the connection's turn. The caller begins
    /// a turn each time it takes the connection up: entering a lane does not begin another one.
    pub(super) fn drive(
        &mut self,
        task: Task,
        edges: Ready,
        turn: &mut Turn,
        host: Host<'_>,
        scratch: &mut Scratch,
    ) -> Outcome {
        self.ready.insert(edges);
        let now = Instant::now();
        if host.is_draining() {
            self.http.set_last_response(now);
            self.stage.hasten(now);
        }
        if let Some(outcome) = self.obey(task, host, now) {
            return outcome;
        }
        loop {
            if let Some(outcome) = self.drive_closing(turn, scratch) {
                return outcome;
            }
            if turn.is_over() {
                return self.write(turn).unwrap_or_else(|| self.give_way());
            }
            let now = Instant::now();
            // Output under way is finished before more work adds to it.
            let action = match self.held.take_if(|_| !self.http.is_flushing()) {
                Some(call) => Action::Call(call),
                None => self.http.poll(now),
            };
            match action {
                Action::Call(call) if matches!(task, Task::Expire | Task::Drain) => {
                    self.held = Some(call);
                    if self.heavy.is_waiting() {
                        return self.await_permit();
                    }
                    return self.give_way();
                }
                Action::Call(call) if task == Task::Shed => {
                    self.refuse_call(&call, Refusal::Overloaded, CloseReason::Shed, host, now);
                }
                Action::Call(call) => {
                    let call = match self.admit(call, turn, host, now) {
                        Ok(call) => call,
                        Err(Some(outcome)) => return outcome,
                        Err(None) => continue,
                    };
                    turn.step();
                    host.activity.enter(WorkerState::Handling);
                    let now = self.run(call, host);
                    host.activity.enter(WorkerState::Writing);
                    turn.worked(now);
                }
                Action::Refuse(refused) => {
                    let response = refused.render(host.service);
                    self.http.refuse(response, CloseReason::Refused, now);
                }
                Action::Close(closing) => {
                    self.finish(closing, host.is_draining(), now);
                    continue;
                }
                Action::Write => {
                    if let Some(outcome) = self.write(turn) {
                        return outcome;
                    }
                }
                Action::Read => {
                    // A handshake's answer goes out before the next flight is awaited.
                    if self.tls.as_ref().is_some_and(TlsLayer::wants_write)
                        && let Some(outcome) = self.write(turn)
                    {
                        return outcome;
                    }
                    if !self.ready.contains(Ready::READ) {
                        if host.is_draining()
                            && let Some(closing) = self.http.close_if_idle(CloseReason::Drain)
                        {
                            self.finish(closing, host.is_draining(), now);
                            continue;
                        }
                        return self.park(Ready::READ);
                    }
                    turn.step();
                    host.activity.enter(WorkerState::Reading);
                    if let Err(reason) = self.fill(host, scratch, now) {
                        return Outcome::Closed(reason);
                    }
                }
            }
        }
    }

    /// Waits for its client. Meanwhile other requests may use its permit: a client that withholds
    /// input or does not read must not hold one.
    fn park(&mut self, wants: Ready) -> Outcome {
        self.heavy.pause();
        Outcome::Park { wants, deadline: self.deadline(), state: self.state() }
    }

    fn give_way(&self) -> Outcome {
        Outcome::Yield { deadline: self.deadline(), state: self.state() }
    }

    /// Does what the order asks for beyond serving.
    fn obey(&mut self, task: Task, host: Host<'_>, now: Instant) -> Option<Outcome> {
        if task == Task::Drain {
            // Its request may have arrived without its edge having been seen.
            self.ready.insert(Ready::READ);
        }
        // A response's time runs out while there is no end of room for it, too. What a client has
        // sent in time is not held against it, however long it has waited for a worker since. And
        // an order to expire may be older than the session's latest turn.
        let due = task == Task::Expire || self.state().is_answered();
        if due && self.deadline().passed(now) { self.expire(host, now) } else { None }
    }

    fn expire(&mut self, host: Host<'_>, now: Instant) -> Option<Outcome> {
        match self.stage {
            Stage::Finishing { closing: Closing { reason, .. }, .. } => {
                self.stream.abort_on_close();
                Some(Outcome::Closed(reason))
            }
            Stage::Lingering { reason, .. } => Some(Outcome::Closed(reason)),
            Stage::Open if self.is_handshaking() => {
                Some(Outcome::Closed(CloseReason::HandshakeTimeout))
            }
            Stage::Open => {
                let reason = self.http.expiry_reason();
                let writes_no_more = reason == CloseReason::WriteTimeout;
                if !writes_no_more
                    && let Some(call) = self.held.take_if(|_| self.heavy.deadline().is_some())
                {
                    self.held = self.forgo(call, host, now);
                    return None;
                }
                match self.http.expire() {
                    Action::Refuse(refused) => {
                        self.http.refuse(refused.render(host.service), reason, now);
                        None
                    }
                    _ if writes_no_more => {
                        self.stream.abort_on_close();
                        Some(Outcome::Closed(reason))
                    }
                    _ => None,
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod heavy_tests;
#[cfg(test)]
mod tests;
