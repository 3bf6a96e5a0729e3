use std::sync::Arc;

use super::super::slot::Slot;
use super::super::slot_table::SlotTable;
use super::*;
use crate::limits::Settings;
use crate::session::fixture::Paired;
use crate::shared::fixture::{Uncalled, shared};

#[test]
fn follower_is_called_unless_every_processor_has_a_worker_that_makes_progress() {
    let mut check = StallCheck::new(Instant::now());
    let (shared, ..) = shared(Uncalled, Settings { workers: 2, ..Settings::default() });
    let scheduler = &shared.scheduler;
    scheduler.stall_check_requested.store(true, Ordering::Relaxed);
    // A connection is ready, and no worker comes to park.
    let (token, session) =
        (SlotTable::<()>::default().next_token(), Paired::new(Settings::default()));
    let state = session.session.state();
    scheduler.run_queue.push(Arc::new(Slot::new(token, None, session.session, state, 0, 0)));
    let mut now = Instant::now();
    let mut calls_one = || {
        now += STALL_CHECK_INTERVAL;
        check.run(scheduler, now);
        scheduler.followers.take_call()
    };
    assert!(calls_one(), "no worker serves");
    loop {
        let begun = Instant::now();
        shared.stats.workers().iter().for_each(Activity::begin);
        let called = calls_one();
        // Else the test itself was preempted for so long that the workers count as blocked.
        if begun.elapsed() < BLOCKED_AFTER {
            assert_eq!(called, scheduler.processors > 2, "of two workers");
            break;
        }
    }
    std::thread::sleep(BLOCKED_AFTER);
    assert!(calls_one(), "they are blocked");
}
