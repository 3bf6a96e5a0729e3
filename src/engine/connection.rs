//! One HTTP/1 connection as a state machine without a socket: bytes and a clock in, bytes
//! and a [`Action`] out.
//!
//! ```text
//!              first byte           head is whole            read_body
//!   ┌──► Idle ───────────► Head ──────────────────► Handling ───────────► Body
//!   │      │ keep_alive     │ header_timeout          │  ▲  body is whole   │ body_timeout
//!   │      ▼                ▼                         │  └──────────────────┤
//!   │    close       408, close if anything came      │ respond             ▼
//!   │                                                 ├──────► Discard   408, close
//!   │                                                 ▼           │ an unasked body is dropped
//!   └──────────── output is written (write_timeout) ◄─┴───────────┘
//! ```
//!
//! The program is called as soon as the head is whole. A body is kept only if the program asks
//! for it; else up to [`MAX_DISCARDED_BODY`](super::limits::MAX_DISCARDED_BODY) bytes are dropped, so that a client that no route
//! expects a body from holds no memory with one.
//!
//! Every phase has one [`Deadline`], set when it begins. A refusal (RFC 9110 15.5) is put
//! into the output and ends the connection; whatever else the client had sent is not read.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Version};

use super::addresses;
use super::body::BodyDecoder;
use super::deadline::Deadline;
use super::framing::{self, Framing, Semantics};
use super::head::{Head, HeadLimits, HeadReader};
use super::limits::{DRAIN_GRACE, SPARE_ROOM, Settings};
use super::message::{Peer, Request, Response};
use super::output::Output;
use super::refusal::Refusal;
use super::request_line::Schemes;
use super::response::{self, Exchange};
use super::service::{Continuation, HeavyWork};
use super::stats::{CloseReason, ConnectionState};

/// Memory that [`HeaderMap`](http::HeaderMap) takes for each field it has room for, about.
const HEADER_FIELD_BYTES: usize = 112;

/// What a connection needs next.
#[derive(Debug)]
pub(super) enum Action {
    /// More bytes from the client.
    Read,
    /// Its output written.
    Write,
    /// Run this call of the service. It ends in [`Connection::respond`] or continues with
    /// [`Connection::read_body`].
    Call(ServiceCall),
    /// The wording of this refusal, by [`Connection::refuse`].
    Refuse(Refused),
    /// To be closed; all output is written.
    Close(Closing),
}

/// A request, and the next piece of the program's work on it.
pub(super) struct ServiceCall {
    pub(super) request: Box<Request>,
    pub(super) step: Step,
}

/// Work of the program.
pub(super) enum Step {
    /// [`Service::call`](super::service::Service::call).
    Begin,
    /// The continuation of that call, once the body is complete.
    Continue(Continuation),
    /// Expensive work, which needs a permit.
    Heavy(HeavyWork),
}

impl fmt::Debug for ServiceCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCall").field("request", &self.request).finish_non_exhaustive()
    }
}

/// A request that is refused, with its head if that was understood.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) head: Option<Box<Head>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, head: None }
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) reason: CloseReason,
    /// Something was written, and the client may still send: a plain close could reset the
    /// connection under it (RFC 9112 9.6).
    pub(super) linger: bool,
}

/// The state machine.
pub(super) struct Connection {
    settings: Arc<Settings>,
    peer: Peer,
    phase: Phase,
    deadline: Deadline,
    input: BytesMut,
    /// Size of the allocation behind `input`, or more.
    input_allocation: usize,
    input_ended: bool,
    /// Bytes held by the head of the request at hand.
    head_bytes: usize,
    head: HeadReader,
    output: Output,
    /// The output has begun to be written and must be finished before more is put there.
    flushing: bool,
    write_deadline: Option<Deadline>,
    closing: Option<Closing>,
    /// This connection's next response is its last.
    last_response: bool,
    /// A response was put into the output, now or before.
    has_answered: bool,
}

enum Phase {
    /// Between two requests.
    Idle,
    /// In a head, or before the first one.
    Head,
    /// In a body that the program has requested.
    Body(Box<Receiving>),
    /// The program has the request. The body that follows its head has not been read.
    Handling(Exchange, PendingBody),
    /// The response is there. The body that the program did not request is dropped before it is
    /// sent.
    Discard(Box<Discarding>),
}

/// A body that follows the head, of which nothing has been read.
#[derive(Clone, Copy)]
struct PendingBody {
    framing: Framing,
    expects_continue: bool,
}

impl PendingBody {
    const NONE: PendingBody = PendingBody { framing: Framing::None, expects_continue: false };
}

struct Receiving {
    request: Box<Request>,
    exchange: Exchange,
    then: Continuation,
    decoder: BodyDecoder,
    expects_continue: bool,
}

struct Discarding {
    response: Response,
    exchange: Exchange,
    decoder: BodyDecoder,
}

impl Connection {
    /// A connection accepted at `accepted`; its first head is due from then.
    pub(super) fn new(settings: Arc<Settings>, peer: Peer, accepted: Instant) -> Connection {
        let deadline = Deadline::of(accepted, settings.header_timeout);
        Connection {
            settings,
            peer,
            phase: Phase::Head,
            deadline,
            input: BytesMut::new(),
            input_allocation: 0,
            input_ended: false,
            head_bytes: 0,
            head: HeadReader::default(),
            output: Output::default(),
            flushing: false,
            write_deadline: None,
            closing: None,
            last_response: false,
            has_answered: false,
        }
    }

    /// Limits of this connection.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes bytes from the client.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if self.closing.is_none() {
            self.input.put_slice(bytes);
            self.input_allocation = self.input_allocation.max(self.input.capacity());
        }
    }

    /// Drops what the client has sent and nothing will read.
    pub(super) fn discard_input(&mut self) {
        self.input = BytesMut::new();
        self.input_allocation = 0;
    }

    /// Gives back the room that buffers do not need while the connection waits; returns the
    /// bytes that remain held.
    pub(super) fn shrink(&mut self) -> usize {
        if self.input.is_empty() {
            self.discard_input();
        } else if self.input_allocation > self.input.len() + SPARE_ROOM {
            let mut exact = BytesMut::with_capacity(self.input.len() + SPARE_ROOM / 2);
            exact.put_slice(&self.input);
            self.input_allocation = exact.capacity();
            self.input = exact;
        }
        let body = match &self.phase {
            Phase::Body(receiving) => receiving.decoder.held_bytes(),
            Phase::Discard(discarding) => {
                discarding.decoder.held_bytes() + discarding.response.body().held_bytes()
            }
            Phase::Idle | Phase::Head | Phase::Handling(..) => 0,
        };
        self.input_allocation + self.head_bytes + body + self.output.shrink()
    }

    /// The client will send no more. Whole requests that came before are still answered.
    pub(super) fn end_of_input(&mut self) {
        self.input_ended = true;
    }

    /// The server is stopping: the next response is the last. A client that has connected and
    /// not yet sent anything has a moment to do so.
    pub(super) fn set_last_response(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.last_response, true)
            && matches!(self.phase, Phase::Head)
            && self.input.is_empty()
        {
            self.deadline = self.deadline.min(Deadline::of(now, DRAIN_GRACE));
        }
    }

    /// Ends a connection that is between two requests.
    pub(super) fn close_if_idle(&mut self, reason: CloseReason) -> Option<Closing> {
        let idle = matches!(self.phase, Phase::Idle) && self.input.is_empty();
        if idle && self.output.is_empty() && self.closing.is_none() {
            self.closing = Some(Closing { reason, linger: true });
            return self.closing;
        }
        None
    }

    /// Goes as far as it can without input or output.
    pub(super) fn poll(&mut self, now: Instant) -> Action {
        if self.flushing || !self.output.has_room() {
            return Action::Write;
        }
        if let Some(closing) = self.closing {
            return if self.output.is_empty() { Action::Close(closing) } else { Action::Write };
        }
        match self.advance(now) {
            Ok(Some(call)) => Action::Call(call),
            Ok(None) if !self.output.is_empty() => Action::Write,
            Ok(None) => self.want_input(),
            Err(refused) => Action::Refuse(refused),
        }
    }

    /// Nothing can be done without input: waits for it, if any can come.
    fn want_input(&mut self) -> Action {
        let between_requests = match self.phase {
            Phase::Idle => true,
            Phase::Head => self.input.is_empty(),
            Phase::Body(_) | Phase::Handling(..) | Phase::Discard(_) => false,
        };
        match (self.input_ended, between_requests) {
            (true, true) => self.close(CloseReason::Done, true),
            (true, false) => self.close(CloseReason::ClientGone, true),
            (false, _) => Action::Read,
        }
    }

    fn close(&mut self, reason: CloseReason, linger: bool) -> Action {
        let closing = Closing { reason, linger };
        self.closing = Some(closing);
        Action::Close(closing)
    }

    /// Reads on in the input until a request is whole.
    fn advance(&mut self, now: Instant) -> Result<Option<ServiceCall>, Refused> {
        loop {
            match &mut self.phase {
                Phase::Handling(..) => return Ok(None),
                Phase::Idle => {
                    if self.input.is_empty() {
                        return Ok(None);
                    }
                    self.phase = Phase::Head;
                    self.deadline = Deadline::of(now, self.settings.header_timeout);
                }
                Phase::Head => {
                    let limits = HeadLimits {
                        bytes: self.settings.max_header_bytes,
                        fields: self.settings.max_headers,
                        schemes: Schemes::of(self.peer, &self.settings.trusted_proxies),
                    };
                    let Some(head) = self.head.read(&mut self.input, limits)? else {
                        return Ok(None);
                    };
                    // Its fields share the input's allocation.
                    self.head_bytes =
                        self.input_allocation + head.headers.capacity() * HEADER_FIELD_BYTES;
                    let semantics = match framing::semantics(&head, self.settings.max_body_bytes) {
                        Ok(semantics) => semantics,
                        Err(refusal) => return Err(self.refused(refusal, head)),
                    };
                    self.deadline = Deadline::of(now, self.settings.body_timeout);
                    let Semantics { framing, expects_continue, keep_alive } = semantics;
                    self.phase = Phase::Handling(
                        exchange(&head, keep_alive),
                        PendingBody { framing, expects_continue },
                    );
                    let request = self.request(head);
                    return Ok(Some(ServiceCall { request, step: Step::Begin }));
                }
                Phase::Body(receiving) => {
                    let decoded = receiving.decoder.read(&mut self.input);
                    if decoded == Ok(false) {
                        // The client may be waiting for this before it sends the rest.
                        if std::mem::take(&mut receiving.expects_continue) {
                            // It must be taken before the body's deadline; it has none of its own.
                            self.output.head().put_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                        }
                        return Ok(None);
                    }
                    let Phase::Body(receiving) = std::mem::replace(&mut self.phase, Phase::Idle)
                    else {
                        unreachable!("the phase was matched just above")
                    };
                    let Receiving { mut request, exchange, then, decoder, .. } = *receiving;
                    if let Err(refusal) = decoded {
                        return Err(self.refused(refusal, Head::from(*request)));
                    }
                    request.body = decoder.into_body();
                    self.phase = Phase::Handling(exchange, PendingBody::NONE);
                    return Ok(Some(ServiceCall { request, step: Step::Continue(then) }));
                }
                Phase::Discard(discarding) => {
                    let decoded = discarding.decoder.read(&mut self.input);
                    if decoded == Ok(false) {
                        return Ok(None);
                    }
                    let Phase::Discard(discarding) =
                        std::mem::replace(&mut self.phase, Phase::Idle)
                    else {
                        unreachable!("the phase was matched just above")
                    };
                    let Discarding { response, mut exchange, .. } = *discarding;
                    match decoded {
                        Ok(_) => {}
                        // Longer than it is worth to read: the response stands, and is the last.
                        Err(Refusal::BodyTooLarge) => exchange.keep_alive = false,
                        Err(refusal) => {
                            self.phase = Phase::Handling(exchange, PendingBody::NONE);
                            return Err(refusal.into());
                        }
                    }
                    self.send(response, exchange, now);
                    return Ok(None);
                }
            }
        }
    }

    /// Refuses a request whose head was understood.
    fn refused(&mut self, refusal: Refusal, head: Head) -> Refused {
        self.phase = Phase::Handling(exchange(&head, false), PendingBody::NONE);
        Refused { refusal, head: Some(Box::new(head)) }
    }

    fn request(&self, head: Head) -> Box<Request> {
        let Head { method, target, version, headers } = head;
        let trusted = &self.settings.trusted_proxies;
        let peer = self.peer;
        let address = peer.address.map(|peer| peer.ip().to_canonical());
        let client = address.map(|peer| addresses::client(peer, &headers, trusted));
        let proxied = address.is_some_and(|peer| addresses::is_trusted(trusted, peer));
        let body = Bytes::new();
        Box::new(Request { method, target, version, headers, body, peer, client, proxied })
    }

    /// Goes on with a call once its body is whole; a body beyond `limit` is refused.
    ///
    /// # Errors
    /// The head announces a body that is too large.
    pub(super) fn read_body(
        &mut self,
        request: Box<Request>,
        limit: usize,
        then: Continuation,
    ) -> Result<(), Refused> {
        let Phase::Handling(exchange, pending) = self.phase else {
            debug_assert!(false, "a body is wanted without a request");
            return Ok(());
        };
        let limit = limit.min(self.settings.max_body_bytes);
        let Some(decoder) = BodyDecoder::keeping(pending.framing, limit, &self.settings) else {
            return Err(self.refused(Refusal::BodyTooLarge, Head::from(*request)));
        };
        let expects_continue = pending.expects_continue;
        self.phase =
            Phase::Body(Box::new(Receiving { request, exchange, then, decoder, expects_continue }));
        Ok(())
    }

    /// Answers the request of the call that [`Action::Call`] gave out, once the body behind it is
    /// dropped.
    pub(super) fn respond(&mut self, response: Response, now: Instant) {
        let Phase::Handling(mut exchange, pending) = self.phase else {
            debug_assert!(false, "a response without a request");
            return;
        };
        if pending.framing == Framing::None {
            return self.send(response, exchange, now);
        }
        match BodyDecoder::dropping(pending.framing, &self.settings) {
            // A client that waits for 100 Continue has its answer without it (RFC 9110 10.1.1).
            Some(decoder) if !pending.expects_continue => {
                self.phase = Phase::Discard(Box::new(Discarding { response, exchange, decoder }));
            }
            _ => {
                exchange.keep_alive = false;
                self.send(response, exchange, now);
            }
        }
    }

    fn send(&mut self, response: Response, mut exchange: Exchange, now: Instant) {
        exchange.keep_alive &= !self.last_response;
        exchange.keep_alive = response::persists(&response, exchange);
        self.put(response, exchange, now);
        if !exchange.keep_alive {
            let reason = if self.last_response { CloseReason::Drain } else { CloseReason::Done };
            self.discard_input();
            self.closing = Some(Closing { reason, linger: true });
        }
    }

    /// Answers in the program's stead, and ends the connection for that reason.
    pub(super) fn refuse(&mut self, response: Response, reason: CloseReason, now: Instant) {
        let head_only = matches!(&self.phase, Phase::Handling(exchange, _) if exchange.head_only);
        self.put(
            response,
            Exchange { version: Version::HTTP_11, head_only, keep_alive: false },
            now,
        );
        self.discard_input();
        self.closing = Some(Closing { reason, linger: true });
    }

    fn put(&mut self, response: Response, exchange: Exchange, now: Instant) {
        self.begin_write(now);
        self.has_answered = true;
        let payload = response::encode(response, exchange, self.output.head());
        self.output.follow(payload);
        self.phase = Phase::Idle;
        self.head_bytes = 0;
        self.deadline = Deadline::of(now, self.settings.keep_alive);
        if self.input.is_empty() {
            // An idle connection keeps no buffer.
            self.discard_input();
        }
    }

    fn begin_write(&mut self, now: Instant) {
        self.write_deadline.get_or_insert(Deadline::of(now, self.settings.write_timeout));
    }

    /// The bytes to write next must be read from a streamed body's source, which may block.
    pub(super) fn awaits_source(&self) -> bool {
        self.output.awaits_source()
    }

    /// The bytes to write next.
    ///
    /// # Errors
    /// A streamed body's source failed; the connection can only be dropped.
    pub(super) fn output(&mut self) -> std::io::Result<[&[u8]; 2]> {
        self.flushing |= !self.output.is_empty();
        self.output.pieces()
    }

    /// Notes how much of [`Connection::output`] was taken.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.output.advance(bytes);
    }

    /// Returns true if output has begun to be written, and must be finished before more is added.
    pub(super) fn is_flushing(&self) -> bool {
        self.flushing
    }

    /// Returns true while a body without a length of its own is sent, which the end of the connection
    /// delimits: closed now, it would look complete.
    pub(super) fn is_close_delimited(&self) -> bool {
        self.output.is_close_delimited()
    }

    /// Returns true if a response was put into the output, now or before.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Whether all output was taken. It is written only once the layers below have said so
    /// by [`Connection::written`].
    pub(super) fn output_is_taken(&self) -> bool {
        self.output.is_empty()
    }

    /// It closes behind the output that was taken; there will be no more.
    pub(super) fn is_at_its_end(&self) -> bool {
        self.closing.is_some() && self.output.is_empty()
    }

    /// All output has been written, if there was any.
    pub(super) fn written(&mut self, now: Instant) {
        if !std::mem::take(&mut self.flushing) {
            return;
        }
        self.write_deadline = None;
        if matches!(self.phase, Phase::Idle) {
            self.deadline = Deadline::of(now, self.settings.keep_alive);
        }
    }

    /// When [`Connection::expire`] is due.
    pub(super) fn deadline(&self) -> Deadline {
        self.write_deadline.unwrap_or(self.deadline)
    }

    /// The deadline has passed: a half-sent request is refused, all else is closed.
    pub(super) fn expire(&mut self) -> Action {
        let reason = self.expiry();
        if reason == CloseReason::WriteTimeout {
            return self.close(reason, false);
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Head if !self.input.is_empty() => Action::Refuse(Refusal::Timeout.into()),
            Phase::Body(receiving) => {
                let head = Head::from(*receiving.request);
                Action::Refuse(self.refused(Refusal::Timeout, head))
            }
            Phase::Discard(discarding) => {
                self.phase = Phase::Handling(discarding.exchange, PendingBody::NONE);
                Action::Refuse(Refusal::Timeout.into())
            }
            // An empty line may have followed a response.
            Phase::Head => self.close(reason, self.has_answered),
            Phase::Idle | Phase::Handling(..) => self.close(reason, true),
        }
    }

    /// Which limit the current deadline stands for.
    pub(super) fn expiry(&self) -> CloseReason {
        match (self.write_deadline, &self.phase) {
            (Some(_), _) => CloseReason::WriteTimeout,
            (None, Phase::Idle | Phase::Handling(..)) => CloseReason::KeepAlive,
            (None, Phase::Head) => CloseReason::HeaderTimeout,
            (None, Phase::Body(_) | Phase::Discard(_)) => CloseReason::BodyTimeout,
        }
    }

    /// What it waits for, as the metrics name it.
    pub(super) fn state(&self) -> ConnectionState {
        match (self.write_deadline, &self.phase) {
            (Some(_), _) => ConnectionState::Writing,
            (None, Phase::Idle) => ConnectionState::Idle,
            (None, Phase::Handling(..)) => ConnectionState::Active,
            (None, Phase::Head | Phase::Body(_) | Phase::Discard(_)) => ConnectionState::Reading,
        }
    }
}

fn exchange(head: &Head, keep_alive: bool) -> Exchange {
    Exchange { version: head.version, head_only: head.method == Method::HEAD, keep_alive }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
