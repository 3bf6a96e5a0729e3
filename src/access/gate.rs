//! The gate: holds each request against the rules.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, Guard};
use http::HeaderValue;

use super::denial::{Demand, Denial, Pass};
use super::device::Devices;
use super::identify::Identity;
use super::key::{MacKey, NoRandomness};
use super::passwords::Passwords;
use super::posted::Posted;
use super::rules::{Admission, Rules, Scope, User};
use super::sessions::{SessionKeeper, Sessions};
use super::stats::{FailureReason, Stats};
use super::throttle::Throttle;
use super::{hosts, origins};
use crate::engine::{LogThrottle, Request};

/// Tells the time; tests bring their own.
pub(super) type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// Returns the seconds since 1970; tests bring their own. Used only for cookies, which outlive the
/// process.
pub(super) type WallClock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Holds requests against the rules.
pub struct Gate {
    pub(super) key: MacKey,
    pub(super) clock: Clock,
    pub(super) wall: WallClock,
    posted: ArcSwap<Posted>,
    generations: AtomicU64,
    pub(super) passwords: Passwords,
    /// By address, of those who send wrong tokens.
    pub(super) by_token: Mutex<Throttle>,
    pub(super) devices: Devices,
    pub(super) sessions: Sessions,
    pub(super) stats: Arc<Stats>,
    pub(super) log: Mutex<LogThrottle>,
}

impl Gate {
    /// A gate under these rules, whose sessions end with the process.
    ///
    /// # Errors
    /// The system gives no random numbers for keys.
    pub fn new(rules: Rules) -> Result<Gate, NoRandomness> {
        Gate::with_clocks(rules, Sessions::in_memory()?, Box::new(Instant::now), Box::new(seconds))
    }

    /// A gate under these rules, with the sessions that were kept in that file.
    ///
    /// # Errors
    /// The system gives no random numbers for keys.
    pub fn with_sessions_of(rules: Rules, path: &Path) -> Result<Gate, NoRandomness> {
        let sessions = Sessions::of_file(path)?;
        Gate::with_clocks(rules, sessions, Box::new(Instant::now), Box::new(seconds))
    }

    pub(super) fn with_clocks(
        rules: Rules,
        sessions: Sessions,
        clock: Clock,
        wall: WallClock,
    ) -> Result<Gate, NoRandomness> {
        let key = MacKey::random()?;
        sessions.sync(users(&rules));
        let posted = Posted::new(rules, &key, None, 0);
        let passwords = Passwords::default();
        passwords.retain(posted.proofs());
        Ok(Gate {
            key,
            clock,
            wall,
            posted: ArcSwap::from_pointee(posted),
            generations: AtomicU64::new(1),
            passwords,
            by_token: Mutex::default(),
            devices: sessions.devices(),
            sessions,
            stats: Arc::default(),
            log: Mutex::default(),
        })
    }

    /// Puts other rules in force. Verified passwords stay remembered, and sessions good, for
    /// accounts whose hash is the same, and so do known networks; failures go on counting.
    pub fn replace(&self, rules: Rules) {
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        // Sessions first: none of an account that goes is let in by the new rules.
        self.sessions.sync(users(&rules));
        let before = self.posted.load();
        let posted = Posted::new(rules, &self.key, before.accounts.as_ref(), generation);
        // Known networks before the rules: the first success under the new ones is recorded.
        self.passwords.retain(posted.proofs());
        self.posted.store(Arc::new(posted));
    }

    /// The rules that are in force now. A request is held against the same ones all the way.
    pub fn posted(&self) -> Guard<Arc<Posted>> {
        self.posted.load()
    }

    /// Starts the thread that writes sessions to that file, if any account can sign in or the file
    /// exists: it may hold keys of accounts that have gone. Dropping it writes the latest. Sign-outs
    /// wait for it on a quarter of the workers at most.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub fn keep_sessions(&self, path: &Path, workers: usize) -> io::Result<Option<SessionKeeper>> {
        let is_needed = self.posted().signs_in() || path.exists();
        is_needed.then(|| self.sessions.keep(path, (workers / 4).max(1))).transpose()
    }

    /// What it counts.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Whether the request asks for a name of this server.
    ///
    /// # Errors
    /// It asks for another.
    pub fn check_host(&self, posted: &Posted, request: &Request) -> Result<(), Denial> {
        if hosts::asks_for_one_of(&posted.rules().names, request) {
            return Ok(());
        }
        self.stats.count_failure(FailureReason::Host);
        Err(Denial::Host)
    }

    /// Whether the request may go on to the route of that pattern.
    ///
    /// # Errors
    /// Says why it may not.
    pub fn admit(
        &self,
        posted: &Posted,
        request: &Request,
        pattern: &str,
        demand: Demand,
    ) -> Result<Pass, Denial> {
        let (identity, by_session) = match &posted.accounts {
            Some(accounts) if demand != Demand::Nothing => {
                if accounts.is_public(pattern) {
                    // The page has a button to sign out.
                    (Identity::Anyone, self.by_session(accounts, request).is_some())
                } else {
                    let identity = self.identify(posted, accounts, request)?;
                    let by_session = matches!(identity, Identity::Session(_));
                    (identity, by_session)
                }
            }
            _ => (Identity::Anyone, false),
        };
        if let Demand::Scope(scope) = demand {
            self.check_scope(&identity, scope)?;
        }
        if origins::changes_something(&request.method) && is_forgeable(&identity, request) {
            self.stats.count_failure(FailureReason::CrossSite);
            return Err(Denial::CrossSite);
        }
        Ok(Pass {
            guarded: !matches!(identity, Identity::Anyone),
            by_session,
            device: match identity {
                Identity::User(_, device) => device,
                _ => None,
            },
        })
    }

    fn check_scope(&self, identity: &Identity<'_>, scope: Scope) -> Result<(), Denial> {
        let challenges = match identity {
            Identity::Anyone => return Ok(()),
            Identity::User(scopes, _) | Identity::Session(scopes) | Identity::Token(scopes)
                if scopes.allow(scope) =>
            {
                return Ok(());
            }
            Identity::User(..) | Identity::Session(_) => Vec::new(),
            // RFC 6750 3.1
            Identity::Token(_) => {
                let name = scope.as_str();
                let challenge = format!(
                    "Bearer realm=\"Pumphouse\", error=\"insufficient_scope\", scope=\"{name}\""
                );
                HeaderValue::try_from(challenge).into_iter().collect()
            }
        };
        self.stats.count_failure(FailureReason::Scope);
        Err(Denial::Scope(scope, challenges))
    }

    /// Runs something while every verification is taken.
    #[cfg(test)]
    pub(crate) fn while_busy<T>(&self, run: impl FnOnce() -> T) -> T {
        self.while_taken(64, run)
    }

    /// Runs something while so many verifications are taken.
    #[cfg(test)]
    pub(super) fn while_taken<T>(&self, count: usize, run: impl FnOnce() -> T) -> T {
        self.passwords.while_taken(count, run)
    }

    /// Number of records of passwords, and of addresses that sent tokens.
    #[cfg(test)]
    pub(super) fn records(&self) -> ([usize; 7], usize) {
        (self.passwords.records(), self.tokens().len())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// Returns true if a page of another site could have had the request sent.
///
/// No browser adds a token by itself. A password of HTTP Basic it may add, and programs send one
/// too, which name no origin. A session is sent by browsers only, which name theirs with every
/// method that changes something: without it the request is refused.
fn is_forgeable(identity: &Identity<'_>, request: &Request) -> bool {
    match identity {
        Identity::Token(_) => false,
        Identity::Anyone | Identity::User(..) => origins::is_cross_site(request),
        Identity::Session(_) => {
            !origins::names_origin(&request.headers) || origins::is_cross_site(request)
        }
    }
}

fn users(rules: &Rules) -> &[User] {
    match &rules.admission {
        Admission::Open => &[],
        Admission::Restricted(restricted) => &restricted.users,
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
