//! `make attack`: thousands of hostile clients hold a server, while a canary asks ten times a
//! second whether it still serves.
//!
//! ```text
//! cargo run --release --example attack -- --connections 5000 --seconds 60
//! cargo run --release --example attack -- --url https://127.0.0.1:6443
//! ```
//!
//! Without `--url` it starts the release binary itself, and shows it a burst of connects and a
//! want of descriptors, too. Only servers on loopback are attacked. Ends with 1 if a goal is missed.

#![allow(clippy::print_stdout)] // Its table is its purpose.

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code)] // The tests use what this does not.
mod hostile;

mod anyone;
mod goals;
mod report;
mod scarcity;

use std::error::Error;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use argh::FromArgs;
use pumphouse_web::http::Settings;
use pumphouse_web::ops::listen_queue::listen_losses;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ClientConfig;

use goals::{Goal, Goals};
use hostile::burst::burst;
use hostile::canary::Canary;
use hostile::mode::Mode;
use hostile::outside;
use hostile::swarm::{Plan, Swarm};
use hostile::target::Target;
use report::{Inside, Report};

/// Attack a server on loopback in every mode at once, while a canary sings.
#[derive(FromArgs)]
struct Arguments {
    /// whom to attack: https://HOST:PORT on loopback (default: a server of its own)
    #[argh(option)]
    url: Option<String>,

    /// connections to hold in all modes together (default: 5000)
    #[argh(option, default = "5000")]
    connections: usize,

    /// for how long (default: 60)
    #[argh(option, default = "60")]
    seconds: u64,

    /// write the tables to this file, too
    #[argh(option)]
    output: Option<PathBuf>,
}

/// Longer than this for a step of the canary's visit is a miss.
const CANARY_PATIENCE: Duration = Duration::from_secs(5);

/// Addresses that each mode comes from, where one comes from many.
const ADDRESSES: u8 = 200;

/// Descriptors beside the connections.
const SPARE: u64 = 200;

/// Bounds on what may be asked for.
const MOST_CONNECTIONS: usize = 20_000;
const MOST_SECONDS: u64 = 600;

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True when every goal is reached.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let connections = arguments.connections.clamp(Mode::ATTACK.len(), MOST_CONNECTIONS);
    let time = Duration::from_secs(arguments.seconds.clamp(1, MOST_SECONDS));
    raise_descriptors(connections as u64 + SPARE)?;
    let own = match arguments.url {
        None => Some(Target::start(&binary()?, "")?),
        Some(_) => None,
    };
    let (address, config) = match (&own, &arguments.url) {
        (Some(target), _) => (target.address, Arc::clone(&target.config)),
        (None, url) => (find(url.as_deref().unwrap_or_default())?, anyone::config()?),
    };
    let what = format!(
        "{connections} connections in {} modes for {} s",
        Mode::ATTACK.len(),
        time.as_secs()
    );
    println!("{what} against {address}\n");
    let report = attack(address, &config, connections, time, own.as_ref())?;
    let mut goals = report.goals();
    if own.is_some() {
        drop(own);
        goals.extend(show_burst(&binary()?)?);
        goals.extend(scarcity::run(&binary()?)?.goals());
    }
    let text = format!("{}\n{report}", Goals(&goals));
    println!("\n{text}");
    if let Some(output) = &arguments.output {
        let machine = outside::machine();
        let head = format!("# Under attack\n\nMeasured by `make attack` on {machine}; {what}.");
        std::fs::write(output, format!("{head}\n\n{text}"))?;
    }
    Ok(goals.iter().all(Goal::is_reached))
}

/// Connects twice as often as there is room for, all at once.
fn show_burst(binary: &Path) -> Result<Vec<Goal>, Box<dyn Error>> {
    const CONNECTS: usize = 4096;
    const CAP: usize = CONNECTS / 2;
    let target = Target::start(binary, &format!("max_connections = {CAP}"))?;
    let burst = burst(target.address, CONNECTS, CAP, Duration::from_secs(10))?;
    let limits = counts(&target, "pumphouse_accept_queue_limit")?;
    let (_, limit) = limits.first().ok_or("the server tells no limit of its accept queue")?;
    let took = burst.took.as_secs_f64() * 1e3;
    let whole = format!("burst of {CONNECTS} connects in {took:.0} ms, twice max_connections");
    let silent = burst.held.saturating_sub(CAP);
    Ok(vec![
        Goal::at_most(
            format!("{whole}: accept queue, half its limit"),
            burst.fullest_queue.into(),
            *limit as f64 / 2.0,
            "",
        ),
        Goal::at_most("the same: left in silence", silent as f64, 0.0, ""),
    ])
}

/// The samples of a metric, each with its last label's value.
fn counts(target: &Target, metric: &str) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let page = target.admin_page("/metrics")?;
    let samples = page.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix(metric)?.rsplit_once(' ')?;
        let label = name.trim_end_matches("\"}").rsplit('"').next()?;
        Some((label.to_owned(), value.parse().ok()?))
    });
    Ok(samples.collect())
}

fn attack(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    connections: usize,
    time: Duration,
    own: Option<&Target>,
) -> Result<Report, Box<dyn Error>> {
    let mut swarm = Swarm::new(Plan {
        target: address,
        config: Arc::clone(config),
        large: "/".to_owned(),
        modes: Mode::ATTACK.to_vec(),
        connections,
        addresses: ADDRESSES,
        // Those of a server elsewhere are not known.
        limits: Settings::default(),
    })?;
    let process = own.map(Target::process);
    let cpu_before = process.map(outside::cpu_time).unwrap_or_default();
    let overflows_before = listen_losses().overflows;
    let canary = Canary::start(address, Arc::clone(config), CANARY_PATIENCE);
    let (mut fullest, mut largest, mut second) = (0, 0, 0);
    swarm.run(time, |tallies| {
        let queue = outside::accept_queue(address);
        let memory = process.map_or(0, |process| outside::status(process, "VmRSS"));
        fullest = fullest.max(queue);
        largest = largest.max(memory);
        second += 1;
        let held: usize = tallies.iter().map(|(_, tally)| tally.held).sum();
        println!("{second:>4} s   {held:>6} held   accept queue {queue:>4}   {memory:>7} KiB");
    });
    let canary = canary.stop();
    let inside = |target: &Target| -> Result<Inside, Box<dyn Error>> {
        let mut closed = counts(target, "pumphouse_connections_closed_total")?;
        closed.retain(|(_, count)| *count > 0);
        let cpu = outside::cpu_time(target.process()).saturating_sub(cpu_before);
        Ok(Inside { cpu, memory_kib: largest, closed })
    };
    Ok(Report {
        tallies: swarm.tallies(),
        canary,
        fullest_queue: fullest,
        overflows: listen_losses().overflows - overflows_before,
        server: own.map(inside).transpose()?,
        time,
    })
}

/// The release binary beside this example.
fn binary() -> Result<PathBuf, Box<dyn Error>> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(|folder| folder.parent());
    let binary = folder.ok_or("this example has no folder")?.join("pumphouse-web");
    if binary.exists() {
        Ok(binary)
    } else {
        Err(format!("{} is missing: cargo build --release", binary.display()).into())
    }
}

/// The first address behind that URL at which somebody listens.
fn find(url: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let rest = url.strip_prefix("https://").ok_or("--url must begin with https://")?;
    let host = rest.trim_end_matches('/');
    let addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut failures = Vec::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CANARY_PATIENCE) {
            Ok(_) => return Ok(address),
            Err(error) => failures.push(format!("{address}: {error}")),
        }
    }
    Err(format!("nobody listens at {host} ({})", failures.join("; ")).into())
}

/// Lets this process, and the server that it starts, open that many files.
fn raise_descriptors(needed: u64) -> Result<(), Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!("{needed} open files are needed: raise `ulimit -Hn`").into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?)
}
