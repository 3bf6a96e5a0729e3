//! Ids of events, and what is written at a flush.

use jiff::Timestamp;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::board::{DatedBy, Event, EventKind, Finite, Sample};
use crate::data_lock::Claim;
use crate::history::settings::Place;
use crate::history::{FaultKind, RenamedSeries, Retention, Step, Window, schema};
use crate::kernel::clock::tests::{FakeClock, time_point};
use crate::units::Unit;

mod holds;

#[test]
fn events_recorded_before_the_file_is_open_get_ids_after_those_in_it() {
    let happened = |kind| {
        Change::Happened(Event { at: Timestamp::now(), kind, source: None, detail: "".into() })
    };
    // The file has fewer events than were recorded before it was opened, as many, or more.
    for stored in [1, 3, 5] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let before = (0..stored).map(|_| happened(EventKind::Stale));
        super::super::writer::import(&path, &TimeZone::UTC, before).unwrap();
        let (prepared, _, history) = prepare(settings(&folder));
        let (mut thread, _) = prepared.into_thread(Box::new(|_| false));
        for _ in 0..3 {
            thread.add(happened(EventKind::Fresh));
        }
        thread.open();
        thread.flush();
        thread.add(happened(EventKind::Stopped));
        thread.flush();
        let (ids, kinds): (Vec<i64>, Vec<EventKind>) =
            history.recent_events().iter().map(|stored| (stored.id, stored.event.kind)).unzip();
        assert_eq!(ids, (1..=stored + 4).rev().collect::<Vec<_>>(), "{stored}");
        assert_eq!(kinds[..4], [[EventKind::Stopped].as_slice(), &[EventKind::Fresh; 3]].concat());
        assert_eq!(history.rows(), 4, "{stored}: all new events are written");
    }
}

/// 31 January 2026, 17:20 UTC.
const RECORD: i64 = 1_769_880_000;

const HOUR: i64 = 3600;

/// A recorder with a file, a thread that a test drives, and clocks that it sets.
struct Held {
    folder: TempDir,
    clock: FakeClock,
    thread: RecorderThread,
    history: History,
}

fn settings(folder: &TempDir) -> Settings {
    Settings {
        lock: Arc::new(DataLock::none()),
        place: Some(Place::File(folder.path().join("pumphouse.db"))),
        flush: Duration::ZERO,
        keep: Retention::default(),
        zone: TimeZone::UTC,
        readers: 1,
        sources: Vec::new(),
    }
}

impl Held {
    /// Starts a recorder at that time, in the folder of an earlier one.
    fn start(folder: TempDir, now: i64) -> Held {
        let (mut prepared, _, history) = prepare(settings(&folder));
        let clock = FakeClock::new(time_point(Timestamp::from_second(now).unwrap(), 0));
        prepared.clock = clock.clock();
        prepared.setting = ReportedSetting::new(prepared.clock.now());
        let (mut thread, _) = prepared.into_thread(Box::new(|_| false));
        thread.open();
        Held { folder, clock, thread, history }
    }

    /// Returns a recorder whose file has a value of [`RECORD`], started with the clock at `now`.
    fn after_a_record(now: i64) -> Held {
        let mut earlier = Held::start(tempfile::tempdir().unwrap(), RECORD);
        earlier.observe(RECORD, 1.0, DatedBy::Sensor);
        earlier.thread.flush();
        assert_eq!(earlier.recorded(), [RECORD]);
        let Held { folder, thread, .. } = earlier;
        drop(thread);
        Held::start(folder, now)
    }

    fn observe(&mut self, at: i64, number: f64, dated_by: DatedBy) {
        let at = Timestamp::from_second(at).unwrap();
        let value = Finite::new(number).unwrap();
        let sample = Sample::new("tank".into(), "level".into(), at, value, Some(Unit::Percent));
        self.thread.add(Change::Observed(vec![Sample { dated_by, ..sample }]));
    }

    /// Sets the wall clock forward, as the board reports it.
    fn set_clock(&mut self, seconds: i64) {
        let step = SignedDuration::from_secs(seconds);
        self.clock.set(step);
        self.thread.add(Change::ClockStepped(step));
    }

    /// Returns the times of all recorded values.
    fn recorded(&self) -> Vec<i64> {
        let window = Window {
            source: "tank".into(),
            field: "level".into(),
            from: 0,
            to: 4 * RECORD,
            step: Step::Raw,
        };
        let points = self.history.points(window).unwrap();
        points.map(|points| points.map(|point| point.unwrap().at).collect()).unwrap_or_default()
    }

    fn error(&self) -> Option<String> {
        self.history.health().error.as_ref().map(|error| error.message.to_string())
    }
}

#[test]
fn numbers_beyond_any_sensor_are_not_recorded() {
    let mut held = Held::after_a_record(RECORD + 60);
    for number in [1.7e308, -1.7e308, 1.000_001e15, 1e15] {
        held.observe(RECORD + 60, number, DatedBy::Sensor);
    }
    held.thread.flush();
    assert_eq!((held.recorded().len(), held.history.dropped(), held.error()), (2, 3, None));
}

#[test]
fn renamed_fields_of_a_source_that_a_reload_adds_move_before_its_first_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let old = schema::create_first_version(&path);
    old.execute_batch(
        "INSERT INTO series VALUES (1, 'tank', 'level', '%');
         INSERT INTO raw VALUES (1, 1769880000, 7);
         INSERT INTO quarter VALUES (1, 1769879700, 7, 7, 7, 7, 1769880000, 1);
         INSERT INTO day VALUES (1, 1769817600, 7, 7, 7, 7, 1769880000, 1)",
    )
    .unwrap();
    drop(old);
    let mut held = Held::start(folder, RECORD + 60);
    assert_eq!(held.recorded(), [RECORD]);
    let renamed = RenamedSeries { old: "level", new: "old_level", is_rate: false };
    held.history
        .renew_sources(vec![SourceFields { source: "tank".into(), renamed: vec![renamed] }]);
    for seconds in [60, 120] {
        held.observe(RECORD + seconds, 2.0, DatedBy::Sensor);
        held.thread.flush();
    }
    assert_eq!(held.recorded(), [RECORD + 60, RECORD + 120]);
    let fields = held.history.fields().unwrap();
    assert_eq!(
        fields.iter().map(|(_, field)| &**field).collect::<Vec<_>>(),
        ["level", "old_level"]
    );
}

#[test]
fn recorder_whose_lock_was_taken_closes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let lock = Arc::new(DataLock::of_database(&path));
    let settings = Settings { place: Some(Place::File(path.clone())), lock, ..settings(&folder) };
    let (prepared, _sender, history) = prepare(settings);
    let (mut recorder, _changes) = prepared.into_thread(Box::new(|_| false));
    recorder.open();
    recorder.check_lock();
    assert!(recorder.writer.is_some());
    std::fs::remove_file(folder.path().join("pumphouse.db.lock")).unwrap();
    let other = DataLock::of_database(&path);
    assert_eq!(other.claim(), Claim::Ours);
    recorder.check_lock();
    assert!(recorder.writer.is_none() && history.holder().is_some());
    drop(other);
    recorder.open();
    assert!(recorder.writer.is_some() && history.holder().is_none());
}

#[test]
fn lock_of_another_process_is_tried_soon_at_first_and_then_each_minute() {
    let minute = Duration::from_secs(60);
    let mut held = Held::start(tempfile::tempdir().unwrap(), RECORD);
    assert_eq!(held.thread.open_interval(), minute);
    held.thread.held_since = Some(Instant::now());
    assert_eq!(held.thread.open_interval(), Duration::from_millis(250));
    held.thread.held_since = Instant::now().checked_sub(minute);
    assert!(held.thread.held_since.is_some());
    assert_eq!(held.thread.open_interval(), minute);
}

#[test]
fn history_starts_within_a_minute_once_its_folder_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/pumphouse.db");
    let lock = Arc::new(DataLock::of_database(&path));
    let settings = Settings { place: Some(Place::File(path.clone())), lock, ..settings(&folder) };
    let (prepared, _, history) = prepare(settings);
    let (mut thread, _) = prepared.into_thread(Box::new(|_| false));
    let kind = || history.health().error.as_ref().map(|error| error.kind);
    thread.open();
    assert_eq!((kind(), thread.writer.is_some()), (Some(FaultKind::NoPlace), false));
    assert!(thread.open_interval() <= Duration::from_secs(60));
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    thread.open();
    assert_eq!((kind(), thread.writer.is_some()), (None, true));
}

/// Returns a change with one value, `n` seconds after the record.
fn observed(n: i64) -> Change {
    let at = Timestamp::from_second(RECORD + n).unwrap();
    Change::Observed(vec![Sample::new(
        "tank".into(),
        "level".into(),
        at,
        Finite::new(1.0).unwrap(),
        None,
    )])
}

#[test]
fn batch_that_is_half_full_is_written_before_its_interval_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { lock: Arc::new(DataLock::none()), ..settings(&folder) };
    let (prepared, _sender, history) = prepare(settings);
    let (mut thread, _changes) = prepared.into_thread(Box::new(|_| false));
    let half = thread.shared.max_changes() as i64 / 2;
    // While the file is not open, nothing is tried again before the next flush.
    (0..=half).for_each(|n| thread.add(observed(n)));
    thread.flush_early();
    assert!(thread.waits_for_flush);
    thread.open();
    thread.flush_early();
    assert_eq!((history.rows(), thread.batch.len() as i64), (0, half + 1));
    thread.flush();
    assert_eq!((history.rows() as i64, thread.batch.len()), (half + 1, 0));
    thread.waits_for_flush = false;
    (0..half).for_each(|n| thread.add(observed(half + 1 + n)));
    thread.flush_early();
    assert_eq!(thread.batch.len() as i64, half, "it is not yet half full");
    thread.add(observed(2 * half + 1));
    thread.flush_early();
    assert_eq!((history.rows() as i64, thread.batch.len()), (2 * half + 2, 0));
    assert!(!thread.waits_for_flush);
}

#[test]
fn changes_are_recorded_while_work_for_the_open_history_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let flush = Duration::from_millis(10);
    let settings = Settings { flush, ..settings(&folder) };
    let (prepared, sender, history) = prepare(settings);
    let (done, is_done) = crossbeam_channel::bounded(1);
    let recorder = prepared.start(Box::new(move |history| {
        if history.rows() == 0 {
            return true;
        }
        done.send(()).unwrap();
        false
    }));
    sender.send(observed(0));
    is_done.recv_timeout(Duration::from_secs(20)).expect("the change is recorded meanwhile");
    drop(recorder);
    assert_eq!(history.rows(), 1);
}
