//! `make soak`: an hour of visitors, hostile clients and reloads, after which descriptors, threads
//! and memory must be what they were.
//!
//! ```text
//! cargo run --release --example soak -- --seconds 3600 --output benches/SOAK.md
//! ```

#![allow(clippy::print_stdout)] // The table is printed.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::FromArgs;
use hostile::config::Config;
use hostile::proc;
use hostile::program;
use hostile::soak::{Soaked, soak};
use hostile::target::Target;

/// Run hostile clients and reloads against a server of its own, and compare the resources that it
/// holds at the end with those at the start.
#[derive(FromArgs)]
struct Arguments {
    /// duration (default: 3600)
    #[argh(option, default = "3600")]
    seconds: u64,

    /// hostile connections at a time (default: 500)
    #[argh(option, default = "500")]
    connections: usize,

    /// file to which the table is written, too
    #[argh(option)]
    output: Option<PathBuf>,
}

/// Time between reloads.
const ROUND: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns true if no resource grew and no visit was missed.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let Arguments { seconds, connections, output } = arguments;
    let time = Duration::from_secs(*seconds);
    // Deadlines that pass within a round.
    let config = Config::https()
        .set("server.header_timeout", "5s")
        .set("server.keep_alive", "10s")
        .set("server.write_timeout", "10s");
    let target = Target::start(&program::beside_this_example()?, config)?;
    println!("{connections} hostile connections and a canary, for {seconds} s");
    println!(
        "{:>7} {:>7} {:>12} {:>8} {:>11}",
        "after", "rounds", "descriptors", "threads", "RSS KiB"
    );
    let begun = Instant::now();
    let mut table = String::from(
        "| after | rounds | descriptors | threads | RSS KiB |\n\
         | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let soaked = soak(&target, *connections, ROUND.min(time / 4), time, |round, holds| {
        let after = begun.elapsed().as_secs();
        let (descriptors, threads, memory) = (holds.descriptors, holds.threads, holds.memory_kib);
        println!("{after:>5} s {round:>7} {descriptors:>12} {threads:>8} {memory:>11}");
        let cells = format!("| {after} s | {round} | {descriptors} | {threads} | {memory} |\n");
        table.push_str(&cells);
    })?;
    let conclusion = conclude(&soaked)?;
    println!("{conclusion}");
    if let Some(output) = output {
        let machine = proc::machine();
        let text = format!(
            "# Soak\n\nMeasured by `make soak` on {machine}: {connections} hostile \
             connections in every mode, a canary ten times a second, and a reload after each \
             round, for {seconds} s.\n\n{conclusion}\n{table}"
        );
        std::fs::write(output, text)
            .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    }
    Ok(soaked.faults().is_empty())
}

/// Returns the canary's visits and the resources that grew.
fn conclude(soaked: &Soaked) -> Result<String, std::fmt::Error> {
    let canary = &soaked.canary;
    let mut text = String::new();
    writeln!(
        text,
        "canary: {} visits served, p99 {:.1} ms",
        canary.tally(),
        canary.quantile(0.99).as_secs_f64() * 1e3
    )?;
    let faults = soaked.faults();
    if faults.is_empty() {
        writeln!(text, "\ndescriptors, threads and memory: flat")?;
    }
    for fault in faults {
        writeln!(text, "\nNOT FLAT: {fault}")?;
    }
    Ok(text)
}
