//! The threads that drive connections: the workers, and the usher.
//!
//! The usher is a worker whose program is constant: it answers those who waited too long for
//! a worker, tells those whose deadline has passed, and closes the idle ones when the server
//! stops. So that works even while a handler blocks every worker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use mio::Token;

use super::activity::{Activity, WorkerState};
use super::limits::{GLANCE_INTERVAL, HELP_AFTER};
use super::ready::Ready;
use super::rejection::Rejections;
use super::session::{DriveContext, Outcome, Session, Task};
use super::shared::{Errand, Shared};
use super::slot::Slot;
use super::stats::CloseReason;
use super::transport::Scratch;
use super::turn::Turn;

/// A worker: serves ready connections, keeps the watch when there are none, and sleeps when
/// somebody else keeps it.
pub(super) fn work(shared: &Arc<Shared>, number: usize, calls: &Receiver<()>) {
    // Under light load most workers never serve.
    let mut scratch = None;
    let activity = &shared.stats.workers()[number];
    while !shared.is_stopped() {
        serve(shared, activity, &mut scratch);
        if !keep_watch(shared) && calls.recv().is_err() {
            return;
        }
    }
}

/// Serves until the queue is empty. When that takes long, calls others to share in it, and looks
/// for what has become ready meanwhile: while the queue is never empty, no worker comes to the watch.
fn serve(shared: &Arc<Shared>, activity: &Activity, scratch: &mut Option<Scratch>) {
    let Some(mut next) = shared.queue.pop() else { return };
    let scratch = scratch.get_or_insert_with(Scratch::new);
    let mut begun = Instant::now();
    let (mut glanced, mut now) = (begun, begun);
    shared.serving.fetch_add(1, Ordering::Relaxed);
    loop {
        // Those that were turned away meanwhile leave an empty ticket behind.
        if let Some(edges) = next.take_queued() {
            activity.begin();
            now = drive(shared, activity, &next, Task::Serve, edges, now, scratch);
            if now.duration_since(begun) >= HELP_AFTER && !shared.queue.is_empty() {
                begun = now;
                if shared.serving.load(Ordering::Relaxed) < shared.processors {
                    shared.call_worker();
                }
            }
            if now.duration_since(glanced) >= GLANCE_INTERVAL && !shared.queue.is_empty() {
                glanced = now;
                shared.watch.glance(|events| shared.sight(events));
            }
        }
        match shared.queue.pop() {
            Some(slot) => next = slot,
            None => break,
        }
    }
    activity.enter(WorkerState::Waiting);
    shared.serving.fetch_sub(1, Ordering::Relaxed);
}

/// Waits at the watch until there is something to do; false when another worker keeps it.
fn keep_watch(shared: &Shared) -> bool {
    shared.watch.keep(
        || shared.queue.is_empty() && !shared.is_stopped(),
        |events| {
            shared.sight(events);
            // From here on nobody keeps the watch, and the acceptor must know.
            if !shared.queue.is_empty()
                && !shared.alert.load(Ordering::SeqCst)
                && !shared.alert.swap(true, Ordering::SeqCst)
            {
                shared.wake_acceptor();
            }
        },
    )
}

/// The usher: runs errands until there are no more.
pub(super) fn usher(shared: &Arc<Shared>, errands: &Receiver<Errand>) {
    let mut scratch = None;
    // Nobody looks: the usher calls no handler, so it cannot be held.
    let activity = Activity::default();
    let mut rejections = Rejections::default();
    loop {
        let errand = match rejections.next_close() {
            Some(at) => errands.recv_deadline(at),
            None => errands.recv().map_err(RecvTimeoutError::from),
        };
        match errand {
            Ok(Errand::Slot(slot, task)) => {
                if let Some(edges) = slot.take_errand() {
                    let scratch = scratch.get_or_insert_with(Scratch::new);
                    drive(shared, &activity, &slot, task, edges, Instant::now(), scratch);
                    // A worker serves what the usher has put into the queue.
                    if !shared.queue.is_empty() {
                        shared.watch.wake();
                    }
                }
            }
            Ok(Errand::TurnAway(stream)) => {
                rejections.reject(stream, &*shared.service, Instant::now());
                shared.turned_away.fetch_sub(1, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Errand::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
        rejections.close_due(Instant::now());
    }
}

/// Drives a connection until it waits for its client or is closed; tells when that was.
fn drive(
    shared: &Arc<Shared>,
    activity: &Activity,
    slot: &Arc<Slot>,
    task: Task,
    mut edges: Ready,
    now: Instant,
    scratch: &mut Scratch,
) -> Instant {
    let (service, draining, stats) = (&*shared.service, &shared.draining, &*shared.stats);
    let context = DriveContext { service, draining, activity, stats };
    let mut turn = Turn::new(task == Task::Serve, now);
    loop {
        let mut session = slot.session();
        let outcome = match &mut *session {
            Some(session) => {
                // A defect of the engine must cost this connection, not the thread.
                catch_unwind(AssertUnwindSafe(|| {
                    session.drive(task, edges, &mut turn, context, scratch)
                }))
                .unwrap_or(Outcome::Closed(CloseReason::HandlerFailed))
            }
            None => return Instant::now(),
        };
        let now = Instant::now();
        if matches!(outcome, Outcome::Park { .. } | Outcome::Yield { .. })
            && let Some(session) = &mut *session
        {
            slot.set_held_bytes(session.shrink());
            if session.has_answered() {
                slot.note_answered();
            }
            if shared.budget.request_relief() {
                shared.wake_acceptor();
            }
        }
        match outcome {
            Outcome::Park { wants, deadline, state } => {
                if wants == Ready::WRITE
                    && let Some(session) = &mut *session
                {
                    session.register_writable(shared.watch.registry(), Token(slot.key));
                }
                let deadline = shared.epoch.ticks(deadline.at());
                match slot.park(wants, state, deadline, shared.epoch.ticks(now)) {
                    Ok(()) => return now,
                    Err(more) => edges = more,
                }
            }
            Outcome::EnterLane { lane, client } => {
                let (notified, slot) = (Arc::clone(shared), Arc::clone(slot));
                let notify = Box::new(move || notified.signal(&slot, Ready::PERMIT));
                let permit = shared.lanes.enter(lane, client, notify);
                if let Some(session) = &mut *session {
                    session.set_permit(permit);
                }
                edges = Ready::NONE;
            }
            Outcome::Yield { deadline, state } => {
                drop(session);
                let deadline = shared.epoch.ticks(deadline.at());
                slot.requeue(state, deadline, shared.epoch.ticks(now));
                shared.queue.push_again(Arc::clone(slot));
                return now;
            }
            Outcome::Closed(reason) => {
                // The socket is closed before its key can be used again.
                session.take().inspect(Session::reset_if_truncated);
                drop(session);
                slot.close();
                shared.stats.count_closed(reason);
                // Without an acceptor there is no table to tidy.
                let _ = shared.closed.send(slot.key);
                if shared.draining.load(Ordering::Relaxed) {
                    shared.wake_acceptor();
                }
                return now;
            }
        }
    }
}

#[cfg(test)]
mod tests;
