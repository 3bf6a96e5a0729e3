//! Polls each source once, and describes the response and the reading decoded from it.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::observed_time::ObservedTime;
use crate::board::{Datum, Reading, Value};
use crate::config::{Config, Source};
use crate::text::escape_line;
use crate::timestamp::Rfc3339;
use crate::upstream::poll_once::{RawFields, RawResponse, SinglePoll};
use crate::upstream::{poll_all, user_agent};

/// Maximum number of sources of which every poll is described.
const MAX_DESCRIBED: usize = 100;

/// Maximum number of polls that are described of more sources: the first that failed or have a note.
const MAX_TROUBLED: usize = 50;

/// Polls every source, and passes a description of each poll to `print` as soon as that poll and those before it
/// have ended. Of many sources, only polls that failed or have a note are described, and their number is bounded.
/// Returns true if all polls succeeded.
pub fn run(config: &Config, mut print: impl FnMut(&str)) -> bool {
    let mut digest = Digest::new(config.sources.len());
    poll_all(&config.sources, &user_agent(&config.site), |source, polled| {
        if digest.describes(polled.reading.is_ok(), !polled.hints.is_empty()) {
            print(&describe(source, &polled));
        }
    });
    if let Some(summary) = digest.summary() {
        print(&summary);
    }
    digest.failed == 0
}

/// Choice of the polls to describe.
#[derive(Debug)]
struct Digest {
    sources: usize,
    described: usize,
    failed: usize,
    /// Polls that succeeded and have a note.
    noted: usize,
}

impl Digest {
    fn new(sources: usize) -> Digest {
        Digest { sources, described: 0, failed: 0, noted: 0 }
    }

    /// Counts a poll. Returns true if it is to be described.
    fn describes(&mut self, succeeded: bool, has_note: bool) -> bool {
        self.failed += usize::from(!succeeded);
        self.noted += usize::from(succeeded && has_note);
        let is_described = self.sources <= MAX_DESCRIBED
            || (!succeeded || has_note) && self.described < MAX_TROUBLED;
        self.described += usize::from(is_described);
        is_described
    }

    /// Returns the counts if not every poll was described.
    fn summary(&self) -> Option<String> {
        let Digest { sources, described, failed, noted } = *self;
        if described == sources {
            return None;
        }
        let more = match (failed + noted).saturating_sub(described) {
            0 => String::new(),
            more => format!("; {more} of these are not described"),
        };
        Some(format!(
            "\npolled {sources} sources: {} answered, {noted} of them with a note, and {failed} failed{more}\n",
            sources - failed
        ))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of described polls, and the summary.
    fn digest(polls: impl ExactSizeIterator<Item = (bool, bool)>) -> (usize, Option<String>) {
        let mut digest = Digest::new(polls.len());
        let described = polls.filter(|(succeeded, note)| digest.describes(*succeeded, *note));
        (described.count(), digest.summary())
    }

    #[test]
    fn every_poll_of_few_sources_is_described() {
        assert_eq!(digest((0..100).map(|at| (at % 2 == 0, false))), (100, None));
    }

    #[test]
    fn of_a_fleet_the_first_failures_are_described_and_all_are_counted() {
        let summary = "\npolled 3000 sources: 2999 answered, 1 of them with a note, and 1 failed\n";
        let polls = (0..3000).map(|at| (at != 2990, at == 5));
        assert_eq!(digest(polls), (2, Some(summary.to_owned())));
        let summary = "\npolled 3000 sources: 1000 answered, 0 of them with a note, and 2000 failed; \
                       1950 of these are not described\n";
        assert_eq!(
            digest((0..3000).map(|at| (at % 3 == 0, false))),
            (50, Some(summary.to_owned()))
        );
    }
}
