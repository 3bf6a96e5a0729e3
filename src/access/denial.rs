//! Outcomes of the gate.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use super::rules::Scope;

/// Access that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: it holds no data.
    Nothing,
    /// Any account. Addresses that do not exist require one too, so that a stranger cannot learn
    /// which do.
    Account,
    /// An account with that scope.
    Scope(Scope),
}

/// Permission to call the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// True if it took credentials, so that no other visitor may get the answer.
    pub guarded: bool,
    /// True if the request has a browser's session, whether the route requires credentials or not.
    pub by_session: bool,
    /// A device cookie to set, by which the caller is known from now on.
    pub device: Option<CookieValue>,
}

/// The cookies of a browser that has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The new session.
    pub session: CookieValue,
    /// Time until it expires.
    pub lifetime: Duration,
    /// A device cookie to set, unless the browser has one.
    pub device: Option<CookieValue>,
}

/// A cookie's value. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieValue(pub(super) String);

impl CookieValue {
    /// The value, for the one field that sets it. It is of letters, digits, `-` and `_`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CookieValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[cookie]")
    }
}

/// Reason for which a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// 421: its host is not one of this server's names.
    Host,
    /// 401: no credentials, or none that are any good; with the challenges to send.
    Unauthorized(Vec<HeaderValue>),
    /// 403: the account lacks this scope; with the challenges to send.
    Scope(Scope, Vec<HeaderValue>),
    /// 403: another site's page wants to change something.
    CrossSite,
    /// 429: too many failures; come again after that time.
    Throttled(Duration),
    /// 503: too many passwords are being verified, or were compared in this second.
    Busy,
    /// 503: the system gives no random numbers for a session.
    NoRandomness,
}
