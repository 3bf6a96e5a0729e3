//! `make attack`: thousands of hostile clients attack a server, while a canary visits it ten times
//! a second.
//!
//! ```text
//! cargo run --release --example attack -- --connections 5000 --seconds 60
//! cargo run --release --example attack -- --only log --scenario-seconds 60
//! cargo run --release --example attack -- --memory
//! cargo run --release --example attack -- --url https://127.0.0.1:6443
//! ```
//!
//! Without `--url` it starts the release binary itself. It then adds a burst of connects, a shortage
//! of descriptors, and the scenarios that need a server of their own: with a history, with accounts,
//! or with a log that is not read. Only servers on loopback are attacked. Exits with 1 if a goal is
//! missed.

#![allow(clippy::print_stdout)] // The table is printed.

mod all_modes;
mod arguments;
mod burst;
mod goals;
mod memory;
mod metrics;
mod report;
mod scarce_descriptors;
mod unverified_tls;

use std::error::Error;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hostile::config::Config;
use hostile::dense_history::DenseHistory;
use hostile::mode::Mode;
use hostile::proc;
use hostile::program;
use hostile::scenario::{Outcome, Scale, Scenario, Scenarios};
use hostile::target::Target;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use strum::VariantArray;

use arguments::Arguments;
use goals::{Goal, Goals};

/// Longest time that each step of a canary's visit may take.
pub const CANARY_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of descriptors that are needed beside those of the connections.
const SPARE_DESCRIPTORS: u64 = 200;

/// Upper bounds of the arguments.
const MAX_CONNECTIONS: usize = 20_000;
const MAX_SECONDS: u64 = 600;

/// Number of stalled connections of a scenario. It is below the server's cap, so that eviction does
/// not end the attack.
const STALLED_CONNECTIONS: usize = 3_500;

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

/// Returns true if every goal is reached.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    if arguments.memory {
        return measure_memory(arguments);
    }
    let connections = arguments.connections.clamp(Mode::ATTACK.len(), MAX_CONNECTIONS);
    raise_descriptors(connections as u64 + SPARE_DESCRIPTORS)?;
    let machine = proc::machine();
    let mut text = format!("# Under attack\n\nMeasured by `make attack` on {machine}.\n");
    let (mut reached, untimed) = (true, arguments.untimed);
    if arguments.only.is_none() {
        let (table, goals) = attack_in_all_modes(arguments, connections)?;
        let judge = if untimed { Goal::is_reached_if_slow } else { Goal::is_reached };
        reached &= goals.iter().all(judge);
        write!(text, "\n{}\n{table}", Goals(&goals))?;
    }
    if arguments.url.is_none() {
        let outcomes = play_scenarios(arguments, connections)?;
        let is_fast = |it: &Outcome| untimed || it.slow().is_empty();
        reached &= outcomes.iter().all(|it| it.faults().is_empty() && is_fast(it));
        if !outcomes.is_empty() {
            let seconds = arguments.scenario_seconds;
            writeln!(
                text,
                "\n{seconds} s each, on a server of its own:\n\n{}",
                Scenarios(&outcomes)
            )?;
        }
    } else {
        let names: Vec<String> = Scenario::VARIANTS.iter().map(Scenario::to_string).collect();
        println!("\nskipped, because they need a server of their own: {}", names.join(", "));
    }
    println!("\n{text}");
    save(arguments, &text)?;
    Ok(reached)
}

/// Attacks in all modes at once. A server that was started here is also attacked with a burst of
/// connects and with a shortage of descriptors.
fn attack_in_all_modes(
    arguments: &Arguments,
    connections: usize,
) -> Result<(String, Vec<Goal>), Box<dyn Error>> {
    let time = Duration::from_secs(arguments.seconds.clamp(1, MAX_SECONDS));
    let own = match arguments.url {
        None => Some(Target::start(&program::beside_this_example()?, Config::https())?),
        Some(_) => None,
    };
    let (address, config) = match (&own, &arguments.url) {
        (Some(target), _) => (target.address, Arc::clone(&target.config)),
        (None, url) => {
            (resolve(url.as_deref().unwrap_or_default())?, unverified_tls::client_config()?)
        }
    };
    let modes = Mode::ATTACK.len();
    let what = format!("{connections} connections in {modes} modes for {} s", time.as_secs());
    println!("{what} against {address}\n");
    let report = all_modes::attack(address, &config, connections, time, own.as_ref())?;
    let mut goals = report.goals();
    if own.is_some() {
        drop(own);
        let binary = program::beside_this_example()?;
        goals.extend(burst::run(&binary)?);
        goals.extend(scarce_descriptors::run(&binary)?.goals());
    }
    Ok((format!("{what}:\n\n{report}"), goals))
}

fn play_scenarios(
    arguments: &Arguments,
    connections: usize,
) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let time = Duration::from_secs(arguments.scenario_seconds.min(MAX_SECONDS));
    if time.is_zero() {
        return Ok(Vec::new());
    }
    let binary = program::beside_this_example()?;
    let only = arguments.only.as_deref().unwrap_or_default();
    let scale = Scale {
        time,
        connections: connections.min(STALLED_CONNECTIONS),
        history: DenseHistory { interval: arguments.history_interval.max(1) },
        step_timeout: CANARY_TIMEOUT,
        admin_attempts: 1,
        descriptors: None,
        watched: true,
    };
    let chosen = Scenario::VARIANTS.iter().filter(|scenario| scenario.to_string().contains(only));
    let mut outcomes = Vec::new();
    for scenario in chosen {
        println!("{scenario}, for {} s", time.as_secs());
        outcomes.push(scenario.run(&binary, &scale)?);
    }
    Ok(outcomes)
}

fn measure_memory(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let clients = arguments.stalled.clamp(1, MAX_CONNECTIONS);
    raise_descriptors(clients as u64 + SPARE_DESCRIPTORS)?;
    let binary: &Path = &program::beside_this_example()?;
    let only = arguments.only.as_deref().unwrap_or_default();
    let rows = memory::run(binary, clients, only)?;
    let machine = proc::machine();
    let text = format!(
        "# Memory of stalled clients\n\nMeasured by `make attack ATTACK=--memory` on {machine}; \
         {clients} clients of each mode.\n\n{}",
        memory::Table(&rows)
    );
    println!("\n{text}");
    save(arguments, &text)?;
    Ok(rows.iter().all(memory::Row::is_reached))
}

fn save(arguments: &Arguments, text: &str) -> Result<(), Box<dyn Error>> {
    let Some(output) = &arguments.output else { return Ok(()) };
    Ok(std::fs::write(output, text)
        .map_err(|error| format!("cannot write {}: {error}", output.display()))?)
}

/// Returns the first address of a URL that accepts a connection.
fn resolve(url: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let rest = url.strip_prefix("https://").ok_or("--url must begin with https://")?;
    let host = rest.trim_end_matches('/');
    let addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut failures = Vec::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CANARY_TIMEOUT) {
            Ok(_) => return Ok(address),
            Err(error) => failures.push(format!("{address}: {error}")),
        }
    }
    Err(format!("no server listens at {host} ({})", failures.join("; ")).into())
}

/// Raises the limit of open files of this process and of the server that it starts.
fn raise_descriptors(needed: u64) -> Result<(), Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!(
            "{needed} open files are needed, the hard limit is lower: raise `ulimit -Hn`"
        )
        .into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?)
}
