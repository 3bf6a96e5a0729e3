use jiff::Timestamp;

use super::*;
use crate::board::{Corrects, Event, EventKind, Finite, Sample};
use crate::history::entry::StoredEvent;
use crate::units::{OverTime, Unit};

const NOW: Duration = Duration::from_secs(1_000_000);

fn level(at: i64, value: f64) -> Entry {
    let at = Timestamp::from_second(at).unwrap();
    let value = Finite::new(value).unwrap();
    let level = Sample::new("tank".into(), "level".into(), at, value, Some(Unit::Percent));
    let rain = Sample {
        period: Some(Duration::from_secs(3600)),
        corrects: Corrects::Nothing,
        over_time: OverTime::Sum,
        ..Sample::new("roof".into(), "rain".into(), at, value, None)
    };
    let corrected = Sample { corrects: Corrects::Only(value), ..level.clone() };
    Entry::Samples(vec![level, rain, corrected])
}

fn event(number: i64) -> Entry {
    let at = Timestamp::from_second(1_790_000_000).unwrap();
    let (kind, source) = (EventKind::Stale, Some("tank".into()));
    let event = Event { at, kind, source, detail: "a \"detail\"".into() };
    Entry::Event(StoredEvent { id: number, event })
}

fn levels(count: i64) -> Vec<Entry> {
    (0..count).map(|n| level(1_790_000_000 + n, 1.0)).collect()
}

fn open_in(folder: &tempfile::TempDir, max_bytes: u64) -> Spool {
    Spool::open(&folder.path().join("pumphouse.spool.db"), max_bytes).unwrap()
}

/// Returns the ids of the records that wait.
fn waiting(spool: &Spool) -> Vec<i64> {
    spool.first(usize::MAX).unwrap().iter().map(|record| record.id).collect()
}

#[test]
fn records_wait_in_their_order_until_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let entries = [level(1_790_000_000, 0.1), event(7), level(1_790_000_060, -2e-7)];
    let mut spool = open_in(&folder, u64::MAX);
    assert_eq!(spool.append("one", &entries[..2], None).unwrap(), 0);
    drop(spool);
    let mut spool = open_in(&folder, u64::MAX);
    spool.append("two", &entries[2..], None).unwrap();
    assert_eq!(spool.len(), 3);
    let read = spool.first(2).unwrap();
    let names: Vec<&str> = read.iter().map(|record| &*record.instance).collect();
    assert_eq!(names, ["one", "one"]);
    let found: Vec<&Entry> = read.iter().map(|record| record.entry.as_ref().unwrap()).collect();
    assert_eq!(found, [&entries[0], &entries[1]]);
    spool.note_written(read[1].id, 2, NOW);
    let read = spool.first(2).unwrap();
    assert_eq!((read.len(), &*read[0].instance), (1, "two"));
    assert_eq!(read[0].entry.as_ref(), Some(&entries[2]));
    spool.note_written(read[0].id, 1, NOW);
    assert!(spool.is_empty());
}

#[test]
fn written_records_are_kept_for_two_minutes_and_written_again_after_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open_in(&folder, u64::MAX);
    spool.append("one", &levels(5), None).unwrap();
    spool.note_written(2, 2, NOW);
    spool.note_written(4, 2, NOW + Duration::from_secs(60));
    assert_eq!((spool.len(), waiting(&spool)), (1, vec![5]));
    let later = NOW + KEPT + Duration::from_secs(1);
    assert!(spool.has_expired(later) && !spool.has_expired(NOW + KEPT));
    spool.remove_expired(later).unwrap();
    assert!(!spool.has_expired(later));
    spool.write_again();
    assert_eq!((spool.len(), waiting(&spool)), (3, vec![3, 4, 5]));
    spool.note_written(5, 3, later);
    drop(spool);
    assert_eq!(open_in(&folder, u64::MAX).len(), 3, "after a restart, too");
}

#[test]
fn full_spool_drops_its_oldest_records_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    const LIMIT: u64 = 2 << 20;
    let mut spool = open_in(&folder, LIMIT);
    let mut dropped = 0;
    for _ in 0..10 {
        dropped += spool.append("one", &levels(3_000), None).unwrap();
        let transaction = spool.connection.transaction().unwrap();
        assert!(!is_full(&transaction, i64::try_from(LIMIT).unwrap()).unwrap());
    }
    assert_eq!(spool.len() + dropped, 30_000);
    assert!(dropped > 0 && spool.len() > 500, "{dropped}");
    let first = spool.first(1).unwrap();
    assert_eq!(first[0].id, i64::try_from(dropped).unwrap() + 1, "the oldest ones");
}

#[test]
fn full_spool_drops_what_was_written_first_and_does_not_count_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open_in(&folder, 2 << 20);
    while spool.append("one", &levels(100), None).unwrap() == 0 {}
    let read = spool.first(2_000).unwrap();
    spool.note_written(read[1_999].id, 2_000, NOW);
    let waiting = spool.len();
    assert_eq!(spool.append("one", &levels(1_000), None).unwrap(), 0);
    assert_eq!(spool.len(), waiting + 1_000);
    spool.write_again();
    assert_eq!(spool.len(), waiting + 1_000);
}

#[test]
fn numbers_are_stored_with_the_records_and_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open_in(&folder, u64::MAX);
    assert_eq!(spool.number(meta::LATEST).unwrap(), None);
    spool.append("one", &levels(1), Some(7)).unwrap();
    spool.append("one", &levels(1), None).unwrap();
    spool.set_number(meta::HELD, 3).unwrap();
    drop(spool);
    let spool = open_in(&folder, u64::MAX);
    let stored = [meta::LATEST, meta::HELD].map(|key| spool.number(key).unwrap());
    assert_eq!(stored, [Some(7), Some(3)]);
}

#[test]
fn damaged_spool_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.spool.db");
    std::fs::write(&path, vec![7; 8192]).unwrap();
    let spool = Spool::open(&path, u64::MAX).unwrap();
    assert!(spool.is_empty());
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|file| {
                file.as_ref().unwrap().file_name().to_string_lossy().contains("damaged")
            })
            .count(),
        1
    );
}
