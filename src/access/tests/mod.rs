//! Tests of the gate with a fake clock: results, costs, and the effect of attackers on other callers.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue, Method, Version};

use super::sessions::Sessions;
use super::*;
use crate::engine::{Peer, Request};

mod device_cookies;
mod guessing;
mod known;
mod replicas;
mod rules;
mod sessions;

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";
const READ: RouteAccess = RouteAccess::Scope(Scope::Read);

/// A gate with a clock that only the test advances.
struct Fixture {
    gate: Gate,
    millis: Arc<AtomicU64>,
}

fn user(name: &str, password: &str, scopes: &[Scope]) -> User {
    let password_hash = PasswordHash::cheap(password);
    User { name: name.to_owned(), password_hash, scopes: Scopes::new(scopes.to_vec()) }
}

fn token(name: &str, scopes: &[Scope]) -> Token {
    let hash = TokenHash::of(&format!("{TOKEN_PREFIX}{name}"));
    Token { name: name.to_owned(), hash, scopes: Scopes::new(scopes.to_vec()) }
}

fn restricted() -> Restricted {
    Restricted {
        users: vec![user("anna", "right", &[Scope::Read]), user("bert", "other", &[Scope::Poll])],
        tokens: vec![token("reader", &[Scope::Read]), token("boss", &[Scope::Admin])],
        public: vec!["/ping".to_owned()],
        // Tests of this limit set their own.
        limits: Limits { strangers_per_second: 1000, ..Limits::default() },
    }
}

fn rules(restricted: Restricted) -> Rules {
    Rules { admission: Admission::Restricted(restricted), ..Rules::default() }
}

impl Fixture {
    fn new(restricted: Restricted) -> Fixture {
        let millis = Arc::new(AtomicU64::new(0));
        let (start, elapsed) = (Instant::now(), Arc::clone(&millis));
        let clock =
            Box::new(move || start + Duration::from_millis(elapsed.load(Ordering::Relaxed)));
        let seconds = Arc::clone(&millis);
        let wall = Box::new(move || 1_800_000_000 + seconds.load(Ordering::Relaxed) / 1000);
        let sessions = Sessions::in_memory().unwrap();
        let gate = Gate::with_clocks(rules(restricted), sessions, clock, wall).unwrap();
        Fixture { gate, millis }
    }

    fn advance(&self, time: Duration) {
        self.millis.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn admit(&self, request: &Request) -> Result<Pass, Denial> {
        self.gate.admit(&self.gate.active_rules(), request, "/api/v1/status", READ)
    }

    /// Sends a password from an address; returns `ok`, `401`, `403`, `429` or `503`.
    fn try_password(&self, user: &str, password: &str, from: &str) -> &'static str {
        label(self.admit(&request(&basic(user, password), from)))
    }

    /// Sends a password with a device cookie.
    fn try_with_device(
        &self,
        device: &str,
        user: &str,
        password: &str,
        from: &str,
    ) -> &'static str {
        let mut request = request(&basic(user, password), from);
        let cookie = format!("other=1; {DEVICE_COOKIE}6443={device}");
        request.headers.insert(COOKIE, HeaderValue::try_from(cookie).unwrap());
        label(self.admit(&request))
    }

    /// Returns the device cookie that the response to a right password sets.
    fn device(&self, user: &str, password: &str, from: &str) -> String {
        let pass = self.admit(&request(&basic(user, password), from)).unwrap();
        pass.device.unwrap().expose().to_owned()
    }

    fn comparisons(&self, caller: CallerClass) -> u64 {
        self.gate.stats().comparisons(caller)
    }

    fn try_token(&self, token: &str, from: &str) -> &'static str {
        label(self.admit(&request(&format!("Bearer {TOKEN_PREFIX}{token}"), from)))
    }

    fn verifications(&self) -> u64 {
        self.gate.stats().verifications()
    }
}

fn label(outcome: Result<Pass, Denial>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(Denial::Unauthorized(_)) => "401",
        Err(Denial::Scope(..) | Denial::CrossSite(_)) => "403",
        Err(Denial::Host(_)) => "421",
        Err(Denial::Throttled(_)) => "429",
        Err(Denial::Busy | Denial::NoRandomness) => "503",
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn request(credentials: &str, from: &str) -> Request {
    let field = (AUTHORIZATION, HeaderValue::from_str(credentials).unwrap());
    Request {
        method: Method::GET,
        target: "/api/v1/status".parse().unwrap(),
        version: Version::HTTP_11,
        headers: HeaderMap::from_iter((!credentials.is_empty()).then_some(field)),
        body: Bytes::new(),
        peer: Peer { address: None, tls: true, user: None },
        client: from.parse::<IpAddr>().ok(),
        proxied: false,
    }
}

/// Returns a different address for each number.
fn address(number: u8) -> String {
    format!("203.0.113.{number}")
}

/// Returns the rules with another password of anna, or without her account.
fn changed(password: Option<&str>) -> Rules {
    let mut changed = restricted();
    match password {
        Some(password) => changed.users[0].password_hash = PasswordHash::cheap(password),
        None => drop(changed.users.remove(0)),
    }
    rules(changed)
}
