//! Pieces of work: each reads a bounded number of rows, and none blocks on the readers.

use super::*;
use crate::history::points::ROWS_PER_PIECE;
use crate::history::pool::{Origin, ReaderPool};

on_both_stores!(
    many_rows_that_make_few_points_are_read_in_pieces,
    observation_count_is_that_of_the_rows_that_a_step_merges,
);

/// Reads the points of a window piece by piece; returns them with the number of pieces.
fn in_pieces(history: &History, window: Window) -> (Vec<Bucket>, usize) {
    let mut points = history.points(window).unwrap().unwrap();
    let (mut found, mut pieces) = (Vec::new(), 0);
    loop {
        pieces += 1;
        let mut rows = RowBudget::of_a_piece();
        loop {
            match points.poll_next(&mut rows).unwrap() {
                Poll::Ready(Some(point)) => found.push(point),
                Poll::Ready(None) => return (found, pieces),
                Poll::Pending => break,
            }
        }
    }
}

fn many_rows_that_make_few_points_are_read_in_pieces(store: Store) {
    const ROWS: i64 = 20_000;
    let fixture = Fixture::of(store);
    let samples = (0..ROWS).map(|n| level(START + n, n as f64)).collect();
    fixture.either_writer().write([&Entry::Samples(samples)].into_iter()).unwrap();
    let history = fixture.history();
    // Reading and merging a row are counted separately.
    let min_pieces = 2 * ROWS as usize / ROWS_PER_PIECE;
    for (step, expected) in [(Step::Seconds(7_000), 3), (Step::Raw, ROWS as usize)] {
        let window = window("level", START - 10_000, START + ROWS, step);
        let expected_points = points(&history, window.clone());
        let (found, pieces) = in_pieces(&history, window);
        assert_eq!(found, expected_points, "{step:?}");
        assert!((expected..=expected + 1).contains(&found.len()), "{step:?}: {}", found.len());
        assert!((min_pieces..2 * min_pieces).contains(&pieces), "{step:?}: {pieces} pieces");
    }
}

fn observation_count_is_that_of_the_rows_that_a_step_merges(store: Store) {
    let fixture = Fixture::of(store);
    let samples = (0..5_000).map(|n| level(START + n, 1.0)).collect();
    fixture.either_writer().write([&Entry::Samples(samples)].into_iter()).unwrap();
    let history = fixture.history();
    for (step, expected) in [
        (Step::Seconds(7), 5_000),
        (Step::Auto, 5_000),
        (Step::Raw, 0),
        (Step::Seconds(QUARTER), 0),
    ] {
        let window = window("level", START, START + 5_000, step);
        let points = history.points(window).unwrap().unwrap();
        assert_eq!(points.observations(), expected, "{step:?}");
    }
}

#[test]
fn worker_without_a_free_reader_retries_and_gives_up_after_its_wait() {
    let fixture = Fixture::new();
    drop(fixture.writer());
    let readers = ReaderPool::new(Origin::File(fixture.path.clone()), 1);
    let taken = readers.borrow().unwrap();
    let mut wait = ReaderWait::default();
    let started = Instant::now();
    assert!(wait.try_borrow(&readers).unwrap().is_none());
    let mut attempts = 1;
    let error = loop {
        match wait.try_borrow(&readers) {
            Ok(reader) => assert!(reader.is_none()),
            Err(error) => break error,
        }
        attempts += 1;
        assert!(started.elapsed() < Duration::from_secs(30), "the worker does not give up");
    };
    assert!(matches!(error, ReadError::Busy));
    assert!(attempts > 10, "{attempts} attempts: an attempt must not block");
    drop(taken);
    assert!(wait.try_borrow(&readers).unwrap().is_some());
}

#[test]
fn events_of_a_rare_source_are_scanned_in_pieces() {
    let fixture = Fixture::new();
    let mut writer = fixture.either_writer();
    let event = |id: i64, source: &str| {
        let (at, kind, detail) = (moment(START + id), EventKind::Stale, "".into());
        let event = Event { at, kind, source: Some(source.into()), detail };
        Entry::Event(StoredEvent { id, event })
    };
    let mut entries = vec![event(1, "well")];
    entries.extend((2..=3_000).map(|id| event(id, "tank")));
    writer.write(entries.iter()).unwrap();
    let history = fixture.history();
    let mut scan = history.events(None, Some("well"), 10);
    let mut pieces = 1;
    let found = loop {
        match scan.poll().unwrap() {
            Poll::Ready(found) => break found,
            Poll::Pending => pieces += 1,
        }
    };
    assert_eq!(found.iter().map(|stored| stored.id).collect::<Vec<_>>(), [1]);
    assert!((5..=7).contains(&pieces), "{pieces} pieces");
    let page = event_page(&history, Some(2_000), None, 100);
    assert_eq!((page.len(), page[0].id, page[99].id), (100, 1_999, 1_900));
}

#[test]
fn reader_is_lent_to_one_caller_at_a_time() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    writer.write([&Entry::Samples(vec![level(START, 1.0)])].into_iter()).unwrap();
    let readers = ReaderPool::new(Origin::File(fixture.path.clone()), 1);
    let one = readers.borrow().unwrap();
    assert!(matches!(readers.borrow(), Err(ReadError::Busy)));
    drop(one);
    assert!(readers.borrow().is_ok());
}

#[test]
fn open_window_holds_no_reader() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let samples = (0..5_000).map(|n| level(START + n, n as f64)).collect();
    writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
    let history = fixture.history();
    let all = || history.points(window("level", START, START + 5_000, Step::Raw));
    let mut open: Vec<_> = (0..10).map(|_| all().unwrap().unwrap()).collect();
    for points in &mut open {
        assert_eq!(points.next().unwrap().unwrap().last, 0.0);
    }
    // An observation that is already stored adds no row.
    let late = Entry::Samples(vec![level(START + 4_999, 4_999.0)]);
    assert_eq!(writer.write([&late].into_iter()).unwrap(), 0);
    for points in open {
        assert_eq!(points.count(), 4_999);
    }
}
