//! The store over real files: what goes in comes out, through crashes of every kind.

use std::path::PathBuf;
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use tempfile::TempDir;

use super::writer::{Entry, Writer};
use super::*;
use crate::board::{Change, Event, EventKind, Finite, Sample};
use crate::units::Unit;

mod backup;
mod damage;
mod pieces;

/// A Monday, midnight in UTC.
const START: i64 = 1_773_014_400;

const FOREVER: Retention = Retention { raw: None, quarters: None, days: None };

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        Place { path: folder.path().join("pumphouse.db"), _folder: folder }
    }

    fn settings(&self) -> Settings {
        Settings {
            path: Some(self.path.clone()),
            flush: Duration::from_millis(10),
            keep: FOREVER,
            zone: TimeZone::UTC,
            readers: 2,
        }
    }

    fn history(&self) -> History {
        History::read_only(&self.path, TimeZone::UTC)
    }

    fn recorder(&self) -> (Recorder, ChangeSender, History) {
        let (prepared, change_sender, history) = prepare(self.settings());
        (prepared.start(Box::new(|_| {})).unwrap(), change_sender, history)
    }

    fn writer(&self) -> Writer {
        Writer::open(&self.path, &TimeZone::UTC).unwrap()
    }
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap()
}

fn sample(field: &str, at: i64, value: f64, unit: Unit) -> Sample {
    Sample {
        source: "tank".into(),
        field: field.into(),
        at: moment(at),
        value: Finite::new(value).unwrap(),
        unit: Some(unit),
    }
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

/// Events as a page of them would show.
fn events(
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

/// Waits for what has to come, far longer than it may take.
fn until(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn happened(kind: EventKind, at: i64) -> Change {
    Change::Happened(Event { at: moment(at), kind, source: Some("tank".into()), detail: "".into() })
}

#[test]
fn what_goes_in_comes_out_in_every_grain() {
    let place = Place::new();
    let samples: Vec<Sample> =
        (0..3 * 288).map(|n| level(START + n * 300, (n % 288) as f64)).collect();
    let entry = Entry::Samples(samples);
    let mut writer = place.writer();
    assert_eq!(writer.write([&entry].into_iter()).unwrap(), 3 * 288);
    assert_eq!(writer.write([&entry].into_iter()).unwrap(), 0, "it is there already");
    let history = place.history();
    let day = 24 * 3600;
    let raw = points(&history, window("level", START, START + 3600, Step::Auto));
    assert_eq!(raw.len(), 12);
    assert_eq!(raw[3], Bucket::single(START + 900, 3.0));
    let quarters = points(&history, window("level", START, START + 3 * day, Step::Auto));
    assert_eq!(quarters.len(), 3 * 96);
    let second = Bucket { at: START + 900, min: 3.0, max: 5.0, sum: 12.0, last: 5.0, count: 3 };
    assert_eq!(quarters[1], second);
    let hours = points(&history, window("level", START, START + day, Step::Seconds(3600)));
    assert_eq!((hours.len(), hours[1].count, hours[1].min, hours[1].last), (24, 12, 12.0, 23.0));
    let days = points(&history, window("level", START, START + 3 * day, Step::Seconds(day)));
    assert_eq!(days.len(), 3);
    assert_eq!((days[2].min, days[2].max, days[2].mean()), (0.0, 287.0, 143.5));
    let ten_minutes = points(&history, window("level", START, START + day, Step::Seconds(600)));
    assert_eq!((ten_minutes.len(), ten_minutes[0].count), (144, 2));
    let all = points(&history, window("level", START, START + 3 * day, Step::Raw));
    assert_eq!(all.len(), 3 * 288);
    let none = history.points(window("nothing", 0, START, Step::Raw)).unwrap();
    assert!(none.is_none());
}

#[test]
fn a_late_observation_finds_its_place() {
    let place = Place::new();
    let mut writer = place.writer();
    for (at, value) in [(600, 6.0), (0, 2.0), (300, 4.0)] {
        writer.write([&Entry::Samples(vec![level(START + at, value)])].into_iter()).unwrap();
    }
    let quarter =
        points(&place.history(), window("level", START, START + 900, Step::Seconds(QUARTER)));
    let expected = Bucket { at: START, min: 2.0, max: 6.0, sum: 12.0, last: 6.0, count: 3 };
    assert_eq!(quarter, [expected]);
}

#[test]
fn a_change_of_units_changes_nothing_that_was() {
    let place = Place::new();
    let mut writer = place.writer();
    let inches = (0..20).map(|n| sample("depth", START + n * 300, 10.0, Unit::Inch));
    let centimetres = (20..40).map(|n| sample("depth", START + n * 300, 25.0, Unit::Centimetre));
    for samples in [inches.collect(), centimetres.collect()] {
        writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
    }
    let history = place.history();
    let window = window("depth", START, START + 40 * 300, Step::Raw);
    let points = history.points(window).unwrap().unwrap();
    assert_eq!(points.unit(), Some(Unit::Centimetre), "the unit that is told now");
    let depths: Vec<f64> = points.map(|point| point.unwrap().last).collect();
    assert_eq!(depths.len(), 40);
    assert_eq!((depths[0], depths[39]), (25.4, 25.0));
}

#[test]
fn the_unit_that_is_told_now_is_that_of_the_latest_observation() {
    use Unit::{Celsius, Fahrenheit, Litre, UsGallon};
    for (before, after, was, is) in [
        (Celsius, Fahrenheit, 20.0, 68.0),
        (Fahrenheit, Celsius, 68.0, 20.0),
        (UsGallon, Litre, 100.0, 379.0),
        (Litre, UsGallon, 379.0, 100.0),
    ] {
        let place = Place::new();
        let mut writer = place.writer();
        // All on one day.
        for (n, unit) in [(0, before), (1, after)] {
            let sample = sample("it", START + n * 300, if n == 0 { was } else { 1.0 }, unit);
            writer.write([&Entry::Samples(vec![sample])].into_iter()).unwrap();
        }
        let window = window("it", START, START + 600, Step::Raw);
        let points = || place.history().points(window.clone()).unwrap().unwrap();
        assert_eq!(points().unit(), Some(after), "{before} to {after}");
        let told = |points: Points| points.map(|point| point.unwrap().last).collect::<Vec<_>>();
        assert_eq!(told(points()), [is, 1.0], "{before} to {after}");
        assert_eq!(told(points().in_unit(Some(before)))[0], was);
    }
}

#[test]
fn what_a_field_measured_once_is_not_mixed_with_what_it_measures_now() {
    let place = Place::new();
    let mut writer = place.writer();
    for (n, unit) in [Unit::Percent, Unit::Inch, Unit::Centimetre].into_iter().enumerate() {
        let sample = sample("it", START + n as i64 * 300, 10.0, unit);
        writer.write([&Entry::Samples(vec![sample])].into_iter()).unwrap();
    }
    let window = window("it", START, START + 900, Step::Seconds(900));
    let mut points = place.history().points(window).unwrap().unwrap();
    let lengths: Vec<Bucket> = points.by_ref().map(Result::unwrap).collect();
    assert_eq!((points.unit(), lengths.len()), (Some(Unit::Centimetre), 1));
    assert_eq!((lengths[0].min, lengths[0].max, lengths[0].count), (10.0, 25.4, 2));
    let mut points = points.next_quantity().expect("the level");
    let levels: Vec<Bucket> = points.by_ref().map(Result::unwrap).collect();
    assert_eq!((points.unit(), levels.len()), (Some(Unit::Percent), 1));
    assert_eq!((levels[0].last, levels[0].count), (10.0, 1));
    assert!(points.next_quantity().is_none());
}

#[test]
fn days_follow_the_time_zone_and_its_change() {
    let place = Place::new();
    let samples = (0..96).map(|n| level(START + n * 1800, n as f64)).collect();
    place.writer().write([&Entry::Samples(samples)].into_iter()).unwrap();
    let days = |zone: &str| {
        let zone = TimeZone::get(zone).unwrap();
        drop(Writer::open(&place.path, &zone).unwrap());
        let history = History::read_only(&place.path, zone);
        let step = Step::Seconds(86_400);
        points(&history, window("level", START - 86_400, START + 3 * 86_400, step))
    };
    assert_eq!(days("UTC").iter().map(|day| day.count).collect::<Vec<_>>(), [48, 48]);
    // Seven hours behind: the first seven hours are of the day before.
    let there = days("America/Los_Angeles");
    assert_eq!(there.iter().map(|day| day.count).collect::<Vec<_>>(), [14, 48, 34]);
    assert_eq!(there[1].at, START + 7 * 3600);
    assert_eq!(days("UTC").iter().map(|day| day.count).collect::<Vec<_>>(), [48, 48]);
}

#[test]
fn old_rows_go_grain_by_grain() {
    let place = Place::new();
    let mut writer = place.writer();
    let samples = (0..20_000).map(|n| level(START + n * 300, 1.0)).collect();
    writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
    let end = START + 20_000 * 300;
    let day = Duration::from_secs(24 * 3600);
    let keep = Retention { raw: Some(7 * day), quarters: Some(30 * day), days: None };
    let mut rounds = 1;
    while !writer.prune(&keep, moment(end)).unwrap() {
        rounds += 1;
    }
    assert!(rounds > 2, "a few rows at a time");
    let sizes = place.history().check().unwrap();
    let size = |table: &str| sizes.iter().find(|(name, _)| *name == table).unwrap().1;
    assert_eq!((size("raw"), size("quarter"), size("day")), (7 * 288, 30 * 96, 70));
}

#[test]
fn what_is_left_of_an_old_window_answers_whatever_step_is_asked_for() {
    let place = Place::new();
    let mut writer = place.writer();
    let samples = (0..288 * 40).map(|n| level(START + n * 300, 1.0)).collect();
    writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
    let (day, history) = (24 * 3600, place.history());
    let plan = |from: i64, step| {
        let window = window("level", START + from, START + from + day, step);
        let points = history.points(window).unwrap().unwrap();
        (points.plan().tier, points.plan().step, points.count())
    };
    let minute = Step::Seconds(600);
    assert_eq!(plan(0, minute), (Tier::Raw, Some(600), 144), "all of it is kept");
    assert_eq!(plan(-day, minute), (Tier::Raw, Some(600), 0), "older than anything");
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let keep = Retention { raw: days(10), quarters: days(20), days: None };
    while !writer.prune(&keep, moment(START + 40 * day)).unwrap() {}
    assert_eq!(plan(35 * day, minute), (Tier::Raw, Some(600), 144));
    assert_eq!(plan(25 * day, minute), (Tier::Quarter, None, 96));
    assert_eq!(plan(25 * day, Step::Auto), (Tier::Quarter, None, 96));
    assert_eq!(plan(5 * day, minute), (Tier::Day, None, 1));
    assert_eq!(plan(5 * day, Step::Seconds(3600)), (Tier::Day, None, 1));
    assert_eq!(plan(5 * day, Step::Raw).2, 0, "who wants those wants no others");
    // What was told in another unit once, of which no observation is left, spoils nothing.
    let once = Entry::Samples(vec![sample("level", START - 90 * day, 1.0, Unit::Inch)]);
    writer.write([&once].into_iter()).unwrap();
    while !writer.prune(&keep, moment(START + 40 * day)).unwrap() {}
    assert_eq!(plan(35 * day, minute), (Tier::Raw, Some(600), 144));
    assert_eq!(plan(25 * day, minute), (Tier::Quarter, None, 96));
}

#[test]
fn a_clock_that_is_years_ahead_deletes_no_years() {
    const DAY: i64 = 24 * 3600;
    let place = Place::new();
    let mut writer = place.writer();
    let hourly = |from: i64, hours: i64| {
        Entry::Samples((0..hours).map(|n| level(from + n * 3600, 1.0)).collect())
    };
    writer.write([&hourly(START, 60 * 24)].into_iter()).unwrap();
    let keep = Duration::from_secs(60 * DAY.unsigned_abs());
    let keep = Retention { raw: Some(keep), quarters: Some(keep), days: Some(keep) };
    let size = |table: &str| {
        let sizes = place.history().check().unwrap();
        sizes.into_iter().find(|(name, _)| *name == table).unwrap().1
    };
    let mut prune = |at: i64| while !writer.prune(&keep, moment(at)).unwrap() {};
    // However long the clock goes wrong, as long as nothing is recorded by it.
    let ahead = START + 3650 * DAY;
    for hours in [0, 1, 2, 100] {
        prune(ahead + hours * 3600);
        assert_eq!((size("raw"), size("day")), (60 * 24, 60));
    }
    // And by as many days as are recorded by it.
    let mut writer = place.writer();
    writer.write([&hourly(ahead, 2 * 24)].into_iter()).unwrap();
    while !writer.prune(&keep, moment(ahead + 2 * DAY)).unwrap() {}
    assert_eq!((size("raw"), size("quarter"), size("day")), (60 * 24, 60 * 24, 60));
}

#[test]
fn events_are_numbered_on_after_a_restart() {
    let place = Place::new();
    for round in 0..2 {
        let (recorder, change_sender, history) = place.recorder();
        change_sender.send(happened(EventKind::Stale, START + round * 100));
        change_sender.send(happened(EventKind::Fresh, START + round * 100 + 50));
        drop(recorder);
        let numbers: Vec<i64> = history.recent_events().iter().map(|stored| stored.id).collect();
        assert_eq!(numbers, (1..=2 * round + 2).rev().collect::<Vec<_>>());
    }
    let history = place.history();
    let events = self::events(&history, None, None, 10);
    let seen: Vec<_> = events.iter().map(|stored| (stored.id, stored.event.kind)).collect();
    let (stale, fresh) = (EventKind::Stale, EventKind::Fresh);
    assert_eq!(seen, [(4, fresh), (3, stale), (2, fresh), (1, stale)]);
    assert_eq!(self::events(&history, Some(3), None, 1)[0].id, 2);
    assert_eq!(self::events(&history, None, Some("well"), 10), []);
}

#[test]
fn event_texts_of_a_file_are_cleaned() {
    let place = Place::new();
    let event = Event {
        at: moment(START),
        kind: EventKind::Stale,
        source: Some("tank".into()),
        detail: "1.02\u{202e} \u{1b}[2J".into(),
    };
    place.writer().write([&Entry::Event(1, event)].into_iter()).unwrap();
    let events = self::events(&place.history(), None, None, 10);
    assert_eq!(&*events[0].event.detail, "1.02\u{fffd}  [2J");
}

#[test]
fn recent_events_and_those_on_disk_make_one_list() {
    let place = Place::new();
    let (_recorder, change_sender, history) = place.recorder();
    for n in 0..450 {
        change_sender.send(happened(EventKind::Stale, START + n));
    }
    until("all are written", || history.rows() == 450);
    let mut before = None;
    let mut numbers = Vec::new();
    loop {
        let page = events(&history, before, None, 120);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        numbers.extend(page.iter().map(|stored| stored.id));
    }
    assert_eq!(numbers, (1..=450).rev().collect::<Vec<_>>());
}

#[test]
fn whoever_tells_never_waits_and_the_oldest_is_dropped() {
    let place = Place::new();
    drop(place.writer());
    let (recorder, change_sender, history) = place.recorder();
    until("it is open", || history.version() > 0);
    // Somebody else holds the file, as a disk that does not write would.
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let many = 10_000;
    for n in 0..many {
        change_sender.send(Change::Observed(vec![level(START + n, n as f64)]));
    }
    assert!(history.dropped() > 0, "more than can be held");
    other.execute_batch("COMMIT").unwrap();
    until("the rest is written", || {
        history.rows() + history.dropped() == many as u64 && history.health().error.is_none()
    });
    drop(recorder);
    let kept = points(&place.history(), window("level", START, START + many, Step::Raw));
    assert_eq!(kept.last().unwrap().last, (many - 1) as f64, "the latest is there");
    assert_eq!(kept.len() as u64, history.rows());
}

#[test]
fn a_disk_that_hangs_is_told_of_though_nothing_fails() {
    let place = Place::new();
    // Its recorder never gets to take anything out, as one that waits for a disk.
    let (_prepared, change_sender, history) = prepare(place.settings());
    let mut n = 0;
    let mut tell = || {
        n += 1;
        change_sender.send(Change::Observed(vec![level(START + n, 1.0)]));
    };
    while history.dropped() == 0 {
        assert_eq!(history.health().error, None);
        tell();
    }
    let error = history.health().error.clone().expect("reported with the first");
    assert!(error.message.contains("too slowly"), "{error:?}");
    tell();
    assert_eq!(history.health().error, Some(error), "and once");
    assert_eq!((history.dropped(), history.errors()), (2, 0));
}

#[test]
fn readers_are_few_and_come_back() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.write([&Entry::Samples(vec![level(START, 1.0)])].into_iter()).unwrap();
    let readers = super::reader::Readers::new(&place.path, 1);
    let one = readers.borrow().unwrap();
    assert!(matches!(readers.borrow(), Err(ReadError::Busy)));
    drop(one);
    assert!(readers.borrow().is_ok());
}

#[test]
fn an_open_window_holds_no_reader() {
    let place = Place::new();
    let mut writer = place.writer();
    let samples = (0..5_000).map(|n| level(START + n, n as f64)).collect();
    writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
    let history = place.history();
    let all = || history.points(window("level", START, START + 5_000, Step::Raw));
    let mut open: Vec<_> = (0..10).map(|_| all().unwrap().unwrap()).collect();
    for points in &mut open {
        assert_eq!(points.next().unwrap().unwrap().last, 0.0);
    }
    // Rows that come meanwhile are read by those that have not passed them.
    let late = Entry::Samples(vec![sample("level", START + 4_999, 1.0, Unit::Percent)]);
    assert_eq!(writer.write([&late].into_iter()).unwrap(), 0);
    for points in open {
        assert_eq!(points.count(), 4_999);
    }
}
