//! What the configuration says about access.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::hosts::HostName;
use super::origins::Origin;
use super::password::PasswordHash;
use super::token::TokenHash;

/// Who may look, and from where.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Who may look.
    pub admission: Admission,
    /// The names under which this server may be asked for; none: under any.
    pub names: Vec<HostName>,
    /// Other sites whose pages may read what is here.
    pub cors_origins: Vec<Origin>,
    /// How long browsers are told to come by TLS only (RFC 6797); `None`: they are not told.
    pub hsts: Option<Duration>,
}

/// Told to browsers unless configured: a year.
pub(crate) const HSTS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            admission: Admission::Open,
            names: Vec::new(),
            cors_origins: Vec::new(),
            hsts: Some(HSTS),
        }
    }
}

/// Who may look.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// Everybody who can reach the server.
    Open,
    /// Those with an account.
    Restricted(Restricted),
}

/// Who has an account, and what is open to those who have none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restricted {
    /// People, by name and password.
    pub users: Vec<User>,
    /// Scripts, by token.
    pub tokens: Vec<Token>,
    /// The patterns of the routes that stay open.
    pub public: Vec<String>,
    /// What is remembered, and how guessing is slowed down.
    pub limits: Limits,
}

impl Restricted {
    /// Bytes that all verifications of passwords together reserve at most. A name without an account
    /// costs as much as one with.
    pub fn verification_memory(&self) -> usize {
        let costs = self.users.iter().map(|user| user.password_hash.memory_bytes());
        costs.max().unwrap_or(0).saturating_mul(self.limits.verifications)
    }
}

/// Somebody with a password.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The name, as it is typed.
    pub name: String,
    /// Of the password.
    pub password_hash: PasswordHash,
    /// What the user may do.
    pub scopes: Scopes,
}

/// A script's token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What people call it.
    pub name: String,
    /// Of the token.
    pub hash: TokenHash,
    /// What its bearer may do.
    pub scopes: Scopes,
}

/// How long and how much is remembered, and how guessing is slowed down. Each is a key of `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A verified password is good without another verification for so long after its last use.
    pub remember: Duration,
    /// Passwords that are verified at the same time; more are answered 503.
    pub verifications: usize,
    /// Failures of one address before it has to wait.
    pub failures_per_address: usize,
    /// Failures of one account, from any addresses, before those whom the server does not know
    /// have to wait. Several times that of an address, so that one address cannot make all wait.
    pub failures_per_account: usize,
    /// The first wait. Each further failure doubles it.
    pub first_delay: Duration,
    /// The longest wait; in each such time one failure is forgotten.
    pub longest_delay: Duration,
    /// Addresses, and as many accounts and devices, whose failures are counted; at this cap those
    /// with the fewest are forgotten first.
    pub max_throttled: usize,
    /// Passwords of unknown callers that are compared in any second, over all addresses. Further
    /// ones are answered 503 without a comparison.
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

/// Something that an account may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// See the pages and the data.
    Read,
    /// Ask for a poll.
    Poll,
    /// Everything, now and in later versions.
    Admin,
}

/// A text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("known are read, poll and admin")]
pub struct UnknownScope;

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Poll, Scope::Admin];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Poll => "poll",
            Scope::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Scope, UnknownScope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// What an account may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// These.
    pub fn new(scopes: Vec<Scope>) -> Scopes {
        Scopes(scopes)
    }

    /// Whether they allow it; `admin` allows all.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }
}

/// To look, and nothing else.
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

/// Bytes of an account's name at most.
pub const LONGEST_NAME: usize = 128;

/// Whether an account can have that name. HTTP tells a user's up to the first colon (RFC 7617 2).
pub fn is_account_name(name: &str) -> bool {
    let odd = |c: char| c == ':' || c.is_control();
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(odd)
}
