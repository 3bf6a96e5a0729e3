//! The reaper: the thread that drives connections which no worker may have in time.
//!
//! It sheds those that waited for a worker beyond `queue_timeout` (503), acts on those whose deadline
//! has passed (408 or a close), closes idle ones when the server stops, and answers connections
//! beyond the cap (503). It drives sessions as a worker does, but neither calls the service nor reads
//! the source of a streamed body: both may block, so it leaves them to a worker. So it is free even
//! while a handler blocks every worker.
//!
//! The acceptor could not answer in its place: over TLS a 503 takes a handshake and encryption, and
//! the acceptor neither reads nor writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::activity::Activity;
use super::rejection::Rejections;
use super::shared::{ReaperTask, Shared};
use super::transport::Scratch;
use super::worker::drive;

/// Runs the reaper until [`ReaperTask::End`].
pub(super) fn run(shared: &Arc<Shared>, tasks: &Receiver<ReaperTask>) {
    let mut scratch = None;
    // Not on the scoreboard: the reaper cannot be stuck, as it calls no handler.
    let activity = Activity::default();
    let mut rejections = Rejections::default();
    loop {
        let task = match rejections.next_close() {
            Some(at) => tasks.recv_deadline(at),
            None => tasks.recv().map_err(RecvTimeoutError::from),
        };
        match task {
            Ok(ReaperTask::Drive(slot, task)) => {
                if let Some(edges) = slot.take_claimed() {
                    let scratch = scratch.get_or_insert_with(Scratch::new);
                    drive(shared, &activity, &slot, task, edges, Instant::now(), scratch);
                    if shared.scheduler.queued() > 0 {
                        shared.scheduler.wake_leader();
                    }
                }
            }
            Ok(ReaperTask::Reject(stream)) => {
                rejections.reject(stream, &*shared.service, Instant::now());
                shared.rejections_pending.fetch_sub(1, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(ReaperTask::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
        rejections.close_due(Instant::now());
    }
}
