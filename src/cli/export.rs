//! `export`: writes the history to standard output.

use std::io::{self, BufWriter, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use jiff::tz::TimeZone;

use super::history::history_of;
use super::options::config_path;
use super::outcome::Failure;
use crate::config;
use crate::history::{Window, parse_step, parse_time};
use crate::site::{ExportError, Format, export};

/// Write the recorded history to standard output, field by field.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "export",
    example = "All fields of January, as a table\n\
               $ {command_name} --from 2026-01-01 --to 2026-02-01 > january.csv",
    example = "Hourly levels of one tank, as JSON\n\
               $ {command_name} --from 2026-01-01 --to 2026-02-01 --field tank.level --step 1h \\\n\
               --format ndjson",
    note = "A server that records at the same time is not disturbed. Dates begin in the time zone of \
            [site]."
)]
pub(super) struct Export {
    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// start: 2026-01-31T17:16:00Z, 2026-01-31 or seconds since 1970
    #[argh(option, arg_name = "TIME")]
    from: String,

    /// end, which is not included; written as the start
    #[argh(option, arg_name = "TIME")]
    to: String,

    /// csv (default), or ndjson, which also has the note and partial of a point
    #[argh(option, arg_name = "csv|ndjson", default = "\"csv\".to_owned()")]
    format: String,

    /// only this field, such as tank.level; may be repeated
    #[argh(option, arg_name = "FIELD")]
    field: Vec<String>,

    /// resolution: raw (default), or a time such as 15m, 1h or 1d
    #[argh(option, arg_name = "STEP", default = "\"raw\".to_owned()")]
    step: String,
}

impl Export {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let config = config::load(&config_path(self.file, self.config)?)?;
        let zone = &config.site.timezone;
        let (from, to) = (time("--from", &self.from, zone)?, time("--to", &self.to, zone)?);
        if from >= to {
            return Err(Failure::usage("--from must be before --to"));
        }
        let step = parse_step(&self.step).ok_or_else(|| {
            Failure::usage(format!("--step {}: expected raw or a time such as 15m", self.step))
        })?;
        let format = match self.format.parse() {
            Ok(format @ (Format::Csv | Format::Ndjson)) => format,
            _ => {
                return Err(Failure::usage(format!(
                    "--format {}: expected csv or ndjson",
                    self.format
                )));
            }
        };
        let history = history_of(&config)?;
        let fields = match self.field.is_empty() {
            true => history.fields()?,
            false => self.field.iter().map(|name| field(name)).collect::<Result<_, _>>()?,
        };
        let windows =
            fields.into_iter().map(|(source, field)| Window { source, field, from, to, step });
        match export(&history, windows, format, &mut BufWriter::new(io::stdout().lock())) {
            // The reader has closed the pipe, as `head` does.
            Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {}
            exported => exported?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Parses the value of an option that is a time, in seconds since 1970.
fn time(option: &str, text: &str, zone: &TimeZone) -> Result<i64, Failure> {
    parse_time(text, zone).ok_or_else(|| {
        Failure::usage(format!(
            "{option} {text}: expected a time such as 2026-01-31T17:16:00Z or a date"
        ))
    })
}

/// Splits `source.field`.
fn field(name: &str) -> Result<(String, String), Failure> {
    let parts = name.split_once('.');
    let (source, field) =
        parts.ok_or_else(|| Failure::usage(format!("--field {name}: expected source.field")))?;
    Ok((source.to_owned(), field.to_owned()))
}
