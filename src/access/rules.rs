//! Access rules of the configuration.

use std::fmt;
use std::time::Duration;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::hosts::HostName;
use super::origins::Origin;
use super::password::PasswordHash;
use super::site_url::SiteUrl;
use super::token::TokenHash;

/// Access rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Accounts, or none on an open server.
    pub admission: Admission,
    /// Tokens of an open server, which needs none but for commands to the admin listener over TCP.
    pub admin_tokens: Vec<Token>,
    /// Host names that requests may use; empty: any.
    pub names: Vec<HostName>,
    /// Public address of the site, `[site] url`. Its host is a name, too, unless `names` is empty.
    pub site_url: Option<SiteUrl>,
    /// Other sites whose pages may read responses (CORS).
    pub cors_origins: Vec<Origin>,
    /// `max-age` of Strict-Transport-Security (RFC 6797); `None`: the field is not sent.
    pub hsts: Option<Duration>,
}

/// Default of `hsts`: a year.
pub(crate) const HSTS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            admission: Admission::Open,
            admin_tokens: Vec::new(),
            names: Vec::new(),
            site_url: None,
            cors_origins: Vec::new(),
            hsts: Some(HSTS),
        }
    }
}

/// Set of clients that may read.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// Every client that can reach the server.
    Open,
    /// Clients with an account.
    Restricted(Restricted),
}

/// Accounts, and the routes that need none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restricted {
    /// People, by name and password.
    pub users: Vec<User>,
    /// Scripts, by token.
    pub tokens: Vec<Token>,
    /// Patterns of the routes that need no account.
    pub public: Vec<String>,
    /// Limits of authentication.
    pub limits: Limits,
}

impl Restricted {
    /// Returns the most bytes that all concurrent verifications reserve. A name without an account costs as
    /// much as a name with one.
    pub fn verification_memory(&self) -> usize {
        let costs = self.users.iter().map(|user| user.password_hash.memory_bytes());
        costs.max().unwrap_or(0).saturating_mul(self.limits.verifications)
    }
}

/// A user with a password.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The name, as the user types it.
    pub name: String,
    /// Hash of the password.
    pub password_hash: PasswordHash,
    /// Scopes of the user.
    pub scopes: Scopes,
}

/// A script's token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Name for people.
    pub name: String,
    /// Hash of the token.
    pub hash: TokenHash,
    /// Scopes of the token.
    pub scopes: Scopes,
}

/// Limits of authentication. Each is a key of `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time after its last use for which a verified password needs no further verification.
    pub remember: Duration,
    /// Most concurrent verifications of passwords; further ones get 503.
    pub verifications: usize,
    /// Number of failures of one address before it must wait.
    pub failures_per_address: usize,
    /// Number of failures of one account, from all addresses, before unknown callers must wait. It is
    /// several times that of an address, so that one address alone cannot make all of them wait.
    pub failures_per_account: usize,
    /// The first wait. Each further failure doubles it.
    pub first_delay: Duration,
    /// The longest wait. One failure is forgotten each time it has passed.
    pub longest_delay: Duration,
    /// Most failure counters of each kind: of addresses, of accounts and of devices. Beyond it, the counters
    /// with the fewest failures are dropped.
    pub max_throttled: usize,
    /// Most passwords of unknown callers that are compared in any second, over all addresses. Further
    /// ones get 503 without a comparison.
    pub strangers_per_second: usize,
    /// Time for which a browser stays signed in.
    pub session: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            remember: Duration::from_secs(5 * 60),
            verifications: 2,
            failures_per_address: 5,
            failures_per_account: 20,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(15 * 60),
            max_throttled: 4096,
            strangers_per_second: 20,
            session: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// Permission of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// Reads pages and data.
    Read,
    /// Requests polls.
    Poll,
    /// Acknowledges and silences alerts.
    Alert,
    /// Allows everything, including scopes of later versions.
    Admin,
}

impl Scope {
    /// Returns its name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Scopes of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Collects scopes.
    pub fn new(scopes: Vec<Scope>) -> Scopes {
        Scopes(scopes)
    }

    /// Returns true if they include `scope` or `admin`.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }
}

/// The scope `read`.
impl Default for Scopes {
    fn default() -> Scopes {
        Scopes(vec![Scope::Read])
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(if names.is_empty() { "nothing" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

/// Most bytes of an account's name.
pub const MAX_NAME_BYTES: usize = 128;

/// Returns true if an account can have that name. In HTTP Basic a name ends at the first colon (RFC
/// 7617 2).
pub fn is_account_name(name: &str) -> bool {
    let is_invalid = |c: char| c == ':' || c.is_control();
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(is_invalid)
}
