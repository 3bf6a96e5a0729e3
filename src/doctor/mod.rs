//! `doctor`: examines a server, and reports on one page what is wrong and what helps.
//!
//! The server's admin listener is queried for `/healthz`, `/readyz` and `/scoreboard`, and `checks`
//! turns the responses into findings. At the same time `KernelView` reads from the kernel which
//! processes listen, how many connections wait in their accept queues, and where each of their threads
//! waits. These facts are reported if the server does not answer (`unresponsive`) or is unhealthy;
//! they need no cooperation of the server, which may be any program.
//!
//! The scoreboard is parsed into the types by which the server serializes it. One deadline covers the
//! requests and the reads from the kernel, so the examination returns within its timeout, even if a
//! file of `/proc` hangs with the process that it is about.

mod checks;
mod finding;
mod kernel_view;
mod report;
mod responses;
mod unresponsive;

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use serde::Deserialize as _;
use serde_json::Value;

use self::kernel_view::KernelView;
use self::responses::Responses;
use crate::admin::client::{self, RequestError, Response};
use crate::admin::scoreboard::report::Report as Scoreboard;
use crate::config::ListenAddr;
use crate::kernel::pause::{Moment, PauseDetector};
use crate::threads;

pub use self::finding::{Finding, Mark};
pub use self::report::Report;

/// Server to examine.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// Public listeners.
    pub listen: Vec<ListenAddr>,
    /// Admin listener.
    pub admin: ListenAddr,
    /// Bound on the whole examination.
    pub timeout: Duration,
}

impl Doctor {
    /// Examines the server, and returns within the timeout.
    ///
    /// If this process was stopped or the machine slept meanwhile, the deadline passed for no fault of the
    /// server's, so it is examined again, once.
    pub fn examine(&self) -> Report {
        let mut pauses = PauseDetector::new(Moment::now());
        let report = self.examine_once();
        match pauses.step(Moment::now(), self.timeout) {
            Some(_) if !report.is_well() => self.examine_once(),
            _ => report,
        }
    }

    fn examine_once(&self) -> Report {
        let deadline = Instant::now() + self.timeout;
        // Both begin at once, as a server that does not answer uses up the whole timeout.
        let view = self.read_kernel();
        let responses = self.query_admin(deadline);
        let view = view.and_then(|view| view.recv_deadline(deadline).ok());
        self.report(&responses, view)
    }

    /// Starts to read the facts of the kernel. Returns `None` if the system refuses the thread.
    fn read_kernel(&self) -> Option<Receiver<KernelView>> {
        let (sender, view) = bounded(1);
        let mut wanted = self.listen.clone();
        wanted.push(self.admin.clone());
        let read = move || {
            // The receiver is gone after the deadline.
            let _ = sender.send(KernelView::read(&wanted));
        };
        // Detached, as a read of `/proc` can hang with the process that it is about. It ends with this
        // process.
        threads::spawn_detached(threads::DOCTOR, read).ok()?;
        Some(view)
    }

    fn query_admin(&self, deadline: Instant) -> Responses {
        let get = |path| client::get(&self.admin, path, deadline);
        type Started<'scope> =
            io::Result<thread::ScopedJoinHandle<'scope, Result<Response, RequestError>>>;
        thread::scope(|scope| {
            let start = |path| {
                let builder = thread::Builder::new().name(threads::DOCTOR.to_owned());
                builder.spawn_scoped(scope, move || get(path))
            };
            let (health, ready) = (start("/healthz"), start("/readyz"));
            let scoreboard = get("/scoreboard");
            let join = |path, started: Started<'_>| match started {
                Ok(thread) => {
                    thread.join().unwrap_or(Err(RequestError::Malformed("the request panicked")))
                }
                // Without a thread, the pages are requested one after the other.
                Err(_) => get(path),
            };
            let (health, ready) = (join("/healthz", health), join("/readyz", ready));
            Responses { health, ready, scoreboard }
        })
    }

    fn report(&self, responses: &Responses, view: Option<KernelView>) -> Report {
        let parsed = responses.scoreboard.as_ref().ok().and_then(|response| {
            let json: Value = serde_json::from_slice(&response.body).ok()?;
            Some((Scoreboard::deserialize(&json).ok()?, json))
        });
        let (scoreboard, json) = parsed.unzip();
        let mut findings = match &scoreboard {
            Some(scoreboard) => checks::findings(scoreboard, responses),
            None => vec![unresponsive::admin(&self.admin, &responses.scoreboard)],
        };
        let is_healthy = responses.health.as_ref().is_ok_and(|response| response.status == 200);
        let kernel = view.filter(|_| scoreboard.is_none() || !is_healthy);
        match (&kernel, &scoreboard) {
            (Some(view), None) => findings.extend(unresponsive::findings(view, &self.admin)),
            // The scoreboard has the queues and the files of a server that answers.
            (Some(view), Some(_)) => findings.extend(unresponsive::threads(view)),
            (None, None) => findings.push(Finding::wrong(
                "kernel",
                "cannot read from /proc in time which process listens and where its threads wait",
                "give more time by --timeout 10s; a process whose /proc files hang waits for a disk",
            )),
            (None, Some(_)) => {}
        }
        let answered = scoreboard.is_some();
        Report { admin: self.admin.clone(), answered, findings, scoreboard: json, kernel }
    }
}
