//! Identity of the sender of a request.

use super::denial::CookieValue;
use super::rules::Scopes;

/// Authenticated sender of a request.
pub(super) enum Identity<'a> {
    /// The route requires no credentials.
    Anyone,
    /// A user of HTTP Basic, with a device cookie to set.
    User(&'a Scopes, Option<CookieValue>),
    /// A browser that has signed in.
    Session(&'a Scopes),
    /// A script with a token.
    Token(&'a Scopes),
}
