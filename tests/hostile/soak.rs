//! A long time in a server's life in little: visitors, hostile clients and reloads, over and
//! over, and what the process has come to hold by the end.

use std::fs;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use pumphouse_web::engine::Settings;

use super::canary::{Canary, Song};
use super::client::PATIENCE;
use super::mode::Mode;
use super::outside;
use super::program;
use super::swarm::{Plan, Swarm};
use super::target::Target;

/// From how many addresses each mode comes.
const ADDRESSES: u8 = 4;

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    pub descriptors: usize,
    pub threads: u64,
    pub memory_kib: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Soaked {
    /// After the first round, when everything that is made once has been made.
    pub first: Holdings,
    /// After the last one.
    pub last: Holdings,
    pub rounds: u32,
    pub canary: Song,
}

/// Memory may grow by that share and that much: allocators keep some.
const MEMORY_SHARE: f64 = 1.15;
const MEMORY_KIB: u64 = 3 * 1024;

/// How long a server may take to let go of what clients held who are gone.
const QUIET: Duration = Duration::from_secs(60);

/// Soaks for that long in rounds, telling after each what the server holds.
///
/// # Errors
/// The server does not answer, or never becomes quiet.
pub fn soak(
    target: &Target,
    connections: usize,
    round: Duration,
    time: Duration,
    mut tell: impl FnMut(u32, Holdings),
) -> io::Result<Soaked> {
    let begun = Instant::now();
    let canary = Canary::start(target.address, target.config.clone(), PATIENCE);
    let mut first = None;
    let mut rounds = 0;
    loop {
        let mut swarm = Swarm::new(Plan {
            target: target.address,
            config: target.config.clone(),
            large: "/".to_owned(),
            modes: Mode::ATTACK.to_vec(),
            connections,
            addresses: ADDRESSES,
            limits: Settings::default(),
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
        tell(rounds, holdings);
        first.get_or_insert(holdings);
    }
    let canary = canary.stop();
    let last = when_quiet(target)?;
    tell(rounds, last);
    Ok(Soaked { first: first.unwrap_or(last), last, rounds, canary })
}

impl Soaked {
    /// What does not stay as it was; empty when all is flat.
    pub fn faults(&self) -> Vec<String> {
        let Soaked { first, last, canary, .. } = self;
        let mut faults = Vec::new();
        // The canary may hold one at the moment of counting.
        if last.descriptors > first.descriptors + 1 {
            faults.push(format!("descriptors: {} to {}", first.descriptors, last.descriptors));
        }
        if last.threads != first.threads {
            faults.push(format!("threads: {} to {}", first.threads, last.threads));
        }
        if last.memory_kib as f64 > first.memory_kib as f64 * MEMORY_SHARE + MEMORY_KIB as f64 {
            faults.push(format!("memory: {} to {} KiB", first.memory_kib, last.memory_kib));
        }
        if !canary.missed.is_empty() {
            faults.push(format!("visits missed: {:?}", canary.missed));
        }
        faults
    }
}

/// What the server holds once nobody but a canary is connected.
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
            // The admin listener keeps threads for a moment after it was asked.
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
        threads: outside::status(process, "Threads"),
        memory_kib: outside::status(process, "VmRSS"),
    })
}
