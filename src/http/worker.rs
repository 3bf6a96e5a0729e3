//! The threads that drive connections: the workers, and the usher.
//!
//! The usher is a worker whose program is constant: it answers those who waited too long for
//! a worker, tells those whose deadline has passed, and closes the idle ones when the server
//! stops. So that works even while a handler blocks every worker.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use ::http::Version;
use bytes::BytesMut;
use crossbeam_channel::{Receiver, Sender};

use super::activity::{Activity, WorkerState};
use super::deadline::Epoch;
use super::message::{Refusal, Service};
use super::response::{self, Exchange, Payload};
use super::session::{Host, Order, Outcome, Scratch};
use super::slot::{Ready, Slot};
use super::socket::Stream;
use super::stats::{CloseReason, Stats};

/// What all threads of an engine share.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    pub(super) stats: Arc<Stats>,
    pub(super) epoch: Epoch,
    pub(super) waker: mio::Waker,
    /// The server is stopping.
    pub(super) draining: AtomicBool,
    /// Ready connections found the queue full, and wait with the acceptor.
    pub(super) backlogged: AtomicBool,
    /// Newcomers with the usher that have no slot.
    pub(super) turned_away: AtomicUsize,
}

impl Shared {
    fn host<'a>(&'a self, activity: &'a Activity) -> Host<'a> {
        Host { service: &*self.service, draining: &self.draining, activity }
    }

    /// Interrupts the acceptor's wait.
    pub(super) fn wake_acceptor(&self) {
        if let Err(error) = self.waker.wake() {
            // The next sweep finds by itself what it would have been told.
            log::warn!("the acceptor could not be woken: {error}");
        }
    }
}

/// What a driving thread tells the acceptor.
pub(super) enum Return {
    /// The connection of that key is closed; its place is free.
    Closed(usize),
    /// The connection goes to the end of the queue.
    Again(Arc<Slot>),
}

/// Work for the usher.
pub(super) enum Errand {
    /// A connection that was called away.
    Slot(Arc<Slot>, Order),
    /// A plain connection beyond the cap, to be answered 503.
    TurnAway(Stream),
}

/// A worker: serves queued connections until the acceptor has gone.
pub(super) fn work(
    shared: &Shared,
    number: usize,
    queue: &Receiver<Arc<Slot>>,
    returns: &Sender<Return>,
) {
    let mut scratch = Scratch::new();
    let activity = &shared.stats.workers()[number];
    for slot in queue {
        if shared.backlogged.load(Ordering::Relaxed)
            && queue.is_empty()
            && shared.backlogged.swap(false, Ordering::AcqRel)
        {
            shared.wake_acceptor();
        }
        // Those that were turned away meanwhile leave an empty ticket behind.
        if let Some(edges) = slot.take_queued() {
            activity.begin();
            drive(shared, activity, returns, &slot, Order::Serve, edges, &mut scratch);
            activity.enter(WorkerState::Waiting);
        }
    }
}

/// The usher: runs errands until the acceptor has gone.
pub(super) fn usher(shared: &Shared, errands: &Receiver<Errand>, returns: &Sender<Return>) {
    let mut scratch = Scratch::new();
    // Nobody looks: the usher calls no handler, so it cannot be held.
    let activity = Activity::default();
    for errand in errands {
        match errand {
            Errand::Slot(slot, order) => {
                if let Some(edges) = slot.take_errand() {
                    drive(shared, &activity, returns, &slot, order, edges, &mut scratch);
                }
            }
            Errand::TurnAway(stream) => {
                turn_away(stream, &*shared.service);
                shared.turned_away.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Drives a connection until it waits for its client or is closed.
fn drive(
    shared: &Shared,
    activity: &Activity,
    returns: &Sender<Return>,
    slot: &Arc<Slot>,
    order: Order,
    mut edges: Ready,
    scratch: &mut Scratch,
) {
    loop {
        let mut session = slot.session();
        let outcome = match &mut *session {
            Some(session) => {
                // A defect of the engine must cost this connection, not the thread.
                catch_unwind(AssertUnwindSafe(|| {
                    session.drive(order, edges, shared.host(activity), scratch)
                }))
                .unwrap_or(Outcome::Closed(CloseReason::HandlerFailed))
            }
            None => return,
        };
        match outcome {
            Outcome::Park { wants, deadline, state } => {
                let (deadline, now) = (shared.epoch.ticks(deadline.at()), Instant::now());
                match slot.park(wants, state, deadline, shared.epoch.ticks(now)) {
                    Ok(()) => return,
                    Err(more) => edges = more,
                }
            }
            Outcome::Yield => {
                drop(session);
                slot.requeue(shared.epoch.ticks(Instant::now()));
                give_back(shared, returns, Return::Again(Arc::clone(slot)));
                shared.wake_acceptor();
                return;
            }
            Outcome::Closed(reason) => {
                // The socket is closed before its key can be used again.
                drop(session.take());
                drop(session);
                slot.close();
                shared.stats.count_closed(reason);
                give_back(shared, returns, Return::Closed(slot.key));
                if shared.draining.load(Ordering::Relaxed) {
                    shared.wake_acceptor();
                }
                return;
            }
        }
    }
}

fn give_back(shared: &Shared, returns: &Sender<Return>, back: Return) {
    // Without an acceptor there is nobody to tell, and no table to tidy.
    if returns.send(back).is_err() {
        debug_assert!(shared.draining.load(Ordering::Relaxed));
    }
}

/// Answers a connection that there is no room for, with one write and no wait.
fn turn_away(mut stream: Stream, service: &dyn Service) {
    // A request left unread would turn the close into a reset.
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let mut bytes = BytesMut::new();
    let exchange = Exchange { version: Version::HTTP_11, head_only: false, keep_alive: false };
    let payload = response::encode(service.refuse(Refusal::Overloaded), exchange, &mut bytes);
    if let Payload::Full(body) = payload {
        bytes.extend_from_slice(&body);
    }
    let _ = stream.write(&bytes);
    let _ = stream.shutdown_write();
}
