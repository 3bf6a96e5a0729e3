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
use super::writer::Writer;
use super::*;
use crate::board::{Change, Event, EventKind, Finite, Sample};
use crate::data_lock::DataLock;
use crate::units::Unit;

mod backup;
mod corrections;
mod damage;
mod events;
mod instances;
mod kept_days;
mod over_time;
mod pieces;
mod pruned;
mod recording;
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

struct Fixture {
    _folder: TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        Fixture { path: folder.path().join("pumphouse.db"), _folder: folder }
    }

    fn settings(&self) -> Settings {
        settings_of(Some(self.path.clone()))
    }

    fn history(&self) -> History {
        History::read_only(&self.path, TimeZone::UTC)
    }

    fn recorder(&self) -> (Recorder, ChangeSender, History) {
        let (prepared, sender, history) = prepare(self.settings());
        (prepared.start(Box::new(|_| false)).unwrap(), sender, history)
    }

    fn writer(&self) -> Writer {
        Writer::open(&self.path, &TimeZone::UTC, &[], || {}).unwrap()
    }
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
