//! Who gets in, what it costs, and what an attacker can do to others. On a clock of the tests' own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::http::header::{AUTHORIZATION, COOKIE};
use ::http::{HeaderMap, HeaderValue, Method, Version};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::sessions::Sessions;
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
        // The limit of unknown callers has its own tests.
        limits: Limits { strangers_per_second: 1000, ..Limits::default() },
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
        let seconds = Arc::clone(&millis);
        let wall = Box::new(move || 1_800_000_000 + seconds.load(Ordering::Relaxed) / 1000);
        let sessions = Sessions::in_memory().unwrap();
        let gate = Gate::with_clocks(rules(restricted), sessions, clock, wall).unwrap();
        Scene { gate, millis }
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

    /// A password that comes with a device cookie.
    fn enter_with(&self, device: &str, user: &str, password: &str, from: &str) -> &'static str {
        let mut request = request(&basic(user, password), from);
        let cookie = format!("other=1; {DEVICE_COOKIE}6443={device}");
        request.headers.insert(COOKIE, HeaderValue::try_from(cookie).unwrap());
        told(self.ask(&request))
    }

    /// The device cookie that a right password is answered with.
    fn device(&self, user: &str, password: &str, from: &str) -> String {
        let pass = self.ask(&request(&basic(user, password), from)).unwrap();
        pass.device.unwrap().expose().to_owned()
    }

    fn comparisons(&self, caller: CallerClass) -> u64 {
        self.gate.stats().comparisons(caller)
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
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
    assert_eq!(scene.verifications(), 3, "it is remembered for the network that sent it");
    for from in [HOME, ELSEWHERE] {
        assert_eq!(scene.enter("anna", "right", from), "in");
    }
    assert_eq!(scene.verifications(), 3);
}

#[test]
fn no_such_user_costs_what_a_wrong_password_costs_and_is_told_alike() {
    let of = |name| course(&Scene::new(restricted()), name, Some(HOME));
    let (known, unknown) = (of("anna"), of("nobody"));
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
fn owner_with_open_page_stays_in_while_others_fail_elsewhere() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        assert_eq!(scene.bear("reader", HOME), "in");
    }
}

#[test]
fn throttled_caller_is_refused_even_the_remembered_password() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    // The owner's page is open, at the same address and elsewhere.
    for from in [HOME, ELSEWHERE] {
        while scene.enter("anna", &format!("guess {}", scene.verifications()), from) != "429" {}
        let compared = CallerClass::ALL.map(|caller| scene.comparisons(caller));
        for _ in 0..5000 {
            assert_eq!(scene.enter("anna", "right", from), "429", "{from}");
        }
        assert_eq!(CallerClass::ALL.map(|caller| scene.comparisons(caller)), compared);
    }
}

#[test]
fn wrong_guess_against_a_remembered_password_counts_as_failure() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    let told: Vec<_> =
        (0..100).map(|number| scene.enter("anna", &format!("guess {number}"), HOME)).collect();
    let free = Limits::default().failures_per_address;
    assert_eq!(told.iter().filter(|told| **told == "401").count(), free + 1);
    assert!(told[free + 1..].iter().all(|told| *told == "429"));
}

#[test]
fn guesses_count_while_every_verification_is_taken() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    let free = Limits::default().failures_per_address;
    for user in ["anna", "nobody"] {
        scene.pass(Duration::from_secs(86_400));
        assert_eq!(scene.enter("anna", "right", HOME), "in");
        scene.gate.while_busy(|| {
            let guess = |number| scene.enter(user, &format!("guess {number}"), HOME);
            let told: Vec<_> = (0..100).map(guess).collect();
            assert_eq!(told.iter().filter(|told| **told == "503").count(), free + 1, "{user}");
            assert_eq!(scene.enter("anna", "right", HOME), "429", "not compared any more");
        });
    }
    // A program that repeats its password while all are taken is charged once.
    scene.pass(Duration::from_secs(86_400));
    scene.gate.while_busy(|| {
        for _ in 0..100 {
            assert_eq!(scene.enter("anna", "right", HOME), "503");
        }
    });
    assert_eq!(scene.enter("anna", "right", HOME), "in");
}

#[test]
fn strangers_passwords_that_are_compared_are_few_each_second() {
    let limits = Limits { failures_per_account: 1000, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    let mut latest = 1;
    for second in 0..10_u8 {
        scene.pass(Duration::from_secs(1));
        for number in 0..500_u16 {
            let [high, low] = number.to_be_bytes();
            let from = format!("203.{second}.{low}.{high}");
            let told = scene.enter("anna", &format!("guess {second} {number}"), &from);
            assert!(told == "401" || told == "503", "{told}");
            assert_eq!(scene.enter("anna", "right", HOME), "in", "the owner is no stranger");
        }
        let compared = scene.comparisons(CallerClass::Stranger);
        assert!(compared - latest <= 20, "{} in one second", compared - latest);
        latest = compared;
    }
    assert_eq!(latest, 1 + 10 * 20);
    let refused = scene.gate.stats().failures(FailureReason::StrangerLimit);
    assert_eq!(refused, 10 * 480);
    // A refused guess was not compared, so it is no failure of its sender.
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.enter("anna", "right", "203.1.255.0"), "in");
}

#[test]
fn one_neighbourhood_leaves_half_of_the_limit_to_others() {
    let limits = Limits { failures_per_account: 1000, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    for number in 0..1000 {
        scene.enter("anna", &format!("guess {number}"), &format!("2001:db8:0:{number:x}::1"));
    }
    assert_eq!(scene.comparisons(CallerClass::Stranger), 10);
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in", "another stranger");
}

#[test]
fn mistyped_password_is_told_to_its_own_address_only() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "rihgt", HOME), "401");
    // The account is throttled, for strangers.
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "mistyped", ELSEWHERE), "429");
    scene.pass(Duration::from_secs(86_400));
    assert_eq!(scene.enter("anna", "rihgt again", HOME), "401");
    for number in 0..=255 {
        scene.enter("bert", &format!("guess {number}"), &address(number));
    }
    for number in 0..100 {
        let told = ["rihgt again", "rihgt", &format!("text {number}")]
            .map(|text| scene.enter("bert", text, "203.0.113.1"));
        assert_eq!(told, ["429"; 3]);
    }
    // Of a throttled caller not even its own latest guess is compared.
    while scene.enter("bert", &format!("x {}", scene.verifications()), ELSEWHERE) != "429" {}
    let last = format!("x {}", scene.verifications() - 1);
    assert_eq!(scene.enter("bert", &last, ELSEWHERE), "429");
}

#[test]
fn throttled_stranger_gets_one_answer_for_every_text() {
    let scene = Scene::new(restricted());
    for number in 0..30 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "mistyped", &address(200)), "429");
    scene.pass(Duration::from_secs(16 * 60));
    // The owner mistypes at home, and the account is throttled again.
    assert_eq!(scene.enter("anna", "mistyped", HOME), "401");
    scene.pass(Duration::from_millis(1));
    let told = ["mistyped", "right", "else"].map(|text| scene.enter("anna", text, ELSEWHERE));
    assert_eq!(told, ["429"; 3]);
}

/// The course of answers to wrong guesses, in all of which a name could differ from another.
fn course(scene: &Scene, name: &str, from: Option<&str>) -> Vec<(Denial, u64)> {
    let before = scene.verifications();
    let guess = |number: usize| {
        scene.pass(Duration::from_millis(700));
        let mut attempt = request(&basic(name, &format!("guess {number}")), "192.0.2.200");
        attempt.client = from.map(|from| from.parse().unwrap());
        (scene.ask(&attempt).unwrap_err(), scene.verifications() - before)
    };
    (0..40).map(guess).collect()
}

#[test]
fn names_in_use_at_a_shared_address_cannot_be_listed() {
    // No address at all is a unix socket.
    for from in [None, Some(HOME)] {
        let courses = ["anna", "bert", "nobody"].map(|name| {
            let scene = Scene::new(restricted());
            let mut owner = request(&basic("anna", "right"), HOME);
            owner.client = from.map(|from| from.parse().unwrap());
            // The owner's page is open, and the account is under attack from elsewhere.
            assert!(scene.ask(&owner).is_ok());
            for number in 0..=255 {
                for user in ["anna", "bert", "nobody"] {
                    scene.enter(user, &format!("guess {number}"), &address(number));
                }
            }
            assert!(scene.ask(&owner).is_ok());
            let quiet = course(&scene, name, from);
            // With another name the address is throttled, or becomes free again.
            scene.pass(Duration::from_secs(60));
            let mut other = request(&basic("else", "guess"), HOME);
            other.client = from.map(|from| from.parse().unwrap());
            let _ = scene.ask(&other);
            (quiet, course(&scene, name, from))
        });
        assert_eq!(courses[0], courses[2], "a name in use there and no name");
        assert_eq!(courses[1], courses[2], "a name in use elsewhere and no name");
    }
}

#[test]
fn device_cookie_lets_the_owner_in_where_strangers_fail() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    scene.pass(Limits::default().remember);
    for number in 0..500 {
        scene.enter("anna", &format!("guess {number}"), HOME);
        scene.enter("anna", &format!("guess {number}"), &address(number as u8));
    }
    for from in [HOME, ELSEWHERE] {
        assert_eq!(scene.enter("anna", "right", from), "429", "without the cookie");
        assert_eq!(scene.enter_with("forged", "anna", "right", from), "429");
        assert_eq!(scene.enter_with(&device, "anna", "right", from), "in");
    }
    // It holds for its own account.
    assert_eq!(scene.enter_with(&device, "bert", "other", HOME), "429");
}

#[test]
fn stolen_device_cookie_has_one_counter_of_its_own() {
    let scene = Scene::new(restricted());
    let (stolen, owners) =
        (scene.device("anna", "right", HOME), scene.device("anna", "right", ELSEWHERE));
    let mut told = Vec::new();
    for number in 0..1000_u16 {
        let from = address((number % 250) as u8);
        told.push(scene.enter_with(&stolen, "anna", &format!("guess {number}"), &from));
    }
    let free = Limits::default().failures_per_address;
    assert_eq!(told.iter().filter(|told| **told == "401").count(), free + 1);
    assert_eq!(scene.enter_with(&stolen, "anna", "right", HOME), "429", "compared with nothing");
    assert_eq!(scene.enter_with(&owners, "anna", "right", HOME), "in");
    assert_eq!(scene.enter("anna", "right", HOME), "in", "the address has no failures");
}

#[test]
fn device_cookie_is_set_once() {
    let scene = Scene::new(restricted());
    let device = scene.device("anna", "right", HOME);
    let again = |device: &str| {
        let mut request = request(&basic("anna", "right"), HOME);
        let cookie = format!("{DEVICE_COOKIE}1={device}");
        request.headers.insert(COOKIE, HeaderValue::try_from(cookie).unwrap());
        scene.ask(&request).unwrap().device
    };
    assert_eq!(again(&device), None);
    assert!(again("forged").is_some());
    let bearer = request("Bearer pumphouse_reader", HOME);
    assert_eq!(scene.ask(&bearer).unwrap().device, None, "a token needs none");
}

#[test]
fn owner_seen_while_remembered_stays_known() {
    let scene = Scene::new(restricted());
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    // Anna comes from more networks than are kept, and from home all the while.
    for number in 0..200 {
        assert_eq!(scene.enter("anna", "right", &address(number)), "in");
        scene.pass(Duration::from_secs(1));
        assert_eq!(scene.enter("anna", "right", HOME), "in");
    }
    scene.pass(Limits::default().remember);
    for number in 0..=255_u8 {
        scene.enter("anna", &format!("guess {number}"), &format!("198.51.{number}.1"));
    }
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "429");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
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
        assert_eq!(ping, Ok(Pass { guarded: false, by_session: false, device: None }));
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
fn known_caller_gets_the_only_verification() {
    let limits = Limits { verifications: 1, ..Limits::default() };
    let scene = Scene::new(Restricted { limits, ..restricted() });
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Limits::default().remember);
    scene.gate.while_taken(1, || {
        assert_eq!(scene.enter("anna", "right", HOME), "503");
    });
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "503", "it is left to the known caller");
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.enter("anna", "right", ELSEWHERE), "in");
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
    for number in 0..100 {
        let from = format!("198.51.100.{number}");
        let device = scene.device("anna", "right", &from);
        scene.enter_with(&device, "anna", "wrong", &from);
    }
    assert_eq!(scene.gate.records(), [16, 16, 16, 32, 16]);
}

#[test]
fn callers_without_a_password_evict_no_owner() {
    let mut few = restricted();
    few.limits.max_throttled = 16;
    let scene = Scene::new(few);
    let device = scene.device("anna", "right", HOME);
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        scene.enter(&format!("user {number}"), "guess", &format!("203.{high}.{low}.1"));
        scene.pass(Duration::from_millis(2));
    }
    assert_eq!(scene.verifications(), 1 + 1000);
    assert_eq!(scene.enter("anna", "right", HOME), "in");
    assert_eq!(scene.verifications(), 1 + 1000, "still remembered");
    scene.pass(Limits::default().remember);
    for number in 0..=255 {
        scene.enter("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(scene.enter("anna", "right", HOME), "in", "still known");
    assert_eq!(scene.enter_with(&device, "anna", "right", ELSEWHERE), "in");
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

impl Scene {
    fn sign_in(&self, user: &str, password: &str, from: &str) -> Result<SignedIn, Denial> {
        self.gate.sign_in(&self.gate.posted(), &request("", from), user, password)
    }

    fn session(&self) -> String {
        self.sign_in("anna", "right", HOME).unwrap().session.expose().to_owned()
    }
}

/// A request with these cookies and further fields.
fn with_cookies(method: Method, cookies: &[&str], fields: &[(&'static str, &str)]) -> Request {
    let mut request = request("", ELSEWHERE);
    request.method = method;
    for cookie in cookies {
        request.headers.append(COOKIE, HeaderValue::from_str(cookie).unwrap());
    }
    for (name, value) in fields {
        request.headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

#[test]
fn session_lets_its_browser_in() {
    let scene = Scene::new(restricted());
    let session = scene.session();
    let good = format!("{SESSION_COOKIE}6443={session}");
    let bad = format!("{SESSION_COOKIE}6443=forged");
    for (cookies, expected) in [
        (&[][..], "401"),
        (&[&*good], "in"),
        (&[&*bad], "401"),
        (&[&*bad, &*good], "in"),
        (&[&*format!("a=b; {bad};{good}")], "in"),
        (&[&*format!("{SESSION_COOKIE}80={session}")], "in"),
        (&[&*format!("session={session}")], "401"),
        (&[&*format!("{DEVICE_COOKIE}6443={session}")], "401"),
    ] {
        assert_eq!(
            told(scene.ask(&with_cookies(Method::GET, cookies, &[]))),
            expected,
            "{cookies:?}"
        );
    }
    let asked = with_cookies(Method::GET, &[&good], &[]);
    let pass = Pass { guarded: true, by_session: true, device: None };
    assert_eq!(scene.ask(&asked), Ok(pass));
    // A proxy may add a password of its own; a token was meant.
    let wrong = basic("anna", "wrong");
    for (authorization, expected) in
        [(&*wrong, "in"), ("Bearer pumphouse_none", "401"), ("Basic ?", "401")]
    {
        let fields = [("authorization", authorization)];
        let asked = with_cookies(Method::GET, &[&good], &fields);
        assert_eq!(told(scene.ask(&asked)), expected, "{authorization}");
    }
    scene.pass(Limits::default().session);
    assert_eq!(told(scene.ask(&asked)), "401", "it has expired");
}

#[test]
fn session_never_waits() {
    let scene = Scene::new(restricted());
    let good = format!("{SESSION_COOKIE}6443={}", scene.session());
    let asked = with_cookies(Method::GET, &[&good], &[]);
    for number in 0..1000 {
        scene.enter("anna", &format!("guess {number}"), ELSEWHERE);
        scene.bear(&format!("guess-{number}"), ELSEWHERE);
    }
    scene.gate.while_busy(|| assert_eq!(told(scene.ask(&asked)), "in"));
}

#[test]
fn session_changes_things_for_pages_of_this_site_only() {
    let mut pollers = restricted();
    pollers.users[0].scopes = Scopes::new(vec![Scope::Poll, Scope::Read]);
    let scene = Scene::new(pollers);
    let good = format!("{SESSION_COOKIE}6443={}", scene.session());
    let here = ("host", "pump.example");
    for (fields, expected) in [
        (&[][..], "403"),
        (&[here], "403"),
        (&[here, ("origin", "https://pump.example")], "in"),
        (&[("sec-fetch-site", "same-origin")], "in"),
        (&[here, ("origin", "https://evil.example")], "403"),
        (&[here, ("origin", "null")], "403"),
        (&[("sec-fetch-site", "cross-site")], "403"),
        (&[("sec-fetch-site", "same-site")], "403"),
    ] {
        let asked = with_cookies(Method::POST, &[&good], fields);
        assert_eq!(told(scene.ask(&asked)), expected, "{fields:?}");
        let read = with_cookies(Method::GET, &[&good], fields);
        assert_eq!(told(scene.ask(&read)), "in", "{fields:?}");
    }
}

#[test]
fn sign_in_is_throttled_as_basic_is() {
    let scene = Scene::new(restricted());
    let told = |outcome: Result<SignedIn, Denial>| match outcome {
        Ok(_) => "in",
        Err(Denial::Unauthorized(_)) => "401",
        Err(Denial::Throttled(_)) => "429",
        Err(other) => panic!("{other:?}"),
    };
    let mut course = Vec::new();
    for number in 0..20 {
        let guess = format!("guess {number}");
        course.push(match number % 2 {
            0 => told(scene.sign_in("anna", &guess, HOME)),
            _ => scene.enter("anna", &guess, HOME),
        });
    }
    let free = Limits::default().failures_per_address;
    assert!(course[..=free].iter().all(|told| *told == "401"), "{course:?}");
    assert!(course[free + 1..].iter().all(|told| *told == "429"), "{course:?}");
    assert_eq!(told(scene.sign_in("anna", "right", HOME)), "429", "compared with nothing");
    assert_eq!(told(scene.sign_in("anna", "right", ELSEWHERE)), "in");
}

#[test]
fn sign_out_ends_every_session_of_the_request() {
    let scene = Scene::new(restricted());
    let cookie = |port: u16| format!("{SESSION_COOKIE}{port}={}", scene.session());
    let (one, two, other) = (cookie(1), cookie(2), cookie(3));
    let asked = with_cookies(Method::POST, &[&one, "a=b", &two], &[]);
    assert_eq!(
        scene.gate.sign_out(&asked),
        [format!("{SESSION_COOKIE}1"), format!("{SESSION_COOKIE}2")]
    );
    for (cookie, expected) in [(&one, "401"), (&two, "401"), (&other, "in")] {
        let asked = with_cookies(Method::GET, &[cookie], &[]);
        assert_eq!(told(scene.ask(&asked)), expected);
    }
}

#[test]
fn session_ends_with_the_account_and_follows_its_scopes() {
    let scene = Scene::new(restricted());
    let cookie = format!("{SESSION_COOKIE}1={}", scene.session());
    let asked = with_cookies(Method::GET, &[&cookie], &[]);
    let mut changed = restricted();
    changed.users[0].scopes = Scopes::new(vec![Scope::Poll]);
    scene.gate.replace(rules(changed));
    assert_eq!(told(scene.ask(&asked)), "403");
    scene.gate.replace(rules(restricted()));
    assert_eq!(told(scene.ask(&asked)), "in");
    let mut changed = restricted();
    changed.users[0].password_hash = PasswordHash::cheap("newer");
    scene.gate.replace(rules(changed));
    assert_eq!(told(scene.ask(&asked)), "401");
    scene.gate.replace(rules(restricted()));
    assert_eq!(told(scene.ask(&asked)), "401", "the old hash revives no session");
}

#[test]
fn cookies_are_not_shown() {
    let scene = Scene::new(restricted());
    let signed_in = scene.sign_in("anna", "right", HOME).unwrap();
    let pass = scene.ask(&request(&basic("anna", "right"), HOME)).unwrap();
    let shown = format!("{signed_in:?} {pass:?}");
    assert!(!shown.contains(signed_in.session.expose()), "{shown}");
    assert!(!shown.contains(pass.device.unwrap().expose()), "{shown}");
}
