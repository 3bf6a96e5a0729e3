//! Outages of the shared database: observations wait in the spool, and are recorded once, in their order.

use hostile::postgres::Postgres;

use super::*;

/// A server of the test's own, which it stops.
struct Outage {
    server: Postgres,
    database: Database,
    folder: TempDir,
}

impl Outage {
    fn new() -> Outage {
        let server = Postgres::start();
        let database = Database(server.database());
        Outage { server, database, folder: tempfile::tempdir().unwrap() }
    }

    fn access(&self, instance: &str) -> Access {
        let access = Access::new(self.database.target(), instance.into()).unwrap();
        access.prepare(postgres::fixture::deadline()).unwrap();
        access
    }

    fn recorder(&self, access: &Access) -> (Recorder, ChangeSender, History) {
        let spool = self.folder.path().join("pumphouse.spool.db");
        let place = ServerPlace { access: access.clone(), spool, spool_max: 1 << 30 };
        let settings = Settings { place: Some(Place::Server(place)), ..settings_of(None) };
        let (prepared, sender, history) = prepare(settings);
        (prepared.start(Box::new(|_| false)).unwrap(), sender, history)
    }

    /// Makes a call as the thread of the cluster does, which notices that the database answers.
    fn look(&self, access: &Access) {
        let limits = Limits::all(Duration::from_secs(1));
        let deadline = Instant::now() + Duration::from_secs(1);
        let _ = Link::new(access.clone()).run(limits, &[], deadline);
    }

    fn recorded(&self, history: &History) -> Vec<i64> {
        let points = points(history, window("level", START, START + 10_000, Step::Raw));
        points.iter().map(|point| point.at - START).collect()
    }
}

fn observe(sender: &ChangeSender, n: i64) {
    sender.send(Change::Observed(vec![level(START + n, n as f64)]));
    sender.send(happened(EventKind::Stale, START + n));
}

#[test]
fn observations_of_an_outage_are_recorded_once_and_in_their_order() {
    let outage = Outage::new();
    let access = outage.access("one");
    let (recorder, sender, history) = outage.recorder(&access);
    observe(&sender, 0);
    wait_until("the first is written", || history.rows() == 2);
    assert_eq!(history.spooled(), 0);

    outage.server.stop();
    for n in 1..50 {
        observe(&sender, n);
    }
    wait_until("they are in the spool, which is reported", || {
        history.spooled() == 98 && history.health().error.is_some()
    });
    let error = history.health().error.clone().expect("the outage is reported");
    assert_eq!(error.kind, FaultKind::Store);
    let refused = history.points(window("level", START, START + 100, Step::Raw));
    assert!(matches!(refused, Err(HistoryError::Away)), "{refused:?}");
    let newest = history.recent_events();
    assert_eq!(newest.len(), 50, "events of the outage are shown");
    assert!(newest.windows(2).all(|pair| pair[0].id > pair[1].id));

    // The process is killed and starts again, before the database does.
    drop(recorder);
    let later = Access::new(outage.database.target(), "two".into()).unwrap();
    let (recorder, sender, history) = outage.recorder(&later);
    wait_until("the spool is open", || history.spooled() >= 98);
    observe(&sender, 50);
    wait_until("it is appended", || history.spooled() == 100);

    outage.server.restart();
    later.prepare(postgres::fixture::deadline()).unwrap();
    wait_until("the spool is empty", || {
        outage.look(&later);
        history.spooled() == 0 && history.health().error.is_none()
    });
    assert_eq!(outage.recorded(&history), (0..=50).collect::<Vec<_>>());
    let day = points(&history, window("level", START, START + 86_400, Step::Seconds(86_400)));
    assert_eq!((day[0].count, day[0].sum), (51, f64::from((0..=50).sum::<i32>())));
    wait_until("the events have their ids", || history.recent_events().len() == 51);
    let times: Vec<i64> =
        history.recent_events().iter().map(|stored| stored.event.at.as_second() - START).collect();
    assert_eq!(times, (0..=50).rev().collect::<Vec<_>>());
    drop(recorder);
}

#[test]
fn flushes_between_two_attempts_end_no_outage() {
    let outage = Outage::new();
    let access = outage.access("one");
    let (recorder, sender, history) = outage.recorder(&access);
    outage.server.stop();
    observe(&sender, 0);
    wait_until("the outage is noticed", || history.health().error.is_some());
    let since = history.health().error.as_ref().map(|error| error.since);
    for n in 1..20 {
        let spooled = history.spooled();
        observe(&sender, n);
        wait_until("it is in the spool", || history.spooled() > spooled);
        assert_eq!(history.health().error.as_ref().map(|error| error.since), since, "{n}");
    }
    drop(recorder);
}

#[test]
fn transactions_that_a_promotion_has_lost_are_written_again() {
    let outage = Outage::new();
    let access = outage.access("one");
    let (recorder, sender, history) = outage.recorder(&access);
    for n in 0..10 {
        observe(&sender, n);
    }
    wait_until("they are written", || history.rows() == 20);
    outage.server.stop();
    observe(&sender, 10);
    wait_until("the outage is noticed", || history.spooled() == 2);
    outage.server.restart();
    // A standby that is promoted lacks the latest transactions.
    let sql = "SET search_path = pumphouse; TRUNCATE raw, quarter, day, event; DELETE FROM series";
    outage.server.psql(&outage.database.0.name, sql);
    wait_until("all are recorded", || {
        outage.look(&access);
        history.spooled() == 0 && history.health().error.is_none()
    });
    assert_eq!(outage.recorded(&history), (0..=10).collect::<Vec<_>>());
    drop(recorder);
}

#[test]
fn reads_of_a_stopped_server_end_at_their_deadline_and_then_fail_at_once() {
    let outage = Outage::new();
    let access = outage.access("one");
    let (recorder, sender, history) = outage.recorder(&access);
    observe(&sender, 0);
    wait_until("it is written", || history.rows() == 2);
    assert_eq!(outage.recorded(&history), [0]);
    outage.server.pause();
    let read = || history.points(window("level", START, START + 100, Step::Raw));
    assert!(matches!(read(), Err(HistoryError::Away)));
    let begun = Instant::now();
    for _ in 0..100 {
        assert!(matches!(read(), Err(HistoryError::Away)));
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "no further read has waited");
    outage.server.resume();
    wait_until("reads succeed again", || {
        outage.look(&access);
        read().is_ok()
    });
    drop(recorder);
}

#[test]
fn page_of_events_needs_the_database_only_for_those_that_are_not_in_memory() {
    let outage = Outage::new();
    let (recorder, sender, history) = outage.recorder(&outage.access("one"));
    sender.send(happened(EventKind::Stale, START));
    wait_until("the first is written", || history.rows() == 1);
    let is_in_memory = |limit| !history.events(None, None, limit).needs_file();
    wait_until("memory has all of the database", || is_in_memory(500));
    outage.server.stop();
    sender.send(happened(EventKind::Fresh, START + 1));
    wait_until("the next waits in the spool", || history.spooled() == 1);
    let kinds: Vec<EventKind> =
        event_page(&history, None, None, 500).iter().map(|stored| stored.event.kind).collect();
    assert_eq!(kinds, [EventKind::Fresh, EventKind::Stale]);
    (0..300).for_each(|n| sender.send(happened(EventKind::Stale, START + n)));
    wait_until("memory has not all of them", || !is_in_memory(500));
    assert_eq!(event_page(&history, None, None, 200).len(), 200);
    let refused = history.events(None, None, 500).poll();
    assert!(matches!(refused, Err(HistoryError::Away)), "{refused:?}");
    drop(recorder);
}
