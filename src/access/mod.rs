//! Who may look: credentials, scopes, and what is asked of requests that would change something.
//!
//! It knows requests and names of routes, and nothing of tanks. [`Rules`] are what the
//! configuration says; the [`Gate`] holds requests against them, and is given others at run time.
//!
//! ```text
//!  request ─► host ─► credentials ─┬─ a token: SHA-256, compared with all ──────────► scope ─► in
//!                                  └─ a password: remembered? ──────────────────────►   ▲
//!                                       │ no                                            │ right
//!                                       ▼                                               │
//!                                     known to be wrong? throttled? a slot free? ─► argon2id
//! ```
//!
//! Nothing here waits. Whoever would have to is refused, and told when to come again.

mod accounts;
mod acquaintances;
mod credentials;
mod gate;
mod hosts;
mod key;
mod origins;
mod password;
mod rules;
mod slots;
mod stats;
mod throttle;
mod token;

pub use gate::{Demand, Denial, Gate, Pass, Posted};
pub use hosts::{HostName, HostNameError, names_this_machine};
pub use key::NoRandomness;
pub use origins::{Origin, OriginError};
pub use password::{LONGEST_PASSWORD, PasswordHash, PasswordHashError, Unfit, check_password};
pub(crate) use rules::HSTS;
pub use rules::{
    Admission, LONGEST_NAME, Limits, Restricted, Rules, Scope, Scopes, Token, User, is_account_name,
};
pub use stats::{FailureReason, Stats};
pub use token::{TOKEN_PREFIX, TokenHash, TokenHashError, generate_token};

#[cfg(test)]
mod tests;
