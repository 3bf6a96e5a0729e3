//! Input of a connection: from bytes to calls of the service.

use std::time::Instant;

use bytes::Bytes;
use http::Method;

use super::action::{CallStep, Refused, ServiceCall};
use super::body::BodyDecoder;
use super::connection::Connection;
use super::framing::{self, Semantics};
use super::head::{Head, HeadLimits};
use super::phase::{Discarding, PendingBody, Phase, Receiving};
use super::request_line::Schemes;
use super::response::ResponseContext;
use crate::client_net;
use crate::deadline::Deadline;
use crate::message::Request;
use crate::refusal::Refusal;
use crate::service::Continuation;

/// Approximate number of bytes that a [`HeaderMap`](http::HeaderMap) takes for each field that it has
/// room for.
const HEADER_FIELD_BYTES: usize = 112;

impl Connection {
    /// Parses input up to the next call of the service. Returns `None` if there is no call yet.
    ///
    /// # Errors
    /// The request is refused.
    pub(super) fn advance(&mut self, now: Instant) -> Result<Option<ServiceCall>, Refused> {
        if matches!(self.phase, Phase::Idle) && !self.input.is_empty() {
            self.phase = Phase::Head;
            self.deadline = Deadline::of(now, self.settings.header_timeout);
        }
        match self.phase {
            Phase::Idle | Phase::Handling(..) => Ok(None),
            Phase::Head => self.receive_head(now),
            Phase::Body(_) => self.receive_body(),
            Phase::Discard(_) => self.discard_body(now),
        }
    }

    fn receive_head(&mut self, now: Instant) -> Result<Option<ServiceCall>, Refused> {
        let limits = HeadLimits {
            bytes: self.settings.max_header_bytes,
            fields: self.settings.max_headers,
            schemes: Schemes::of(self.peer, &self.settings.trusted_proxies),
        };
        let Some(head) = self.head.read(&mut self.input, limits)? else { return Ok(None) };
        // The fields share the input's allocation.
        self.head_bytes = self.input_allocation + head.headers.capacity() * HEADER_FIELD_BYTES;
        let semantics = match framing::semantics(&head, self.settings.max_body_bytes) {
            Ok(semantics) => semantics,
            Err(refusal) => return Err(self.refused(refusal, head)),
        };
        self.deadline = Deadline::of(now, self.settings.body_timeout);
        let Semantics { framing, expects_continue, keep_alive } = semantics;
        let body = PendingBody { framing, expects_continue };
        self.phase = Phase::Handling(response_context(&head, keep_alive), body);
        let request = self.request(head);
        Ok(Some(ServiceCall { request, step: CallStep::Begin }))
    }

    fn receive_body(&mut self) -> Result<Option<ServiceCall>, Refused> {
        let Phase::Body(receiving) = &mut self.phase else { return Ok(None) };
        let decoded = receiving.decoder.read(&mut self.input);
        if decoded == Ok(false) {
            if std::mem::take(&mut receiving.expects_continue) {
                // The body's deadline bounds its write as well.
                self.output.push_continue();
            }
            return Ok(None);
        }
        let Phase::Body(receiving) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("the phase was matched above")
        };
        let Receiving { mut request, context, then, decoder, .. } = *receiving;
        if let Err(refusal) = decoded {
            return Err(self.refused(refusal, Head::from(*request)));
        }
        request.body = decoder.into_body();
        self.phase = Phase::Handling(context, PendingBody::NONE);
        Ok(Some(ServiceCall { request, step: CallStep::Continue(then) }))
    }

    /// Drops the body of a request that is answered, and sends the response once it is dropped.
    fn discard_body(&mut self, now: Instant) -> Result<Option<ServiceCall>, Refused> {
        let Phase::Discard(discarding) = &mut self.phase else { return Ok(None) };
        let decoded = discarding.decoder.read(&mut self.input);
        if decoded == Ok(false) {
            return Ok(None);
        }
        let Phase::Discard(discarding) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("the phase was matched above")
        };
        let Discarding { response, mut context, .. } = *discarding;
        match decoded {
            Ok(_) => {}
            // The body is longer than is worth reading: the response stands, and is the last.
            Err(Refusal::BodyTooLarge) => context.keep_alive = false,
            Err(refusal) => {
                self.phase = Phase::Handling(context, PendingBody::NONE);
                return Err(refusal.into());
            }
        }
        self.send(response, context, now);
        Ok(None)
    }

    /// Reads the request's body, up to `limit` bytes, and then continues the call with `then`.
    ///
    /// # Errors
    /// The head announces a longer body.
    pub(crate) fn read_body(
        &mut self,
        request: Box<Request>,
        limit: usize,
        then: Continuation,
    ) -> Result<(), Refused> {
        let Phase::Handling(context, pending) = self.phase else {
            debug_assert!(false, "a body is requested without a request");
            return Ok(());
        };
        let limit = limit.min(self.settings.max_body_bytes);
        let Some(decoder) = BodyDecoder::keeping(pending.framing, limit, &self.settings) else {
            return Err(self.refused(Refusal::BodyTooLarge, Head::from(*request)));
        };
        let expects_continue = pending.expects_continue;
        self.phase =
            Phase::Body(Box::new(Receiving { request, context, then, decoder, expects_continue }));
        Ok(())
    }

    /// Refuses a request whose head was parsed.
    pub(super) fn refused(&mut self, refusal: Refusal, head: Head) -> Refused {
        self.phase = Phase::Handling(response_context(&head, false), PendingBody::NONE);
        Refused { refusal, head: Some(Box::new(head)) }
    }

    fn request(&self, head: Head) -> Box<Request> {
        let Head { method, target, version, headers } = head;
        let trusted = &self.settings.trusted_proxies;
        let peer = self.peer;
        let address = peer.address.map(|peer| peer.ip().to_canonical());
        let client = client_net::client(address, &headers, trusted);
        let proxied = trusted.contains(address);
        let body = Bytes::new();
        Box::new(Request { method, target, version, headers, body, peer, client, proxied })
    }
}

fn response_context(head: &Head, keep_alive: bool) -> ResponseContext {
    ResponseContext { version: head.version, head_only: head.method == Method::HEAD, keep_alive }
}
