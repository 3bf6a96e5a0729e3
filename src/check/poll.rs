//! Polls each source once, and describes the response and the reading decoded from it.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::observed_time::ObservedTime;
use crate::board::{Datum, Reading, Value};
use crate::config::{Config, Source};
use crate::text::escape_line;
use crate::timestamp::Rfc3339;
use crate::upstream::poll_once::{RawFields, RawResponse, SinglePoll, poll_all};
use crate::upstream::user_agent;

/// Polls every source, and passes a description of each poll to `print` as soon as the poll has ended.
/// Returns true if all polls succeeded.
pub fn run(config: &Config, mut print: impl FnMut(&str)) -> bool {
    let mut all_succeeded = true;
    poll_all(&config.sources, &user_agent(&config.site), |source, polled| {
        all_succeeded &= polled.reading.is_ok();
        print(&describe(source, &polled));
    });
    all_succeeded
}

fn describe(source: &Source, polled: &SinglePoll) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_poll(&mut text, source, polled);
    text
}

fn write_poll(text: &mut String, source: &Source, polled: &SinglePoll) -> fmt::Result {
    let kind = &source.kind;
    let seconds = polled.duration.as_secs_f64();
    writeln!(text, "\npolled {}: {} at {}", source.name, kind.as_str(), kind.url())?;
    if let Some(RawResponse { bytes, fields }) = &polled.response {
        let RawFields { first: fields, more } = fields;
        writeln!(text, "  {bytes} bytes in {seconds:.1} s, with these fields:")?;
        let width = fields.iter().map(|(place, _)| place.chars().count()).max().unwrap_or(0);
        for (place, raw) in fields {
            writeln!(
                text,
                "    {place:width$}  {raw}",
                place = escape_line(place),
                raw = escape_line(raw)
            )?;
        }
        if *more > 0 {
            writeln!(text, "    … and {more} more")?;
        }
    }
    match &polled.reading {
        Ok((reading, at)) => write_reading(text, source, reading, *at)?,
        Err(error) => {
            writeln!(text, "  FAILED after {seconds:.1} s: {error}")?;
            if let Some(excerpt) = &polled.excerpt {
                writeln!(text, "  the response begins {excerpt}")?;
            }
        }
    }
    polled.hints.iter().try_for_each(|hint| writeln!(text, "  note: {}", escape_line(hint)))
}

fn write_reading(
    text: &mut String,
    source: &Source,
    reading: &Reading,
    at: Timestamp,
) -> fmt::Result {
    let time = ObservedTime { observed: reading.observed, response: at };
    writeln!(text, "  {}", time.describe(source.stale_after))?;
    for hint in time.hints() {
        writeln!(text, "    {hint}")?;
    }
    let width = reading.values.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &reading.values {
        writeln!(text, "    {name:width$}  {}", format_value(value))?;
        if let Some(observed) = value.observed {
            let time = ObservedTime { observed, response: at };
            writeln!(text, "    {:width$}  {}", "", time.describe(source.stale_after))?;
            for hint in time.hints() {
                writeln!(text, "    {:width$}  {hint}", "")?;
            }
        }
    }
    Ok(())
}

fn format_value(value: &Value) -> String {
    let datum = match &value.datum {
        Some(Datum::Number(number)) => number.get().to_string(),
        Some(Datum::Text(text)) => format!("{text:?}"),
        None => "null".to_owned(),
    };
    let unit = value.unit.map_or_else(String::new, |unit| format!(" {unit}"));
    let observed = value.observed.map(|own| format!(", observed at {}", Rfc3339(own.at)));
    let observed = observed.unwrap_or_default();
    let note = value.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
    format!("{datum}{unit}{observed}{note}")
}
