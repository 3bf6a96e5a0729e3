//! `export`: the history to standard output.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::Failure;
use super::history::history_of;
use crate::config;
use crate::history::{Window, parse_step, parse_time};
use crate::site::{Exporter, Format};

/// Write the recorded history to standard output, field by field.
#[derive(FromArgs)]
#[argh(subcommand, name = "export")]
pub(super) struct Export {
    /// the configuration (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(option)]
    config: Option<PathBuf>,

    /// from when on: 2026-01-31T17:16:00Z, 2026-01-31 or seconds since 1970
    #[argh(option)]
    from: String,

    /// up to and without that moment
    #[argh(option)]
    to: String,

    /// csv (default) or ndjson
    #[argh(option, default = "\"csv\".to_owned()")]
    format: String,

    /// only this field, such as tank.level; may be repeated
    #[argh(option)]
    field: Vec<String>,

    /// how fine: raw (default), or a time such as 15m, 1h or 1d
    #[argh(option, default = "\"raw\".to_owned()")]
    step: String,
}

impl Export {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let config = config::load(&config::location(self.config.as_deref()))?;
        let zone = &config.site.timezone;
        let moment = |text: &str, name: &str| {
            parse_time(text, zone).ok_or_else(|| {
                format!("--{name} {text}: say a time such as 2026-01-31T17:16:00Z or a date")
            })
        };
        let (from, to) = (moment(&self.from, "from")?, moment(&self.to, "to")?);
        if from >= to {
            return Err("--from must be before --to".into());
        }
        let step = parse_step(&self.step)
            .ok_or_else(|| format!("--step {}: say raw, or a time such as 15m", self.step))?;
        let format = match Format::parse(&self.format) {
            Some(format @ (Format::Csv | Format::Ndjson)) => format,
            _ => return Err(format!("--format {}: say csv or ndjson", self.format).into()),
        };
        let history = history_of(&config)?;
        let fields = match self.field.is_empty() {
            true => history.fields()?,
            false => self.field.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
        };
        let windows =
            fields.into_iter().map(|(source, field)| Window { source, field, from, to, step });
        let mut out = BufWriter::new(io::stdout().lock());
        match write_all(&history, windows, format, &mut out) {
            Err(failure) if is_gone(&*failure) => Ok(ExitCode::SUCCESS),
            Err(failure) => Err(failure),
            Ok(()) => Ok(ExitCode::SUCCESS),
        }
    }
}

fn named(name: &str) -> Result<(String, String), Failure> {
    let parts = name.split_once('.');
    let (source, field) = parts.ok_or_else(|| format!("--field {name}: say source.field"))?;
    Ok((source.to_owned(), field.to_owned()))
}

fn write_all(
    history: &crate::history::History,
    windows: impl Iterator<Item = Window>,
    format: Format,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (exporter, head) = Exporter::new(format);
    out.write_all(head.as_bytes())?;
    let mut line = String::new();
    for window in windows {
        let name = format!("{}.{}", window.source, window.field);
        let points = history
            .points(window)?
            .ok_or_else(|| format!("nothing of {name} was ever recorded"))?;
        let mut part = Some(points);
        while let Some(mut points) = part {
            while let Some(point) = points.next() {
                line.clear();
                exporter.point(&points, &point?, &mut line);
                out.write_all(line.as_bytes())?;
            }
            part = points.next_quantity();
        }
    }
    out.flush()?;
    Ok(())
}

/// Whether the reader has gone, as in `| head`, which is no failure.
fn is_gone(failure: &(dyn std::error::Error + 'static)) -> bool {
    let error = failure.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
