//! Results of the gate: a pass, a sign-in, or a denial.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use strum::EnumCount;

use super::rules::Scope;

/// Access that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// None: the route has no data.
    Open,
    /// Any account. Paths without a route require one, too, so that callers without an account cannot
    /// learn which exist.
    Account,
    /// An account with this scope.
    Scope(Scope),
}

/// Permission to call the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// True if credentials were required, so that no cache may share the response.
    pub guarded: bool,
    /// True if the request has a valid session, whether the route requires credentials or not.
    pub by_session: bool,
    /// Rights of the sender.
    pub role: Role,
    /// Name of the account of a request that may change something.
    pub account: Option<Box<str>>,
    /// Device cookie to set, by which the caller is known from then on.
    pub device: Option<CookieValue>,
}

/// Rights of the sender of a request: parts of the server that it may see, and actions on alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount)]
pub enum Role {
    /// A visitor of a public page, without an account.
    Guest,
    /// Holder of an account without the scope `alert`.
    Reader,
    /// Holder of an account with the scope `alert`, or any visitor of an open server.
    Responder,
}

/// The cookies of a browser that has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The new session.
    pub session: CookieValue,
    /// Time until it expires.
    pub lifetime: Duration,
    /// Device cookie to set, unless the browser has one.
    pub device: Option<CookieValue>,
}

/// A cookie's value. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieValue(pub(super) String);

impl CookieValue {
    /// Returns the value, for the Set-Cookie field. It has letters, digits, `-` and `_` only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CookieValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[cookie]")
    }
}

/// Origin of a page and of the request that it caused, as received: cut and without hidden characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginMismatch {
    /// `Origin`.
    pub sent: String,
    /// Scheme of the request, and its `Host`.
    pub own: String,
}

/// Reason for which a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// 421: its host is not one of this server's names. Has the host as received, cut and without hidden
    /// characters; `None` if it has none.
    Host(Option<String>),
    /// 401: no valid credentials. Has the challenges to send.
    Unauthorized(Vec<HeaderValue>),
    /// 403: the account lacks this scope. Has the challenges to send.
    Scope(Scope, Vec<HeaderValue>),
    /// 403: an unsafe method on behalf of another site's page. Has the origins that differ, if the decision
    /// was made by `Origin` and `Host`, which a proxy may have changed.
    CrossSite(Option<Box<OriginMismatch>>),
    /// 429: too many failures; the caller may retry after this time.
    Throttled(Duration),
    /// 503: too many passwords are being verified, or were compared in the last second.
    Busy,
    /// 503: the system returned no random numbers for a session.
    NoRandomness,
}
