//! The gate: checks each request against the rules in force.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use http::HeaderValue;
use http::header::HOST;

use super::active_rules::ActiveRules;
use super::denial::{Denial, Pass, Role, RouteAccess};
use super::device::Devices;
use super::exchange::ExchangeState;
use super::identify::sent_token;
use super::identity::Identity;
use super::key::{MacKey, NoRandomness, random};
use super::passwords::Passwords;
use super::rules::{Admission, Rules, Scope, User};
use super::sessions::{SessionWriter, Sessions};
use super::stats::{FailureReason, Stats};
use super::throttle::Throttle;
use super::{hosts, origins};
use crate::data_lock::DataLock;
use crate::engine::{LogThrottle, Request};
use crate::wall_clock;

/// Source of the monotonic time; tests replace it.
pub(super) type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// Source of the wall-clock time in seconds since 1970; tests replace it. Used only for cookies, which
/// outlive the process.
pub(super) type WallClock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Checks requests against the rules in force.
pub struct Gate {
    /// Key of the fingerprints of records, which replicas share.
    pub(super) key: ArcSwap<MacKey>,
    pub(super) clock: Clock,
    pub(super) wall_clock: WallClock,
    active_rules: ArcSwap<ActiveRules>,
    generations: AtomicU64,
    pub(super) passwords: Passwords,
    /// Failures of tokens, by address.
    pub(super) by_token: Mutex<Throttle>,
    pub(super) devices: ArcSwap<Devices>,
    pub(super) sessions: Sessions,
    pub(super) stats: Arc<Stats>,
    pub(super) log: Mutex<LogThrottle>,
    pub(super) exchange: Mutex<ExchangeState>,
    /// Seconds by which the database's clock is ahead of this machine's, if they differ.
    pub(super) clock_offset: AtomicI64,
}

impl Gate {
    /// Creates a gate whose sessions end with the process.
    ///
    /// # Errors
    /// The system returned no random numbers for keys.
    pub fn new(rules: Rules) -> Result<Gate, NoRandomness> {
        Gate::with_clocks(rules, Sessions::in_memory()?, Box::new(Instant::now), Box::new(seconds))
    }

    /// Creates a gate with the sessions that are stored in a file.
    ///
    /// # Errors
    /// The system returned no random numbers for keys.
    pub fn with_sessions_of(
        rules: Rules,
        path: &Path,
        lock: &DataLock,
    ) -> Result<Gate, NoRandomness> {
        let sessions = Sessions::of_file(path, lock)?;
        Gate::with_clocks(rules, sessions, Box::new(Instant::now), Box::new(seconds))
    }

    pub(super) fn with_clocks(
        rules: Rules,
        sessions: Sessions,
        clock: Clock,
        wall_clock: WallClock,
    ) -> Result<Gate, NoRandomness> {
        let key_bytes = random::<32>()?;
        let key = MacKey::of(&key_bytes);
        sessions.sync(users(&rules));
        let active_rules = ActiveRules::new(rules, &key, None, 0);
        let passwords = Passwords::default();
        passwords.retain(active_rules.proofs());
        Ok(Gate {
            key: ArcSwap::from_pointee(key),
            clock,
            wall_clock,
            active_rules: ArcSwap::from_pointee(active_rules),
            generations: AtomicU64::new(1),
            passwords,
            by_token: Mutex::default(),
            devices: ArcSwap::from_pointee(sessions.devices()),
            sessions,
            stats: Arc::default(),
            log: Mutex::default(),
            exchange: Mutex::new(ExchangeState::new(key_bytes)),
            clock_offset: AtomicI64::new(0),
        })
    }

    /// Replaces the rules. Accounts with an unchanged password hash keep their remembered passwords,
    /// sessions and known networks. Failure counts stay.
    pub fn replace(&self, rules: Rules) {
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        // Sessions first, so that the new rules never admit a session of an account that was removed.
        self.sessions.sync(users(&rules));
        let before = self.active_rules.load();
        let active_rules =
            ActiveRules::new(rules, &self.key.load(), before.accounts.as_ref(), generation);
        // Known networks before the rules, so that the first success under the new rules is recorded.
        self.passwords.retain(active_rules.proofs());
        self.active_rules.store(Arc::new(active_rules));
    }

    /// Returns the rules in force. A request is checked against one set of them throughout.
    pub fn active_rules(&self) -> Guard<Arc<ActiveRules>> {
        self.active_rules.load()
    }

    /// Starts the thread that writes sessions to a file while this process has the lock, if any account can
    /// sign in or the file exists: it may contain keys of accounts that were removed. Dropping the returned
    /// value writes the latest state. Sign-outs wait for the file on at most a quarter of the workers.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn write_sessions_to(
        &self,
        path: &Path,
        lock: &Arc<DataLock>,
        workers: usize,
    ) -> io::Result<Option<SessionWriter>> {
        let is_needed = self.active_rules().signs_in() || path.exists();
        let start = || self.sessions.write_to(path, Arc::clone(lock), (workers / 4).max(1));
        is_needed.then(start).transpose()
    }

    /// Returns its counters.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Checks that the request's host is a name of this server.
    ///
    /// # Errors
    /// [`Denial::Host`] if it is another name.
    pub fn check_host(&self, active_rules: &ActiveRules, request: &Request) -> Result<(), Denial> {
        if hosts::matches_any(&active_rules.rules().names, active_rules.site_url(), request) {
            return Ok(());
        }
        self.stats.count_failure(FailureReason::Host);
        Err(Denial::Host(hosts::shown(request, HOST)))
    }

    /// Checks that the request may use the route with that pattern.
    ///
    /// # Errors
    /// The request is refused, for the reason in the [`Denial`].
    pub fn admit(
        &self,
        active_rules: &ActiveRules,
        request: &Request,
        pattern: &str,
        access: RouteAccess,
    ) -> Result<Pass, Denial> {
        let (identity, session, holder) = match &active_rules.accounts {
            Some(accounts) if access != RouteAccess::Open => {
                if accounts.is_public(pattern) {
                    // On a public page, a session or a token decides on the buttons and the names that it shows.
                    let session = self.authenticate_session(active_rules, accounts, request);
                    let holder = session.or_else(|| sent_token(accounts, request));
                    (Identity::Anyone, session, holder)
                } else {
                    let identity = self.identify(active_rules, accounts, request)?;
                    let session = match &identity {
                        Identity::Session(holder) => Some(*holder),
                        _ => None,
                    };
                    let holder = identity.holder();
                    (identity, session, holder)
                }
            }
            _ => (Identity::Anyone, None, None),
        };
        if let RouteAccess::Scope(scope) = access {
            self.check_scope(&identity, scope)?;
        }
        if origins::is_unsafe(&request.method) && is_forgeable(active_rules, &identity, request) {
            self.stats.count_failure(FailureReason::CrossSite);
            let mismatch = origins::mismatch(request, active_rules.site_url());
            return Err(Denial::CrossSite(mismatch.map(Box::new)));
        }
        Ok(Pass {
            guarded: !matches!(identity, Identity::Anyone),
            by_session: session.is_some(),
            role: match holder {
                None if active_rules.is_open() => Role::Responder,
                None => Role::Guest,
                Some(holder) if holder.scopes.allow(Scope::Alert) => Role::Responder,
                Some(_) => Role::Reader,
            },
            account: holder
                .filter(|_| origins::is_unsafe(&request.method))
                .map(|holder| holder.name.into()),
            device: match identity {
                Identity::User(_, device) => device,
                _ => None,
            },
        })
    }

    fn check_scope(&self, identity: &Identity<'_>, scope: Scope) -> Result<(), Denial> {
        if identity.holder().is_none_or(|holder| holder.scopes.allow(scope)) {
            return Ok(());
        }
        let challenges = match identity {
            Identity::Anyone | Identity::User(..) | Identity::Session(_) => Vec::new(),
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

    /// Runs a function while every verification is taken.
    #[cfg(test)]
    pub(crate) fn while_busy<T>(&self, run: impl FnOnce() -> T) -> T {
        self.while_taken(64, run)
    }

    /// Runs a function while `count` verifications are taken.
    #[cfg(test)]
    pub(super) fn while_taken<T>(&self, count: usize, run: impl FnOnce() -> T) -> T {
        self.passwords.while_taken(count, run)
    }

    /// Returns the numbers of records of password attempts, and of addresses that sent wrong tokens.
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

/// Returns true if a page of another site could have caused the request.
///
/// Browsers never add a token by themselves. Both browsers and programs send Basic passwords, and programs
/// send no origin, so a request with a password is refused only if its origin is another site. Only browsers
/// send sessions, and with every unsafe method they send the origin, so a request with a session but without
/// an origin is refused.
fn is_forgeable(active_rules: &ActiveRules, identity: &Identity<'_>, request: &Request) -> bool {
    let is_cross_site = || origins::is_cross_site(request, active_rules.site_url());
    match identity {
        Identity::Token(_) => false,
        Identity::Anyone | Identity::User(..) => is_cross_site(),
        Identity::Session(_) => !origins::names_origin(&request.headers) || is_cross_site(),
    }
}

fn users(rules: &Rules) -> &[User] {
    match &rules.admission {
        Admission::Open => &[],
        Admission::Restricted(restricted) => &restricted.users,
    }
}

fn seconds() -> u64 {
    u64::try_from(wall_clock::now().as_second()).unwrap_or(0)
}
