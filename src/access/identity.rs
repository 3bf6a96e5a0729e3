//! Identity of the sender of a request.

use super::denial::CookieValue;
use super::rules::Scopes;

/// Authenticated sender of a request.
pub(super) enum Identity<'a> {
    /// The route requires no credentials.
    Anyone,
    /// A user of HTTP Basic, with a device cookie to set.
    User(Holder<'a>, Option<CookieValue>),
    /// A browser that has signed in.
    Session(Holder<'a>),
    /// A script with a token.
    Token(Holder<'a>),
}

/// Holder of an account: a person or a script.
#[derive(Clone, Copy)]
pub(super) struct Holder<'a> {
    /// Name in the configuration.
    pub(super) name: &'a str,
    /// Scopes of the account.
    pub(super) scopes: &'a Scopes,
}

impl<'a> Identity<'a> {
    /// Returns the holder of the account; `None` if the request has used none.
    pub(super) fn holder(&self) -> Option<Holder<'a>> {
        match self {
            Identity::Anyone => None,
            Identity::User(holder, _) | Identity::Session(holder) | Identity::Token(holder) => {
                Some(*holder)
            }
        }
    }
}
