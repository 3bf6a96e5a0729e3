//! Work in pieces: each reads a bounded number of rows, and none waits for a reader.

use super::*;
use crate::history::reader::{ROWS_PER_PIECE, ReaderWait, Readers, RowBudget};

/// Points of a window piece by piece; returns them with the number of pieces.
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

#[test]
fn many_rows_that_make_few_points_are_read_in_pieces() {
    const ROWS: i64 = 20_000;
    let place = Place::new();
    let samples = (0..ROWS).map(|n| level(START + n, n as f64)).collect();
    place.writer().write([&Entry::Samples(samples)].into_iter()).unwrap();
    let history = place.history();
    // Reading and joining a row are counted separately.
    let least = 2 * ROWS as usize / ROWS_PER_PIECE;
    for (step, expected) in [(Step::Seconds(7_000), 3), (Step::Raw, ROWS as usize)] {
        let window = window("level", START - 10_000, START + ROWS, step);
        let whole = points(&history, window.clone());
        let (found, pieces) = in_pieces(&history, window);
        assert_eq!(found, whole, "{step:?}");
        assert!((expected..=expected + 1).contains(&found.len()), "{step:?}: {}", found.len());
        assert!((least..2 * least).contains(&pieces), "{step:?}: {pieces} pieces");
    }
}

#[test]
fn cost_of_a_step_counts_the_observations_that_it_joins() {
    let place = Place::new();
    let samples = (0..5_000).map(|n| level(START + n, 1.0)).collect();
    place.writer().write([&Entry::Samples(samples)].into_iter()).unwrap();
    let history = place.history();
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
fn worker_without_a_free_reader_tries_again_later_and_gives_up_at_last() {
    let place = Place::new();
    drop(place.writer());
    let readers = Readers::new(&place.path, 1);
    let taken = readers.borrow().unwrap();
    let mut wait = ReaderWait::default();
    let begun = Instant::now();
    assert!(wait.try_borrow(&readers).unwrap().is_none());
    let mut tries = 1;
    let error = loop {
        match wait.try_borrow(&readers) {
            Ok(reader) => assert!(reader.is_none()),
            Err(error) => break error,
        }
        tries += 1;
        assert!(begun.elapsed() < Duration::from_secs(30), "it gives up");
    };
    assert!(matches!(error, ReadError::Busy));
    assert!(tries > 10, "{tries} tries: a try does not wait");
    drop(taken);
    assert!(wait.try_borrow(&readers).unwrap().is_some());
}

#[test]
fn events_of_a_source_that_has_few_are_looked_for_in_pieces() {
    let place = Place::new();
    let mut writer = place.writer();
    let event = |number: i64, source: &str| {
        let (at, kind, detail) = (moment(START + number), EventKind::Stale, "".into());
        Entry::Event(number, Event { at, kind, source: Some(source.into()), detail })
    };
    let mut entries = vec![event(1, "well")];
    entries.extend((2..=3_000).map(|number| event(number, "tank")));
    writer.write(entries.iter()).unwrap();
    let history = place.history();
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
    let page = self::events(&history, Some(2_000), None, 100);
    assert_eq!((page.len(), page[0].id, page[99].id), (100, 1_999, 1_900));
}
