//! Access control: authentication, authorization, throttling of guesses, and protection of browsers
//! against pages of other sites.
//!
//! [`Rules`] come from the configuration. The [`Gate`] checks each request against the rules in force,
//! which a reload replaces as a whole; a request is checked against one set throughout. This module
//! depends on requests and route patterns, and not on the site.
//!
//! ```text
//!  request ─► host ─► credentials ─┬─ token: SHA-256, compared with all ──────► scope ─► handler
//!                                  ├─ session: HMAC-SHA256 ──────────────────►   ▲
//!                                  └─ password ─► throttled? ─► remembered? ──────┤ right
//!                                       ▲                           │ no          │
//!                                  POST /login                      ▼             │
//!                                            charge ─► permit ─► argon2id ────────┘
//! ```
//!
//! The gate delays no request: a caller that must wait is refused with `Retry-After`. A password is verified
//! on the worker that has the request, which takes some 30 ms, so only a few verifications run at once
//! (`verifications`; fewer than workers, unless there is one worker). Tokens and sessions cost one hash and
//! are never throttled.
//!
//! Replicas that share a store exchange sessions and failures (`exchange`). The gate itself does no I/O for it.
//!
//! A caller without credentials gets 401 for every route that is not public, before its source or field is
//! looked up, so it cannot learn which routes and sources exist. Challenges differ by client: a page responds
//! with the sign-in form and `Bearer` only, for which browsers open no dialog; the API responds with `Basic`
//! and `Bearer`.

mod accounts;
mod active_rules;
mod admin_writes;
mod attempt;
mod comparison_limit;
mod cookies;
mod credentials;
mod denial;
mod device;
mod exchange;
mod gate;
mod hosts;
mod identify;
mod identity;
mod key;
mod known_networks;
mod ledger;
mod origins;
mod password;
mod passwords;
pub(crate) mod percent;
mod rows;
mod rules;
mod scheme;
mod sessions;
mod site_url;
mod stats;
mod throttle;
mod token;
mod verifications;

pub use active_rules::ActiveRules;
pub use admin_writes::{AdminWriteDenial, AdminWriter};
pub use denial::{CookieValue, Denial, OriginMismatch, Pass, Role, RouteAccess, SignedIn};
pub use gate::Gate;
pub use hosts::{HostName, HostNameError, names_this_machine};
pub use key::NoRandomness;
pub use origins::{Origin, OriginError};
pub use password::{
    MAX_PASSWORD_BYTES, PasswordError, PasswordHash, PasswordHashError, check_password,
};
pub use rows::{
    CountRow, EndedRow, Incoming, KeyRow, MAX_COUNTS, MAX_ENDED, MAX_KEYS, Outgoing, SecretRow,
};
pub(crate) use rules::HSTS;
pub use rules::{
    Admission, Limits, MAX_NAME_BYTES, Restricted, Rules, Scope, Scopes, Token, User,
    is_account_name,
};
pub use scheme::{is_secure, requested_port};
pub use sessions::{SessionWriter, SignOut};
pub use site_url::{SiteUrl, SiteUrlError};
pub use stats::{CallerClass, FailureReason, Stats};
pub use throttle::Instance;

/// Prefix of the names of session cookies; a port number follows.
pub const SESSION_COOKIE: &str = "pumphouse_session_";

/// Prefix of the names of device cookies; a port number follows.
pub const DEVICE_COOKIE: &str = "pumphouse_device_";

/// Time for which browsers keep a device cookie.
pub const DEVICE_LIFETIME: std::time::Duration =
    std::time::Duration::from_secs(device::DEVICE_LIFETIME);

pub use token::{TOKEN_PREFIX, TokenHash, TokenHashError, generate_token};

#[cfg(test)]
mod tests;
