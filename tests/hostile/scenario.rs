//! Attacks that each need a server of their own: its history, its accounts, its log.
//!
//! Two canaries visit meanwhile: one the public listener, one the admin listener. The real `watch`
//! may stand beside the server and count the restarts that it would have made.

mod guesses;
mod report;
mod watch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pumphouse_web::engine::Settings;

use super::canary::{Canary, Song};
use super::churn::Churn;
use super::dense::Dense;
use super::flood::{Flood, Statuses};
use super::mode::Mode;
use super::outside;
use super::swarm::{Plan, Swarm};
use super::target::{Setup, Target};
use super::transport::Transport;
use guesses::Guesses;
pub use report::{CANARY_P99, Scenarios};
use watch::Watch;

/// An attack on a server of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Eight connections pipeline GET and HEAD for history queries that scan as many rows as the
    /// server allows.
    ExpensiveQueries,
    /// Eight connections pipeline GET and HEAD for a source's page, and for its chart in sizes of
    /// which no two are the same.
    SourcePages,
    /// Eight connections pipeline requests with 13 KB of query parameters.
    ManyParameters,
    /// Thousands of connections stall one byte before the end of a body of 64 KiB.
    StalledBodies,
    /// Thousands of connections request large responses and read none.
    StalledReaders,
    /// 64 local clients misuse the admin listener.
    AdminClients,
    /// Two local clients open connections to the admin listener in a loop.
    AdminConnects,
    /// More local clients than the admin listener's cap pipeline without a pause.
    AdminPipelines,
    /// More clients than the public cap pipeline without a pause, from four addresses.
    Pipelines,
    /// Strangers guess the password of an account whose owner's page is open.
    PasswordGuesses,
    /// The reader of the log stops while every request is logged.
    LogReaderStops,
}

/// Size of an attack.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Duration of each attack.
    pub time: Duration,
    /// Stalled connections.
    pub connections: usize,
    /// Observations of the history.
    pub history: Dense,
    /// Step of a canary's visit that takes longer is a miss.
    pub patience: Duration,
    /// Attempts of a visit of the admin listener while it is connected to in a loop or full: `probe`
    /// makes four. On a busy machine the server evicts connections that are slow to send.
    pub admin_attempts: usize,
    /// Limit of the server's descriptors; `None`: that of this process.
    pub descriptors: Option<u32>,
    /// Run the real `watch` beside the server.
    pub watched: bool,
}

/// Result of an attack.
#[derive(Debug)]
pub struct Outcome {
    pub scenario: Scenario,
    /// Visits of the public listener.
    pub canary: Song,
    /// Visits of the admin listener's `/healthz`.
    pub admin: Song,
    /// Exit status of a server that ended during the attack.
    pub exit: Option<ExitStatus>,
    /// Restarts that `watch` made; `None`: it was not run.
    pub restarts: Option<u32>,
    /// Largest resident memory seen.
    pub memory_kib: u64,
    /// Findings of this scenario alone.
    pub findings: Findings,
}

/// Findings beside the canaries.
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
    /// The process ended after that time.
    After(Duration),
    /// The process still ran after that time.
    Hung(Duration),
}

/// Addresses that the swarm of a scenario comes from in each mode.
const ADDRESSES: u8 = 200;

/// Connections of the pipelining scenarios, each from an address of its own.
const PIPELINES: u8 = 8;

/// Clients of the admin listener.
const ADMIN_CLIENTS: usize = 64;

/// Clients that open connections to the admin listener in a loop, each from an address of its own.
const ADMIN_CHURNERS: u8 = 2;

/// Addresses that a full house of pipelining clients comes from: each holds a quarter of the cap.
const PIPELINING_ADDRESSES: u8 = 4;

/// Time that a stop may take: the server's `drain_timeout` of 2 s here, its writer's 200 ms at
/// the end of the process, and a margin for a busy machine.
const STOP: Duration = Duration::from_secs(5);

impl Scenario {
    pub const ALL: [Scenario; 11] = [
        Scenario::ExpensiveQueries,
        Scenario::SourcePages,
        Scenario::ManyParameters,
        Scenario::StalledBodies,
        Scenario::StalledReaders,
        Scenario::AdminClients,
        Scenario::AdminConnects,
        Scenario::AdminPipelines,
        Scenario::Pipelines,
        Scenario::PasswordGuesses,
        Scenario::LogReaderStops,
    ];

    /// Name in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scenario::ExpensiveQueries => "pipelined expensive queries",
            Scenario::SourcePages => "pipelined source pages",
            Scenario::ManyParameters => "pipelined 13 KB of parameters",
            Scenario::StalledBodies => "stalled bodies",
            Scenario::StalledReaders => "stalled readers of large responses",
            Scenario::AdminClients => "admin listener, 64 local clients",
            Scenario::AdminConnects => "admin listener, connects in a loop",
            Scenario::AdminPipelines => "admin listener, pipelines at its cap",
            Scenario::Pipelines => "pipelines at the cap, from four addresses",
            Scenario::PasswordGuesses => "guesses against a remembered account",
            Scenario::LogReaderStops => "log reader that stops",
        }
    }

    /// Starts a server, attacks it, and returns what the canaries saw.
    ///
    /// # Errors
    /// The server cannot be started, or the attack cannot be set up.
    pub fn run(self, binary: &Path, scale: &Scale) -> io::Result<Outcome> {
        let guesses = match self {
            Scenario::PasswordGuesses => Some(Guesses::new(binary)?),
            _ => None,
        };
        let sections = guesses.as_ref().map(Guesses::sections).unwrap_or_default();
        let server = self.server_settings(scale);
        let setup =
            Setup { descriptors: scale.descriptors, ..self.setup(scale, &server, &sections) };
        let mut target = Target::start_with(binary, &setup)?;
        target.admin_page("/healthz")?;
        let watch = match scale.watched {
            true => Some(Watch::start(binary, &target)?),
            false => None,
        };
        let stop = AtomicBool::new(false);
        let canary = Canary::start(target.address, Arc::clone(&target.config), scale.patience);
        let attempts = match self {
            Scenario::AdminConnects | Scenario::AdminPipelines => scale.admin_attempts,
            _ => 1,
        };
        let admin = Canary::start_at_admin(target.admin, scale.patience, attempts);
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
            let ended = target.terminate(STOP)?;
            findings.stop = Some(ended.map_or(Stop::Hung(STOP), Stop::After));
        }
        Ok(Outcome { scenario: self, canary, admin, exit, restarts, memory_kib, findings })
    }

    /// Returns keys of the server's `[server]` table.
    fn server_settings(self, scale: &Scale) -> String {
        match self {
            // Fewer places than clients, but few fewer: each one evicted connects again, and the
            // attack is to be one of pipelines rather than of handshakes.
            Scenario::Pipelines => format!("max_connections = {}", scale.connections - 20),
            Scenario::LogReaderStops => "drain_timeout = \"2s\"".to_owned(),
            _ => String::new(),
        }
    }

    fn setup<'a>(self, scale: &Scale, server: &'a str, sections: &'a str) -> Setup<'a> {
        let history = Some(scale.history);
        match self {
            Scenario::ExpensiveQueries | Scenario::StalledReaders => {
                Setup { history, ..Setup::default() }
            }
            Scenario::SourcePages => Setup { history, fields: 15, ..Setup::default() },
            Scenario::LogReaderStops => Setup { server, log: Some("debug"), ..Setup::default() },
            Scenario::ManyParameters
            | Scenario::StalledBodies
            | Scenario::AdminClients
            | Scenario::AdminConnects
            | Scenario::AdminPipelines
            | Scenario::Pipelines
            | Scenario::PasswordGuesses => Setup { server, sections, ..Setup::default() },
        }
    }

    fn attack(
        self,
        target: &Target,
        scale: &Scale,
        guesses: Option<&Guesses>,
    ) -> io::Result<Findings> {
        let time = scale.time;
        let pipeline = |requests: &dyn Fn(u8) -> Vec<String>| {
            let floods = (1..=PIPELINES).map(|number| flood(target, number, requests(number)));
            let responses = Some(flood_for(time, &floods.collect::<Vec<_>>()));
            Ok(Findings { responses, ..Findings::default() })
        };
        match self {
            Scenario::ExpensiveQueries => {
                pipeline(&|number| expensive_queries(scale.history, number))
            }
            Scenario::SourcePages => pipeline(&source_pages),
            Scenario::ManyParameters => pipeline(&|_| many_parameters()),
            Scenario::StalledBodies => {
                let modes = vec![Mode::StalledBody, Mode::StalledPost, Mode::StalledForm];
                swarm(target, modes, "/", scale.connections)?.run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::StalledReaders => {
                let half = scale.connections / 2;
                let streamed = swarm(target, vec![Mode::StalledReader], Dense::DOWNLOAD, half)?;
                let whole = swarm(target, vec![Mode::NeverRead], Dense::LARGE, half)?;
                std::thread::scope(|scope| {
                    for mut swarm in [streamed, whole] {
                        scope.spawn(move || swarm.run(time, |_| {}));
                    }
                });
                Ok(Findings::default())
            }
            Scenario::AdminClients => {
                admin_swarm(target, Mode::ADMIN.to_vec(), "/metrics", ADMIN_CLIENTS)?
                    .run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::AdminPipelines => {
                admin_swarm(target, vec![Mode::EndlessPipeline], "/healthz", scale.connections)?
                    .run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::Pipelines => {
                let mut plan =
                    plan(target, vec![Mode::EndlessPipeline], "/ping", scale.connections);
                plan.addresses = PIPELINING_ADDRESSES;
                Swarm::new(plan)?.run(time, |_| {});
                Ok(Findings::default())
            }
            Scenario::AdminConnects => {
                Ok(Findings { opened: Some(churn(target.admin, scale)), ..Findings::default() })
            }
            Scenario::PasswordGuesses => {
                guesses.map_or_else(|| Ok(Findings::default()), |it| it.attack(target, time))
            }
            Scenario::LogReaderStops => {
                target.stop_reading_log();
                let ping = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
                pipeline(&|_| vec![ping.clone(); 4])
            }
        }
    }
}

/// A batch of queries by GET or by HEAD. HEAD costs as much and has no body whose writing would
/// end the connection's turn.
fn expensive_queries(history: Dense, number: u8) -> Vec<String> {
    let method = if number.is_multiple_of(4) { "GET" } else { "HEAD" };
    vec![format!("{method} {} HTTP/1.1\r\nHost: localhost\r\n\r\n", history.scan()); 64]
}

/// A batch of requests for a page and for pictures, by GET or by HEAD.
fn source_pages(number: u8) -> Vec<String> {
    let method = if number.is_multiple_of(2) { "GET" } else { "HEAD" };
    let request = |path: &str| format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let sizes = (0..64).map(|size| 200 + u32::from(number) * 100 + size);
    let picture = |width| format!("/chart/site.level.svg?range=1y&width={width}");
    sizes.flat_map(|width| [request("/source/site"), request(&picture(width))]).collect()
}

/// A batch of queries of 13 KB, in which no two parameters have the same name.
fn many_parameters() -> Vec<String> {
    const LENGTH: usize = 13_000;
    let mut query = String::with_capacity(LENGTH + 8);
    for number in 0.. {
        if query.len() >= LENGTH {
            break;
        }
        query += &format!("{number:x}&");
    }
    let request = |path: &str| {
        format!("GET {path}?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", query.trim_end_matches('&'))
    };
    vec![request("/api/v1/status"), request("/api/v1/history")]
}

fn flood(target: &Target, number: u8, requests: Vec<String>) -> Flood {
    let config = Some(Arc::clone(&target.config));
    let transport = Transport { address: target.address, config };
    Flood { transport, source: Ipv4Addr::new(127, 7, 100, number), requests }
}

/// Runs floods for that long and returns their responses together.
fn flood_for(time: Duration, floods: &[Flood]) -> Statuses {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running: Vec<_> = floods.iter().map(|flood| scope.spawn(|| flood.run(&stop))).collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut all = Statuses::default();
        for flood in running {
            all.add(&flood.join().expect("a flood does not panic"));
        }
        all
    })
}

/// Opens connections in a loop for that long and returns their number.
fn churn(target: SocketAddr, scale: &Scale) -> u64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..=ADMIN_CHURNERS)
            .map(|number| {
                let source = Ipv4Addr::new(127, 7, 101, number);
                let churn = Churn { target, source, held: scale.connections / 2 };
                let stop = &stop;
                scope.spawn(move || churn.run(stop))
            })
            .collect();
        std::thread::sleep(scale.time);
        stop.store(true, Ordering::Relaxed);
        running.into_iter().map(|it| it.join().expect("a churner does not panic")).sum()
    })
}

fn plan(target: &Target, modes: Vec<Mode>, large: &str, connections: usize) -> Plan {
    Plan {
        target: target.address,
        config: Arc::clone(&target.config),
        large: large.to_owned(),
        modes,
        connections,
        addresses: ADDRESSES,
        limits: Settings::default(),
    }
}

fn admin_swarm(
    target: &Target,
    modes: Vec<Mode>,
    path: &str,
    connections: usize,
) -> io::Result<Swarm> {
    let plan = Plan { target: target.admin, ..plan(target, modes, path, connections) };
    Ok(Swarm::new(plan)?.over_plain_http().bound_to(Ipv4Addr::LOCALHOST))
}

fn swarm(target: &Target, modes: Vec<Mode>, large: &str, connections: usize) -> io::Result<Swarm> {
    Swarm::new(plan(target, modes, large, connections))
}

/// Samples the resident memory of a process until `stop` is set; returns the largest sample.
fn largest_memory(process: u32, stop: &AtomicBool) -> u64 {
    let mut largest = 0;
    while !stop.load(Ordering::Relaxed) {
        largest = largest.max(outside::status(process, "VmRSS"));
        std::thread::sleep(Duration::from_millis(100));
    }
    largest
}
