//! Measures what a shared database costs: queries and writes of the history on PostgreSQL beside the embedded
//! SQLite, an idle replica beside a single server, and a fourth replica beside three.
//!
//! All of it is measured from outside, with real processes on loopback. PostgreSQL does not sync to the disk, so
//! that the disk of the machine does not decide. `make bench` runs it.

#![allow(clippy::print_stdout)] // The table is printed.

mod history;
mod load;

use std::error::Error;
use std::path::PathBuf;

use argh::FromArgs;
use hostile::{proc, program};

/// Measure what replicas and their database cost.
#[derive(FromArgs)]
struct Arguments {
    /// days of history, of 20 series with an observation each 300 s (default 365)
    #[argh(option, default = "365")]
    days: i64,

    /// sources of the replicas under load (default 1000)
    #[argh(option, default = "1000")]
    sources: usize,

    /// seconds of each measurement of processor time (default 60)
    #[argh(option, default = "60")]
    seconds: u64,

    /// file to which the tables are written, too
    #[argh(option)]
    output: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Arguments = argh::from_env();
    let binary = program::beside_this_example()?;
    let mut report = String::new();
    history::measure(&binary, arguments.days, &mut report)?;
    load::measure(&binary, arguments.sources, arguments.seconds, &mut report)?;
    println!("{report}");
    if let Some(output) = &arguments.output {
        let machine = proc::machine();
        let text = format!(
            "# The cost of replicas\n\nMeasured by `make bench` on {machine}. PostgreSQL runs on the same machine, \
             with `fsync = off`.\n\n{report}"
        );
        std::fs::write(output, text)
            .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    }
    Ok(())
}
