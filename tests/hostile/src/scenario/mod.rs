//! Attacks that each need a server of their own: with a history, with accounts, with a log.
//!
//! During the attack one canary visits the public listener and one the admin listener. The real
//! `watch` can run beside the server, with a command that counts the restarts it makes.

mod attack;
mod guesses;
mod report;
mod watch;

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strum::{Display, VariantArray};

use crate::canary::{Canary, CanaryReport};
use crate::config::Config;
use crate::dense_history::DenseHistory;
use crate::flood::Statuses;
use crate::proc;
use crate::target::{Setup, Target};
use guesses::Guesses;
pub use report::{CANARY_P99, Scenarios};
use watch::Watch;

/// An attack on a server of its own. Displays as its name in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, VariantArray)]
pub enum Scenario {
    /// Eight connections pipeline GET and HEAD for history queries that scan as many rows as the
    /// server allows.
    #[strum(to_string = "pipelined expensive queries")]
    ExpensiveQueries,
    /// Eight connections pipeline GET and HEAD for a source's page, and for its chart in sizes of
    /// which no two are the same.
    #[strum(to_string = "pipelined source pages")]
    SourcePages,
    /// Eight connections pipeline requests with 13 KB of query parameters.
    #[strum(to_string = "pipelined 13 KB of parameters")]
    ManyParameters,
    /// Thousands of connections stall one byte before the end of a body of 64 KiB.
    #[strum(to_string = "stalled bodies")]
    StalledBodies,
    /// Thousands of connections request large responses and read none.
    #[strum(to_string = "stalled readers of large responses")]
    StalledReaders,
    /// 64 local clients misuse the admin listener.
    #[strum(to_string = "admin listener, 64 local clients")]
    AdminClients,
    /// Two local clients open connections to the admin listener in a loop.
    #[strum(to_string = "admin listener, connects in a loop")]
    AdminConnects,
    /// More local clients than the admin listener's cap pipeline without a pause.
    #[strum(to_string = "admin listener, pipelines at its cap")]
    AdminPipelines,
    /// More clients than the public cap pipeline without a pause, from four addresses.
    #[strum(to_string = "pipelines at the cap, from four addresses")]
    Pipelines,
    /// Strangers guess the password of an account whose owner's page is open.
    #[strum(to_string = "guesses against a remembered account")]
    PasswordGuesses,
    /// The reader of the log stops while every request is logged.
    #[strum(to_string = "log reader that stops")]
    LogReaderStops,
}

/// Size of an attack.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Duration of each attack.
    pub time: Duration,
    /// Stalled connections.
    pub connections: usize,
    /// Observations in the history.
    pub history: DenseHistory,
    /// Longest time that each step of a canary's visit may take.
    pub step_timeout: Duration,
    /// Number of attempts of a visit to the admin listener in the scenarios that fill it: on a busy
    /// machine the server evicts connections that are slow to send. `probe` makes four attempts.
    pub admin_attempts: usize,
    /// Limit of the server's descriptors; `None`: the limit of this process.
    pub descriptors: Option<u32>,
    /// Runs the real `watch` beside the server.
    pub watched: bool,
}

/// Result of an attack.
#[derive(Debug)]
pub struct Outcome {
    /// The attack.
    pub scenario: Scenario,
    /// Visits of the public listener.
    pub canary: CanaryReport,
    /// Visits of the admin listener's `/healthz`.
    pub admin: CanaryReport,
    /// Exit status of a server that ended during the attack.
    pub exit: Option<ExitStatus>,
    /// Restarts that `watch` made; `None`: it was not run.
    pub restarts: Option<u32>,
    /// Largest resident memory seen.
    pub memory_kib: u64,
    /// Further findings.
    pub findings: Findings,
}

/// Findings of one scenario, beside its canaries.
#[derive(Debug, Default)]
pub struct Findings {
    /// Responses to the attackers, where they were counted.
    pub responses: Option<Statuses>,
    /// Connections that the attackers opened, where they were counted.
    pub opened: Option<u64>,
    /// Right guesses of throttled strangers that were accepted.
    pub accepted_guesses: u64,
    /// Visits of the account's owner that were refused, each with its reason.
    pub owner_refused: Vec<String>,
    /// Result of a TERM while the log was not read.
    pub stop: Option<Stop>,
}

/// Result of a TERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The process ended after this time.
    After(Duration),
    /// The process still ran after this time.
    Hung(Duration),
}

/// Longest time that a stop may take: `drain_timeout`, which is 2 s here, 200 ms for the last
/// log lines, and a margin for a busy machine.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

impl Scenario {
    /// Starts a server, attacks it, and returns what the canaries saw.
    ///
    /// # Errors
    /// The server cannot be started, or the attack cannot be set up.
    pub fn run(self, binary: &Path, scale: &Scale) -> io::Result<Outcome> {
        let guesses = match self {
            Scenario::PasswordGuesses => Some(Guesses::new(binary)?),
            _ => None,
        };
        let mut target = Target::start(binary, self.setup(scale, guesses.as_ref()))?;
        target.admin_page("/healthz")?;
        let watch = match scale.watched {
            true => Some(Watch::start(binary, &target)?),
            false => None,
        };
        let stop = AtomicBool::new(false);
        let canary = Canary::start(target.address, Arc::clone(&target.config), scale.step_timeout);
        let attempts = match self {
            Scenario::AdminConnects | Scenario::AdminPipelines => scale.admin_attempts,
            _ => 1,
        };
        let admin = Canary::start_at_admin(target.admin, scale.step_timeout, attempts);
        let (attacked, memory_kib) = std::thread::scope(|scope| {
            let sampler = scope.spawn(|| largest_memory(target.process(), &stop));
            let attacked = self.attack(&target, scale, guesses.as_ref());
            stop.store(true, Ordering::Relaxed);
            (attacked, sampler.join().expect("the sampler does not panic"))
        });
        let (canary, admin) = (canary.stop(), admin.stop());
        let restarts = watch.map(Watch::restarts);
        let mut findings = attacked?;
        let exit = target.exited()?;
        if self == Scenario::LogReaderStops && exit.is_none() {
            let ended = target.terminate(STOP_TIMEOUT)?;
            findings.stop = Some(ended.map_or(Stop::Hung(STOP_TIMEOUT), Stop::After));
        }
        Ok(Outcome { scenario: self, canary, admin, exit, restarts, memory_kib, findings })
    }

    fn setup(self, scale: &Scale, guesses: Option<&Guesses>) -> Setup {
        let config = match self {
            // Slightly fewer places than clients. Each evicted client connects again, and this
            // attack is about pipelines rather than handshakes.
            Scenario::Pipelines => {
                Config::https().set("server.max_connections", scale.connections - 20)
            }
            Scenario::LogReaderStops => Config::https().set("server.drain_timeout", "2s"),
            _ => guesses.map_or_else(Config::https, Guesses::config),
        };
        let history = Some(scale.history);
        let setup = Setup { descriptors: scale.descriptors, ..Setup::from(config) };
        match self {
            Scenario::ExpensiveQueries | Scenario::StalledReaders => Setup { history, ..setup },
            Scenario::SourcePages => Setup { history, fields: 15, ..setup },
            Scenario::LogReaderStops => Setup { log: Some("debug"), ..setup },
            _ => setup,
        }
    }
}

/// Samples the resident memory of a process until `stop` is set; returns the largest sample.
fn largest_memory(process: u32, stop: &AtomicBool) -> u64 {
    let mut largest = 0;
    while !stop.load(Ordering::Relaxed) {
        largest = largest.max(proc::status(process, "VmRSS"));
        std::thread::sleep(Duration::from_millis(100));
    }
    largest
}
