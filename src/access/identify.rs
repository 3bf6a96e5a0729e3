//! Authenticates the sender of a request: first by tokens and sessions, which cannot be guessed, then
//! by passwords.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use super::accounts::{Account, Accounts};
use super::active_rules::ActiveRules;
use super::attempt::{Attempt, AttemptError, ClientAddress};
use super::credentials::{Credentials, Malformed};
use super::denial::{CookieValue, Denial, SignedIn};
use super::gate::Gate;
use super::identity::{Holder, Identity};
use super::key::NoRandomness;
use super::ledger::backoff;
use super::scheme::requested_port;
use super::sessions::SignOut;
use super::site_url::SiteUrl;
use super::stats::FailureReason;
use super::throttle::{Guess, Throttle};
use super::token::TokenHash;
use super::{DEVICE_COOKIE, SESSION_COOKIE, cookies};
use crate::engine::Request;

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"Pumphouse\", charset=\"UTF-8\"");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"Pumphouse\"");
const BEARER_INVALID: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"Pumphouse\", error=\"invalid_token\"");

impl Gate {
    /// Authenticates a request by its credentials.
    pub(super) fn identify<'a>(
        &self,
        active_rules: &ActiveRules,
        accounts: &'a Accounts,
        request: &Request,
    ) -> Result<Identity<'a>, Denial> {
        let sent = Credentials::of(&request.headers);
        if !matches!(sent, Ok(Some(Credentials::Bearer(_))) | Err(Malformed))
            && let Some(holder) = self.authenticate_session(active_rules, accounts, request)
        {
            return Ok(Identity::Session(holder));
        }
        match sent {
            Ok(None) => Err(unauthorized(accounts, BEARER)),
            Err(Malformed) => {
                self.stats.count_failure(FailureReason::Malformed);
                Err(unauthorized(accounts, BEARER))
            }
            Ok(Some(Credentials::Bearer(token))) => self
                .authenticate_token(active_rules, accounts, request, &token)
                .map(Identity::Token),
            Ok(Some(Credentials::Basic { user, password })) => {
                let credentials = (&*user, &*password);
                let (account, device) =
                    self.authenticate_password(active_rules, accounts, request, credentials)?;
                let unnamed = Holder { name: "", scopes: &account.scopes };
                Ok(Identity::User(accounts.holder(&user).unwrap_or(unnamed), device))
            }
        }
    }

    /// Authenticates by a token. Checking it costs one hash, so a right token is never throttled. Wrong ones are
    /// throttled to limit log lines and traffic.
    fn authenticate_token<'a>(
        &self,
        active_rules: &ActiveRules,
        accounts: &'a Accounts,
        request: &Request,
        token: &str,
    ) -> Result<Holder<'a>, Denial> {
        if let Some(holder) = accounts.token(&TokenHash::of(token)) {
            return Ok(holder);
        }
        let now = (self.clock)();
        let address = ClientAddress::of(request);
        let key = self.key.load();
        let network = address.fingerprint(&key);
        let fingerprint = key.fingerprint(&[b"token", token.as_bytes()]);
        let guess = Guess { generation: active_rules.generation, fingerprint };
        let delay = {
            let mut tokens = self.tokens();
            if let Some(wait) = tokens.wait(&network, now) {
                return Err(self.throttled(wait));
            }
            if tokens.is_known_wrong(&network, &guess) {
                None
            } else {
                let backoff = backoff(&accounts.limits, accounts.limits.failures_per_address);
                tokens.charge(&network, guess, now, backoff, true);
                tokens.confirm(&network, guess, now)
            }
        };
        self.failed(FailureReason::Token, delay, &address);
        Err(unauthorized(accounts, BEARER_INVALID))
    }

    pub(super) fn tokens(&self) -> MutexGuard<'_, Throttle> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authenticate_password<'a>(
        &self,
        active_rules: &ActiveRules,
        accounts: &'a Accounts,
        request: &Request,
        (user, password): (&str, &[u8]),
    ) -> Result<(&'a Account, Option<CookieValue>), Denial> {
        let now = self.unix_time();
        // A name without an account takes the same steps. No cookie is ever issued for its proof of zeros.
        let proof = accounts.user(user).map_or([0; 32], |account| account.proof);
        let mut devices = cookies::of_kind(request, active_rules.site_url(), DEVICE_COOKIE);
        let issuer = self.devices.load();
        let device = devices.find_map(|cookie| issuer.verify(cookie.value, &proof, now));
        let credentials = (user, password);
        let monotonic_now = (self.clock)();
        let attempt = Attempt::new(
            &self.key.load(),
            active_rules.generation,
            request,
            credentials,
            device,
            monotonic_now,
        );
        let account = self.passwords.check(accounts, &attempt, &self.stats);
        let account = account.map_err(|error| self.refused(accounts, error, &attempt))?;
        let is_fresh = device.is_some_and(|device| !device.is_due);
        // The caller is admitted even if no cookie can be issued.
        let issued = (!is_fresh).then(|| issuer.issue(&account.proof, now).ok()).flatten();
        Ok((account, issued.map(CookieValue)))
    }

    fn refused(&self, accounts: &Accounts, error: AttemptError, attempt: &Attempt<'_>) -> Denial {
        match error {
            AttemptError::Wrong(delay) => {
                self.failed(FailureReason::Password, delay, &attempt.address);
                unauthorized(accounts, BEARER)
            }
            AttemptError::Throttled(wait) => self.throttled(wait),
            AttemptError::Busy => {
                self.stats.count_failure(FailureReason::Busy);
                Denial::Busy
            }
            AttemptError::StrangerLimit => {
                self.stats.count_failure(FailureReason::StrangerLimit);
                Denial::Busy
            }
        }
    }

    /// Starts a session for a browser that sends a name and a password (`POST /login`). It replaces the
    /// session whose cookie the browser will overwrite.
    ///
    /// # Errors
    /// Those of [`Gate::admit`] for the same name and password sent by HTTP Basic.
    pub fn sign_in(
        &self,
        active_rules: &ActiveRules,
        request: &Request,
        user: &str,
        password: &str,
    ) -> Result<SignedIn, Denial> {
        let Some(accounts) = &active_rules.accounts else {
            return Err(Denial::Unauthorized(vec![]));
        };
        let credentials = (user, password.as_bytes());
        let (account, device) =
            self.authenticate_password(active_rules, accounts, request, credentials)?;
        let (lifetime, now) = (accounts.limits.session, self.unix_time());
        let issued = self.sessions.issue(user, &account.password_hash, now, lifetime.as_secs());
        match issued {
            Ok(Some(session)) => {
                self.end_replaced(active_rules.site_url(), request, now);
                Ok(SignedIn { session: CookieValue(session), lifetime, device })
            }
            Ok(None) => Err(unauthorized(accounts, BEARER)),
            Err(NoRandomness) => Err(Denial::NoRandomness),
        }
    }

    /// Ends the sessions whose cookies have the name of the new one.
    fn end_replaced(&self, site_url: Option<&SiteUrl>, request: &Request, now: u64) {
        let name = format!("{SESSION_COOKIE}{}", requested_port(request, site_url));
        let sent = cookies::of_kind(request, site_url, SESSION_COOKIE);
        for cookie in sent.filter(|cookie| cookie.name == name) {
            self.sessions.end(cookie.value, now);
        }
    }

    /// Ends the sessions of the request. Returns the names of their cookies, and the durability of the
    /// sign-out.
    pub fn sign_out<'r>(
        &self,
        active_rules: &ActiveRules,
        request: &'r Request,
    ) -> (Vec<&'r str>, SignOut) {
        let now = self.unix_time();
        let sent = cookies::of_kind(request, active_rules.site_url(), SESSION_COOKIE);
        let ended = sent.filter(|cookie| self.sessions.end(cookie.value, now));
        let ended: Vec<_> = ended.map(|cookie| cookie.name).collect();
        // A client without a session never waits for the disk.
        let outcome =
            if ended.is_empty() { SignOut::Durable } else { self.sessions.wait_until_saved() };
        (ended, outcome)
    }

    /// Returns true if the request has a valid session.
    pub fn is_signed_in(&self, active_rules: &ActiveRules, request: &Request) -> bool {
        let accounts = active_rules.accounts.as_ref();
        accounts.is_some_and(|accounts| {
            self.authenticate_session(active_rules, accounts, request).is_some()
        })
    }

    /// Authenticates by a session. Checking it costs one HMAC, so it is checked before any password and never
    /// throttled.
    pub(super) fn authenticate_session<'a>(
        &self,
        active_rules: &ActiveRules,
        accounts: &'a Accounts,
        request: &Request,
    ) -> Option<Holder<'a>> {
        let (now, lifetime) = (self.unix_time(), accounts.limits.session.as_secs());
        let mut sent = cookies::of_kind(request, active_rules.site_url(), SESSION_COOKIE);
        let session = sent.find_map(|cookie| self.sessions.find(cookie.value, now, lifetime))?;
        accounts.holder(&session.account)
    }

    fn throttled(&self, wait: Duration) -> Denial {
        self.stats.count_failure(FailureReason::Throttled);
        Denial::Throttled(wait)
    }

    /// Counts a failure, and logs it if it caused a wait. The log line omits the name, since people type
    /// passwords into name fields.
    fn failed(&self, reason: FailureReason, delay: Option<Duration>, address: &ClientAddress) {
        self.stats.count_failure(reason);
        if let Some(delay) = delay {
            let (credential, client) = (reason.as_str(), address.name());
            self.log.lock().unwrap_or_else(PoisonError::into_inner).warn(format_args!(
                "too many failed attempts: {client} sent another wrong {credential} and must wait {delay:?}"
            ));
        }
    }
}

/// Returns the holder of the request's token, on a route that requires none. A wrong one is no failure there.
pub(super) fn sent_token<'a>(accounts: &'a Accounts, request: &Request) -> Option<Holder<'a>> {
    match Credentials::of(&request.headers) {
        Ok(Some(Credentials::Bearer(token))) => accounts.token(&TokenHash::of(&token)),
        _ => None,
    }
}

/// Returns the refusal with a challenge for each kind of credentials that the accounts use.
fn unauthorized(accounts: &Accounts, bearer: HeaderValue) -> Denial {
    let basic = accounts.has_users().then_some(BASIC);
    let bearer = accounts.has_tokens().then_some(bearer);
    Denial::Unauthorized(basic.into_iter().chain(bearer).collect())
}
