//! Record of one exchange: the decisions made once the request's head was read.

use std::time::Instant;

use jiff::Timestamp;

use super::context::RouteRequest;
use super::target::Below;
use crate::access::{Pass, Role};
use crate::engine::{Lane, Request};
use crate::route_pattern::{NO_ROUTE, RoutePattern};
use crate::wall_clock;

/// Pass of a request that needed no credentials.
const OPEN: Pass =
    Pass { guarded: false, by_session: false, role: Role::Guest, account: None, device: None };

/// Pass of a request that was rejected for lack of valid credentials.
pub(super) const GUARDED: Pass = Pass { guarded: true, ..OPEN };

/// A request on its way to a response. If work is left, it outlives the call of the service.
pub(super) struct Exchange {
    pub(super) begun: Instant,
    /// Moment that the response describes.
    pub(super) now: Timestamp,
    /// `None` if no route matched.
    pub(super) pattern: Option<RoutePattern>,
    /// Position of the request's path below that of the site's public address.
    pub(super) below: Below,
    /// Lane of the work.
    pub(super) lane: Lane,
    /// The pattern's parameter; empty where it has none.
    pub(super) parameter: Box<str>,
    /// Credentials that admitted it.
    pub(super) pass: Pass,
}

impl Exchange {
    /// Starts an exchange that has matched no route and taken no credentials.
    pub(super) fn start(now: Timestamp) -> Exchange {
        Exchange {
            begun: Instant::now(),
            now,
            pattern: None,
            below: Below::default(),
            lane: Lane::Interactive,
            parameter: Box::default(),
            pass: OPEN,
        }
    }

    /// Starts an exchange of the admin listener, whose clients see everything. `account` is the name of the sender of a
    /// request that may change something.
    pub(super) fn of_machine(account: Option<&str>) -> Exchange {
        let pass = Pass { role: Role::Responder, account: account.map(Into::into), ..OPEN };
        Exchange { pass, ..Exchange::start(wall_clock::now()) }
    }

    /// Returns the route's label in metrics and logs.
    pub(super) fn route(&self) -> &'static str {
        self.pattern.map_or(NO_ROUTE, RoutePattern::as_str)
    }

    /// Returns the request as its handler takes it.
    pub(super) fn route_request<'a>(&'a self, request: &'a Request) -> RouteRequest<'a> {
        RouteRequest {
            http: request,
            parameter: &self.parameter,
            now: self.now,
            by_session: self.pass.by_session,
            role: self.pass.role,
            account: self.pass.account.as_deref(),
        }
    }
}
