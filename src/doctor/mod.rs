//! `doctor`: what an investigator needs, on one page. It asks the server by its admin listener;
//! when that is silent it asks the kernel, which knows who listens, who waits, and where every
//! thread has come to a stop, whatever program it is.

mod ask;
mod checkup;
mod finding;
mod kernel;
mod silence;

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use self::ask::{Answer, AskError};
use self::kernel::Kernel;
use crate::admin::scoreboard::report;
use crate::config::ListenAddr;

pub use self::finding::{Finding, Mark, Report};

/// Where to look.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The public listeners.
    pub listen: Vec<ListenAddr>,
    /// The admin listener.
    pub admin: ListenAddr,
    /// Bound on the whole examination.
    pub timeout: Duration,
}

/// What the admin listener said to each question.
struct Answers {
    health: Result<Answer, AskError>,
    ready: Result<Answer, AskError>,
    scoreboard: Result<Answer, AskError>,
}

impl Doctor {
    /// Looks, and returns within the timeout.
    pub fn examine(&self) -> Report {
        let deadline = Instant::now() + self.timeout;
        // At once, as a silent server takes all the time there is.
        let seen = self.ask_kernel();
        let answers = self.ask_admin(deadline);
        let seen = seen.and_then(|seen| seen.recv_deadline(deadline).ok());
        self.judge(&answers, seen)
    }

    /// In a thread that nobody waits for: a file of `/proc` can hang with the process that it is
    /// about. `None` when there is no thread.
    fn ask_kernel(&self) -> Option<Receiver<Kernel>> {
        let (tell, told) = bounded(1);
        let mut wanted = self.listen.clone();
        wanted.push(self.admin.clone());
        let look = move || {
            // After the deadline nobody listens any more.
            let _ = tell.send(Kernel::look(&wanted));
        };
        thread::Builder::new().name("pw-doctor".to_owned()).spawn(look).ok()?;
        Some(told)
    }

    fn ask_admin(&self, deadline: Instant) -> Answers {
        let get = |path| ask::get(&self.admin, path, deadline);
        thread::scope(|scope| {
            // If the system gives no thread, one page is requested after the other.
            let ask = |path| {
                let name = "pw-doctor".to_owned();
                thread::Builder::new().name(name).spawn_scoped(scope, move || get(path))
            };
            let (health, ready) = (ask("/healthz"), ask("/readyz"));
            let scoreboard = get("/scoreboard");
            let joined = |path, asked: io::Result<thread::ScopedJoinHandle<'_, _>>| match asked {
                Ok(asked) => asked.join().unwrap_or(Err(AskError::Broken("the question panicked"))),
                Err(_) => get(path),
            };
            let (health, ready) = (joined("/healthz", health), joined("/readyz", ready));
            Answers { health, ready, scoreboard }
        })
    }

    fn judge(&self, answers: &Answers, seen: Option<Kernel>) -> Report {
        let board = answers.scoreboard.as_ref().ok().and_then(|answer| {
            let told: report::Report = serde_json::from_slice(&answer.body).ok()?;
            Some((told, serde_json::from_slice(&answer.body).ok()?))
        });
        let mut findings = Vec::new();
        let (told, scoreboard) = match board {
            Some((told, scoreboard)) => (Some(told), Some(scoreboard)),
            None => (None, None),
        };
        match &told {
            Some(told) => findings.extend(checkup::findings(told, answers)),
            None => findings.push(silence::admin(&self.admin, &answers.scoreboard)),
        }
        let unhealthy = !answers.health.as_ref().is_ok_and(|answer| answer.status == 200);
        let kernel = seen.filter(|_| told.is_none() || unhealthy);
        match &kernel {
            Some(kernel) if told.is_none() => {
                findings.extend(silence::findings(kernel, &self.admin))
            }
            // Who answers tells its queues and files itself.
            Some(kernel) => findings.extend(silence::threads(kernel)),
            None if told.is_none() => findings.push(Finding::wrong(
                "kernel",
                "no answer in time about who listens, and what it waits for",
                "give it longer by --timeout 10s; a process whose /proc hangs waits for a disk",
            )),
            None => {}
        }
        Report { admin: self.admin.clone(), answered: told.is_some(), findings, scoreboard, kernel }
    }
}
