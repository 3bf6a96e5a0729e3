//! `history`: checks and backs up the history's database.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::options::config_path;
use super::outcome::{Failure, print};
use crate::config::{self, Config};
use crate::history::{History, ReadError};

/// Check or back up the recorded history; safe while the server runs.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "history")]
pub(super) struct HistoryCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum Action {
    Check(Check),
    Backup(Backup),
}

/// Check the whole database for damage, and count its rows.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    example = "Check the database of the configured server\n$ {command_name}",
    error_code(0, "the database is sound"),
    error_code(1, "the database is damaged, or cannot be read")
)]
struct Check {
    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,
}

/// Copy the history into a new file as one consistent state, while the server keeps writing.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "backup",
    example = "Each night, from cron\n\
               $ {command_name} --config /srv/pumphouse/pumphouse.toml \"/backup/$(date +%F).db\"",
    note = "The argument is the copy, so the configuration is named by --config only."
)]
struct Backup {
    /// path of the copy, which must not exist
    #[argh(positional, arg_name = "COPY")]
    file: PathBuf,

    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,
}

impl HistoryCommand {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self.action {
            Action::Check(Check { file, config }) => {
                let config = config::load(&config_path(file, config)?)?;
                let history = history_of(&config)?;
                let mut text = String::new();
                for (table, rows) in history.check().map_err(|error| damaged(&config, error))? {
                    writeln!(text, "{rows:>12} rows of {table}")?;
                }
                text.push_str("The database is sound.\n");
                Ok(print(&text))
            }
            Action::Backup(Backup { file, config }) => {
                let config = config::load(&config_path(None, config)?)?;
                // An incomplete copy must not replace the last good one.
                if file.exists() {
                    return Err(
                        format!("{} exists; give the path of a new file", file.display()).into()
                    );
                }
                history_of(&config)?.backup(&file)?;
                Ok(print(&format!("{} has a complete copy.\n", file.display())))
            }
        }
    }
}

/// Adds to an error of the check how the server treats a damaged file.
fn damaged(config: &Config, error: ReadError) -> Failure {
    match (&config.history, error) {
        (Some(file), ReadError::Store(error)) if error.is_damage() => format!(
            "{} is damaged: {error}; the server will rename it, unchanged, and start a new one",
            file.path.display()
        )
        .into(),
        (_, error) => error.into(),
    }
}

/// Opens the history of a configuration for reading.
pub(super) fn history_of(config: &Config) -> Result<History, Failure> {
    let Some(file) = &config.history else {
        return Err("the configuration records no history: [history] enabled = false".into());
    };
    if !file.path.exists() {
        return Err(format!("there is no history yet: {}", file.path.display()).into());
    }
    Ok(History::read_only(&file.path, config.site.timezone.clone()))
}
