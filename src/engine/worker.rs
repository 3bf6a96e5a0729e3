//! The workers: threads that drive ready connections and call the service.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::activity::Activity;
use super::ready::Ready;
use super::scheduler::Slot;
use super::session::{DriveContext, Outcome, Session, Task};
use super::shared::Shared;
use super::stats::CloseReason;
use super::transport::Scratch;
use super::turn_budget::TurnBudget;

/// Runs worker `number` until the engine stops.
pub(super) fn run(shared: &Arc<Shared>, number: usize) {
    // Allocated by the first connection: under light load most workers never serve.
    let mut scratch = None;
    let activity = &shared.stats.workers()[number];
    shared.scheduler.work(activity, |slot, edges, now| {
        let scratch = scratch.get_or_insert_with(Scratch::new);
        drive(shared, activity, slot, Task::Serve, edges, now, scratch)
    });
}

/// Drives a connection for a turn, which begins at `now`: until it waits for its client, its turn is
/// used up or it is closed. Returns the time at which that was.
pub(super) fn drive(
    shared: &Arc<Shared>,
    activity: &Activity,
    slot: &Arc<Slot<Session>>,
    task: Task,
    mut edges: Ready,
    now: Instant,
    scratch: &mut Scratch,
) -> Instant {
    let (service, draining, stats) = (&*shared.service, &shared.draining, &*shared.stats);
    let context = DriveContext { service, draining, activity, stats };
    let epoch = shared.scheduler.epoch;
    let mut budget = TurnBudget::new(task == Task::Serve, now);
    loop {
        let mut session = slot.session();
        let outcome = match &mut *session {
            Some(session) => {
                // A defect of the engine must cost this connection, not the thread.
                catch_unwind(AssertUnwindSafe(|| {
                    session.drive(task, edges, &mut budget, context, scratch)
                }))
                .unwrap_or(Outcome::Closed(CloseReason::HandlerFailed))
            }
            None => return Instant::now(),
        };
        let now = Instant::now();
        if matches!(outcome, Outcome::Park { .. } | Outcome::Yield { .. })
            && let Some(session) = &mut *session
        {
            // Whatever is charged, the slot shows at least as much: otherwise a reclaim that runs
            // now would find too few holders in this client's group, and close those of others.
            let bytes = session.shrink();
            slot.set_held_bytes(bytes.max(slot.held_bytes()));
            session.charge(bytes);
            slot.set_held_bytes(bytes);
            if session.has_answered() {
                slot.set_answered();
            }
            if shared.memory.request_reclaim() {
                shared.scheduler.wake_acceptor();
            }
        }
        match outcome {
            Outcome::Park { wants, deadline, state } => {
                if wants == Ready::WRITE
                    && let Some(session) = &mut *session
                {
                    session.register_writable(&shared.registry, slot.token.into());
                }
                match slot.park(wants, state, epoch.ticks(deadline.at()), epoch.ticks(now)) {
                    Ok(()) => return now,
                    Err(more) => edges = more,
                }
            }
            Outcome::EnterLane { lane, client } => {
                let (notified, slot) = (Arc::clone(shared), Arc::clone(slot));
                let notify = Box::new(move || notified.scheduler.signal(&slot, Ready::PERMIT));
                let permit = shared.lanes.enter(lane, client, notify);
                if let Some(session) = &mut *session {
                    session.set_permit(permit);
                }
                edges = Ready::NONE;
            }
            Outcome::Yield { deadline, state } => {
                drop(session);
                let (deadline, now_tick) = (epoch.ticks(deadline.at()), epoch.ticks(now));
                shared.scheduler.requeue(slot, state, deadline, now_tick);
                return now;
            }
            Outcome::Closed(reason) => {
                // The socket is closed before the slot is, so that its key is not reused earlier.
                session.take().inspect(Session::reset_if_truncated);
                drop(session);
                slot.close();
                shared.stats.count_closed(reason);
                // Fails without an acceptor, whose table then needs no upkeep.
                let _ = shared.closed.send(slot.token);
                if shared.draining.load(Ordering::Relaxed) {
                    shared.scheduler.wake_acceptor();
                }
                return now;
            }
        }
    }
}

#[cfg(test)]
mod tests;
