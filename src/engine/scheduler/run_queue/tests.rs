use super::super::slot_table::SlotTable;
use super::*;
use crate::ready::Ready;
use crate::stats::ConnectionState;

/// A connection that has become ready, known by its number.
fn ready(number: u64) -> Arc<Slot<()>> {
    let token = SlotTable::<()>::default().next_token();
    let slot = Slot::new(token, None, (), ConnectionState::Reading, number, 0);
    slot.signal(Ready::READ, 0);
    Arc::new(slot)
}

fn pop(queue: &RunQueue<()>) -> Option<u64> {
    queue.pop().map(|slot| slot.deadline())
}

#[test]
fn entries_pop_in_the_order_of_their_push() {
    let queue = RunQueue::default();
    for number in 0..5 {
        queue.push(ready(number));
    }
    assert_eq!(queue.len(), 5);
    let mut popped: Vec<u64> = (0..3).filter_map(|_| pop(&queue)).collect();
    queue.push(ready(5));
    popped.extend(std::iter::from_fn(|| pop(&queue)));
    assert_eq!(popped, [0, 1, 2, 3, 4, 5]);
    assert!(queue.is_empty());
}

#[test]
fn levels_below_the_first_get_a_share_of_the_pops() {
    let queue = RunQueue::default();
    for number in 0..3 {
        queue.push_again(ready(20 + number));
    }
    for number in 0..3 {
        let slot = ready(10 + number);
        slot.set_answered();
        queue.push(slot);
    }
    for number in 0..8 {
        queue.push(ready(number));
    }
    let popped: Vec<u64> = std::iter::from_fn(|| pop(&queue)).collect();
    assert_eq!(popped, [0, 1, 2, 20, 10, 3, 4, 21, 11, 5, 6, 22, 12, 7]);
    // A level that holds connections alone is served at once.
    queue.push_again(ready(23));
    assert_eq!(pop(&queue), Some(23));
}

#[test]
fn prune_drops_stale_entries_wherever_they_are() {
    let queue = RunQueue::default();
    for number in 0..6 {
        let slot = ready(number);
        queue.push(Arc::clone(&slot));
        if number % 3 != 0 {
            assert!(slot.shed());
        }
    }
    queue.prune();
    assert_eq!(queue.len(), 2);
    assert_eq!(pop(&queue), Some(0));
    assert_eq!(pop(&queue), Some(3));
    assert!(queue.pop().is_none());
}
