//! Outages of the shared database: observations wait in the spool, and are recorded once, in their order.

use hostile::postgres::Postgres;

use super::*;
use crate::kernel::clock::Clock;
use crate::kernel::clock::tests::{FakeClock, time_point};

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
        start(place(access, spool), Clock::system())
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

fn place(access: &Access, spool: PathBuf) -> ServerPlace {
    ServerPlace { access: access.clone(), spool, spool_max: 1 << 30 }
}

fn start(place: ServerPlace, clock: Clock) -> (Recorder, ChangeSender, History) {
    let settings = Settings { place: Some(Place::Server(place)), ..settings_of(None) };
    let (prepared, sender, history) = prepare(settings);
    (prepared.with_clock(clock).start(Box::new(|_| false)).unwrap(), sender, history)
}

fn error(history: &History) -> Option<(FaultKind, String)> {
    history.health().error.as_ref().map(|error| (error.kind, error.message.to_string()))
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

/// A standby that is promoted lacks the latest transactions.
const LOST: &str =
    "SET search_path = pumphouse; TRUNCATE raw, quarter, day, event; DELETE FROM series";

#[test]
fn transactions_that_a_promotion_has_lost_are_written_again_however_long_it_takes() {
    let outage = Outage::new();
    let access = outage.access("one");
    let spool = outage.folder.path().join("pumphouse.spool.db");
    let clock = FakeClock::new(time_point(moment(START + 10_000), 0));
    let (recorder, sender, history) = start(place(&access, spool), clock.clock());
    for n in 0..10 {
        observe(&sender, n);
    }
    wait_until("they are written", || history.rows() == 20);
    outage.server.stop();
    observe(&sender, 10);
    wait_until("the outage is noticed", || history.spooled() == 2);
    clock.advance(Duration::from_secs(300));
    observe(&sender, 11);
    wait_until("it is in the spool", || history.spooled() == 4);
    outage.server.restart();
    outage.server.psql(&outage.database.0.name, LOST);
    wait_until("all are recorded", || {
        outage.look(&access);
        history.spooled() == 0 && history.health().error.is_none()
    });
    assert_eq!(outage.recorded(&history), (0..=11).collect::<Vec<_>>());

    // What was in the spool is lost with the database that had it for a moment.
    outage.server.stop();
    observe(&sender, 12);
    wait_until("the next outage is noticed", || history.spooled() >= 2);
    outage.server.restart();
    outage.server.psql(&outage.database.0.name, LOST);
    wait_until("all are recorded again", || {
        outage.look(&access);
        history.spooled() == 0 && history.health().error.is_none()
    });
    assert_eq!(outage.recorded(&history), (0..=12).collect::<Vec<_>>());
    drop(recorder);
}

#[test]
fn spool_replaces_no_later_correction_of_another_replica() {
    let outage = Outage::new();
    let away = Access::new(outage.database.target(), "away".into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (one, one_sender, one_history) =
        start(place(&away, folder.path().join("spool.db")), Clock::system());
    let send = |sender: &ChangeSender, n: i64, number: f64| {
        sender.send(Change::Observed(vec![level(START + n, number)]));
    };
    send(&one_sender, 0, 5.0);
    send(&one_sender, 60, 1.0);
    send(&one_sender, 60, 2.0);
    wait_until("they are in the spool", || one_history.spooled() == 3);
    let (other, other_sender, other_history) = outage.recorder(&outage.access("other"));
    send(&other_sender, 0, 5.0);
    send(&other_sender, 0, 5.2);
    wait_until("the correction is recorded", || other_history.rows() == 2);
    away.prepare(postgres::fixture::deadline()).unwrap();
    wait_until("the spool is empty", || {
        one_history.spooled() == 0 && one_history.health().error.is_none()
    });
    let found = points(&one_history, window("level", START, START + 100, Step::Raw));
    let found: Vec<f64> = found.iter().map(|point| point.last).collect();
    assert_eq!(found, [5.2, 2.0]);
    drop((one, other));
}

#[test]
fn query_that_takes_too_long_is_no_outage() {
    let outage = Outage::new();
    let access = outage.access("one");
    let mut connection = outage.database.connect();
    let mut transaction = connection.begin(Limits::all(postgres::fixture::AMPLE));
    let lock = [Statement::plain("LOCK TABLE pumphouse.raw")];
    transaction.pipeline(&lock, postgres::fixture::deadline()).unwrap();
    let reader = ServerReader::with_timeout(&access, Duration::from_secs(5));
    let read = executor::integer(&reader, "SELECT max(at) FROM raw", &[]);
    let Err(StoreError::Server(error)) = read else { panic!("it has not waited: {read:?}") };
    assert!(matches!(error.sqlstate(), Some("57014" | "55P03")), "{error}");
    assert!(access.health().is_up());
    drop(transaction);
}

#[test]
fn stop_soon_after_the_server_hangs_leaves_all_in_the_spool() {
    let outage = Outage::new();
    let access = outage.access("one");
    let (recorder, sender, history) = outage.recorder(&access);
    observe(&sender, 0);
    wait_until("it is written", || history.rows() == 2);
    outage.server.pause();
    observe(&sender, 1);
    recorder.begin_stop();
    observe(&sender, 2);
    drop(recorder);
    outage.server.resume();
    let spool = Connection::open(outage.folder.path().join("pumphouse.spool.db")).unwrap();
    let count = spool.query_row("SELECT count(*) FROM record", [], |row| row.get(0));
    assert_eq!((count, history.spooled()), (Ok(4_i64), 4));
}

#[test]
fn spool_that_cannot_be_opened_holds_up_nothing_while_the_database_answers() {
    let outage = Outage::new();
    let access = outage.access("one");
    let folder = outage.folder.path().join("data");
    let (recorder, sender, history) =
        start(place(&access, folder.join("spool.db")), Clock::system());
    observe(&sender, 0);
    wait_until("it is written", || history.rows() == 2);
    assert_eq!(outage.recorded(&history), [0]);
    let (_, message) = error(&history).expect("the spool is reported");
    assert!(message.starts_with("the spool "), "{message}");
    outage.server.stop();
    observe(&sender, 1);
    wait_until("the outage is noticed", || {
        error(&history).is_some_and(|(_, message)| message.contains("in memory only"))
    });
    outage.server.restart();
    wait_until("it is recorded", || {
        outage.look(&access);
        history.rows() == 4
    });
    std::fs::create_dir(&folder).unwrap();
    wait_until("the spool is open", || error(&history).is_none());
    assert_eq!(outage.recorded(&history), [0, 1]);
    drop(recorder);
}

#[test]
fn spool_that_cannot_be_written_any_more_is_written_to_the_database_once() {
    let outage = Outage::new();
    let access = outage.access("one");
    let (recorder, sender, history) = outage.recorder(&access);
    outage.server.stop();
    for n in 0..5 {
        observe(&sender, n);
    }
    wait_until("they are in the spool", || history.spooled() == 10);
    let spool = Connection::open(outage.folder.path().join("pumphouse.spool.db")).unwrap();
    for call in ["INSERT", "DELETE"] {
        let sql = format!(
            "CREATE TRIGGER full_{call} BEFORE {call} ON record BEGIN SELECT RAISE(FAIL, 'full'); END"
        );
        spool.execute_batch(&sql).unwrap();
    }
    observe(&sender, 5);
    wait_until("the fault is reported", || {
        error(&history).is_some_and(|(_, message)| message.contains("in memory only"))
    });
    outage.server.restart();
    wait_until("all is written", || {
        outage.look(&access);
        history.spooled() == 0 && error(&history).is_none()
    });
    assert_eq!((outage.recorded(&history), history.rows()), ((0..=5).collect(), 12));
    observe(&sender, 6);
    wait_until("the next one is written", || history.rows() == 14);
    drop(recorder);
}

#[test]
fn spool_that_has_lost_records_is_reported() {
    let outage = Outage::new();
    let access = Access::new(outage.database.target(), "one".into()).unwrap();
    let spool = outage.folder.path().join("pumphouse.spool.db");
    let place = ServerPlace { spool_max: 128 << 10, ..place(&access, spool) };
    let (recorder, sender, history) = start(place, Clock::system());
    wait_until("records are lost", || {
        for n in 0..100 {
            observe(&sender, n);
        }
        history.dropped() > 0
    });
    wait_until("that is reported", || {
        error(&history).is_some_and(|(_, message)| message.contains("spool_max"))
    });
    drop(recorder);
}

#[test]
fn clock_that_is_behind_holds_readings_while_the_database_is_away() {
    let outage = Outage::new();
    let access = Access::new(outage.database.target(), "one".into()).unwrap();
    let spool = || outage.folder.path().join("pumphouse.spool.db");
    let clock_at = |at| FakeClock::new(time_point(moment(at), 0)).clock();
    let (recorder, sender, history) = start(place(&access, spool()), clock_at(START + 10));
    observe(&sender, 0);
    wait_until("it is in the spool", || history.spooled() == 2);
    drop(recorder);
    let (recorder, sender, history) = start(place(&access, spool()), clock_at(START - 86_400));
    observe(&sender, -86_400);
    wait_until("it is held", || error(&history).is_some_and(|(kind, _)| kind == FaultKind::Clock));
    assert_eq!(history.spooled(), 2);
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
