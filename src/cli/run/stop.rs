//! From a running server to the end of the process, within `drain_timeout`.

use std::convert::Infallible;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::{Running, program};
use crate::board::EventKind;
use crate::http::Drained;
use crate::ops::systemd;

/// How much of `drain_timeout` is kept for writing down what is in memory, after the last
/// request; less where that is short.
const TEARDOWN: Duration = Duration::from_secs(1);

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
            keeping,
            board,
            history,
            intake,
            recorder,
            admin,
        } = self;
        let drain_timeout = config.server.engine.drain_timeout;
        let deadline = Instant::now() + drain_timeout;
        // An acceptor that ends is not stuck.
        drop((watchdog, certificate_watch, redirect));
        pollers.begin_stop();
        let teardown = TEARDOWN.min(drain_timeout / 4);
        match engine.drain_within(drain_timeout - teardown) {
            Drained::Complete => log::info!("stopped: every request in flight was answered"),
            Drained::TimedOut => {
                log::info!("stopped: drain_timeout passed, and open connections were cut");
            }
        }
        let (running, ended) = bounded::<Infallible>(0);
        let last = move || {
            // Dropped at the end, however it comes.
            let _running = running;
            drop(sessions);
            drop(keeping);
            drop((reporter, board));
            intake.take(program(EventKind::Stopped, ""));
            drop(recorder);
            drop((history, site));
            drop(pollers);
            drop(admin);
        };
        if let Err(error) = thread::Builder::new().name("pw-teardown".to_owned()).spawn(last) {
            log::error!("what is in memory cannot be written down: {error}");
        }
        // Nothing is ever sent: this waits for the end of the thread or for the bound.
        if ended.recv_deadline(deadline).is_err_and(|error| error.is_timeout()) {
            log::warn!("stopped with threads that did not end in time");
        }
    }
}
