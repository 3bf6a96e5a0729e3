//! The gate: holds each request against the rules.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::http::HeaderValue;
use arc_swap::{ArcSwap, Guard};

use super::accounts::Accounts;
use super::acquaintances::Acquaintances;
use super::credentials::{Credentials, Malformed};
use super::key::{Fingerprint, NoRandomness, ProcessKey};
use super::rules::{Admission, Limits, Rules, Scope, Scopes};
use super::slots::Slots;
use super::stats::{FailureReason, Stats};
use super::throttle::{Guess, Pace, Standing, Throttle};
use super::token::TokenHash;
use super::{hosts, origins};
use crate::http::{Request, Throttle as LogThrottle, Visitor};

/// What a route asks of its visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: it holds no data.
    Nothing,
    /// Any account. It is asked of those who want what is not there, so that strangers do not
    /// learn what is.
    Account,
    /// An account with that scope.
    Scope(Scope),
}

/// Leave to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Whether it took credentials, so that the answer is nobody else's.
    pub guarded: bool,
}

/// Why a request may not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// 421: it asks for a name that is not this server's.
    Host,
    /// 401: no credentials, or none that are any good; with the challenges to send.
    Unauthorized(Vec<HeaderValue>),
    /// 403: the account lacks this scope; with the challenges to send.
    Scope(Scope, Vec<HeaderValue>),
    /// 403: another site's page wants to change something.
    CrossSite,
    /// 429: too many failures; come again after that time.
    Throttled(Duration),
    /// 503: as many passwords as may be are being verified.
    Busy,
}

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"Pumphouse\", charset=\"UTF-8\"");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"Pumphouse\"");
const BEARER_INVALID: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"Pumphouse\", error=\"invalid_token\"");

/// Who sends a request.
enum Identity<'a> {
    /// Nobody was asked.
    Anyone,
    User(&'a Scopes),
    Token(&'a Scopes),
}

/// Tells the time; tests bring their own.
pub(super) type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// The rules that are in force.
pub struct Posted {
    rules: Rules,
    accounts: Option<Accounts>,
    strict_transport: Option<HeaderValue>,
    generation: u64,
}

impl Posted {
    /// As they were given.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// `Strict-Transport-Security`, for answers that go out by TLS.
    pub fn strict_transport(&self) -> Option<&HeaderValue> {
        self.strict_transport.as_ref()
    }

    /// The origin that the request comes from, if its pages may read what is here.
    pub fn listed_origin(&self, request: &Request) -> Option<HeaderValue> {
        origins::listed(&self.rules.cors_origins, &request.headers)
    }
}

/// Holds requests against the rules.
pub struct Gate {
    key: ProcessKey,
    clock: Clock,
    posted: ArcSwap<Posted>,
    generations: AtomicU64,
    slots: Slots,
    by_address: Throttle,
    by_account: Throttle,
    /// By account and address, where that address has had the right password before.
    by_acquaintance: Throttle,
    /// By address, of those who send wrong tokens.
    by_token: Throttle,
    acquaintances: Acquaintances,
    stats: Arc<Stats>,
    log: Mutex<LogThrottle>,
}

impl Gate {
    /// A gate under these rules.
    ///
    /// # Errors
    /// The system gives no random numbers for the key of what is remembered.
    pub fn new(rules: Rules) -> Result<Gate, NoRandomness> {
        Gate::with_clock(rules, Box::new(Instant::now))
    }

    pub(super) fn with_clock(rules: Rules, clock: Clock) -> Result<Gate, NoRandomness> {
        let key = ProcessKey::new()?;
        let posted = post(rules, &key, None, 0);
        Ok(Gate {
            key,
            clock,
            posted: ArcSwap::from_pointee(posted),
            generations: AtomicU64::new(1),
            slots: Slots::default(),
            by_address: Throttle::default(),
            by_account: Throttle::default(),
            by_acquaintance: Throttle::default(),
            by_token: Throttle::default(),
            acquaintances: Acquaintances::default(),
            stats: Arc::default(),
            log: Mutex::default(),
        })
    }

    /// Puts other rules in force. Verified passwords are remembered on for accounts whose hash is
    /// the same; failures go on counting.
    pub fn replace(&self, rules: Rules) {
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        let before = self.posted.load();
        let posted = post(rules, &self.key, before.accounts.as_ref(), generation);
        self.posted.store(Arc::new(posted));
    }

    /// The rules that are in force now. A request is held against the same ones all the way.
    pub fn posted(&self) -> Guard<Arc<Posted>> {
        self.posted.load()
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
        if hosts::asks_for_one_of(&posted.rules.names, request) {
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
        let identity = match &posted.accounts {
            Some(accounts) if demand != Demand::Nothing && !accounts.is_public(pattern) => {
                self.identify(posted, accounts, request)?
            }
            _ => Identity::Anyone,
        };
        if let Demand::Scope(scope) = demand {
            self.check_scope(&identity, scope)?;
        }
        // Nobody sends a token without meaning to. A password is sent by the browser itself.
        if !matches!(identity, Identity::Token(_))
            && origins::changes_something(&request.method)
            && origins::is_cross_site(&request.headers)
        {
            self.stats.count_failure(FailureReason::CrossSite);
            return Err(Denial::CrossSite);
        }
        Ok(Pass { guarded: !matches!(identity, Identity::Anyone) })
    }

    fn check_scope(&self, identity: &Identity<'_>, scope: Scope) -> Result<(), Denial> {
        let challenges = match identity {
            Identity::Anyone => return Ok(()),
            Identity::User(scopes) | Identity::Token(scopes) if scopes.allow(scope) => {
                return Ok(());
            }
            Identity::User(_) => Vec::new(),
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

    fn identify<'a>(
        &self,
        posted: &Posted,
        accounts: &'a Accounts,
        request: &Request,
    ) -> Result<Identity<'a>, Denial> {
        match Credentials::of(&request.headers) {
            Ok(None) => Err(unauthorized(accounts, BEARER)),
            Err(Malformed) => {
                self.stats.count_failure(FailureReason::Malformed);
                Err(unauthorized(accounts, BEARER))
            }
            Ok(Some(Credentials::Bearer(token))) => {
                self.by_token(posted, accounts, request, &token).map(Identity::Token)
            }
            Ok(Some(Credentials::Basic { user, password })) => {
                let attempt = Attempt::new(self, posted, request, &user, &password);
                self.by_password(accounts, &attempt).map(Identity::User)
            }
        }
    }

    /// A token that is right costs a hash, so it is looked for before anything else and never has
    /// to wait. Wrong ones are slowed down to spare the log and the network.
    fn by_token<'a>(
        &self,
        posted: &Posted,
        accounts: &'a Accounts,
        request: &Request,
        token: &str,
    ) -> Result<&'a Scopes, Denial> {
        if let Some(scopes) = accounts.token(&TokenHash::of(token)) {
            return Ok(scopes);
        }
        let now = (self.clock)();
        let visitor = Address::of(request);
        let whom = self.key.fingerprint(&[b"address", visitor.name().as_bytes()]);
        let fingerprint = self.key.fingerprint(&[b"token", token.as_bytes()]);
        let guess = Guess { generation: posted.generation, fingerprint };
        if let Standing::Wait(wait) = self.by_token.standing(&whom, &guess, now) {
            return Err(self.throttled(wait));
        }
        let pace = pace(&accounts.limits, accounts.limits.failures_per_address);
        let delay = self.by_token.count(&whom, guess, now, pace);
        self.failed(FailureReason::Token, delay, &visitor);
        Err(unauthorized(accounts, BEARER_INVALID))
    }

    /// Every step is taken for names that nobody has, too.
    fn by_password<'a>(
        &self,
        accounts: &'a Accounts,
        attempt: &Attempt<'_>,
    ) -> Result<&'a Scopes, Denial> {
        let (limits, now) = (&accounts.limits, attempt.now);
        let account = accounts.user(attempt.user);
        if let Some(account) = account
            && account.recognises(&attempt.guess.fingerprint, now, limits.remember)
        {
            return Ok(&account.scopes);
        }
        let acquainted = self.acquaintances.know(&attempt.pair);
        let counts = self.counts(acquainted, attempt, limits);
        let standing = |(throttle, whom, _): &(&Throttle, Fingerprint, Pace)| {
            throttle.standing(whom, &attempt.guess, now)
        };
        match counts.iter().map(standing).max() {
            Some(Standing::KnownWrong) => {
                self.failed(FailureReason::Password, None, &attempt.address);
                return Err(unauthorized(accounts, BEARER));
            }
            Some(Standing::Wait(wait)) => return Err(self.throttled(wait)),
            Some(Standing::Free) | None => {}
        }
        // Strangers, however many, leave one slot to those who were here before.
        let slots = if acquainted { limits.verifications } else { limits.verifications - 1 };
        let Some(slot) = self.slots.take(slots.max(1)) else {
            self.stats.count_failure(FailureReason::Busy);
            return Err(Denial::Busy);
        };
        let hash = account.map(|account| &account.password_hash);
        let matches = hash.or_else(|| accounts.decoy(&attempt.account)).is_some_and(|hash| {
            self.stats.count_verification();
            hash.verify(attempt.password)
        });
        drop(slot);
        if let Some(account) = account
            && matches
        {
            account.remember(attempt.guess.fingerprint, now);
            self.acquaintances.meet(attempt.pair, now, limits.max_throttled);
            return Ok(&account.scopes);
        }
        let delays = counts
            .iter()
            .filter_map(|(throttle, whom, pace)| throttle.count(whom, attempt.guess, now, *pace));
        self.failed(FailureReason::Password, delays.max(), &attempt.address);
        Err(unauthorized(accounts, BEARER))
    }

    /// Where this attempt's failures are counted. From an address that has had the account's
    /// password before they are counted by themselves, so that nobody elsewhere can shut it out.
    fn counts(
        &self,
        acquainted: bool,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Vec<(&Throttle, Fingerprint, Pace)> {
        let per_address = pace(limits, limits.failures_per_address);
        let per_account = pace(limits, limits.failures_per_account);
        if acquainted {
            vec![(&self.by_acquaintance, attempt.pair, per_address)]
        } else {
            vec![
                (&self.by_address, attempt.from, per_address),
                (&self.by_account, attempt.account, per_account),
            ]
        }
    }

    fn throttled(&self, wait: Duration) -> Denial {
        self.stats.count_failure(FailureReason::Throttled);
        Denial::Throttled(wait)
    }

    /// The name is not told: people type passwords where names belong.
    fn failed(&self, reason: FailureReason, delay: Option<Duration>, address: &Address) {
        self.stats.count_failure(reason);
        if let Some(delay) = delay {
            let (what, who) = (reason.as_str(), address.name());
            self.log.lock().unwrap_or_else(PoisonError::into_inner).warn(format_args!(
                "too many failures: {who} had another wrong {what} and has to wait {delay:?}"
            ));
        }
    }

    /// Runs something while every slot is taken.
    #[cfg(test)]
    pub(crate) fn while_busy<T>(&self, run: impl FnOnce() -> T) -> T {
        self.while_taken(64, run)
    }

    /// Runs something while so many slots are taken.
    #[cfg(test)]
    pub(super) fn while_taken<T>(&self, count: usize, run: impl FnOnce() -> T) -> T {
        let _slots: Vec<_> = std::iter::from_fn(|| self.slots.take(count)).collect();
        run()
    }

    /// How many records there are, of addresses, of accounts, and of addresses that sent tokens.
    #[cfg(test)]
    pub(super) fn records(&self) -> [usize; 3] {
        [self.by_address.len(), self.by_account.len(), self.by_token.len()]
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("stats", &self.stats).finish_non_exhaustive()
    }
}

fn post(rules: Rules, key: &ProcessKey, before: Option<&Accounts>, generation: u64) -> Posted {
    let accounts = match &rules.admission {
        Admission::Open => None,
        Admission::Restricted(restricted) => Some(Accounts::new(restricted, key, before)),
    };
    // Only this host: its neighbours may have reasons of their own.
    let strict_transport = rules.hsts.map(|age| format!("max-age={}", age.as_secs()));
    let strict_transport = strict_transport.and_then(|value| HeaderValue::try_from(value).ok());
    Posted { rules, accounts, strict_transport, generation }
}

fn pace(limits: &Limits, free: usize) -> Pace {
    Pace {
        free,
        first: limits.first_delay,
        longest: limits.longest_delay,
        cap: limits.max_throttled,
    }
}

/// Asks for the kinds of credentials that there are.
fn unauthorized(accounts: &Accounts, bearer: HeaderValue) -> Denial {
    let basic = accounts.has_users().then_some(BASIC);
    let bearer = accounts.has_tokens().then_some(bearer);
    Denial::Unauthorized(basic.into_iter().chain(bearer).collect())
}

/// Where a request comes from: an IPv4 address, an IPv6 network of 64 bits, or a unix socket.
struct Address(Option<Visitor>);

impl Address {
    fn of(request: &Request) -> Address {
        Address(request.client.map(Visitor::of))
    }

    fn name(&self) -> String {
        self.0.map_or_else(|| "unix".to_owned(), |visitor| visitor.to_string())
    }
}

/// A name and a password on their way through the gate.
struct Attempt<'a> {
    user: &'a str,
    password: &'a [u8],
    now: Instant,
    address: Address,
    guess: Guess,
    from: Fingerprint,
    account: Fingerprint,
    pair: Fingerprint,
}

impl<'a> Attempt<'a> {
    fn new(
        gate: &Gate,
        posted: &Posted,
        request: &Request,
        user: &'a str,
        password: &'a [u8],
    ) -> Attempt<'a> {
        let address = Address::of(request);
        let (name, place) = (user.as_bytes(), address.name());
        let fingerprint = gate.key.fingerprint(&[b"password", name, password]);
        Attempt {
            user,
            password,
            now: (gate.clock)(),
            guess: Guess { generation: posted.generation, fingerprint },
            from: gate.key.fingerprint(&[b"address", place.as_bytes()]),
            account: gate.key.fingerprint(&[b"account", name]),
            pair: gate.key.fingerprint(&[b"acquaintance", name, place.as_bytes()]),
            address,
        }
    }
}
