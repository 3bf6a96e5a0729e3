//! Tests of the history over real files.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use tempfile::TempDir;

use super::entry::Entry;
use super::executor::{self, Param, Row, params};
use super::postgres::{Record, ServerReader, ServerWriter};
use super::writer::Writer;
use super::*;
use crate::board::{Change, Corrects, Event, EventKind, Finite, Sample};
use crate::data_lock::DataLock;
use crate::postgres::fixture::Database;
use crate::postgres::{self, Limits, Statement};
use crate::store::{Access, Link, Readiness};
use crate::units::Unit;

mod backup;
mod corrections;
mod damage;
mod events;
mod instances;
mod kept_days;
mod late;
mod outage;
mod over_time;
mod partitions;
mod pieces;
mod pruned;
mod recomputed;
mod recording;
mod refused;
mod retention;
mod rows;
mod upgrade;
mod upkeep;

/// Midnight in UTC of a Monday.
const START: i64 = 1_773_014_400;

const FOREVER: Retention = Retention { raw: None, quarters: None, days: None };

/// Returns the settings of a history without sources.
pub(super) fn settings_of(path: Option<PathBuf>) -> Settings {
    Settings {
        lock: Arc::new(DataLock::none()),
        place: path.map(Place::File),
        flush: Duration::from_millis(10),
        keep: FOREVER,
        zone: TimeZone::UTC,
        readers: 2,
        sources: Vec::new(),
    }
}

/// Store on which a test runs.
#[derive(Debug, Clone, Copy)]
enum Store {
    File,
    Server,
}

/// Runs tests, which are functions of a [`Store`], on a file and on PostgreSQL.
macro_rules! on_both_stores {
    ($($test:ident),+ $(,)?) => {
        mod on_a_file {
            $(#[test] fn $test() { super::$test(super::Store::File) })+
        }
        mod on_postgres {
            $(#[test] fn $test() { super::$test(super::Store::Server) })+
        }
    };
}
use on_both_stores;

struct Fixture {
    folder: TempDir,
    /// Path of the file, or of the spool.
    path: PathBuf,
    server: Option<Database>,
}

/// Writer of either store.
enum EitherWriter {
    File(Box<Writer>),
    Server(Box<ServerWriter>, Arc<str>),
}

impl EitherWriter {
    fn write<'e>(
        &mut self,
        entries: impl IntoIterator<Item = &'e Entry> + Clone,
    ) -> Result<u64, StoreError> {
        match self {
            EitherWriter::File(writer) => writer.write(entries),
            EitherWriter::Server(writer, instance) => {
                let records: Vec<Record<'_>> =
                    entries.into_iter().map(|entry| Record { instance, entry }).collect();
                let rows = writer.write(&records, &mut 0)?;
                recompute(writer)?;
                Ok(rows)
            }
        }
    }
}

/// Recomputes what is due, as the recorder does while it has nothing else to do.
fn recompute(writer: &mut ServerWriter) -> Result<(), StoreError> {
    while writer.has_recomputation() {
        writer.recompute(&|| false)?;
    }
    Ok(())
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        Fixture { path: folder.path().join("pumphouse.db"), folder, server: None }
    }

    fn of(store: Store) -> Fixture {
        match store {
            Store::File => Fixture::new(),
            Store::Server => {
                Fixture { server: Some(postgres::fixture::database()), ..Fixture::new() }
            }
        }
    }

    /// Returns the access of a process to the database.
    fn access(&self, database: &Database, instance: &str) -> Access {
        let access = Access::new(database.target(), instance.into()).unwrap();
        assert_eq!(access.prepare(postgres::fixture::deadline()).unwrap(), Readiness::Ready);
        access
    }

    fn place(&self) -> Place {
        match &self.server {
            None => Place::File(self.path.clone()),
            Some(database) => {
                let number = fastrand::u64(..);
                let access = self.access(database, &format!("{number:016x}"));
                let spool = self.folder.path().join("pumphouse.spool.db");
                Place::Server(ServerPlace { access, spool, spool_max: 1 << 30 })
            }
        }
    }

    fn settings(&self) -> Settings {
        Settings { place: Some(self.place()), ..settings_of(None) }
    }

    fn history(&self) -> History {
        self.history_in(&TimeZone::UTC)
    }

    fn history_in(&self, zone: &TimeZone) -> History {
        match self.place() {
            Place::File(path) => History::read_only(&path, zone.clone()),
            Place::Server(place) => History::read_server(place, zone.clone()),
        }
    }

    /// Executes statements that both databases understand, divided by semicolons.
    fn execute(&self, sql: &str) {
        match &self.server {
            None => Connection::open(&self.path).unwrap().execute_batch(sql).unwrap(),
            Some(database) => {
                let statements: Vec<Statement<'_>> = sql.split(';').map(Statement::plain).collect();
                Link::new(self.access(database, "test"))
                    .run(
                        Limits::all(postgres::fixture::AMPLE),
                        &statements,
                        postgres::fixture::deadline(),
                    )
                    .unwrap();
            }
        }
    }

    /// Returns what `read` makes of each row of a query.
    fn rows<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&dyn Row) -> Result<T, StoreError>,
    ) -> Vec<T> {
        let rows = match &self.server {
            None => executor::all(&Connection::open(&self.path).unwrap(), sql, params, read),
            Some(database) => {
                let access = self.access(database, "test");
                let reader = ServerReader::with_timeout(&access, postgres::fixture::AMPLE);
                executor::all(&reader, sql, params, read)
            }
        };
        rows.unwrap()
    }

    fn recorder(&self) -> (Recorder, ChangeSender, History) {
        let (prepared, sender, history) = prepare(self.settings());
        (prepared.start(Box::new(|_| false)).unwrap(), sender, history)
    }

    /// Opens the store for writing.
    fn either_writer(&self) -> EitherWriter {
        self.writer_in(&TimeZone::UTC)
    }

    /// Opens the store for writing days of a zone.
    fn writer_in(&self, zone: &TimeZone) -> EitherWriter {
        match self.place() {
            Place::File(path) => {
                let mut writer = Writer::open(&path, zone, &[], || {}).unwrap();
                writer.mend_days().unwrap();
                EitherWriter::File(Box::new(writer))
            }
            Place::Server(ServerPlace { access, .. }) => {
                let mut writer = ServerWriter::new(access, zone);
                recompute(&mut writer).unwrap();
                EitherWriter::Server(Box::new(writer), fastrand::u64(..).to_string().into())
            }
        }
    }

    /// Returns a writer of the database, as a process of its own.
    fn server_writer(&self) -> ServerWriter {
        match self.either_writer() {
            EitherWriter::Server(writer, _) => *writer,
            EitherWriter::File(_) => panic!("the store is a file"),
        }
    }

    /// Returns the integer that a query selects.
    fn integer(&self, sql: &str) -> i64 {
        self.rows(sql, &[], |row| row.i64(0))[0]
    }

    /// Opens the file for writing.
    fn writer(&self) -> Writer {
        Writer::open(&self.path, &TimeZone::UTC, &[], || {}).unwrap()
    }
}

/// Writes records of samples; returns the number of those that are committed, and the number of rows or the error.
fn write_records(
    writer: &mut ServerWriter,
    records: &[Vec<Sample>],
) -> (usize, Result<u64, StoreError>) {
    let entries: Vec<Entry> = records.iter().cloned().map(Entry::Samples).collect();
    let records: Vec<Record<'_>> =
        entries.iter().map(|entry| Record { instance: "test", entry }).collect();
    let mut written = 0;
    let result = writer.write(&records, &mut written);
    (written, result)
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap()
}

fn sample(field: &str, at: i64, value: f64, unit: Unit) -> Sample {
    Sample::new("tank".into(), field.into(), moment(at), Finite::new(value).unwrap(), Some(unit))
}

fn level(at: i64, value: f64) -> Sample {
    sample("level", at, value, Unit::Percent)
}

fn window(field: &str, from: i64, to: i64, step: Step) -> Window {
    Window { source: "tank".into(), field: field.into(), from, to, step }
}

fn points(history: &History, window: Window) -> Vec<Bucket> {
    let points = history.points(window).unwrap().expect("the field was recorded");
    points.map(Result::unwrap).collect()
}

/// Returns a page of events.
fn event_page(
    history: &History,
    before: Option<i64>,
    source: Option<&str>,
    limit: usize,
) -> Vec<StoredEvent> {
    let mut scan = history.events(before, source, limit);
    loop {
        if let Poll::Ready(events) = scan.poll().unwrap() {
            return events;
        }
    }
}

/// Waits until `condition` holds; panics after 30 s.
fn wait_until(expected: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(30), "not reached: {expected}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn happened(kind: EventKind, at: i64) -> Change {
    Change::Happened(Event { at: moment(at), kind, source: Some("tank".into()), detail: "".into() })
}
