//! A soak test: visitors, hostile clients and reloads in rounds, and whether the process grows.
//!
//! The descriptors, threads and memory after the first round, when everything that is allocated
//! once has been allocated, are compared with those after the last.

use std::fs;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::canary::{Canary, CanaryReport};
use crate::client::TEST_TIMEOUT;
use crate::mode::Mode;
use crate::proc;
use crate::program;
use crate::swarm::{Plan, Swarm};
use crate::target::Target;

/// Number of source addresses of each mode.
const ADDRESSES: u8 = 4;

/// Resources that a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: u64,
    /// Resident memory, KiB.
    pub memory_kib: u64,
}

/// Result of a soak test.
#[derive(Debug)]
pub struct Soaked {
    /// Resources after the first round.
    pub first: Holdings,
    /// Resources after the last round.
    pub last: Holdings,
    /// Number of rounds.
    pub rounds: u32,
    /// Visits during all rounds.
    pub canary: CanaryReport,
}

/// Growth of memory that is tolerated, as a factor and in addition to it: allocators keep some
/// freed memory.
const MEMORY_FACTOR: f64 = 1.15;
const MEMORY_KIB: u64 = 3 * 1024;

/// Time within which the server must close the connections of clients that have gone.
const QUIET: Duration = Duration::from_secs(60);

/// Runs rounds until `time` has passed, at least two, and passes the resources after each round
/// to `report`.
///
/// # Errors
/// The server does not answer, or never becomes quiet.
pub fn soak(
    target: &Target,
    connections: usize,
    round: Duration,
    time: Duration,
    mut report: impl FnMut(u32, Holdings),
) -> io::Result<Soaked> {
    let begun = Instant::now();
    let canary = Canary::start(target.address, target.config.clone(), TEST_TIMEOUT);
    let mut first = None;
    let mut rounds = 0;
    loop {
        let mut swarm = Swarm::new(Plan {
            addresses: ADDRESSES,
            ..Plan::new(target.address, &target.config, &Mode::ATTACK, connections)
        })?;
        swarm.run(round, |_| {});
        drop(swarm);
        let process = target.process().to_string();
        program::run(Command::new("kill").args(["-HUP", &process]), "")?;
        rounds += 1;
        if begun.elapsed() >= time && rounds > 1 {
            break;
        }
        let holdings = when_quiet(target)?;
        report(rounds, holdings);
        first.get_or_insert(holdings);
    }
    let canary = canary.stop();
    let last = when_quiet(target)?;
    report(rounds, last);
    Ok(Soaked { first: first.unwrap_or(last), last, rounds, canary })
}

impl Soaked {
    /// Returns the resources that grew and the visits that were missed; empty if there are none.
    pub fn faults(&self) -> Vec<String> {
        let Soaked { first, last, canary, .. } = self;
        let mut faults = Vec::new();
        // The canary may hold one connection at the moment of counting.
        if last.descriptors > first.descriptors + 1 {
            faults.push(format!("descriptors: {} to {}", first.descriptors, last.descriptors));
        }
        if last.threads != first.threads {
            faults.push(format!("threads: {} to {}", first.threads, last.threads));
        }
        if last.memory_kib as f64 > first.memory_kib as f64 * MEMORY_FACTOR + MEMORY_KIB as f64 {
            faults.push(format!("memory: {} to {} KiB", first.memory_kib, last.memory_kib));
        }
        if !canary.missed.is_empty() {
            faults.push(format!("visits missed: {:?}", canary.missed));
        }
        faults
    }
}

/// Waits until at most the canary is connected, and returns the server's resources.
fn when_quiet(target: &Target) -> io::Result<Holdings> {
    let deadline = Instant::now() + QUIET;
    loop {
        let metrics = target.admin_page("/metrics")?;
        let open: f64 = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("pumphouse_connections{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        if open <= 1.0 {
            // The connection of the request above is closed by then.
            std::thread::sleep(Duration::from_secs(1));
            return holdings(target.process());
        }
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!("{open} connections are still open")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn holdings(process: u32) -> io::Result<Holdings> {
    Ok(Holdings {
        descriptors: fs::read_dir(format!("/proc/{process}/fd"))?.count(),
        threads: proc::status(process, "Threads"),
        memory_kib: proc::status(process, "VmRSS"),
    })
}
