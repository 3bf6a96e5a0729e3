//! Calls of the service: running them, admitting expensive work to a lane, giving it up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use http::Method;

use super::{DriveContext, Outcome, Session};
use crate::client_net::ClientNet;
use crate::heavy::Admission;
use crate::http1::{CallStep, ServiceCall};
use crate::ready::Ready;
use crate::refusal::Refusal;
use crate::service::{Fallback, HeavyWork, Reply};
use crate::stats::{CloseReason, ConnectionState, ShedReason};
use crate::turn_budget::TurnBudget;

impl Session {
    /// Runs a call of the service, and acts on its reply. A panic costs this connection only.
    /// Returns the time at which the call ended.
    pub(super) fn run(&mut self, call: ServiceCall, context: DriveContext<'_>) -> Instant {
        let ServiceCall { request, step } = call;
        let reply = catch_unwind(AssertUnwindSafe(|| match step {
            CallStep::Begin => context.service.call(&request, context.activity),
            CallStep::Continue(then) | CallStep::Heavy(HeavyWork { run: then, .. }) => {
                then(&request, context.activity)
            }
        }));
        let now = Instant::now();
        // The drain may have begun during the call.
        if context.is_draining() {
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
                    let response = refused.render(context.service);
                    self.http.refuse(response, CloseReason::Refused, now);
                }
            }
            Ok(Reply::Heavy { lane, work }) => {
                let work = HeavyWork { lane, run: work, fallback: None };
                self.deferred = Some(ServiceCall { request, step: CallStep::Heavy(work) });
            }
            Ok(Reply::HeavyOr { lane, max_wait, work, fallback }) => {
                let fallback = Some(Fallback { max_wait, run: fallback });
                let work = HeavyWork { lane, run: work, fallback };
                self.deferred = Some(ServiceCall { request, step: CallStep::Heavy(work) });
            }
            // The panic hook has logged it.
            Err(_) => {
                self.heavy.leave();
                let response = context.service.refuse(Refusal::Panicked, Some((&*request).into()));
                self.http.refuse(response, CloseReason::HandlerFailed, now);
            }
        }
        now
    }

    /// Refuses a request instead of running its call.
    pub(super) fn refuse_call(
        &mut self,
        call: &ServiceCall,
        refusal: Refusal,
        reason: CloseReason,
        context: DriveContext<'_>,
        now: Instant,
    ) {
        self.heavy.leave();
        let response = context.service.refuse(refusal, Some((&*call.request).into()));
        self.http.refuse(response, reason, now);
    }

    /// Returns the call if it may run now. Otherwise it is deferred, and the error is the outcome, or
    /// `None` if the session is to be driven further.
    pub(super) fn admit(
        &mut self,
        call: ServiceCall,
        budget: &mut TurnBudget,
        context: DriveContext<'_>,
        now: Instant,
    ) -> Result<ServiceCall, Option<Outcome>> {
        let CallStep::Heavy(work) = &call.step else { return Ok(call) };
        // Work that has begun holds its results, so it must not wait for a client that does not read
        // the responses to its earlier requests.
        if !self.is_flushed() {
            self.deferred = Some(call);
            return self.write(budget).map_or(Err(None), |outcome| Err(Some(outcome)));
        }
        let (lane, client) = (work.lane, call.request.client.map(ClientNet::of));
        let admission = self.heavy.admit(work, client, self.http.settings(), now);
        if admission == Admission::Run {
            return Ok(call);
        }
        if admission == Admission::Expired {
            return self.give_up(call, context, now).ok_or(None);
        }
        self.deferred = Some(call);
        Err(Some(match admission {
            Admission::Enter => Outcome::EnterLane { lane, client },
            _ => self.await_permit(),
        }))
    }

    /// Gives up expensive work whose time is over. Returns the call of its fallback, or refuses the
    /// request.
    pub(super) fn give_up(
        &mut self,
        call: ServiceCall,
        context: DriveContext<'_>,
        now: Instant,
    ) -> Option<ServiceCall> {
        let ServiceCall { request, step } = call;
        if let CallStep::Heavy(HeavyWork { fallback: Some(Fallback { run, .. }), .. }) = step {
            self.heavy.leave();
            return Some(ServiceCall { request, step: CallStep::Continue(run) });
        }
        context.stats.count_shed(ShedReason::HeavyTimeout);
        let call = ServiceCall { request, step };
        self.refuse_call(&call, Refusal::HeavyOverload, CloseReason::Shed, context, now);
        None
    }

    /// Parks until the requested permit is granted, unless the client is gone.
    pub(super) fn await_permit(&self) -> Outcome {
        if self.transport.is_ready(Ready::BROKEN) {
            return Outcome::Closed(CloseReason::ClientGone);
        }
        self.park_for_permit(ConnectionState::Queued)
    }

    /// Parks until the requested permit is granted, or the client is gone.
    pub(super) fn park_for_permit(&self, state: ConnectionState) -> Outcome {
        Outcome::Park { wants: Ready::PERMIT.or(Ready::BROKEN), deadline: self.deadline(), state }
    }
}
