//! The program's work on a request: running it, admitting expensive work, giving it up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use http::Method;

use super::super::addresses::ClientNet;
use super::super::heavy::Admission;
use super::super::http1::{ServiceCall, Step};
use super::super::ready::Ready;
use super::super::refusal::Refusal;
use super::super::service::{Fallback, HeavyWork, Reply};
use super::super::stats::{CloseReason, ConnectionState, ShedReason};
use super::super::turn::Turn;
use super::{Host, Outcome, Session};

impl Session {
    /// Does a piece of the program's work, whose panic costs no more than this connection.
    /// Returns when that ended.
    pub(super) fn run(&mut self, call: ServiceCall, host: Host<'_>) -> Instant {
        let ServiceCall { request, step } = call;
        let reply = catch_unwind(AssertUnwindSafe(|| match step {
            Step::Begin => host.service.call(&request, host.activity),
            Step::Continue(then) | Step::Heavy(HeavyWork { run: then, .. }) => {
                then(&request, host.activity)
            }
        }));
        let now = Instant::now();
        // It may have begun while the program was at work.
        if host.is_draining() {
            self.http.set_last_response(now);
        }
        match reply {
            Ok(Reply::Respond(response)) => {
                let is_sent = request.method != Method::HEAD;
                self.heavy.respond(is_sent.then_some(response.body()));
                self.http.respond(response, now);
            }
            Ok(Reply::ReadBody { limit, then }) => {
                self.heavy.leave();
                if let Err(refused) = self.http.read_body(request, limit, then) {
                    self.http.refuse(refused.render(host.service), CloseReason::Refused, now);
                }
            }
            Ok(Reply::Heavy { lane, work }) => {
                let work = HeavyWork { lane, run: work, fallback: None };
                self.held = Some(ServiceCall { request, step: Step::Heavy(work) });
            }
            Ok(Reply::HeavyOr { lane, patience, work, otherwise }) => {
                let fallback = Some(Fallback { patience, run: otherwise });
                let work = HeavyWork { lane, run: work, fallback };
                self.held = Some(ServiceCall { request, step: Step::Heavy(work) });
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
    pub(super) fn refuse_call(
        &mut self,
        call: &ServiceCall,
        refusal: Refusal,
        reason: CloseReason,
        host: Host<'_>,
        now: Instant,
    ) {
        self.heavy.leave();
        let response = host.service.refuse(refusal, Some((&*call.request).into()));
        self.http.refuse(response, reason, now);
    }

    /// Decides whether a call may run. One that may not is held, and the outcome names the next
    /// place of its connection.
    pub(super) fn admit(
        &mut self,
        call: ServiceCall,
        turn: &mut Turn,
        host: Host<'_>,
        now: Instant,
    ) -> Result<ServiceCall, Option<Outcome>> {
        let Step::Heavy(work) = &call.step else { return Ok(call) };
        // Begun work holds what it has collected, so it must not wait behind a client that does not
        // read the responses to its earlier requests.
        if !self.is_flushed() {
            self.held = Some(call);
            return self.write(turn).map_or(Err(None), |outcome| Err(Some(outcome)));
        }
        let (lane, client) = (work.lane, call.request.client.map(ClientNet::of));
        let admission = self.heavy.admit(work, client, self.http.settings(), now);
        if admission == Admission::Run {
            return Ok(call);
        }
        if admission == Admission::Expired {
            return self.forgo(call, host, now).ok_or(None);
        }
        self.held = Some(call);
        Err(Some(match admission {
            Admission::Enter => Outcome::Enter { lane, client },
            _ => self.await_permit(),
        }))
    }

    /// Gives up expensive work: the call goes on without it, or is refused.
    pub(super) fn forgo(
        &mut self,
        call: ServiceCall,
        host: Host<'_>,
        now: Instant,
    ) -> Option<ServiceCall> {
        let ServiceCall { request, step } = call;
        if let Step::Heavy(HeavyWork { fallback: Some(Fallback { run, .. }), .. }) = step {
            self.heavy.leave();
            return Some(ServiceCall { request, step: Step::Continue(run) });
        }
        host.stats.count_shed(ShedReason::HeavyTimeout);
        let call = ServiceCall { request, step };
        self.refuse_call(&call, Refusal::HeavyOverload, CloseReason::Shed, host, now);
        None
    }

    /// Waits parked for the permit of its lane.
    pub(super) fn await_permit(&self) -> Outcome {
        if self.ready.contains(Ready::BROKEN) {
            return Outcome::Closed(CloseReason::ClientGone);
        }
        self.park_for_permit(ConnectionState::Queued)
    }

    /// Waits for the permit that it has requested, or for the end of its client.
    pub(super) fn park_for_permit(&self, state: ConnectionState) -> Outcome {
        Outcome::Park { wants: Ready::PERMIT.or(Ready::BROKEN), deadline: self.deadline(), state }
    }
}
