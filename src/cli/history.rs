//! `history`: looking after the file of the history.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::{Failure, print};
use crate::config::{self, Config};
use crate::history::{History, ReadError};

/// Look after the recorded history; safe while the server runs.
#[derive(FromArgs)]
#[argh(subcommand, name = "history")]
pub(super) struct HistoryCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    Check(Check),
    Backup(Backup),
}

/// Look through the whole file for damage, and count what is in it.
#[derive(FromArgs)]
#[argh(subcommand, name = "check")]
struct Check {
    /// the configuration (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(option)]
    config: Option<PathBuf>,
}

/// Copy the history into a new file, whole and consistent, while the server goes on writing.
#[derive(FromArgs)]
#[argh(subcommand, name = "backup")]
struct Backup {
    /// the file to make
    #[argh(positional)]
    file: PathBuf,

    /// the configuration (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(option)]
    config: Option<PathBuf>,
}

impl HistoryCommand {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self.action {
            Action::Check(Check { config }) => {
                let config = config::load(&config::location(config.as_deref()))?;
                let history = history_of(&config)?;
                let mut text = String::new();
                for (table, rows) in history.check().map_err(|error| damaged(&config, error))? {
                    writeln!(text, "{rows:>12} rows of {table}")?;
                }
                text.push_str("The file is sound.\n");
                Ok(print(&text))
            }
            Action::Backup(Backup { file, config }) => {
                let config = config::load(&config::location(config.as_deref()))?;
                // Over a file that is there, a half-made copy could replace the last good one.
                if file.exists() {
                    return Err(format!("{} exists; name a new file", file.display()).into());
                }
                history_of(&config)?.backup(&file)?;
                Ok(print(&format!("{} holds all of it.\n", file.display())))
            }
        }
    }
}

/// What an operator is told of a file that did not stand the check.
fn damaged(config: &Config, error: ReadError) -> Failure {
    match (&config.history, error) {
        (Some(kept), ReadError::Store(error)) if error.is_damage() => format!(
            "{} is damaged: {error}. The server sets it aside, whole, and begins a new one",
            kept.path.display()
        )
        .into(),
        (_, error) => error.into(),
    }
}

/// The history of that configuration, to be read only.
pub(super) fn history_of(config: &Config) -> Result<History, Failure> {
    let Some(kept) = &config.history else {
        return Err("the configuration keeps no history: [history] enabled = false".into());
    };
    if !kept.path.exists() {
        return Err(format!("there is no history yet: {}", kept.path.display()).into());
    }
    Ok(History::read_only(&kept.path, config.site.timezone.clone()))
}
