//! `history copy`: copies the history to another store.

use std::env;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};

use super::{access, recorded_file};
use crate::cli::options::config_path;
use crate::cli::outcome::{Failure, print, remark};
use crate::config::{self, Config, Secret};
use crate::history::{Copied, CopyPlace, Progress, copy};
use crate::postgres::Target;

/// Interval at which the progress is shown.
const SHOWN: Duration = Duration::from_secs(2);

/// Copy all rows of the history to a PostgreSQL database that replicas share, or from it to a file.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "copy",
    example = "From the file of the configured server to a database\n\
               $ {command_name} --to postgresql://pumphouse@db/pumphouse --password-file db.password",
    example = "From the database of [store] to a new file\n$ {command_name} --to pumphouse.db",
    note = "Servers may record into the file or the database that is read, and replicas into the database that is
written. Run it again to copy what was recorded meanwhile, or to continue after an interruption: rows
that are there already are not doubled.",
    error_code(0, "the copy has all rows"),
    error_code(1, "a store cannot be read or written; what was copied before stays")
)]
pub(super) struct Copy {
    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// target: a URL such as postgresql://pumphouse@db/pumphouse, or the path of a file
    #[argh(option, arg_name = "TARGET")]
    to: String,

    /// file with the password of the URL
    #[argh(option, arg_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Copy {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        Ok(print(&self.text()?))
    }

    /// Copies, and returns what the command prints.
    pub(super) fn text(self) -> Result<String, Failure> {
        let config = config::load(&config_path(self.file, self.config)?)?;
        let from = match &config.store {
            Some(store) => CopyPlace::Server(access(store)?),
            None => CopyPlace::File(recorded_file(&config)?.to_path_buf()),
        };
        let (to, name) = target(&self.to, self.password_file)?;
        let mut shown = Instant::now();
        let copied = copy(&from, &to, zone(&config), &mut |progress| {
            if shown.elapsed() >= SHOWN {
                shown = Instant::now();
                remark(&line(progress));
            }
        })?;
        let mut text = String::new();
        for Copied { table, read, new } in copied {
            writeln!(text, "{read:>12} rows of {table}, {new} of them new")?;
        }
        writeln!(text, "{name} has all rows of the history.")?;
        Ok(text)
    }
}

fn zone(config: &Config) -> &jiff::tz::TimeZone {
    &config.site.timezone
}

/// Returns the target, and its name without a password.
fn target(to: &str, password_file: Option<PathBuf>) -> Result<(CopyPlace, String), Failure> {
    let is_url = to.starts_with("postgresql:") || to.starts_with("postgres:");
    if !is_url {
        if password_file.is_some() {
            return Err(Failure::usage("--password-file is for a URL, and --to is a path"));
        }
        if to.contains("://") {
            return Err(Failure::usage(
                "--to: expected a URL such as postgresql://pumphouse@db/pumphouse, or a path",
            ));
        }
        return Ok((CopyPlace::File(to.into()), to.to_owned()));
    }
    let mut target = Target::parse(to).map_err(|error| Failure::usage(format!("--to: {error}")))?;
    if target.has_password() {
        return Err(Failure::usage(
            "--to has a password, which other users of this machine can see: write it to a file, and use \
             --password-file",
        ));
    }
    if let Some(file) = password_file {
        let password = Secret::read(&file).map_err(|error| format!("--password-file {error}"))?;
        target.set_password(password.expose().trim_end_matches(['\r', '\n']).to_owned());
    }
    target.resolve_paths(&env::current_dir()?);
    let name = target.to_string();
    Ok((CopyPlace::Server(super::access_of(target)?), name))
}

/// Returns a line about the progress.
fn line(progress: &Progress<'_>) -> String {
    let ((source, field), (number, count)) = (progress.series, progress.number);
    let rows: u64 = progress.copied.iter().map(|copied| copied.read).sum();
    format!("series {number} of {count}, {source}.{field}: {rows} rows are copied\n")
}
