//! Who gets in, what it costs, and what an attacker can do to others. On a clock of the tests' own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, HeaderValue, Method, Version};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::*;
use crate::http::{Peer, Request};

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";
const READ: Demand = Demand::Scope(Scope::Read);

/// A gate and a clock that stands still until it is told to go.
struct Scene {
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
        limits: Limits::default(),
    }
}

fn rules(restricted: Restricted) -> Rules {
    Rules { admission: Admission::Restricted(restricted), ..Rules::default() }
}

impl Scene {
    fn new(restricted: Restricted) -> Scene {
        let millis = Arc::new(AtomicU64::new(0));
        let (start, elapsed) = (Instant::now(), Arc::clone(&millis));
        let clock =
            Box::new(move || start + Duration::from_millis(elapsed.load(Ordering::Relaxed)));
        Scene { gate: Gate::with_clock(rules(restricted), clock).unwrap(), millis }
    }

    fn pass(&self, time: Duration) {
        self.millis.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn ask(&self, request: &Request) -> Result<Pass, Denial> {
        self.gate.admit(&self.gate.posted(), request, "/api/v1/status", READ)
    }

    /// A password from an address: `in`, `401`, `403`, `429` or `503`.
    fn enter(&self, user: &str, password: &str, from: &str) -> &'static str {
        told(self.ask(&request(&basic(user, password), from)))
    }

    fn bear(&self, token: &str, from: &str) -> &'static str {
        told(self.ask(&request(&format!("Bearer {TOKEN_PREFIX}{token}"), from)))
    }

    fn verifications(&self) -> u64 {
        self.gate.stats().verifications()
    }
}

fn told(outcome: Result<Pass, Denial>) -> &'static str {
    match outcome {
        Ok(_) => "in",
        Err(Denial::Unauthorized(_)) => "401",
        Err(Denial::Scope(..) | Denial::CrossSite) => "403",
        Err(Denial::Host) => "421",
        Err(Denial::Throttled(_)) => "429",
        Err(Denial::Busy) => "503",
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
        peer: Peer { address: None, tls: true },
        client: from.parse::<IpAddr>().ok(),
        proxied: false,
    }
}

/// Another address for each number.
fn address(number: u8) -> String {
    format!("203.0.113.{number}")
}

#[test]
fn who_gets_in() {
    for (credentials, expected) in [
        (String::new(), "401"),
        (basic("anna", "right"), "in"),
        (basic("anna", "wrong"), "401"),
        (basic("anna", ""), "401"),
        (basic("ANNA", "right"), "401"),
        (basic("nobody", "right"), "401"),
        (basic("bert", "other"), "403"),
        (basic("anna", "other"), "401"),
        ("Bearer pumphouse_reader".to_owned(), "in"),
        ("bearer pumphouse_boss".to_owned(), "in"),
        ("Bearer pumphouse_none".to_owned(), "401"),
        ("Bearer reader".to_owned(), "401"),
        ("Basic nonsense!".to_owned(), "401"),
        ("Digest realm=x".to_owned(), "401"),
    ] {
        let scene = Scene::new(restricted());
        assert_eq!(told(scene.ask(&request(&credentials, HOME))), expected, "{credentials}");
    }
}

#[test]
fn a_password_is_remembered_as_long_as_it_is_used() {
    let scene = Scene::new(restricted());
    let remember = Limits::default().remember;
    for _ in 0..10 {
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        scene.pass(remember - Duration::from_secs(1));
    }
    assert_eq!(scene.verifications(), 1);
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 2, "five minutes without use, and it is verified again");
    // It is the account's, wherever it comes from.
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
    assert_eq!(scene.verifications(), 2);
}

#[test]
fn no_such_user_costs_what_a_wrong_password_costs_and_is_told_alike() {
    let course = |name: &str| {
        let scene = Scene::new(restricted());
        (0..40)
            .map(|number| {
                scene.pass(Duration::from_millis(700));
                let attempt = request(&basic(name, &format!("guess {number}")), HOME);
                (scene.ask(&attempt).unwrap_err(), scene.verifications())
            })
            .collect::<Vec<_>>()
    };
    let (known, unknown) = (course("anna"), course("nobody"));
    assert_eq!(known, unknown);
    assert!(known.iter().any(|(denial, _)| matches!(denial, Denial::Throttled(_))));
    assert!(known.last().unwrap().1 >= 6, "verified each time it was not throttled");
}

#[test]
fn brute_force_from_one_address_costs_few_verifications() {
    let scene = Scene::new(restricted());
    let mut told = Vec::new();
    for number in 0..10_000 {
        told.push(scene.enter("anna", &format!("guess {number}"), HOME));
        // Other names do not help.
        told.push(scene.enter(&format!("user {number}"), "guess", HOME));
    }
    let free = Limits::default().failures_per_address as u64;
    assert_eq!(scene.verifications(), free + 1);
    assert_eq!(told.iter().filter(|told| **told == "429").count() as u64, 20_000 - free - 1);
    // A day at full speed: with each wait the next is twice as long, up to a quarter of an hour.
    for second in 0..86_400 {
        scene.pass(Duration::from_secs(1));
        scene.enter("anna", &format!("later {second}"), HOME);
    }
    assert!(scene.verifications() < 120, "{}", scene.verifications());
}

#[test]
fn brute_force_from_many_addresses_is_slowed_by_account() {
    let scene = Scene::new(restricted());
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    let free = Limits::default().failures_per_account as u64;
    assert_eq!(scene.verifications(), free + 1);
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "429", "a stranger has to wait");
    assert_eq!(scene.enter("bert", "other", ELSEWHERE), "403", "other accounts are not concerned");
}

#[test]
fn one_address_alone_cannot_make_an_account_wait() {
    let scene = Scene::new(restricted());
    for second in 0..86_400 {
        scene.pass(Duration::from_secs(1));
        scene.enter("anna", &format!("guess {second}"), HOME);
    }
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
}

#[test]
fn whoever_is_in_stays_in_under_attack() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
        // Even from the same address, as behind the same router.
        scene.enter("anna", &format!("guess {number}"), HOME);
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        assert_eq!(scene.bear("reader", HOME), "in");
    }
}

#[test]
fn whoever_was_here_before_is_not_shut_out_by_strangers() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "429");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn an_old_password_in_a_tab_does_not_shut_out_the_new_one() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    for _ in 0..1000 {
        scene.pass(Duration::from_secs(5));
        assert_eq!(scene.enter("anna", "old", HOME), "401");
    }
    assert_eq!(scene.verifications(), 2, "the same guess again is not verified again");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn when_all_slots_are_taken_whoever_need_not_be_verified_comes_in() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.gate.while_busy(|| {
        assert_eq!(scene.enter("bert", "other", HOME), "503");
        assert_eq!(scene.enter("nobody", "other", HOME), "503");
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        assert_eq!(scene.bear("reader", HOME), "in");
        assert_eq!(scene.bear("none", HOME), "401");
        let ping = scene.gate.admit(&scene.gate.posted(), &request("", HOME), "/ping", READ);
        assert_eq!(ping, Ok(Pass { guarded: false }));
    });
    assert_eq!(scene.verifications(), 1);
    assert_eq!(scene.enter("bert", "other", HOME), "403");
}

#[test]
fn strangers_leave_a_slot_to_those_who_were_here_before() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    scene.gate.while_taken(1, || {
        assert_eq!(scene.enter("anna", "right", ELSEWHERE), "503");
        assert_eq!(scene.enter("anna", "right", HOME), "in");
    });
}

#[test]
fn a_good_token_never_waits_and_bad_ones_do() {
    let scene = Scene::new(restricted());
    let mut told = Vec::new();
    for number in 0..1000 {
        told.push(scene.bear(&format!("guess {number}").replace(' ', "-"), HOME));
        assert_eq!(scene.bear("reader", HOME), "in");
    }
    let free = Limits::default().failures_per_address;
    assert_eq!(told.iter().filter(|told| **told == "401").count(), free + 1);
    assert_eq!(told.last(), Some(&"429"));
    assert_eq!(scene.enter("anna", "right", HOME), "in", "passwords are counted by themselves");
}

#[test]
fn memory_is_bounded() {
    let mut few = restricted();
    few.limits.max_throttled = 16;
    let scene = Scene::new(few);
    for number in 0..=255 {
        let name = format!("user {number}");
        scene.enter(&name, "guess", &address(number));
        scene.bear(&name.replace(' ', "-"), &address(number));
    }
    assert_eq!(scene.gate.records(), [16; 3]);
}

#[test]
fn an_ipv6_network_is_one_address() {
    let scene = Scene::new(restricted());
    for number in 0..100 {
        scene.enter("anna", &format!("guess {number}"), &format!("2001:db8::{number}"));
    }
    assert_eq!(scene.enter("anna", "right", "2001:db8::ffff"), "429");
    assert_eq!(scene.enter("anna", "right", "2001:db8:0:1::1"), "in");
}

#[test]
fn other_rules_forget_whoever_has_changed_and_nobody_else() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.enter("bert", "other", HOME), "403");
    assert_eq!(scene.enter("carl", "third", HOME), "401");
    assert_eq!(scene.verifications(), 3);

    let mut changed = restricted();
    changed.users[1] = user("bert", "newer", &[Scope::Read]);
    changed.users.push(user("carl", "third", &[Scope::Read]));
    changed.tokens.remove(0);
    scene.gate.replace(rules(changed.clone()));
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 3, "still remembered");
    assert_eq!(scene.enter("bert", "other", HOME), "401", "an old password is forgotten");
    assert_eq!(scene.enter("bert", "newer", HOME), "in");
    assert_eq!(scene.enter("carl", "third", HOME), "in", "what was wrong may have become right");
    assert_eq!(scene.bear("reader", HOME), "401");
    assert_eq!(scene.bear("boss", HOME), "in");

    // New scopes hold at once, for those who are remembered, too.
    changed.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    scene.gate.replace(rules(changed));
    assert_eq!(scene.enter("anna", "right", HOME), "403");
    assert_eq!(scene.verifications(), 6);

    scene.gate.replace(Rules::default());
    assert_eq!(told(scene.ask(&request("", HOME))), "in");
    scene.gate.replace(rules(restricted()));
    assert_eq!(told(scene.ask(&request("", HOME))), "401");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 7, "nobody is remembered across an open time");
}

#[test]
fn challenges_name_what_there_is() {
    let challenges = |restricted: Restricted, credentials: &str| {
        let denial = Scene::new(restricted).ask(&request(credentials, HOME)).unwrap_err();
        let (Denial::Unauthorized(challenges) | Denial::Scope(_, challenges)) = denial else {
            panic!("{denial:?}");
        };
        let texts = challenges.iter().map(|it| it.to_str().unwrap().to_owned());
        texts.collect::<Vec<_>>().join(" | ")
    };
    let basic_only = Restricted { tokens: Vec::new(), ..restricted() };
    let bearer_only = Restricted { users: Vec::new(), ..restricted() };
    let poller = Restricted { tokens: vec![token("poller", &[Scope::Poll])], ..restricted() };
    for (restricted, credentials, expected) in [
        (
            restricted(),
            "",
            "Basic realm=\"Pumphouse\", charset=\"UTF-8\" | Bearer realm=\"Pumphouse\"",
        ),
        (basic_only, "", "Basic realm=\"Pumphouse\", charset=\"UTF-8\""),
        (bearer_only.clone(), "", "Bearer realm=\"Pumphouse\""),
        (bearer_only.clone(), &basic("anna", "right"), "Bearer realm=\"Pumphouse\""),
        (
            bearer_only,
            "Bearer pumphouse_none",
            "Bearer realm=\"Pumphouse\", error=\"invalid_token\"",
        ),
        (
            poller,
            "Bearer pumphouse_poller",
            "Bearer realm=\"Pumphouse\", error=\"insufficient_scope\", scope=\"read\"",
        ),
        (restricted(), &basic("bert", "other"), ""),
    ] {
        assert_eq!(challenges(restricted, credentials), expected, "{credentials}");
    }
}

#[test]
fn nothing_is_shown_that_is_secret() {
    let scene = Scene::new(restricted());
    scene.enter("anna", "right", HOME);
    let shown = format!("{:?} {:?}", scene.gate, scene.gate.posted().rules());
    for secret in ["argon2", "right", &TokenHash::of("pumphouse_reader").expose()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
