//! Session: one connection's transport and its HTTP state machine, driven without blocking.
//!
//! A worker drives a session whose socket is ready, and the reaper one whose deadline has passed.
//! [`Session::drive`] repeats the next [`Action`] of the state machine until the session must wait,
//! has used up its turn, or ends:
//!
//! ```text
//!            ┌────────────────────────── poll ◄─────────────────────────┐
//!            ▼                                                          │
//!   Read ─ transfer::receive ── socket would block ──► Park             │
//!   Call ─ calls::admit, run ── needs a permit ──────► EnterLane, Park  ├── Yield: the turn is over
//!   Write ─ transfer::flush ─── socket is full ──────► Park             │
//!   Close ─ closing ─────────── lingers ─────────────► Park, Closed     │
//!            └──────────────────────────────────────────────────────────┘
//! ```
//!
//! The reaper must not block, so it neither calls the service nor reads the source of a streamed
//! body. What needs either is deferred, and the session yields to a worker.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use mio::{Registry, Token};
use rustls::ServerConfig;

use super::activity::{Activity, WorkerState};
use super::deadline::Deadline;
use super::heavy::HeavyState;
use super::http1::{Action, Connection, ServiceCall};
use super::lanes::{Client, Permit};
use super::limits::Settings;
use super::memory_limit::{Charge, MemoryLimit};
use super::message::Peer;
use super::ready::Ready;
use super::refusal::Refusal;
use super::service::{Lane, Service};
use super::socket::Stream;
use super::stats::{CloseReason, ConnectionState, Stats};
use super::transport::{Scratch, Transport};
use super::turn_budget::TurnBudget;
use stage::Stage;

mod calls;
mod closing;
mod expiry;
mod stage;
mod transfer;

/// Task for which a session is driven.
///
/// Workers serve; all other tasks are the reaper's.
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

/// Result of driving a session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// Waits for one of the edges `wants`, until the deadline.
    Park { wants: Ready, deadline: Deadline, state: ConnectionState },
    /// Has more to do for a worker, in another turn.
    Yield { deadline: Deadline, state: ConnectionState },
    /// Must enter that lane, by [`Session::set_permit`], before it is driven further.
    EnterLane { lane: Lane, client: Client },
    /// Is over.
    Closed(CloseReason),
}

/// Environment in which sessions are driven.
#[derive(Clone, Copy)]
pub(super) struct DriveContext<'a> {
    pub(super) service: &'a dyn Service,
    /// Set once the server is stopping.
    pub(super) draining: &'a AtomicBool,
    /// The driving thread's entry on the scoreboard.
    pub(super) activity: &'a Activity,
    pub(super) stats: &'a Stats,
}

impl DriveContext<'_> {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// One client's connection.
pub(super) struct Session {
    transport: Transport,
    http: Connection,
    stage: Stage,
    handshake_deadline: Deadline,
    /// Call that waits for a permit, or for a worker because the reaper met it.
    deferred: Option<ServiceCall>,
    heavy: HeavyState,
    /// Share of the connection in the memory limit.
    charge: Charge,
}

impl Session {
    pub(super) fn new(
        stream: Stream,
        tls: Option<Arc<ServerConfig>>,
        settings: &Arc<Settings>,
        memory: &Arc<MemoryLimit>,
        address: Option<std::net::SocketAddr>,
        accepted: Instant,
    ) -> Session {
        let peer = Peer { address, tls: tls.is_some(), user: stream.peer_user() };
        Session {
            transport: Transport::new(stream, tls),
            http: Connection::new(Arc::clone(settings), peer, accepted),
            stage: Stage::Open,
            handshake_deadline: Deadline::of(accepted, settings.handshake_timeout),
            deferred: None,
            heavy: HeavyState::default(),
            charge: Charge::new(memory),
        }
    }

    /// Registers the socket for readable events, under that token.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.transport.register(registry, token)
    }

    /// Registers the socket for writable events too.
    pub(super) fn register_writable(&mut self, registry: &Registry, token: Token) {
        self.transport.register_writable(registry, token);
    }

    /// Returns the state of the connection as the metrics name it.
    pub(super) fn state(&self) -> ConnectionState {
        match self.stage {
            Stage::Open if self.transport.is_handshaking() => ConnectionState::Handshaking,
            Stage::Open => self.http.state(),
            Stage::Finishing { .. } => ConnectionState::Writing,
            Stage::Lingering { .. } => ConnectionState::Lingering,
        }
    }

    /// Stores the permit that the session has entered a lane for. It may not be granted yet.
    pub(super) fn set_permit(&mut self, permit: Permit) {
        self.heavy.set_permit(permit);
    }

    /// Releases the spare room of all buffers while the session waits. Returns the number of bytes
    /// that are held.
    pub(super) fn shrink(&mut self) -> usize {
        self.http.shrink() + self.transport.shrink()
    }

    /// Charges the memory limit for the bytes held.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.charge.set(bytes);
    }

    /// Drops the connection. A response that the client has not read ends in a reset.
    pub(super) fn abort(self) {
        if self.state() == ConnectionState::Writing {
            self.transport.reset_on_close();
        }
    }

    /// Returns true if the connection has sent a response, or has one in its output.
    pub(super) fn has_answered(&self) -> bool {
        self.http.has_answered()
    }

    /// Makes the close a reset if a response is being sent that a close would make look complete.
    pub(super) fn reset_if_truncated(&self) {
        if self.http.is_close_delimited() {
            self.transport.reset_on_close();
        }
    }

    /// Drives the session as far as possible without blocking, and within its turn.
    ///
    /// The caller begins a turn each time that it takes the connection up, but not behind
    /// [`Outcome::EnterLane`].
    pub(super) fn drive(
        &mut self,
        task: Task,
        edges: Ready,
        budget: &mut TurnBudget,
        context: DriveContext<'_>,
        scratch: &mut Scratch,
    ) -> Outcome {
        self.transport.insert_ready(edges);
        let now = Instant::now();
        if context.is_draining() {
            self.http.set_last_response(now);
            self.stage.shorten(now);
        }
        if task == Task::Drain {
            // A request may have arrived whose edge was not reported yet.
            self.transport.insert_ready(Ready::READ);
        }
        if let Some(outcome) = self.expire_if_due(task, context, now) {
            return outcome;
        }
        loop {
            if let Some(outcome) = self.drive_closing(budget, scratch) {
                return outcome;
            }
            if budget.is_spent() {
                return self.write(budget).unwrap_or_else(|| self.yield_turn());
            }
            let now = Instant::now();
            // Output is written before more work adds to it.
            let action = match self.deferred.take_if(|_| !self.http.is_flushing()) {
                Some(call) => Action::Call(call),
                None => self.http.poll(now),
            };
            match action {
                Action::Read => {
                    if let Some(outcome) = self.receive(budget, context, scratch, now) {
                        return outcome;
                    }
                }
                Action::Write => {
                    if let Some(outcome) = self.write(budget) {
                        return outcome;
                    }
                }
                Action::Call(call) if matches!(task, Task::Expire | Task::Drain) => {
                    self.deferred = Some(call);
                    if self.heavy.is_waiting() {
                        return self.await_permit();
                    }
                    return self.yield_turn();
                }
                Action::Call(call) if task == Task::Shed => {
                    self.refuse_call(&call, Refusal::Overloaded, CloseReason::Shed, context, now);
                }
                Action::Call(call) => {
                    let call = match self.admit(call, budget, context, now) {
                        Ok(call) => call,
                        Err(Some(outcome)) => return outcome,
                        Err(None) => continue,
                    };
                    budget.spend_step();
                    context.activity.enter(WorkerState::Handling);
                    let now = self.run(call, context);
                    context.activity.enter(WorkerState::Writing);
                    budget.end_if_overdue(now);
                }
                Action::Refuse(refused) => {
                    let response = refused.render(context.service);
                    self.http.refuse(response, CloseReason::Refused, now);
                }
                Action::Close(closing) => self.finish(closing, context, now),
            }
        }
    }

    /// Parks until an edge of `wants`. The permit is freed meanwhile: a client that withholds its
    /// input or does not read must not hold one.
    fn park(&mut self, wants: Ready) -> Outcome {
        self.heavy.pause();
        Outcome::Park { wants, deadline: self.deadline(), state: self.state() }
    }

    fn yield_turn(&self) -> Outcome {
        Outcome::Yield { deadline: self.deadline(), state: self.state() }
    }
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod heavy_tests;
#[cfg(test)]
mod tests;
