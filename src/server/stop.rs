//! From a running server to the end of the process, within `drain_timeout`.

use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::systemd;
use super::{Running, program};
use crate::board::EventKind;
use crate::engine::Drained;
use crate::logging;
use crate::threads::{self, OwnedThread};

/// How much of `drain_timeout` is kept for writing down what is in memory, after the last
/// request; less where that is short.
const TEARDOWN: Duration = Duration::from_secs(1);

/// A thread that waits for the end of the server, to write down what is in memory. It is made at
/// the start: when the server stops there may be no thread to be had.
pub(super) struct Teardown {
    /// Declared before the thread, which ends when this is dropped.
    work: Sender<Box<dyn FnOnce() + Send>>,
    thread: OwnedThread,
}

impl Teardown {
    /// Makes the thread.
    pub(super) fn start() -> io::Result<Teardown> {
        let (work, works) = bounded::<Box<dyn FnOnce() + Send>>(1);
        let thread = OwnedThread::spawn(threads::TEARDOWN, move |_| {
            if let Ok(work) = works.recv() {
                work();
            }
        })?;
        Ok(Teardown { work, thread })
    }

    /// Runs `work` there; false if it has not ended at the deadline.
    fn run(self, work: Box<dyn FnOnce() + Send>, deadline: Instant) -> bool {
        // The thread waits for this, and nothing else is sent to it.
        let _ = self.work.send(work);
        self.thread.join_deadline(deadline).is_ok()
    }
}

impl Running {
    /// Finishes requests in flight, writes down what is in memory, and ends every thread that
    /// ends in time. A disk that hangs, or a poll in flight, does not keep the process.
    pub(super) fn stop(self) {
        log::info!("stopping: finishing requests in flight; a second signal cuts them");
        systemd::stopping();
        let Running {
            config,
            watchdog,
            certificate_watch,
            sessions,
            certificates: _,
            configuration: _,
            engine,
            redirect,
            site,
            gate: _,
            mut pollers,
            reporter,
            saver,
            board,
            history,
            change_sender,
            recorder,
            admin,
            teardown,
        } = self;
        let drain_timeout = config.server.engine.drain_timeout;
        // The log's last lines are written within drain_timeout, too.
        let flush_timeout = logging::FLUSH_TIMEOUT.min(drain_timeout / 4);
        let deadline = Instant::now() + drain_timeout - flush_timeout;
        // An acceptor that ends is not stuck. Of these only the watchdog's thread is waited for,
        // which blocks on nothing.
        drop((watchdog, certificate_watch, redirect));
        pollers.begin_stop();
        let reserved = TEARDOWN.min(drain_timeout / 4) + flush_timeout;
        match engine.drain_within(drain_timeout - reserved) {
            Drained::Complete => log::info!("stopped: every request in flight was answered"),
            Drained::TimedOut => {
                log::info!("stopped: drain_timeout passed, and open connections were cut");
            }
        }
        let last = Box::new(move || {
            drop(sessions);
            drop(saver);
            drop((reporter, board));
            change_sender.send(program(EventKind::Stopped, ""));
            drop(recorder);
            drop((history, site));
            drop(pollers);
            drop(admin);
        });
        if !teardown.run(last, deadline) {
            log::warn!("stopped with threads that did not end in time");
        }
    }
}
