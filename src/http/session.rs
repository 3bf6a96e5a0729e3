//! A client's connection: its socket, its TLS layer and its HTTP state machine, driven as far
//! as they go without waiting.

use std::io::{self, IoSlice, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ::http::Method;
use mio::{Registry, Token};
use rustls::ServerConfig;

use super::activity::{Activity, WorkerState};
use super::addresses::Visitor;
use super::budget::{Budget, Charge};
use super::connection::{Closing, Connection, Refused, Task, Wish, Work};
use super::deadline::Deadline;
use super::heavy::{Admission, HeavyState};
use super::lanes::{Client, Permit};
use super::limits::{SCRATCH, Settings};
use super::message::{Peer, Refusal, RequestHead, Response, Service};
use super::reply::{Fallback, HeavyWork, Lane, Reply};
use super::slot::Ready;
use super::socket::Stream;
use super::stats::{CloseReason, ConnectionState, ShedReason, Stats};
use super::tls::{Intake, TlsLayer};
use super::turn::Turn;
use closing::Stage;

mod closing;

/// Why a session is driven. All but the first are the usher's, who neither calls the program nor
/// reads the source of a body, as either may block: what needs that it leaves to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Its client has sent something, or made room.
    Serve,
    /// No worker was free in time: its next request is answered 503.
    TurnAway,
    /// Its deadline has passed.
    Expire,
    /// The server is stopping.
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
    held: Option<Task>,
    heavy: HeavyState,
    /// Its part of the budget for buffers.
    charge: Charge,
    /// Its socket is watched for room to write, too.
    watched_for_room: bool,
    /// Edges not yet used up: a direction is tried until the kernel says that it would block.
    ready: Ready,
}

/// What came of writing.
enum Flush {
    /// All is written.
    Done,
    /// The socket is full.
    Blocked,
    /// There is more, for another turn.
    Paused,
    /// The source of the body is read on once a permit is granted.
    NeedsPermit,
    /// The source of the body is read on under a permit of that lane.
    Enters(Lane, Client),
    Failed(CloseReason),
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

    /// Goes as far as possible without waiting.
    pub(super) fn drive(
        &mut self,
        order: Order,
        edges: Ready,
        host: Host<'_>,
        scratch: &mut Scratch,
    ) -> Outcome {
        self.ready.insert(edges);
        let now = Instant::now();
        if host.is_draining() {
            self.http.set_last_response(now);
            self.stage.hasten(now);
        }
        if let Some(outcome) = self.obey(order, host, now) {
            return outcome;
        }
        let mut turn = Turn::new(order == Order::Serve, now);
        loop {
            if let Some(outcome) = self.drive_closing(&mut turn, scratch) {
                return outcome;
            }
            let now = Instant::now();
            // Output under way is finished before more work adds to it.
            let wish = match self.held.take_if(|_| !self.http.is_flushing()) {
                Some(task) => Wish::Run(task),
                None => self.http.poll(now),
            };
            match wish {
                Wish::Run(task) if matches!(order, Order::Expire | Order::Drain) => {
                    self.held = Some(task);
                    if self.heavy.is_waiting() {
                        return self.await_permit(&mut turn);
                    }
                    return self.give_way();
                }
                Wish::Run(task) if order == Order::TurnAway => {
                    self.refuse_task(&task, Refusal::Overloaded, CloseReason::Shed, host, now);
                }
                Wish::Run(task) => {
                    let task = match self.admit(task, &mut turn, host, now) {
                        Ok(task) => task,
                        Err(Some(outcome)) => return outcome,
                        Err(None) => continue,
                    };
                    turn.step();
                    host.activity.enter(WorkerState::Handling);
                    let now = self.run(task, host);
                    host.activity.enter(WorkerState::Writing);
                    turn.worked(now);
                }
                Wish::Refuse(refused) => {
                    let response = word(host.service, &refused);
                    self.http.refuse(response, CloseReason::Refused, now);
                }
                Wish::Close(closing) => {
                    self.finish(closing, host.is_draining(), now);
                    continue;
                }
                Wish::Write => {
                    if let Some(outcome) = self.write(&mut turn) {
                        return outcome;
                    }
                }
                Wish::Read => {
                    // A handshake's answer goes out before the next flight is awaited.
                    if self.tls.as_ref().is_some_and(TlsLayer::wants_write)
                        && let Some(outcome) = self.write(&mut turn)
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
            if turn.is_over() {
                return self.write(&mut turn).unwrap_or_else(|| self.give_way());
            }
        }
    }

    fn park(&self, wants: Ready) -> Outcome {
        Outcome::Park { wants, deadline: self.deadline(), state: self.state() }
    }

    fn give_way(&self) -> Outcome {
        Outcome::Yield { deadline: self.deadline(), state: self.state() }
    }

    /// Writes what there is; `None` once all is written.
    fn write(&mut self, turn: &mut Turn) -> Option<Outcome> {
        match self.flush(turn) {
            Flush::Done => None,
            Flush::Blocked => Some(self.park(Ready::WRITE)),
            Flush::Paused => Some(self.give_way()),
            Flush::NeedsPermit if self.ready.contains(Ready::BROKEN) => {
                Some(Outcome::Closed(CloseReason::ClientGone))
            }
            Flush::NeedsPermit => Some(self.park(Ready::PERMIT.or(Ready::BROKEN))),
            Flush::Enters(lane, client) => Some(Outcome::Enter { lane, client }),
            Flush::Failed(reason) => Some(Outcome::Closed(reason)),
        }
    }

    /// Does what the order asks for beyond serving.
    fn obey(&mut self, order: Order, host: Host<'_>, now: Instant) -> Option<Outcome> {
        if order == Order::Drain {
            // Its request may have arrived without its edge having been seen.
            self.ready.insert(Ready::READ);
        }
        // A response's time runs out while there is no end of room for it, too. What a client has
        // sent in time is not held against it, however long it has waited for a worker since. And
        // an order to expire may be older than the session's latest turn.
        let due = order == Order::Expire || self.state().is_answered();
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
                let reason = self.http.expiry();
                let writes_no_more = reason == CloseReason::WriteTimeout;
                if !writes_no_more
                    && let Some(task) = self.held.take_if(|_| self.heavy.deadline().is_some())
                {
                    self.held = self.forgo(task, host, now);
                    return None;
                }
                match self.http.expire() {
                    Wish::Refuse(refused) => {
                        self.http.refuse(word(host.service, &refused), reason, now);
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

    /// Does a piece of the program's work, whose panic costs no more than this connection.
    /// Returns when that ended.
    fn run(&mut self, task: Task, host: Host<'_>) -> Instant {
        let Task { request, work } = task;
        let reply = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Call => host.service.call(&request, host.activity),
            Work::Continue(then) | Work::Heavy(HeavyWork { run: then, .. }) => {
                then(&request, host.activity)
            }
        }));
        let now = Instant::now();
        // It may have begun while the program was at work.
        if host.is_draining() {
            self.http.set_last_response(now);
        }
        match reply {
            Ok(Reply::Ready(response)) => {
                let is_sent = request.method != Method::HEAD;
                self.heavy.respond(is_sent.then_some(response.body()));
                self.http.respond(response, now);
            }
            Ok(Reply::ReadBody { limit, then }) => {
                self.heavy.leave();
                if let Err(refused) = self.http.read_body(request, limit, then) {
                    self.http.refuse(word(host.service, &refused), CloseReason::Refused, now);
                }
            }
            Ok(Reply::Heavy { lane, work }) => {
                let work = HeavyWork { lane, run: work, fallback: None };
                self.held = Some(Task { request, work: Work::Heavy(work) });
            }
            Ok(Reply::HeavyOr { lane, patience, work, otherwise }) => {
                let fallback = Some(Fallback { patience, run: otherwise });
                let work = HeavyWork { lane, run: work, fallback };
                self.held = Some(Task { request, work: Work::Heavy(work) });
            }
            // The panic hook has logged it.
            Err(_) => {
                self.heavy.leave();
                let response = host.service.refuse(Refusal::Panicked, Some((&*request).into()));
                self.http.refuse(response, CloseReason::HandlerFailed, now);
            }
        }
        now
    }

    /// Answers in place of work that is not done.
    fn refuse_task(
        &mut self,
        task: &Task,
        refusal: Refusal,
        reason: CloseReason,
        host: Host<'_>,
        now: Instant,
    ) {
        self.heavy.leave();
        let response = host.service.refuse(refusal, Some((&*task.request).into()));
        self.http.refuse(response, reason, now);
    }

    /// Decides whether a task may run. One that may not is held, and the outcome names the next
    /// place of its connection.
    fn admit(
        &mut self,
        task: Task,
        turn: &mut Turn,
        host: Host<'_>,
        now: Instant,
    ) -> Result<Task, Option<Outcome>> {
        let Work::Heavy(work) = &task.work else { return Ok(task) };
        let (lane, client) = (work.lane, task.request.client.map(Visitor::of));
        let admission = self.heavy.admit(work, client, self.http.settings(), now);
        if admission == Admission::Run {
            return Ok(task);
        }
        if admission == Admission::Expired {
            return self.forgo(task, host, now).ok_or(None);
        }
        self.held = Some(task);
        Err(Some(match admission {
            Admission::Enter => Outcome::Enter { lane, client },
            _ => self.await_permit(turn),
        }))
    }

    /// Gives up expensive work: the task goes on without it, or is refused.
    fn forgo(&mut self, task: Task, host: Host<'_>, now: Instant) -> Option<Task> {
        let Task { request, work } = task;
        if let Work::Heavy(HeavyWork { fallback: Some(Fallback { run, .. }), .. }) = work {
            self.heavy.leave();
            return Some(Task { request, work: Work::Continue(run) });
        }
        host.stats.count_shed(ShedReason::HeavyTimeout);
        let task = Task { request, work };
        self.refuse_task(&task, Refusal::HeavyOverload, CloseReason::Shed, host, now);
        None
    }

    /// Waits parked for the permit of its lane. The responses to earlier requests are written
    /// before.
    fn await_permit(&mut self, turn: &mut Turn) -> Outcome {
        if self.ready.contains(Ready::BROKEN) {
            return Outcome::Closed(CloseReason::ClientGone);
        }
        if !self.is_flushed()
            && let Some(outcome) = self.write(turn)
        {
            return outcome;
        }
        let (deadline, state) = (self.deadline(), ConnectionState::Queued);
        Outcome::Park { wants: Ready::PERMIT.or(Ready::BROKEN), deadline, state }
    }

    /// Reads once and takes in what came.
    fn fill(
        &mut self,
        host: Host<'_>,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let length = match self.read(&mut scratch.wire)? {
            Some(0) => {
                if self.is_handshaking() {
                    return Err(CloseReason::ClientGone);
                }
                self.http.end_of_input();
                return Ok(());
            }
            Some(length) => length,
            None => return Ok(()),
        };
        let wire = &scratch.wire[..length];
        let Some(tls) = &mut self.tls else {
            self.http.receive(wire);
            return Ok(());
        };
        let http = &mut self.http;
        match tls.receive(wire, &mut scratch.plain, |plain| http.receive(plain)) {
            Intake::Taken => {}
            Intake::Ended => http.end_of_input(),
            Intake::Broken => {
                let closing = Closing { reason: CloseReason::TlsError, linger: true };
                self.finish(closing, host.is_draining(), now);
            }
            Intake::PlainHttp => {
                self.tls = None;
                let refusal = Refusal::Malformed("This port speaks HTTPS: use https:// here.");
                self.http.refuse(host.service.refuse(refusal, None), CloseReason::TlsError, now);
            }
        }
        Ok(())
    }

    /// Reads from the socket; `None` when that would block.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, CloseReason> {
        loop {
            match self.stream.read(buffer) {
                Ok(length) => {
                    // A short read has emptied the socket, and an edge will tell of more; but
                    // the end of the stream may lie behind it without an edge of its own.
                    self.stream_ended |= length == 0;
                    if length == 0
                        || length < buffer.len() && !self.ready.contains(Ready::READ_CLOSED)
                    {
                        self.ready.remove(Ready::READ);
                    }
                    return Ok(Some(length));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.remove(Ready::READ);
                    return Ok(None);
                }
                Err(_) => return Err(CloseReason::ClientGone),
            }
        }
    }

    /// Writes until all is written, the socket is full or the turn is over.
    fn flush(&mut self, turn: &mut Turn) -> Flush {
        loop {
            if turn.room() == 0 {
                return Flush::Paused;
            }
            // Encrypted output is written before more is read from the source.
            let encrypted = self.tls.as_ref().is_some_and(TlsLayer::wants_write);
            let awaits_source = self.http.awaits_source();
            let reads_source = awaits_source && !encrypted;
            if reads_source && let Some(pause) = self.admit_read(turn) {
                return pause;
            }
            let mut source_paused = false;
            let output =
                if awaits_source && encrypted { Ok([&[][..], &[]]) } else { self.http.output() };
            let pieces = match output {
                Ok([head, body]) => {
                    let room = turn.room().saturating_sub(head.len());
                    [head, &body[..body.len().min(room)]]
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source_paused = true;
                    [&[][..], &[]]
                }
                Err(error) => {
                    log::error!("a response's body failed under way: {error}");
                    return Flush::Failed(CloseReason::HandlerFailed);
                }
            };
            let offered = pieces.iter().map(|piece| piece.len()).sum::<usize>();
            let (taken, written) = match &mut self.tls {
                Some(tls) => {
                    let taken = tls.encrypt(pieces);
                    self.http.taken(taken);
                    if self.http.is_at_its_end() {
                        // The goodbye goes out with the last bytes.
                        tls.close();
                    }
                    let written =
                        if tls.wants_write() { tls.write_to(&mut self.stream) } else { Ok(0) };
                    (taken, written)
                }
                None if offered == 0 => (0, Ok(0)),
                None => {
                    let written = self.stream.write_vectored(&pieces.map(IoSlice::new));
                    let taken = *written.as_ref().unwrap_or(&0);
                    self.http.taken(taken);
                    (taken, written)
                }
            };
            turn.wrote(taken);
            if reads_source {
                turn.worked(Instant::now());
            }
            match written {
                Ok(_) if self.is_flushed() => {
                    self.http.written(Instant::now());
                    if self.held.is_none() {
                        self.heavy.leave();
                    }
                    return Flush::Done;
                }
                Ok(_) if source_paused => return Flush::Paused,
                // The layer below neither took nor wrote what it was offered.
                Ok(0) if taken == 0 && (offered > 0 || encrypted) => {
                    return Flush::Failed(CloseReason::ClientGone);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.remove(Ready::WRITE);
                    // Other requests may run while this client does not read.
                    self.heavy.pause();
                    return Flush::Blocked;
                }
                Err(_) => return Flush::Failed(CloseReason::ClientGone),
            }
        }
    }

    /// Decides whether the source of the streamed body may be read now; else where to go on.
    fn admit_read(&mut self, turn: &Turn) -> Option<Flush> {
        if !turn.may_read_sources() || turn.is_over() {
            return Some(Flush::Paused);
        }
        match (self.heavy.admit_read(Instant::now()), self.heavy.entry()) {
            (Admission::Enter, Some((lane, client))) => Some(Flush::Enters(lane, client)),
            (Admission::Wait, _) => Some(Flush::NeedsPermit),
            _ => None,
        }
    }

    fn is_flushed(&self) -> bool {
        self.http.output_is_taken() && !self.tls.as_ref().is_some_and(TlsLayer::wants_write)
    }
}

/// The program's wording of a refusal.
fn word(service: &dyn Service, refused: &Refused) -> Response {
    let head = refused.head.as_deref().map(RequestHead::from);
    service.refuse(refused.refusal, head)
}

#[cfg(test)]
mod heavy_tests;
#[cfg(test)]
mod tests;
