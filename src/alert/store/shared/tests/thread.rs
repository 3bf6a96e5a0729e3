//! The thread: what it reports, in which order, and what it does after errors.

use crossbeam_channel::{Receiver, unbounded};

use super::*;
use crate::alert::store::StoreHandle;
use crate::alert::store::shared::thread::{SharedThread, detached};
use crate::kernel::clock::tests::{FakeClock, time_point};

/// A thread whose turns a test does, with a database in memory.
struct Driven {
    thread: SharedThread,
    handle: StoreHandle,
    news: Receiver<News>,
    claim: Claim,
    clock: FakeClock,
    rows: Arc<Mutex<Rows>>,
    instance: Arc<Mutex<Instance>>,
    claims: Arc<Mutex<Claims>>,
}

impl Driven {
    fn new() -> Driven {
        let rows: Arc<Mutex<Rows>> = Arc::default();
        rows.lock().unwrap().live.insert("x".into(), X);
        let clock = FakeClock::new(time_point(at(0), 0));
        let (send, news) = unbounded();
        let claim = Claim::until(Duration::ZERO);
        let instance = Arc::new(Mutex::new(X));
        let current = instance.clone();
        let saved = vec![Arc::new(notice(9, NoticeKind::Fired, 0, 0))];
        let claims = Arc::new(Mutex::new(Claims { saved, done: Vec::new() }));
        let of_channels = claims.clone();
        let (thread, handle) = detached(SharedSettings {
            store: Box::new(Memory { rows: rows.clone(), name: "x".into(), instance: X }),
            instance: Box::new(move || *current.lock().unwrap()),
            clock: clock.clock(),
            claim: claim.clone(),
            channels: Box::new(|| vec!["phone".into()]),
            claims: Box::new(move || of_channels.lock().unwrap().clone()),
            on_news: Box::new(move |news| send.send(news).unwrap()),
        });
        Driven { thread, handle, news, claim, clock, rows, instance, claims }
    }

    /// Does a turn, and returns the names of its news.
    fn turn(&mut self) -> Vec<&'static str> {
        self.thread.turn();
        let name = |news| match news {
            News::Failed(_) => "failed",
            News::Lost(_) => "lost",
            News::Followed(followed) if followed.is_all => "followed all",
            News::Followed(_) => "followed",
            News::Held(_) => "held",
            News::Resumed(_) => "resumed",
            News::Released(_) => "released",
            News::Flushed(_) => "flushed",
            News::Saved(_) => "saved",
            News::Taken(_) => "taken",
            News::Adopted(_) => "adopted",
            News::Recovered => "recovered",
        };
        self.news.try_iter().map(name).collect()
    }

    fn set_away(&self, is_away: bool) {
        let away = &mut self.rows.lock().unwrap().away;
        if is_away {
            away.insert(X)
        } else {
            away.remove(&X)
        };
    }
}

#[test]
fn source_is_held_after_its_rows_and_flushed_after_its_changes() {
    let mut driven = Driven::new();
    driven.handle.hold(vec![("a".into(), 1)]);
    driven.rows.lock().unwrap().leases.insert("a".into(), (X, 1));
    assert_eq!(driven.turn(), ["followed all", "held", "taken", "recovered"]);
    assert_eq!(driven.turn(), Vec::<&str>::new());
    driven.handle.release(vec!["a".into()]);
    driven.handle.save(state("a", 1, Some("firing")));
    assert_eq!(driven.turn(), ["released"]);
    let shared = SharedChanges { released: vec!["a".into()], ..SharedChanges::default() };
    driven.handle.save(Changes { shared, ..Changes::default() });
    driven.set_away(true);
    assert_eq!(driven.turn(), ["failed"]);
    driven.set_away(false);
    assert_eq!(driven.turn(), ["followed all", "flushed", "taken", "recovered"]);
}

#[test]
fn source_is_held_without_its_rows_while_the_database_is_away() {
    let mut driven = Driven::new();
    driven.set_away(true);
    driven.handle.hold(vec![("a".into(), 1)]);
    assert_eq!(driven.turn(), ["failed", "resumed"]);
    assert_eq!(driven.turn(), Vec::<&str>::new(), "once");
    driven.handle.hold(vec![("b".into(), 1)]);
    driven.handle.lose(vec!["b".into()]);
    assert_eq!(driven.turn(), ["lost"]);
    driven.handle.hold(vec![("b".into(), 2)]);
    assert_eq!(driven.turn(), ["resumed"]);
    driven.set_away(false);
    assert_eq!(driven.turn(), ["followed all", "taken", "recovered"]);
}

#[test]
fn notices_that_another_server_lacks_are_saved_again_and_those_that_this_one_lacks_were_sent() {
    let mut driven = Driven::new();
    driven.claims.lock().unwrap().saved.clear();
    driven.turn();
    let fired = Arc::new(notice(9, NoticeKind::Fired, 0, 0));
    driven.handle.save(Changes { notices: vec![fired.clone()], ..Changes::default() });
    assert_eq!(driven.turn(), ["saved"]);
    driven.claims.lock().unwrap().saved.push(fired);
    // The connection has ended between two exchanges, and the server that takes writes now lacks the latest transactions.
    let promote = |driven: &Driven| {
        let mut rows = driven.rows.lock().unwrap();
        rows.notices.clear();
        rows.server += 1;
    };
    promote(&driven);
    let until = driven.claim.end();
    driven.clock.advance(Duration::from_secs(1));
    assert_eq!(driven.turn(), Vec::<&str>::new());
    assert_eq!(driven.claim.end(), until, "it is in doubt");
    assert_eq!(driven.turn(), ["followed all", "recovered"]);
    assert_eq!(driven.turn(), ["saved"]);
    assert_eq!(driven.rows.lock().unwrap().notices.len(), 1);
    // The same after an outage.
    driven.set_away(true);
    driven.turn();
    promote(&driven);
    driven.set_away(false);
    assert_eq!(driven.turn(), ["followed all", "recovered"]);
    assert_eq!(driven.turn(), ["saved"]);
    // One that was sent meanwhile is not written again.
    promote(&driven);
    driven.turn();
    driven.turn();
    let done = vec![notice(9, NoticeKind::Fired, 0, 0).key];
    driven.handle.save(Changes { done, ..Changes::default() });
    driven.turn();
    assert!(driven.rows.lock().unwrap().notices.is_empty());
    assert_eq!(driven.turn(), Vec::<&str>::new());
    // The server is the same: another replica has sent it.
    driven.set_away(true);
    driven.turn();
    driven.set_away(false);
    assert_eq!(driven.turn(), ["followed all", "taken", "recovered"]);
}

#[test]
fn exchange_that_was_sent_twice_is_followed_by_one_that_compares_the_claims() {
    let mut driven = Driven::new();
    driven.claims.lock().unwrap().saved.clear();
    driven.turn();
    driven.rows.lock().unwrap().is_repeating = true;
    assert_eq!(driven.turn(), Vec::<&str>::new());
    // The first answer had the notices of an instance that has ended.
    let orphan = notice(5, NoticeKind::Fired, 0, 0);
    driven.rows.lock().unwrap().is_repeating = false;
    driven.rows.lock().unwrap().notices.insert(orphan.key.clone(), (Arc::new(orphan), X));
    assert_eq!(driven.turn(), ["adopted", "recovered"]);
}

#[test]
fn source_that_was_lost_and_taken_again_is_held_after_the_rows_of_the_next_exchange() {
    let mut driven = Driven::new();
    driven.rows.lock().unwrap().leases.insert("a".into(), (X, 3));
    driven.turn();
    driven.handle.save(state("a", 1, Some("stale")));
    driven.handle.hold(vec![("a".into(), 3)]);
    assert_eq!(driven.turn(), ["lost"]);
    assert_eq!(driven.turn(), ["followed all", "held"]);
    // What waits of a source that is lost is forgotten.
    driven.handle.save(state("a", 3, Some("stale")));
    driven.handle.lose(vec!["a".into()]);
    assert_eq!(driven.turn(), ["lost", "followed all"]);
    assert!(driven.rows.lock().unwrap().states.is_empty());
}

#[test]
fn claim_ends_while_the_database_is_away_and_is_extended_once_it_is_known_what_others_have_taken() {
    let mut driven = Driven::new();
    driven.turn();
    let begun = driven.clock.clock().now().boot;
    assert_eq!(driven.claim.end(), Some(begun + Duration::from_millis(7_500)));
    driven.set_away(true);
    driven.clock.advance(Duration::from_secs(60));
    assert_eq!(driven.turn(), ["failed"]);
    assert_eq!(driven.turn(), Vec::<&str>::new(), "reported once");
    assert_eq!(driven.claim.end(), Some(begun + Duration::from_millis(7_500)));
    driven.set_away(false);
    assert_eq!(driven.turn(), ["followed all", "taken", "recovered"]);
    let now = driven.clock.clock().now().boot;
    assert_eq!(driven.claim.end(), Some(now + Duration::from_millis(7_500)));
    // The process did not run for a while, and no exchange has failed.
    driven.clock.advance(Duration::from_secs(20));
    assert_eq!(driven.turn(), ["taken", "recovered"]);
    // The database has forgotten the instance.
    *driven.instance.lock().unwrap() = Y;
    assert_eq!(driven.turn(), ["taken", "recovered"]);
    // All rows are read now and then.
    driven.clock.advance(Duration::from_secs(300));
    assert_eq!(driven.turn(), ["followed all", "taken", "recovered"]);
}

#[test]
fn claim_of_an_instance_that_has_ended_is_over_at_once_and_stays_so() {
    let mut driven = Driven::new();
    driven.turn();
    driven.clock.advance(Duration::from_secs(1));
    let ended = driven.clock.clock().now().boot;
    driven.rows.lock().unwrap().live.clear();
    for _ in 0..2 {
        driven.turn();
        assert_eq!(driven.claim.end(), Some(ended));
        driven.clock.advance(Duration::from_secs(1));
    }
    driven.rows.lock().unwrap().live.insert("x".into(), X);
    assert_eq!(driven.turn(), ["taken", "recovered"]);
}

#[test]
fn changes_wait_while_the_database_is_away_and_no_request_waits_for_it() {
    let mut driven = Driven::new();
    driven.set_away(true);
    driven.handle.save(Changes {
        notices: vec![Arc::new(notice(1, NoticeKind::Fired, 0, 1))],
        ..Changes::default()
    });
    driven.turn();
    let health = driven.handle.health();
    assert_eq!((health.is_open, health.waiting), (false, 1));
    assert!(health.error.as_ref().unwrap().message.contains("it does not answer"), "{health:?}");
    driven.set_away(false);
    assert!(driven.turn().contains(&"saved"));
    let health = driven.handle.health();
    assert!(health.is_open && health.error.is_none() && health.waiting == 0);
}
