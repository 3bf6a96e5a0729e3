//! Sessions and device cookies at several replicas.

use super::*;
use crate::data_lock::DataLock;

impl Cluster {
    fn sign_in(&self, place: usize) -> String {
        let gate = &self.replicas[place].gate;
        let signed_in = gate.sign_in(&gate.active_rules(), &request("", HOME), "anna", "right");
        format!("{SESSION_COOKIE}1={}", signed_in.unwrap().session.expose())
    }

    fn sign_out(&self, place: usize, cookie: &str) {
        let gate = &self.replicas[place].gate;
        let request = with_cookie(cookie);
        let (ended, _) = gate.sign_out(&gate.active_rules(), &request);
        assert_eq!(ended.len(), 1);
    }

    /// Returns true for each replica that accepts a session.
    fn accept(&self, cookie: &str) -> Vec<bool> {
        let is_signed_in = |replica: &Fixture| {
            replica.gate.is_signed_in(&replica.gate.active_rules(), &with_cookie(cookie))
        };
        self.replicas.iter().map(is_signed_in).collect()
    }
}

fn with_cookie(cookie: &str) -> Request {
    let mut request = request("", HOME);
    request.headers.append(COOKIE, HeaderValue::from_str(cookie).unwrap());
    request
}

#[test]
fn session_of_one_replica_is_valid_at_once_at_all() {
    let mut cluster = Cluster::new(3, restricted);
    let cookies = [0, 1, 2].map(|place| cluster.sign_in(place));
    for cookie in &cookies {
        assert_eq!(cluster.accept(cookie), [true; 3]);
    }
    // A replica that joins later adopts the keys with its first exchange.
    cluster.restart(1, restricted());
    assert_eq!(cluster.accept(&cookies[0]), [true, false, true]);
    cluster.exchange();
    assert_eq!(cluster.accept(&cookies[1]), [true; 3]);
}

#[test]
fn sign_out_ends_a_session_at_all_replicas_with_one_exchange_of_each() {
    let mut cluster = Cluster::new(2, restricted);
    let (ended, other) = (cluster.sign_in(0), cluster.sign_in(1));
    cluster.sign_out(0, &ended);
    assert_eq!(cluster.accept(&ended), [false, true]);
    cluster.exchange();
    assert_eq!(cluster.accept(&ended), [false, false]);
    assert_eq!(cluster.accept(&other), [true, true]);
    // At a replica that restarts without a file, and had never seen it.
    cluster.restart(1, restricted());
    cluster.exchange();
    cluster.restart(0, restricted());
    cluster.exchange();
    assert_eq!((cluster.accept(&ended), cluster.accept(&other)), (vec![false; 2], vec![true; 2]));
}

#[test]
fn lost_and_replayed_exchanges_end_no_session_and_restore_none() {
    let mut cluster = Cluster::new(2, restricted);
    let (first, second, valid) = (cluster.sign_in(0), cluster.sign_in(0), cluster.sign_in(1));
    cluster.sign_out(0, &first);
    let early = cluster.replicas[0].gate.take_outgoing();
    assert_eq!(early.ended.len(), 1);
    // The request is lost, then the response.
    cluster.replicas[0].gate.exchange_failed();
    cluster.sign_out(0, &second);
    let late = cluster.replicas[0].gate.take_outgoing();
    assert_eq!((late.ended.len(), late.since), (2, None));
    cluster.database.write(instance(0), &late);
    cluster.replicas[0].gate.exchange_failed();
    cluster.exchange();
    let refused = |cluster: &Cluster| {
        let accepted = [&first, &second, &valid].map(|cookie| cluster.accept(cookie));
        assert_eq!(accepted, [vec![false; 2], vec![false; 2], vec![true; 2]]);
    };
    refused(&cluster);
    for sent in [&early, &late, &early] {
        cluster.database.write(instance(0), sent);
        for place in [1, 0] {
            let read = cluster.database.read(instance(place), sent, 2);
            cluster.replicas[place].gate.apply(sent, &read);
            cluster.replicas[place].gate.apply(sent, &read);
        }
    }
    refused(&cluster);
    cluster.exchange();
    let idle = cluster.replicas[0].gate.take_outgoing();
    assert!(idle.keys.is_empty() && idle.ended.is_empty() && idle.since.is_some());
}

#[test]
fn replicas_that_lost_the_race_use_the_key_of_the_database() {
    let fixtures = [(); 2].map(|()| Fixture::new(restricted()));
    let mut database = Database::default();
    let sent = fixtures.each_ref().map(|fixture| fixture.gate.take_outgoing());
    database.write(instance(0), &sent[0]);
    database.write(instance(1), &sent[1]);
    for (place, fixture) in fixtures.iter().enumerate() {
        fixture.gate.apply(&sent[place], &database.read(instance(place), &sent[place], 2));
    }
    let cluster = Cluster { replicas: fixtures.into(), database };
    for place in [0, 1] {
        assert_eq!(cluster.accept(&cluster.sign_in(place)), [true; 2]);
    }
    // Their keys are not in the database as they are.
    let sealed: Vec<_> = cluster.database.keys.values().map(|(row, _)| row.sealed).collect();
    assert_eq!(sealed.len(), 2);
    for place in [0, 1] {
        for key in cluster.replicas[place].gate.sessions.signing_keys() {
            assert!(sealed.iter().all(|sealed| sealed.windows(32).all(|part| part != key)));
        }
    }
}

#[test]
fn changed_hash_ends_the_sessions_at_all_replicas_and_its_return_restores_none() {
    let mut cluster = Cluster::new(2, restricted);
    let old = cluster.sign_in(0);
    cluster.replicas[0].gate.replace(changed(Some("newer")));
    assert_eq!(cluster.accept(&old), [false, true], "the other one has not been reloaded");
    cluster.exchange();
    cluster.exchange();
    // Its sessions are those of a new key, until it is reloaded, too.
    assert_eq!(cluster.accept(&old), [false, false]);
    let between = cluster.sign_in(1);
    for _ in 0..5 {
        cluster.exchange();
    }
    assert_eq!(cluster.accept(&between), [false, true]);
    cluster.replicas[1].gate.replace(changed(Some("newer")));
    cluster.exchange();
    for place in [0, 1] {
        cluster.replicas[place].gate.replace(rules(restricted()));
        cluster.exchange();
    }
    assert_eq!([cluster.accept(&old), cluster.accept(&between)], [[false; 2], [false; 2]]);
    cluster.exchange();
    let new = cluster.sign_in(0);
    cluster.exchange();
    assert_eq!(cluster.accept(&new), [true; 2]);
}

#[test]
fn key_that_was_changed_in_the_database_is_replaced() {
    let mut cluster = Cluster::new(2, restricted);
    let cookie = cluster.sign_in(0);
    for (row, _) in cluster.database.keys.values_mut() {
        row.sealed[20] ^= 1;
        row.generation += 1;
    }
    cluster.replicas.iter().for_each(|replica| replica.gate.exchange_failed());
    for _ in 0..3 {
        cluster.exchange();
    }
    assert_eq!(cluster.accept(&cookie), [false; 2]);
    assert_eq!(cluster.accept(&cluster.sign_in(1)), [true; 2]);
}

#[test]
fn open_replica_ends_no_session_of_others() {
    let mut cluster = Cluster::new(2, restricted);
    let cookie = cluster.sign_in(0);
    cluster.replicas[1].gate.replace(Rules::default());
    cluster.exchange();
    cluster.exchange();
    assert_eq!(cluster.accept(&cookie), [true, false]);
}

#[test]
fn too_many_sign_outs_end_all_sessions_of_the_account_at_all_replicas() {
    let mut cluster = Cluster::new(2, restricted);
    let valid = cluster.sign_in(1);
    for number in 0..5000_u32 {
        cluster.sign_out(0, &cluster.sign_in(0));
        if number % 500 == 0 {
            let sent = cluster.replicas[0].gate.take_outgoing();
            assert!(sent.ended.len() <= MAX_ENDED && sent.keys.len() <= MAX_KEYS);
            cluster.exchange();
        }
    }
    for _ in 0..8 {
        cluster.exchange();
    }
    assert_eq!(cluster.accept(&valid), [false; 2]);
    let (_, generations) = (0, cluster.database.keys.values().map(|(row, _)| row.generation).max());
    assert_eq!(generations, Some(2), "the key is replaced once");
    assert_eq!(cluster.accept(&cluster.sign_in(1)), [true; 2]);
}

#[test]
fn replica_goes_on_with_the_keys_that_it_has_and_a_new_database_takes_them() {
    let mut cluster = Cluster::new(2, restricted);
    let (ended, valid) = (cluster.sign_in(0), cluster.sign_in(1));
    cluster.sign_out(0, &ended);
    cluster.exchange();
    // The database is away, and returns as a copy that has lost everything.
    for replica in &cluster.replicas {
        replica.gate.exchange_failed();
    }
    assert_eq!([cluster.accept(&ended), cluster.accept(&valid)], [[false; 2], [true; 2]]);
    let micros = std::mem::take(&mut cluster.database).millis();
    cluster.database.advance(Duration::from_millis(micros));
    cluster.exchange();
    cluster.exchange();
    assert_eq!([cluster.accept(&ended), cluster.accept(&valid)], [[false; 2], [true; 2]]);
    cluster.restart(0, restricted());
    cluster.exchange();
    assert_eq!([cluster.accept(&ended), cluster.accept(&valid)], [[false; 2], [true; 2]]);
}

#[test]
fn sign_out_that_was_only_stored_in_the_file_is_sent_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sessions.json");
    let mut database = Database::default();
    let start = || {
        let gate = Gate::with_sessions_of(rules(restricted()), &path, &DataLock::none()).unwrap();
        let writer = gate.write_sessions_to(&path, &Arc::new(DataLock::none()), 8).unwrap();
        (gate, writer)
    };
    let exchange = |gate: &Gate, database: &mut Database| {
        let sent = gate.take_outgoing();
        gate.apply(&sent, &database.run(instance(0), &sent, 1));
        sent
    };
    let (gate, writer) = start();
    exchange(&gate, &mut database);
    let session = gate.sign_in(&gate.active_rules(), &request("", HOME), "anna", "right").unwrap();
    let cookie = format!("{SESSION_COOKIE}1={}", session.session.expose());
    let (_, outcome) = gate.sign_out(&gate.active_rules(), &with_cookie(&cookie));
    assert_eq!(outcome, SignOut::Durable);
    // As in a process that is killed before its next exchange.
    std::mem::forget((gate, writer));
    let (gate, _writer) = start();
    assert_eq!(exchange(&gate, &mut database).ended.len(), 1);
    assert_eq!(database.ended.len(), 1);
    assert!(!gate.is_signed_in(&gate.active_rules(), &with_cookie(&cookie)));
    assert_eq!(database.keys.len(), 2, "the keys of the file are those of the database");
    assert!(database.keys.values().all(|(row, _)| row.generation == 1));
}

#[test]
fn device_cookie_is_valid_at_all_replicas() {
    let cluster = Cluster::new(2, restricted);
    let device = cluster.replicas[0].device("anna", "right", HOME);
    for number in 0..30 {
        cluster.replicas[1].try_password("anna", &format!("guess {number}"), &address(number));
    }
    assert_eq!(cluster.replicas[1].try_password("anna", "right", ELSEWHERE), "429");
    assert_eq!(cluster.replicas[1].try_with_device(&device, "anna", "right", ELSEWHERE), "ok");
}

#[test]
fn sessions_expire_by_the_clock_of_the_database() {
    let mut cluster = Cluster::new(2, restricted);
    let hour = 3_600_000;
    // The clock of the second machine is an hour ahead, so it would issue sessions that last longer.
    cluster.replicas[1].millis.fetch_add(hour, Ordering::Relaxed);
    cluster.exchange();
    let now = cluster.replicas[0].gate.unix_time();
    assert!(cluster.replicas[1].gate.unix_time().abs_diff(now) <= 1);
    cluster.replicas[1].millis.fetch_sub(hour, Ordering::Relaxed);
    cluster.exchange();
    assert!(cluster.replicas[1].gate.unix_time().abs_diff(now) <= 2);
}
