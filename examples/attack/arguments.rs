//! Command-line arguments.

use std::path::PathBuf;

use argh::FromArgs;

/// Attack a server on loopback in every mode, while canaries check that it still serves.
#[derive(FromArgs)]
pub struct Arguments {
    /// server to attack: https://HOST:PORT on loopback (default: a server of its own)
    #[argh(option)]
    pub url: Option<String>,

    /// connections to hold in all modes together (default: 5000)
    #[argh(option, default = "5000")]
    pub connections: usize,

    /// duration of the attack in all modes at once (default: 60)
    #[argh(option, default = "60")]
    pub seconds: u64,

    /// duration of each attack on a server of its own; 0: none of them (default: 30)
    #[argh(option, default = "30")]
    pub scenario_seconds: u64,

    /// run only the attacks on a server of its own, or with --memory the modes, whose name contains
    /// this text
    #[argh(option)]
    pub only: Option<String>,

    /// seconds between two observations in the year of history that queries scan (default: 10)
    #[argh(option, default = "10")]
    pub history_interval: usize,

    /// instead of attacking, measure the memory that stalled clients of each mode cost a server
    #[argh(switch)]
    pub memory: bool,

    /// stalled clients of each mode with --memory (default: 4096)
    #[argh(option, default = "4096")]
    pub stalled: usize,

    /// report goals of speed, but do not fail for them: for a short run on a busy machine
    #[argh(switch)]
    pub untimed: bool,

    /// write the tables to this file, too
    #[argh(option)]
    pub output: Option<PathBuf>,
}
