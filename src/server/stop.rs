//! Ends a running server within `drain_timeout`.
//!
//! Steps, in order: requests in flight are finished, while a replica gives up its sources; messages in flight are
//! finished, if time is left; data that is still in memory is written to disk, for which [`TEARDOWN_TIME`] is reserved;
//! the last lines of the log are written, for which [`logging::FLUSH_TIMEOUT`] is reserved. Each step has its own
//! limit, so neither a disk that hangs nor a poll in flight delays the end of the process.
//!
//! A replica stays registered until its channels have stopped: others take over the messages of one that is not.

use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::systemd;
use super::{Running, program_event};
use crate::board::EventKind;
use crate::engine::Drained;
use crate::logging;
use crate::threads::{self, OwnedThread};

/// Part of `drain_timeout` that is reserved for writing data in memory to disk after the last request;
/// a quarter of `drain_timeout` if that is shorter.
const TEARDOWN_TIME: Duration = Duration::from_secs(1);

/// Longest wait, once all requests are answered, for polls in flight of sources that other replicas take.
const HAND_OVER_WAIT: Duration = Duration::from_secs(2);

/// The thread that ends the other threads. It is created at the start, because the system may refuse
/// it at the stop.
pub(super) struct Teardown {
    /// Declared before the thread, which ends when this is dropped.
    job: Sender<Box<dyn FnOnce() + Send>>,
    thread: OwnedThread,
}

impl Teardown {
    /// Starts the thread, which waits for its job.
    pub(super) fn start() -> io::Result<Teardown> {
        let (job, jobs) = bounded::<Box<dyn FnOnce() + Send>>(1);
        let thread = OwnedThread::spawn(threads::TEARDOWN, move |_| {
            if let Ok(job) = jobs.recv() {
                job();
            }
        })?;
        Ok(Teardown { job, thread })
    }

    /// Runs `job` on the thread. Returns false if it has not ended at the deadline.
    fn run(self, job: Box<dyn FnOnce() + Send>, deadline: Instant) -> bool {
        // The thread waits for this job, and gets no other.
        let _ = self.job.send(job);
        self.thread.join_deadline(deadline).is_ok()
    }
}

impl Running {
    /// Finishes requests in flight, writes data in memory to disk, and joins the threads that end in
    /// time.
    pub(super) fn stop(self) {
        log::info!("stopping: finishing requests in flight; a second signal ends the process now");
        systemd::stopping();
        let Running {
            config,
            watchdog,
            certificate_watcher,
            sessions,
            certificates: _,
            configuration: _,
            engine,
            redirect,
            late_listeners: _,
            site,
            gate: _,
            mut pollers,
            reporter,
            saver,
            board,
            replica,
            history,
            change_sender,
            recorder,
            alerts,
            lock: _,
            admin,
            teardown,
        } = self;
        let drain_timeout = config.server.engine.drain_timeout;
        // The last lines of the log are written within drain_timeout, too.
        let flush_timeout = logging::FLUSH_TIMEOUT.min(drain_timeout / 4);
        let deadline = Instant::now() + drain_timeout - flush_timeout;
        // The watchdog stops first, as it would take the acceptor's end for a hang. Its thread blocks
        // on nothing, and the other two end at once or are not joined.
        drop((watchdog, certificate_watcher, redirect));
        // A database that hangs must not hold up its thread until the end.
        recorder.begin_stop();
        let handed_over = replica.as_ref().map(|replica| replica.thread.hand_over());
        if handed_over.is_none() {
            pollers.begin_stop();
        }
        let drain_time = drain_timeout - flush_timeout - TEARDOWN_TIME.min(drain_timeout / 4);
        let drain_end = Instant::now() + drain_time;
        match engine.drain_within(drain_time) {
            Drained::Complete => log::info!("stopped: every request in flight was answered"),
            Drained::TimedOut => {
                log::info!("stopped: drain_timeout passed, and open connections were closed");
            }
        }
        if let Some(handed_over) = handed_over {
            // Disconnected, or too late: then the leases are released with the row of this replica.
            let _ = handed_over.recv_deadline(drain_end.min(Instant::now() + HAND_OVER_WAIT));
            pollers.begin_stop();
        }
        let job = Box::new(move || {
            drop(sessions);
            drop(saver);
            drop((reporter, board));
            alerts.stop(drain_end);
            change_sender.send(program_event(EventKind::Stopped, ""));
            drop(recorder);
            drop((history, site));
            // It may wait for a database that hangs, so the observations are in the spool first.
            drop(replica);
            drop(pollers);
            drop(admin);
        });
        if !teardown.run(job, deadline) {
            log::warn!("stopped with threads that did not end in time");
        }
    }
}
