//! Back-pressure: on a slow or hanging disk the oldest changes are dropped, and no thread blocks.

use super::*;

#[test]
fn full_queue_drops_the_oldest_and_never_blocks() {
    let fixture = Fixture::new();
    drop(fixture.writer());
    let (recorder, sender, history) = fixture.recorder();
    wait_until("the file is open", || history.version() > 0);
    // A lock of another connection blocks the writer as a hanging disk would.
    let other = Connection::open(&fixture.path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let count = 10_000;
    for n in 0..count {
        sender.send(Change::Observed(vec![level(START + n, n as f64)]));
    }
    assert!(history.dropped() > 0, "more changes than fit into the queues");
    other.execute_batch("COMMIT").unwrap();
    wait_until("the rest is written", || {
        history.rows() + history.dropped() == count as u64 && history.health().error.is_none()
    });
    drop(recorder);
    let stored = points(&fixture.history(), window("level", START, START + count, Step::Raw));
    assert_eq!(stored.last().unwrap().last, (count - 1) as f64, "the latest is stored");
    assert_eq!(stored.len() as u64, history.rows());
}

#[test]
fn hanging_disk_is_reported_with_the_first_dropped_value() {
    let fixture = Fixture::new();
    // The recorder is not started, so it takes no change out of the queue, as if it blocked on a disk.
    let (_prepared, sender, history) = prepare(fixture.settings());
    let mut n = 0;
    let mut send = || {
        n += 1;
        sender.send(Change::Observed(vec![level(START + n, 1.0)]));
    };
    while history.dropped() == 0 {
        assert_eq!(history.health().error, None);
        send();
    }
    let error = history.health().error.clone().expect("reported with the first dropped value");
    assert_eq!(error.kind, FaultKind::TooSlow);
    assert!(error.message.contains("too slowly"), "{error:?}");
    send();
    assert_eq!(history.health().error, Some(error), "reported once");
    assert_eq!((history.dropped(), history.errors()), (2, 0));
}
