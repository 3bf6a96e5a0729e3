//! `history`: checks, backs up and copies the history's database.

mod copy;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};

use super::options::config_path;
use super::outcome::{Failure, print};
use crate::cluster::InstanceId;
use crate::config::{self, Config};
use crate::history::{History, ReadError, ServerPlace, check_server};
use crate::postgres::Target;
use crate::shell::quoted;
use crate::store::Access;

/// Most time of the connection to a database.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Check, back up or copy the recorded history; safe while the server runs.
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
    Copy(copy::Copy),
}

/// Check the whole database for damage, and count its rows. Of [store], check partitions and rollups.
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
    note = "The argument is the copy, so the configuration is named by --config only. A history in PostgreSQL
([store]) is backed up by pg_dump; the command prints how."
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
            Action::Check(command) => Ok(print(&command.text()?)),
            Action::Backup(command) => Ok(print(&command.text()?)),
            Action::Copy(command) => command.run(),
        }
    }
}

impl Check {
    fn text(self) -> Result<String, Failure> {
        let config = config::load(&config_path(self.file, self.config)?)?;
        let mut text = String::new();
        let rows = match &config.store {
            Some(store) => {
                let checked = check_server(&access_to_read(store)?)?;
                if !checked.faults.is_empty() {
                    return Err(checked.faults.join("\n").into());
                }
                for passed in &checked.passed {
                    writeln!(text, "{passed}.")?;
                }
                text.push_str("PostgreSQL checks its own pages: see pg_amcheck.\n");
                checked.rows
            }
            None => {
                let history = history_of(&config)?;
                history.check().map_err(|error| damaged(&config, error))?
            }
        };
        let mut counts = String::new();
        for (table, rows) in rows {
            writeln!(counts, "{rows:>12} rows of {table}")?;
        }
        Ok(format!("{counts}{text}The database is sound.\n"))
    }
}

impl Backup {
    fn text(self) -> Result<String, Failure> {
        let Backup { file, config } = self;
        let config = config::load(&config_path(None, config)?)?;
        if let Some(store) = &config.store {
            return Err(pg_dump(&store.target, &file).into());
        }
        // An incomplete copy must not replace the last good one.
        if file.exists() {
            return Err(format!("{} exists; give the path of a new file", file.display()).into());
        }
        history_of(&config)?.backup(&file)?;
        Ok(format!("{} has a complete copy.\n", file.display()))
    }
}

/// Returns how a database is backed up.
fn pg_dump(target: &Target, file: &Path) -> String {
    let (file, database) = (quoted(file), target.libpq());
    let database = quoted(Path::new(&database));
    format!(
        "the history is in PostgreSQL ([store]); back it up with\n\
         pg_dump --format=custom --schema=pumphouse --file={file} --dbname={database}"
    )
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
    let zone = config.site.timezone.clone();
    let Some(store) = &config.store else {
        return Ok(History::read_only(recorded_file(config)?, zone));
    };
    let place = ServerPlace {
        access: access_to_read(store)?,
        spool: store.spool.to_path_buf(),
        spool_max: store.spool_max,
    };
    Ok(History::read_server(place, zone))
}

/// Returns the file of a configuration, which exists.
fn recorded_file(config: &Config) -> Result<&Path, Failure> {
    let Some(file) = &config.history else {
        return Err("the configuration records no history: [history] enabled = false".into());
    };
    if !file.path.exists() {
        return Err(format!("there is no history yet: {}", file.path.display()).into());
    }
    Ok(&file.path)
}

/// Returns the access to a database whose tables this program can read.
fn access_to_read(store: &config::Store) -> Result<Access, Failure> {
    let access = access(store)?;
    match access.look(Instant::now() + TIMEOUT)? {
        None => Ok(access),
        Some(refusal) => Err(refusal.into()),
    }
}

/// Returns the access to the database of a configuration.
fn access(store: &config::Store) -> Result<Access, Failure> {
    access_of(store.target.clone())
}

/// Returns the access to a database. Each command has a name of its own: two that create the tables at once would take
/// the other's lock on that for their own.
fn access_of(target: Target) -> Result<Access, Failure> {
    Ok(Access::new(target, InstanceId::random()?.to_string().into())?)
}
