//! Two processes with one file: one records it, the other waits and keeps what it observes.

use super::*;

/// A recorder as of a process of its own.
fn process(fixture: &Fixture) -> (Recorder, ChangeSender, History) {
    let lock = Arc::new(DataLock::of_database(&fixture.path));
    let (prepared, sender, history) = prepare(Settings { lock, ..fixture.settings() });
    (prepared.start(Box::new(|_| false)).unwrap(), sender, history)
}

fn observe(sender: &ChangeSender, n: i64) {
    sender.send(Change::Observed(vec![level(START + n, n as f64)]));
}

fn recorded(history: &History) -> Vec<i64> {
    let points = points(history, window("level", START, START + 100, Step::Raw));
    points.iter().map(|point| point.at - START).collect()
}

#[test]
fn second_process_waits_and_then_records_what_it_has_kept() {
    let fixture = Fixture::new();
    let (first, first_sender, first_history) = process(&fixture);
    wait_until("the file is open", || first_history.version() > 0);
    let (second, second_sender, second_history) = process(&fixture);
    wait_until("it waits", || second_history.holder().is_some());
    let error = second_history.health().error.clone().unwrap();
    assert_eq!(error.kind, FaultKind::Held);
    let pid = std::process::id();
    assert!(error.message.contains(&format!("process {pid}, started")), "{error:?}");
    let refused = second_history.points(window("level", START, START + 100, Step::Raw));
    assert!(matches!(refused, Err(HistoryError::Held(_))));
    for n in 0..10 {
        observe(&first_sender, 2 * n);
        observe(&second_sender, 2 * n + 1);
    }
    wait_until("the first records", || first_history.rows() == 10);
    assert_eq!(second_history.rows(), 0);
    assert_eq!(recorded(&fixture.history()), (0..10).map(|n| 2 * n).collect::<Vec<_>>());
    drop(first);
    drop((first_sender, first_history));
    wait_until("the second records", || second_history.rows() == 10);
    assert_eq!(second_history.holder(), None);
    assert_eq!(second_history.health().error, None);
    assert_eq!(recorded(&second_history), (0..20).collect::<Vec<_>>());
    drop(second);
}

#[test]
fn process_that_waits_until_its_end_records_if_the_other_has_ended_by_then() {
    let fixture = Fixture::new();
    let (first, _first_sender, first_history) = process(&fixture);
    wait_until("the file is open", || first_history.version() > 0);
    let (second, sender, history) = process(&fixture);
    wait_until("it waits", || history.holder().is_some());
    observe(&sender, 1);
    // Both at once: whichever attempt comes first, that of the end does not miss.
    drop(first);
    drop(second);
    assert_eq!(recorded(&fixture.history()), [1]);
}
