//! Who may look: credentials, scopes, and what is asked of requests that would change something.
//!
//! It knows requests and names of routes, and nothing of tanks. [`Rules`] are what the
//! configuration says; the [`Gate`] holds requests against them, and is given others at run time.
//!
//! ```text
//!  request ─► host ─► credentials ─┬─ token: SHA-256, compared with all ──────────────► scope ─► in
//!                                  ├─ session: HMAC-SHA256 ───────────────────────────►   ▲
//!                                  └─ password ─► throttled? known wrong? remembered? ─►   │ right
//!                                       ▲                                      │ no         │
//!                                  POST /login           a verification free? ─┴──► argon2id
//! ```
//!
//! Nothing here waits. Whoever would have to is refused, and told when to come again.

mod accounts;
mod attempt;
mod comparison_limit;
mod cookies;
mod credentials;
mod denial;
mod device;
mod gate;
mod hosts;
mod identify;
mod key;
mod known_networks;
mod ledger;
mod origins;
mod password;
mod passwords;
mod posted;
mod rules;
mod scheme;
mod sessions;
mod stats;
mod throttle;
mod token;
mod verifications;

pub use denial::{CookieValue, Demand, Denial, Pass, SignedIn};
pub use gate::Gate;
pub use hosts::{HostName, HostNameError, names_this_machine};
pub use key::NoRandomness;
pub use origins::{Origin, OriginError};
pub use password::{LONGEST_PASSWORD, PasswordHash, PasswordHashError, Unfit, check_password};
pub use posted::Posted;
pub(crate) use rules::HSTS;
pub use rules::{
    Admission, LONGEST_NAME, Limits, Restricted, Rules, Scope, Scopes, Token, User, is_account_name,
};
pub use scheme::{is_secure, requested_port};
pub use sessions::{SessionKeeper, SignOut};
pub use stats::{CallerClass, FailureReason, Stats};
/// Begins the names of session cookies; a port number follows.
pub const SESSION_COOKIE: &str = "pumphouse_session_";

/// Begins the names of device cookies; a port number follows.
pub const DEVICE_COOKIE: &str = "pumphouse_device_";

/// Time for which browsers keep a device cookie.
pub const DEVICE_LIFETIME: std::time::Duration =
    std::time::Duration::from_secs(device::DEVICE_LIFETIME);

pub use token::{TOKEN_PREFIX, TokenHash, TokenHashError, generate_token};

#[cfg(test)]
mod tests;
