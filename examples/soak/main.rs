//! `make soak`: an hour of visitors, hostile clients and reloads, and whether descriptors,
//! threads and memory stay what they were.
//!
//! ```text
//! cargo run --release --example soak -- --seconds 3600
//! ```

#![allow(clippy::print_stdout)] // Its table is its purpose.

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code)] // The tests use what this does not.
mod hostile;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::FromArgs;

use hostile::soak::soak;
use hostile::target::Target;

/// Soak a server of its own, and see that it holds no more in the end than at first.
#[derive(FromArgs)]
struct Arguments {
    /// for how long (default: 3600)
    #[argh(option, default = "3600")]
    seconds: u64,

    /// hostile connections at a time (default: 500)
    #[argh(option, default = "500")]
    connections: usize,
}

/// From one reload to the next.
const ROUND: Duration = Duration::from_secs(60);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { seconds, connections } = argh::from_env();
    let time = Duration::from_secs(seconds);
    // Deadlines that pass within a round.
    let target = Target::start(
        Path::new("target/release/pumphouse-web"),
        "header_timeout = \"5s\"\nkeep_alive = \"10s\"\nwrite_timeout = \"10s\"",
    )?;
    println!("{connections} hostile connections and a canary, for {seconds} s");
    println!(
        "{:>7} {:>7} {:>12} {:>8} {:>11}",
        "after", "rounds", "descriptors", "threads", "RSS KiB"
    );
    let begun = Instant::now();
    let soaked = soak(&target, connections, ROUND.min(time / 4), time, |round, holds| {
        println!(
            "{:>5} s {round:>7} {:>12} {:>8} {:>11}",
            begun.elapsed().as_secs(),
            holds.descriptors,
            holds.threads,
            holds.memory_kib
        );
    })?;
    println!(
        "canary: {} visits, {} missed, p99 {:.1} ms",
        soaked.canary.served.len() + soaked.canary.missed.len(),
        soaked.canary.missed.len(),
        soaked.canary.quantile(0.99).as_secs_f64() * 1e3
    );
    let faults = soaked.faults();
    if faults.is_empty() {
        println!("all flat");
        return Ok(ExitCode::SUCCESS);
    }
    for fault in faults {
        println!("NOT FLAT: {fault}");
    }
    Ok(ExitCode::FAILURE)
}
