//! Notices and claims.

use super::*;

fn made(id: u64, channel: &str, lease: &[(&str, i64)]) -> (NoticeKey, Changes) {
    let mut notice = notice(id, NoticeKind::Fired, 0, 1);
    notice.key.channel = channel.into();
    let key = notice.key.clone();
    let notices = vec![Arc::new(notice)];
    (key, Changes { notices, shared: epochs(lease), ..Changes::default() })
}

fn done(key: &NoticeKey) -> Changes {
    Changes { done: vec![key.clone()], ..Changes::default() }
}

/// Returns the claims of a process whose channels have these notices.
fn claims(keys: &[&NoticeKey]) -> Claims {
    let notice = |key: &&NoticeKey| {
        let notice = notice(key.incident.0, key.kind, key.number, 1);
        Arc::new(Notice { key: (*key).clone(), ..notice })
    };
    Claims { saved: keys.iter().map(notice).collect(), done: Vec::new() }
}

fn keys(notices: &[Notice]) -> Vec<NoticeKey> {
    notices.iter().map(|notice| notice.key.clone()).collect()
}

#[test]
fn notice_is_claimed_by_its_maker_and_adopted_once_that_has_ended() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        let (key, changes) = made(1, "phone", &[("tank", 1)]);
        assert!(x.exchange(changes.clone()).taken.is_empty());
        assert!(x.exchange(changes.clone()).taken.is_empty(), "written again");
        // The other side of a partition has made the same one.
        assert_eq!(y.exchange(changes).taken, std::slice::from_ref(&key));
        y.exchange(done(&key));
        let (of_pager, changes) = made(2, "pager", &[("tank", 1)]);
        x.exchange(changes);
        let unsaved = made(3, "phone", &[]).0;
        assert!(keys(&y.exchange(Changes::default()).adopted).is_empty());
        world.end("x");
        let adopted = y.exchange(Changes::default()).adopted;
        let own = std::slice::from_ref(&key);
        assert_eq!(keys(&adopted), own, "not that of a channel that it does not have");
        assert_eq!(*adopted[0].incident, incident(1, 0, None));
        assert!(y.exchange(Changes::default()).adopted.is_empty(), "once");
        // The former claimer has sent it, and marks it late.
        x.exchange(done(&key));
        y.claims = Some(claims(&[&key, &of_pager, &unsaved]));
        let exchanged = y.exchange(Changes::default());
        assert_eq!((exchanged.taken, exchanged.missing), (vec![of_pager], vec![unsaved]));
        y.exchange(done(&key));
        y.claims = Some(claims(&[&key]));
        assert_eq!(y.exchange(Changes::default()).missing, [key]);
    });
}

#[test]
fn notice_is_adopted_by_the_next_exchange_in_doubt_if_the_answer_of_its_adoption_was_lost() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        let (key, changes) = made(1, "phone", &[("tank", 1)]);
        x.exchange(changes);
        world.end("x");
        drop(y.exchange(Changes::default()));
        assert!(y.exchange(Changes::default()).adopted.is_empty(), "it is not asked for");
        let adopted = |y: &mut Replica, changes, claims| {
            y.claims = Some(claims);
            keys(&y.exchange(changes).adopted)
        };
        let none = Changes::default;
        assert_eq!(adopted(&mut y, none(), Claims::default()), std::slice::from_ref(&key));
        assert_eq!(adopted(&mut y, none(), claims(&[&key])), [], "a channel has it");
        let sent = Claims { done: vec![key.clone()], ..Claims::default() };
        assert_eq!(adopted(&mut y, none(), sent), [], "it was sent");
        assert_eq!(adopted(&mut y, done(&key), Claims::default()), [], "it was sent");
    });
}

#[test]
fn notice_of_a_kind_that_is_not_known_is_left_alone_and_one_that_cannot_be_read_hides_no_other() {
    with_postgres(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        for id in 1..=3 {
            x.exchange(made(id, "phone", &[("tank", 1)]).1);
        }
        world.run("UPDATE pumphouse.notice SET kind = 'later' WHERE incident = 1", []);
        world.run("UPDATE pumphouse.notice SET content = 'x' WHERE incident = 2", []);
        world.end("x");
        let known = [made(3, "phone", &[]).0];
        assert_eq!(keys(&y.exchange(Changes::default()).adopted), known);
        y.claims = Some(Claims::default());
        assert_eq!(keys(&y.exchange(Changes::default()).adopted), known);
        assert_eq!(world.count(&format!("notice WHERE instance = '{Y}'")), 2);
    });
}

#[test]
fn exchange_that_is_sent_again_after_its_connection_was_closed_says_so() {
    with_postgres(|world| {
        let mut x = world.store("x", X);
        assert!(!x.exchange(Changes::default()).is_repeated);
        let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        world.run(others, []);
        assert!(x.exchange(Changes::default()).is_repeated);
        assert!(!x.exchange(Changes::default()).is_repeated);
    });
}

#[test]
fn notice_that_the_database_has_lost_is_written_again_whoever_has_its_source_now() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", Y, 2);
        let incidents = vec![Arc::new(incident(1, 0, None))];
        y.exchange(Changes { incidents, shared: epochs(&[("tank", 2)]), ..Changes::default() });
        let (key, changes) = made(1, "phone", &[]);
        let mut pending = Pending::default();
        pending.reclaim(changes.notices);
        assert_eq!(x.exchange_pending(1, &pending).taken, []);
        world.end("x");
        assert_eq!(keys(&y.exchange(Changes::default()).adopted), [key]);
    });
}

#[test]
fn end_of_a_source_that_no_live_replica_has_is_written_without_a_lease() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        let open = vec![Arc::new(incident(1, 0, None))];
        let with_state = state("tank", 1, Some("firing"));
        x.exchange(Changes { incidents: open, ..with_state });
        assert!(x.read_all().unlisted.is_empty());
        let end = || {
            let incidents = vec![Arc::new(incident(1, 0, Some(5)))];
            let notices = made(1, "phone", &[]).1.notices;
            Changes { states: vec![(key("tank"), None)], incidents, notices, ..Changes::default() }
        };
        assert_eq!(y.exchange(end()).taken.len(), 1, "another replica has it");
        assert_eq!(texts(&y.read_all()), [text("tank", "firing")]);
        if let World::Memory(rows) = world {
            rows.lock().unwrap().unlisted.insert("tank".into());
        }
        world.run("UPDATE pumphouse.replica SET sources = '{a}', hashes = '{0}'", []);
        assert_eq!(y.read_all().unlisted, ["tank".into()]);
        y.exchange(state("tank", 9, Some("pending")));
        assert_eq!(texts(&y.read_all()), [text("tank", "firing")], "only its end");
        assert_eq!(y.exchange(end()).taken, []);
        let all = y.read_all();
        assert_eq!((texts(&all), all.incidents), (vec![], vec![incident(1, 0, Some(5))]));
        assert!(all.unlisted.is_empty());
    });
}

#[test]
fn notice_of_a_former_holder_is_that_of_the_new_one_if_that_knows_the_incident() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", Y, 2);
        let incidents = vec![Arc::new(incident(1, 0, None))];
        y.exchange(Changes { incidents, shared: epochs(&[("tank", 2)]), ..Changes::default() });
        let (known, mut changes) = made(1, "phone", &[("tank", 1)]);
        let (_, unknown) = made(2, "phone", &[]);
        changes.notices.extend(unknown.notices);
        let exchanged = x.exchange(changes);
        assert_eq!(exchanged.taken, [known]);
        assert_eq!(exchanged.refused, ["tank".into()]);
    });
}

#[test]
fn instance_that_has_ended_adopts_nothing_and_has_no_time_left() {
    with_each(|world| {
        let (mut x, mut y) = (world.store("x", X), world.store("y", Y));
        world.lease("tank", X, 1);
        x.exchange(made(1, "phone", &[("tank", 1)]).1);
        let left = y.exchange(Changes::default()).ends_in.unwrap();
        assert!(left > Duration::from_secs(1), "{left:?}");
        world.end("x");
        world.end("y");
        assert_eq!(y.exchange(Changes::default()).ends_in, None);
        if let World::Postgres(..) = world {
            assert!(y.exchange(Changes::default()).adopted.is_empty());
        }
    });
}
