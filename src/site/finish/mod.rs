//! The last step of every response.
//!
//! After the handler, [`Finisher::finish`] is the only place where a response is made or changed.
//! Its steps, in order:
//!
//! 1. The outcome becomes a response. For a representation, [`content`] selects the content coding
//!    (RFC 9110 12.5.3) and evaluates the preconditions (RFC 9110 13): 200, 304 or 412.
//!    [`problem`] renders an error, as JSON or as a page.
//! 2. Security headers, which every response carries.
//! 3. Limits on caching: a response that depends on credentials is private, and no page of a signed-in
//!    visitor stays in the browser's history.
//! 4. The device cookie.
//! 5. Policy headers: HSTS, and CORS.
//! 6. Metrics and the log line.
//! 7. `X-Request-Id`.
//!
//! The order matters where a step reads what an earlier one wrote: a failed precondition becomes a
//! problem within step 1, the security headers depend on its media type, `no-store` in step 3
//! replaces `private`, and the metrics count the final status.

mod content;
mod headers;
mod problem;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::content::Content;
use super::context::Context;
use super::exchange::Exchange;
use super::methods::{NO_METHOD, method_label};
use super::observer::RequestObserver;
use super::problem::Problem;
use super::request_id::RequestId;
use super::request_log::RequestLog;
use super::target::Below;
use crate::access::ActiveRules;
use crate::engine::{Refusal, Request, RequestHead, Response};
use crate::route_pattern::NO_ROUTE;

pub(super) use self::headers::add_security_headers;
pub use self::problem::problem;
pub(super) use self::problem::respond_json;

/// Finishes the responses of a site.
pub(super) struct Finisher {
    observer: Arc<dyn RequestObserver>,
    log: RequestLog,
}

impl Finisher {
    /// Returns a finisher whose responses the observer counts.
    pub(super) fn new(observer: Arc<dyn RequestObserver>) -> Finisher {
        Finisher { observer, log: RequestLog::default() }
    }

    /// Sets the duration from which a request is logged as slow.
    pub(super) fn set_slow_request(&self, slow_request: Duration) {
        self.log.set_slow(slow_request);
    }

    /// Makes the response of an exchange, counts it and logs it. Called once for each exchange.
    pub(super) fn finish(
        &self,
        context: &Context,
        active_rules: &ActiveRules,
        exchange: &Exchange,
        request: &Request,
        outcome: Result<Content, Problem>,
    ) -> Response {
        let mut response = respond(context, exchange, request, outcome);
        headers::restrict_caching(active_rules, exchange, &mut response);
        headers::add_device_cookie(active_rules, exchange, request, &mut response);
        headers::add_policy_headers(active_rules, request, &mut response);
        let (method, code) = (method_label(&request.method), response.status().as_u16());
        let elapsed = exchange.begun.elapsed();
        self.observer.observe(exchange.route(), method, code, elapsed);
        let id = RequestId::of(request);
        self.log.answered(&id, request.client, method, exchange.route(), code, elapsed);
        id.put_on(&mut response);
        response
    }

    /// Makes the response to a request that the engine refused, counts it and logs it. No route
    /// matched it and no rules of access were applied, so steps 3 to 5 are left out.
    pub(super) fn finish_refusal(
        &self,
        context: &Context,
        refusal: Refusal,
        head: Option<RequestHead<'_>>,
    ) -> Response {
        let begun = Instant::now();
        let mut response = match head {
            Some(head) => {
                let active_rules = context.gate.active_rules();
                let below = Below::of_target(head.target, active_rules.site_url());
                problem::respond(context, below, head, &refusal.into())
            }
            // The head was never parsed, so there is no `Accept` to choose by.
            None => respond_json(&refusal.into(), None),
        };
        headers::add_security_headers(&mut response);
        let method = head.map_or(NO_METHOD, |head| method_label(head.method));
        let code = response.status().as_u16();
        self.observer.observe(NO_ROUTE, method, code, begun.elapsed());
        let id = RequestId::new();
        self.log.refused(&id, code);
        id.put_on(&mut response);
        response
    }
}

/// Makes a response with the headers that every response carries: steps 1 and 2.
pub(super) fn respond(
    context: &Context,
    exchange: &Exchange,
    request: &Request,
    outcome: Result<Content, Problem>,
) -> Response {
    let outcome = outcome.and_then(|content| content::respond(&request.headers, content));
    let mut response = match outcome {
        Ok(response) => response,
        Err(problem) => problem::respond(context, exchange.below, request.into(), &problem),
    };
    headers::add_security_headers(&mut response);
    response
}
