//! `check`: checks a configuration without starting the server.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::options::config_path;
use super::outcome::{Failure, Printer};
use crate::check::{check, poll, store};
use crate::wall_clock;

/// Check a configuration and its certificates without starting the server, and describe what it
/// would do.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    example = "Before a restart or a reload\n$ {command_name} && kill -HUP \"$(pidof pumphouse-web)\"",
    example = "With the answer of each source\n$ {command_name} --poll tank.toml",
    error_code(
        0,
        "the configuration is valid, and with --poll every source and the database answered"
    ),
    error_code(1, "the configuration is wrong, or a source or the database did not answer")
)]
pub(super) struct Check {
    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// also poll each source once, and show its answer and the values read from it; with [store], also try its database
    #[argh(switch)]
    poll: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let path = config_path(self.file, self.config)?;
        let now = wall_clock::now();
        let checked = check(&path, now)?;
        let mut printer = Printer::new();
        printer.show(&format!("{} is valid.\n\n{}", path.display(), checked.summary(now)));
        if self.poll {
            let is_usable = store::run(&checked.config, |text| printer.show(text));
            if !poll::run(&checked.config, |text| printer.show(text)) || !is_usable {
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(printer.exit_code())
    }
}
