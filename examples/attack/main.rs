//! `make attack`: thousands of hostile clients hold a server, while a canary asks ten times a
//! second whether it still serves.
//!
//! ```text
//! cargo run --release --example attack -- --connections 5000 --seconds 60
//! cargo run --release --example attack -- --url https://127.0.0.1:6443
//! ```
//!
//! Without `--url` it starts the release binary itself, and shows it a burst of connects and a
//! want of descriptors, too. Only servers on loopback are attacked.

#![allow(clippy::print_stdout)] // Its table is its purpose.

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code)] // The tests use what this does not.
mod hostile;

mod anyone;
mod report;
mod scarcity;

use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use argh::FromArgs;
use pumphouse_web::ops::listen_queue::listen_losses;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ClientConfig;

use hostile::burst::burst;
use hostile::canary::Canary;
use hostile::mode::Mode;
use hostile::outside;
use hostile::swarm::{Plan, Swarm};
use hostile::target::Target;
use report::Report;

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
}

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

/// True when the canary was never missed.
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
        (None, url) => (resolve(url.as_deref().unwrap_or_default())?, anyone::config()?),
    };
    println!(
        "{connections} connections in {} modes against {address} for {} s\n",
        Mode::ATTACK.len(),
        time.as_secs()
    );
    let report = attack(address, &config, connections, time, own.as_ref())?;
    println!("{report}");
    if own.is_some() {
        drop(own);
        show_burst(&binary()?)?;
        println!("{}", scarcity::run(&binary()?)?);
    }
    Ok(report.canary.missed.is_empty())
}

/// Connects twice as often as there is room for, all at once.
fn show_burst(binary: &Path) -> Result<(), Box<dyn Error>> {
    const CONNECTS: usize = 4096;
    const CAP: usize = CONNECTS / 2;
    let target = Target::start(binary, &format!("max_connections = {CAP}"))?;
    let burst = burst(target.address, CONNECTS, CAP, Duration::from_secs(10))?;
    let metrics = target.admin_page("/metrics")?;
    let limit = metrics.lines().find_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        name.starts_with("pumphouse_accept_queue_limit").then_some(value)
    });
    println!(
        "burst of {CONNECTS} connects in {:.0} ms, twice max_connections: {} held, {} closed at \
         once, {} left in silence; accept queue {} of {} at most (goal: half of it)",
        burst.took.as_secs_f64() * 1e3,
        burst.held.min(CAP),
        burst.closed,
        burst.held.saturating_sub(CAP),
        burst.fullest_queue,
        limit.unwrap_or("?")
    );
    Ok(())
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
    })?;
    let process = own.map(Target::process);
    let cpu_before = process.map(outside::cpu_time).unwrap_or_default();
    let overflows_before = listen_losses().overflows;
    let canary = Canary::start(address, Arc::clone(config));
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
    Ok(Report {
        tallies: swarm.tallies(),
        canary,
        fullest_queue: fullest,
        overflows: listen_losses().overflows - overflows_before,
        cpu: process.map(|process| outside::cpu_time(process).saturating_sub(cpu_before)),
        memory_kib: largest,
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

fn resolve(url: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let rest = url.strip_prefix("https://").ok_or("--url must begin with https://")?;
    let host = rest.trim_end_matches('/');
    let mut addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    Ok(addresses.next().ok_or("--url names no address")?)
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
