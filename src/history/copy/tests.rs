//! Copies between files and databases.

use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::board::{Change, Event, EventKind, Finite, Sample};
use crate::data_lock::DataLock;
use crate::history::postgres::ServerReader;
use crate::history::{import, schema};
use crate::postgres::fixture::{self, Database};
use crate::postgres::{Limits, Statement};
use crate::store::{Access, Link, Readiness};
use crate::units::Unit;

/// Midnight in UTC of a Monday.
const START: i64 = 1_773_014_400;

struct Fixture {
    folder: TempDir,
    database: Database,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { folder: tempfile::tempdir().unwrap(), database: fixture::database() }
    }

    fn file(&self, name: &str) -> CopyPlace {
        CopyPlace::File(self.folder.path().join(name))
    }

    fn server(&self) -> CopyPlace {
        CopyPlace::Server(Access::new(self.database.target(), "copy".into()).unwrap())
    }

    /// Returns the connection to the database, with its tables.
    fn link(&self) -> Link {
        let access = Access::new(self.database.target(), "test".into()).unwrap();
        assert_eq!(access.prepare(fixture::deadline()).unwrap(), Readiness::Ready);
        Link::new(access)
    }

    fn execute(&self, sql: &str) {
        let statements = [Statement::plain(sql)];
        self.link().run(Limits::all(fixture::AMPLE), &statements, fixture::deadline()).unwrap();
    }

    fn import(&self, name: &str, changes: impl IntoIterator<Item = Change>) {
        let path = self.folder.path().join(name);
        import(&path, &TimeZone::UTC, changes).unwrap();
    }
}

fn run(from: &CopyPlace, to: &CopyPlace) -> Vec<Copied> {
    copy(from, to, &TimeZone::UTC, &mut |_| {}).unwrap()
}

/// Returns the number of new rows of each table.
fn new_rows(copied: &[Copied]) -> Vec<u64> {
    copied.iter().map(|copied| copied.new).collect()
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap()
}

fn sample(field: &str, at: i64, value: f64, unit: Unit) -> Sample {
    Sample::new("tank".into(), field.into(), moment(at), Finite::new(value).unwrap(), Some(unit))
}

fn level(at: i64, value: f64) -> Change {
    Change::Observed(vec![sample("level", at, value, Unit::Percent)])
}

fn event(at: i64, detail: &str) -> Change {
    let (kind, source) = (EventKind::ErrorBegan, Some("tank".into()));
    Change::Happened(Event { at: moment(at), kind, source, detail: detail.into() })
}

/// Returns three days of values of several aggregations, in two units, with gaps, and events.
fn changes() -> Vec<Change> {
    let mut changes = Vec::new();
    for number in 0..500 {
        let at = START + number * 500 + number % 7;
        let value = (number % 83) as f64 + 0.1;
        let unit = if number < 200 { Unit::Inch } else { Unit::Centimetre };
        changes.push(Change::Observed(vec![
            sample("level", at, value, Unit::Percent),
            sample("depth", at, value, unit),
            sample("rain_total", at, number as f64 * 0.3, Unit::Millimetre),
            sample("wind_direction", at, (number * 7 % 360) as f64, Unit::Degree),
            sample("wind_speed", at, value / 10.0, Unit::MetrePerSecond),
        ]));
        if number % 50 == 0 {
            changes.push(event(at, &format!("failure {number}")));
        }
    }
    changes
}

/// Returns the rows of each table, without what each store numbers itself.
fn rows(place: &CopyPlace) -> Vec<Vec<String>> {
    let db: Box<dyn Queries> = match place {
        CopyPlace::File(path) => Box::new(schema::open_to_read(path).unwrap()),
        CopyPlace::Server(access) => {
            assert_eq!(access.prepare(fixture::deadline()).unwrap(), Readiness::Ready);
            Box::new(ServerReader::with_timeout(access, fixture::AMPLE))
        }
    };
    let key = "source, field, unit";
    let joined = "JOIN series ON series.id = series";
    let rollup = "at, min, max, sum, last, last_at, count, amount, east, north, weight";
    let queries = [
        format!("SELECT {key}, over_time, period, recorded FROM series ORDER BY {key}"),
        format!("SELECT {key}, at, value, qualifier FROM raw {joined} ORDER BY {key}, at"),
        format!("SELECT {key}, {rollup} FROM quarter {joined} ORDER BY {key}, at"),
        format!("SELECT {key}, {rollup} FROM day {joined} ORDER BY {key}, at"),
        "SELECT at, kind, source, detail FROM event ORDER BY id".to_owned(),
        "SELECT key, value FROM meta WHERE key IN ('timezone', 'latest') ORDER BY key".to_owned(),
    ];
    let rows_of = |sql: String| {
        let columns = sql.split(" FROM ").next().unwrap().split(',').count();
        let row = |row: &dyn executor::Row| {
            let column = |column| {
                let text = row.text(column).ok().flatten();
                let integer = || row.integer(column).ok().flatten().map(|value| value.to_string());
                let number = || row.number(column).ok().flatten().map(|value| format!("{value:?}"));
                text.or_else(integer).or_else(number).unwrap_or_default()
            };
            Ok((0..columns).map(column).collect::<Vec<_>>().join(" "))
        };
        executor::all(&*db, &sql, &[], row).unwrap()
    };
    queries.into_iter().map(rows_of).collect()
}

#[test]
fn file_that_is_copied_to_a_database_and_back_has_equal_rows() {
    let fixture = Fixture::new();
    fixture.import("old.db", changes());
    let (old, server, new) = (fixture.file("old.db"), fixture.server(), fixture.file("new.db"));
    let copied = run(&old, &server);
    assert!(copied.iter().all(|copied| copied.read > 0 && copied.new == copied.read), "{copied:?}");
    let expected = rows(&old);
    assert_eq!(rows(&server), expected);
    assert_eq!(run(&server, &new), copied);
    assert_eq!(rows(&new), expected);
    // Again, and the copy back to where its rows come from.
    for (from, to) in [(&old, &server), (&server, &new), (&new, &server), (&old, &server)] {
        assert_eq!(new_rows(&run(from, to)), [0; 5]);
    }
    assert_eq!(rows(&server), expected);
    assert_eq!(rows(&new), expected);
}

#[test]
fn target_that_has_later_rows_of_the_same_quarter_gets_the_rollups_of_both() {
    let all: Vec<Change> = changes();
    // The middle of a quarter and of a day.
    let switch = START + 250 * 500 + 400;
    let is_before = |change: &Change| match change {
        Change::Observed(samples) => samples[0].at.as_second() < switch,
        Change::Happened(event) => event.at.as_second() < switch,
        Change::ClockStepped(_) => false,
    };
    let (before, after): (Vec<Change>, Vec<Change>) = all.iter().cloned().partition(is_before);
    let fixture = Fixture::new();
    fixture.import("both.db", all);
    fixture.import("old.db", before);
    fixture.import("later.db", after);
    let (old, server) = (fixture.file("old.db"), fixture.server());
    run(&fixture.file("later.db"), &server);
    run(&old, &server);
    // The units of a field are in the order of the target.
    let content = |place: &CopyPlace| rows(place).split_off(1);
    let (merged, expected) = (content(&server), content(&fixture.file("both.db")));
    for (merged, expected) in merged.iter().zip(&expected) {
        let pairs = merged.iter().zip(expected);
        let differing: Vec<_> = pairs.filter(|(one, other)| !nearly_equal(one, other)).collect();
        assert!(differing.is_empty() && merged.len() == expected.len(), "{differing:?}");
    }
    assert_eq!(new_rows(&run(&old, &server)), [0; 5]);
}

/// Compares rows whose sums were added up in different orders.
fn nearly_equal(one: &str, other: &str) -> bool {
    one.split(' ').zip(other.split(' ')).all(|(one, other)| {
        one == other
            || one.parse::<f64>().ok().zip(other.parse::<f64>().ok()).is_some_and(|(one, other)| {
                (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
            })
    })
}

#[test]
fn rollup_of_more_observations_is_kept_where_single_ones_were_deleted() {
    let fixture = Fixture::new();
    fixture.import("old.db", (0..10).map(|number| level(START + number * 60, 50.0)));
    let path = fixture.folder.path().join("old.db");
    let connection = Connection::open(path).unwrap();
    connection.execute("DELETE FROM raw WHERE at < ?1", [START + 480]).unwrap();
    fixture.import("later.db", (11..14).map(|number| level(START + number * 60, 70.0)));
    let server = fixture.server();
    run(&fixture.file("later.db"), &server);
    run(&fixture.file("old.db"), &server);
    let counts = |sql: &str| {
        let access = Access::new(fixture.database.target(), "test".into()).unwrap();
        let db = ServerReader::with_timeout(&access, fixture::AMPLE);
        executor::integer(&db, sql, &[]).unwrap().unwrap()
    };
    assert_eq!(counts("SELECT count(*) FROM raw"), 5);
    assert_eq!(counts("SELECT count FROM quarter"), 10);
    assert_eq!(counts("SELECT count FROM day"), 10);
}

#[test]
fn present_unit_of_a_field_is_that_of_the_target() {
    let fixture = Fixture::new();
    let depth = |at, unit| Change::Observed(vec![sample("depth", at, 1.0, unit)]);
    let old = (0..20).map(|number| depth(START + number, Unit::Inch));
    fixture.import("old.db", old.chain([depth(START + 50, Unit::Foot)]));
    fixture.import("later.db", [depth(START + 100, Unit::Centimetre)]);
    let server = fixture.server();
    run(&fixture.file("later.db"), &server);
    run(&fixture.file("old.db"), &server);
    let access = Access::new(fixture.database.target(), "test".into()).unwrap();
    let db = ServerReader::with_timeout(&access, fixture::AMPLE);
    let sql = "SELECT unit FROM series ORDER BY recorded DESC, id DESC";
    let units = executor::all(&db, sql, &[], |row| row.string(0)).unwrap();
    assert_eq!(units, ["cm", "ft", "in"]);
}

#[test]
fn many_rows_are_copied_in_pages_and_an_interrupted_copy_continues() {
    const ROWS: i64 = 100_000;
    let fixture = Fixture::new();
    fixture.import("old.db", [level(START, 1.0), event(START, "x")]);
    let connection = Connection::open(fixture.folder.path().join("old.db")).unwrap();
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) \
         INSERT INTO raw (series, at, value) SELECT 1, {START} + n * 60, n FROM numbers",
        ROWS - 1
    );
    connection.execute(&sql, []).unwrap();
    let (old, server) = (fixture.file("old.db"), fixture.server());
    // The first attempt ends after some pages.
    let mut pages = 0;
    let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        copy(&old, &server, &TimeZone::UTC, &mut |_| {
            pages += 1;
            assert!(pages < 5, "interrupted");
        })
    }));
    assert!(interrupted.is_err());
    let mut largest = 0;
    let copied = copy(&old, &server, &TimeZone::UTC, &mut |progress| {
        let read = progress.copied[RAW].read;
        largest = largest.max(progress.number.0);
        pages += usize::from(read > 0);
    })
    .unwrap();
    assert_eq!((copied[RAW].read, largest), (ROWS as u64, 1));
    assert!(copied[RAW].new < ROWS as u64 && pages > 20, "{copied:?}");
    assert!(rows(&server) == rows(&old));
}

#[test]
fn copied_events_are_before_those_of_the_replicas_and_new_ones_follow_them() {
    let fixture = Fixture::new();
    fixture.import("old.db", (0..5).map(|number| event(START + number, &format!("old {number}"))));
    let (old, server) = (fixture.file("old.db"), fixture.server());
    let live = |detail: &str| {
        fixture.execute(&format!(
            "INSERT INTO event (at, kind, source, detail, instance, number) \
             SELECT {START}, 'failed', NULL, '{detail}', 'a', count(*) FROM event"
        ));
    };
    live("live 1");
    assert_eq!(run(&old, &server)[EVENTS].new, 5);
    live("live 2");
    fixture.import("old.db", [event(START + 9, "old 5")]);
    assert_eq!(run(&old, &server)[EVENTS].new, 1);
    // Another file, and one that has the events of the first.
    fixture.import("other.db", [event(START, "other")]);
    assert_eq!(run(&fixture.file("other.db"), &server)[EVENTS].new, 1);
    assert_eq!(run(&old, &server)[EVENTS].new, 0);
    let access = Access::new(fixture.database.target(), "test".into()).unwrap();
    let db = ServerReader::with_timeout(&access, fixture::AMPLE);
    let sql = "SELECT detail FROM event ORDER BY id";
    let details = executor::all(&db, sql, &[], |row| row.string(0)).unwrap();
    let expected =
        ["other", "old 0", "old 1", "old 2", "old 3", "old 4", "old 5", "live 1", "live 2"];
    assert_eq!(details, expected);
    let sql = "SELECT max(id) - min(id) FROM event WHERE detail LIKE 'live%'";
    assert_eq!(executor::integer(&db, sql, &[]).unwrap(), Some(1));
}

#[test]
fn copy_that_cannot_be_merged_is_refused() {
    let fixture = Fixture::new();
    fixture.import("old.db", [level(START, 1.0)]);
    let (old, server) = (fixture.file("old.db"), fixture.server());
    let text = |from: &CopyPlace, to: &CopyPlace, zone: &str| {
        let zone = TimeZone::get(zone).unwrap();
        copy(from, to, &zone, &mut |_| {}).unwrap_err().to_string()
    };
    assert!(text(&old, &old, "UTC").contains("there already"));
    assert!(text(&server, &fixture.server(), "UTC").contains("there already"));
    assert!(text(&old, &server, "Europe/Paris").contains("time zone UTC"));
    assert!(text(&server, &old, "UTC").contains("no tables yet"));
    run(&old, &server);
    fixture.execute("UPDATE meta SET value = 'Asia/Tokyo' WHERE key = 'timezone'");
    assert!(text(&old, &server, "UTC").contains("Asia/Tokyo"));
    fixture.execute("UPDATE meta SET value = 'UTC' WHERE key = 'timezone'");
    fixture.execute("UPDATE series SET over_time = 'max'");
    let refused = text(&old, &server, "UTC");
    assert!(refused.contains("tank.level has the aggregation mean"), "{refused}");
    // A server records the target.
    fixture.execute("UPDATE series SET over_time = 'mean'");
    let held = DataLock::of_database(&fixture.folder.path().join("new.db"));
    held.claim();
    let refused = text(&server, &fixture.file("new.db"), "UTC");
    assert!(refused.contains("a server records"), "{refused}");
    assert!(!fixture.folder.path().join("new.db").exists());
}
