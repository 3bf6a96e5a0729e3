//! Gates of two replicas, with a real database between them.

use std::time::Instant;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::access::{
    Admission, Gate, PasswordHash, Restricted, Rules, SESSION_COOKIE, Scope, Scopes, User,
};
use crate::cluster::InstanceId;
use crate::cluster::access_exchange::{exchange, prune};
use crate::engine::{Peer, Request};
use crate::postgres::fixture::{self, Database};
use crate::postgres::{Limits, Param, Statement};
use crate::store::{Access, Link, Readiness};

/// A replica with its connection.
struct Replica {
    gate: Gate,
    link: Link,
    process: InstanceId,
}

impl Replica {
    fn new(database: &Database) -> Replica {
        let process = InstanceId::random().unwrap();
        let access = Access::new(database.target(), process.to_string().into()).unwrap();
        assert_eq!(access.prepare(fixture::deadline()).unwrap(), Readiness::Ready);
        let user = |name: &str, password: &str| User {
            name: name.to_owned(),
            password_hash: PasswordHash::cheap(password),
            scopes: Scopes::new(vec![Scope::Read]),
        };
        let accounts = Restricted {
            users: vec![user("anna", "right"), user("bert", "other")],
            tokens: Vec::new(),
            public: Vec::new(),
            limits: Default::default(),
        };
        let rules = Rules { admission: Admission::Restricted(accounts), ..Rules::default() };
        Replica { gate: Gate::new(rules).unwrap(), link: Link::new(access), process }
    }

    fn exchange(&mut self) {
        let sent = self.gate.take_outgoing();
        let incoming = exchange(&mut self.link, self.process, &sent).unwrap();
        self.gate.apply(&sent, &incoming);
    }

    fn execute(&mut self, sql: &str) {
        let statements = [Statement::plain(sql)];
        self.link.run(Limits::all(fixture::AMPLE), &statements, fixture::deadline()).unwrap();
    }

    fn count(&mut self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        let statements = [Statement::new(&sql, &[] as &[Param<'_>])];
        let limits = Limits::all(fixture::AMPLE);
        let outcomes = self.link.run(limits, &statements, fixture::deadline()).unwrap();
        outcomes[0].only().unwrap().i64(0).unwrap()
    }

    fn sign_in(&self, account: &str, password: &str, from: &str) -> Option<String> {
        let signed_in =
            self.gate.sign_in(&self.gate.active_rules(), &request("", from), account, password);
        signed_in.ok().map(|signed_in| format!("{SESSION_COOKIE}1={}", signed_in.session.expose()))
    }

    fn accepts(&self, cookie: &str) -> bool {
        self.gate.is_signed_in(&self.gate.active_rules(), &request(cookie, HOME))
    }

    fn sign_out(&self, cookie: &str) {
        self.gate.sign_out(&self.gate.active_rules(), &request(cookie, HOME));
    }
}

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";

fn request(cookie: &str, from: &str) -> Request {
    let field = (COOKIE, HeaderValue::from_str(cookie).unwrap());
    Request {
        method: Method::GET,
        target: "/api/v1/status".parse().unwrap(),
        version: Version::HTTP_11,
        headers: HeaderMap::from_iter((!cookie.is_empty()).then_some(field)),
        body: Default::default(),
        peer: Peer { address: None, tls: true, user: None },
        client: from.parse().ok(),
        proxied: false,
    }
}

/// Exchanges at each replica twice, so that each has read what the others have written.
fn exchange_all(replicas: &mut [Replica]) {
    for _ in 0..2 {
        replicas.iter_mut().for_each(Replica::exchange);
    }
}

#[test]
fn session_of_one_replica_is_valid_at_the_other_until_it_is_signed_out_anywhere() {
    let database = fixture::database();
    let mut replicas = [Replica::new(&database), Replica::new(&database)];
    exchange_all(&mut replicas);
    let cookies = [
        replicas[0].sign_in("anna", "right", HOME).unwrap(),
        replicas[1].sign_in("anna", "right", HOME).unwrap(),
    ];
    let accepted = |replicas: &[Replica; 2]| {
        cookies.each_ref().map(|cookie| replicas.each_ref().map(|replica| replica.accepts(cookie)))
    };
    assert_eq!(accepted(&replicas), [[true; 2]; 2]);
    replicas[1].sign_out(&cookies[0]);
    assert_eq!(accepted(&replicas), [[true, false], [true; 2]]);
    exchange_all(&mut replicas);
    assert_eq!(accepted(&replicas), [[false; 2], [true; 2]]);
    // A replica without a file learns all of it with its first exchange.
    replicas[0] = Replica::new(&database);
    replicas[0].exchange();
    assert_eq!(accepted(&replicas), [[false; 2], [true; 2]]);
    assert!(replicas[0].gate.take_outgoing().since.is_some());
}

#[test]
fn guesses_at_two_replicas_are_counted_together() {
    let database = fixture::database();
    let mut replicas = [Replica::new(&database), Replica::new(&database)];
    exchange_all(&mut replicas);
    let mut compared = 0;
    let began = Instant::now();
    for number in 0..40 {
        let replica = &mut replicas[number % 2];
        let before = replica.gate.stats().verifications();
        assert_eq!(replica.sign_in("anna", &format!("guess {number}"), HOME), None);
        compared += replica.gate.stats().verifications() - before;
        exchange_all(&mut replicas);
    }
    let free = crate::access::Limits::default().failures_per_address as u64;
    // The waits that a slow machine sits out.
    let sat_out = began.elapsed().as_secs() + 2;
    assert!((free..=free + 1 + sat_out).contains(&compared), "{compared} of {free}");
    assert!(replicas[1].count("guess_count") > 0);
    assert!(replicas[0].sign_in("bert", "other", ELSEWHERE).is_some());
    // A wait that is left holds at a replica that starts now.
    let mut third = Replica::new(&database);
    third.exchange();
    third.exchange();
    let before = third.gate.stats().verifications();
    for number in 0..free {
        third.sign_in("anna", &format!("later {number}"), HOME);
    }
    assert!(third.gate.stats().verifications() - before < free);
}

#[test]
fn database_that_was_emptied_gets_the_keys_and_sign_outs_of_the_replicas_again() {
    let database = fixture::database();
    let mut replicas = [Replica::new(&database), Replica::new(&database)];
    exchange_all(&mut replicas);
    let ended = replicas[0].sign_in("anna", "right", HOME).unwrap();
    let valid = replicas[0].sign_in("bert", "other", HOME).unwrap();
    replicas[0].sign_out(&ended);
    exchange_all(&mut replicas);
    replicas[0].execute("TRUNCATE secret, session_key, ended_session, guess_count");
    exchange_all(&mut replicas);
    exchange_all(&mut replicas);
    assert_eq!(replicas[1].count("secret"), 2);
    assert_eq!(replicas[1].count("ended_session"), 1);
    let mut third = Replica::new(&database);
    third.exchange();
    for replica in replicas.iter().chain([&third]) {
        assert_eq!((replica.accepts(&ended), replica.accepts(&valid)), (false, true));
    }
}

#[test]
fn old_rows_are_deleted_and_others_are_kept() {
    let database = fixture::database();
    let mut replicas = [Replica::new(&database), Replica::new(&database)];
    exchange_all(&mut replicas);
    let ended = replicas[0].sign_in("anna", "right", HOME).unwrap();
    replicas[0].sign_out(&ended);
    replicas[0].sign_in("anna", "wrong", HOME);
    exchange_all(&mut replicas);
    let tables = ["secret", "session_key", "ended_session", "guess_count"];
    let counts = |replica: &mut Replica| tables.map(|table| replica.count(table));
    let before = counts(&mut replicas[0]);
    assert!(before[2] == 1 && before[3] > 0, "{before:?}");
    prune(&mut replicas[0].link).unwrap();
    assert_eq!(counts(&mut replicas[0]), before);
    for old in [
        "INSERT INTO ended_session SELECT decode(repeat('01', 16), 'hex'), key, \
         extract(epoch FROM now())::bigint - 90000, now() FROM ended_session",
        "INSERT INTO ended_session SELECT decode(repeat('02', 16), 'hex'), \
         decode(repeat('03', 16), 'hex'), expires_at, now() - interval '2 minutes' \
         FROM ended_session LIMIT 1",
        "INSERT INTO session_key SELECT 'carl', password, generation, \
         decode(repeat('04', 16), 'hex'), sealed, true, now() - interval '500 days' \
         FROM session_key LIMIT 1",
        "INSERT INTO guess_count SELECT 9, decode(repeat('05', 32), 'hex'), instance, 1, 1, \
         now(), now(), -1, now() - interval '1 second', now() FROM guess_count LIMIT 1",
    ] {
        replicas[0].execute(old);
    }
    assert_ne!(counts(&mut replicas[0]), before);
    prune(&mut replicas[0].link).unwrap();
    assert_eq!(counts(&mut replicas[0]), before);
    // A flood of guesses of few failures each.
    replicas[0].execute(
        "INSERT INTO guess_count SELECT 9, decode(lpad(to_hex(number), 64, '0'), 'hex'), \
         decode(repeat('05', 16), 'hex'), 1, 1, now() - interval '1 minute', \
         now() - interval '1 minute', -1, now() + interval '1 hour', now() \
         FROM generate_series(1, 18500) AS number",
    );
    let mut count = replicas[0].count("guess_count");
    // At most a thousand at once.
    while prune(&mut replicas[0].link).unwrap() {
        assert_eq!(replicas[0].count("guess_count"), count - 1_000);
        count -= 1_000;
    }
    assert_eq!(replicas[0].count("guess_count"), 16_384);
    assert_eq!(replicas[0].count("guess_count WHERE kind <> 9"), before[3]);
}
