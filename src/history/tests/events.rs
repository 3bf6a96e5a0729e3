//! Events: their ids, texts and pages.

use super::*;

on_both_stores!(hidden_characters_in_stored_events_are_replaced,);

#[test]
fn event_ids_continue_after_a_restart() {
    let fixture = Fixture::new();
    for round in 0..2 {
        let (recorder, sender, history) = fixture.recorder();
        sender.send(happened(EventKind::Stale, START + round * 100));
        sender.send(happened(EventKind::Fresh, START + round * 100 + 50));
        drop(recorder);
        let ids: Vec<i64> = history.recent_events().iter().map(|stored| stored.id).collect();
        assert_eq!(ids, (1..=2 * round + 2).rev().collect::<Vec<_>>());
    }
    let history = fixture.history();
    let found = event_page(&history, None, None, 10);
    let ids_and_kinds: Vec<_> = found.iter().map(|stored| (stored.id, stored.event.kind)).collect();
    let (stale, fresh) = (EventKind::Stale, EventKind::Fresh);
    assert_eq!(ids_and_kinds, [(4, fresh), (3, stale), (2, fresh), (1, stale)]);
    assert_eq!(event_page(&history, Some(3), None, 1)[0].id, 2);
    assert_eq!(event_page(&history, None, Some("well"), 10), []);
}

fn hidden_characters_in_stored_events_are_replaced(store: Store) {
    let fixture = Fixture::of(store);
    let event = Event {
        at: moment(START),
        kind: EventKind::Stale,
        source: Some("tank".into()),
        detail: "1.02\u{202e} \u{1b}[2J".into(),
    };
    fixture.either_writer().write([&Entry::Event(StoredEvent { id: 1, event })]).unwrap();
    let found = event_page(&fixture.history(), None, None, 10);
    assert_eq!(&*found[0].event.detail, "1.02\u{fffd}  [2J");
}

#[test]
fn pages_of_recent_and_stored_events_have_no_gap() {
    let fixture = Fixture::new();
    let (_recorder, sender, history) = fixture.recorder();
    for n in 0..450 {
        sender.send(happened(EventKind::Stale, START + n));
    }
    wait_until("all events are written", || history.rows() == 450);
    let mut before = None;
    let mut ids = Vec::new();
    loop {
        let page = event_page(&history, before, None, 120);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        ids.extend(page.iter().map(|stored| stored.id));
    }
    assert_eq!(ids, (1..=450).rev().collect::<Vec<_>>());
}
