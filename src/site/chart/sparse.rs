//! The sentence that pages show in place of a chart of too few observations: a dot or a dash in an empty
//! frame says less.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::legend::span_in_words;
use super::plot::{Frame, Plot, Shape};
use super::range::Range;
use crate::board::{Datum, Finite};
use crate::format::{clock_time, datum, row_time, suffix};
use crate::history::{Bucket, DAY};

/// Observations of a window, as far as they are known.
pub(super) struct Recorded<'a> {
    /// Rows of the history in the window, and the latest observation unless it is still to be written.
    pub(super) rows: &'a [Bucket],
    /// Time of the first observation of the history, which may be before the window.
    pub(super) since: Option<i64>,
    /// Time of the latest observation, if it is in the window.
    pub(super) latest: Option<i64>,
}

/// Returns the sentence for no observations, or for those that span less than one row of the table, which is a
/// few per cent of the window; `None` if there are more.
pub(super) fn summary(
    recorded: &Recorded<'_>,
    plot: &Plot,
    range: Range,
    zone: &TimeZone,
) -> Option<String> {
    let (rows, frame, window) = (recorded.rows, &plot.frame, range.in_words());
    let now = frame.to - 1;
    let Some(first_row) = rows.first().map(|row| row.at).or(recorded.latest) else {
        return Some(format!("No data in the last {window}."));
    };
    let last_row = rows.last().map_or(first_row, |row| row.at);
    // The history has no row of a field whose first observation is still to be written.
    let since = recorded.since.or(recorded.latest).filter(|&since| since >= frame.from);
    let first = first_row.max(since.unwrap_or(first_row));
    let last = recorded.latest.unwrap_or(last_row).max(last_row);
    if last - first >= range.row_step() {
        return plot.is_empty().then(|| {
            match rows.last().and_then(|row| row.note(frame.over_time)) {
                Some(note) => format!("No value in the last {window}: {note}."),
                None => {
                    let span = span_in_words(frame.step.unwrap_or_default());
                    format!("No complete {span} in the last {window}.")
                }
            }
        });
    }
    let times = Times { step: frame.step.unwrap_or_default(), now, range, zone };
    if let Some(since) = since.filter(|since| now - since < range.row_step()) {
        let (since, span) = (times.start(since), span_in_words(range.row_step()));
        return Some(format!("Recording since {since}. The chart appears after the first {span}."));
    }
    let count: u64 = rows.iter().map(|row| row.count).sum();
    let span = match recorded.latest {
        Some(only) if count == 1 => times.span(only, only),
        Some(latest) => times.span(first, latest),
        None => times.span(first, times.end(last_row)),
    };
    Some(match (frame.shape(), numbers(rows, frame)) {
        (Shape::Line, Some(number)) if count == 1 => {
            format!("One observation in the last {window}: {number} {span}.")
        }
        (Shape::Line, Some(numbers)) => {
            format!("{count} observations in the last {window}: {numbers}, {span}.")
        }
        // Of an amount or a rise, the latest observation may be missing in the rows.
        _ => format!("Observations in the last {window}: only {span}."),
    })
}

/// Returns the least and the greatest number of the rows: `12.1 to 12.3°C`.
fn numbers(rows: &[Bucket], frame: &Frame) -> Option<String> {
    let least = rows.iter().map(|row| row.min).reduce(f64::min)?;
    let most = rows.iter().map(|row| row.max).reduce(f64::max)?;
    let text = |number| Some(datum(&Datum::Number(Finite::new(number)?), frame.unit));
    let (least, most) = (text(least)?, text(most)?);
    let numbers = if least == most { most } else { format!("{least} to {most}") };
    Some(format!("{numbers}{}", suffix(frame.unit)))
}

/// Formats times by the clocks of the site, as precise as they are known.
struct Times<'a> {
    /// Seconds of the steps to which the times belong; 0 for exact times.
    step: i64,
    now: i64,
    range: Range,
    zone: &'a TimeZone,
}

impl Times<'_> {
    /// Returns the end of the step that starts at `at`, or a time of its last day.
    fn end(&self, at: i64) -> i64 {
        let length = if self.step < DAY { self.step } else { self.step - 1 };
        (at + length).min(self.now)
    }

    /// Returns an exact time: `13:39` for one of today, else `Wed 25, 13:39`.
    fn exact(&self, second: i64) -> String {
        match self.is_same_day(second, self.now) {
            true => clock_time(second, self.zone),
            false => row_time(second, 0, self.range.seconds(), self.zone),
        }
    }

    /// Returns the start of the recording, with the time of day if that is of today or the steps are shorter
    /// than a day.
    fn start(&self, second: i64) -> String {
        match self.step {
            DAY.. if !self.is_same_day(second, self.now) => self.date(second),
            _ => self.exact(second),
        }
    }

    fn date(&self, second: i64) -> String {
        row_time(second, DAY, self.range.seconds(), self.zone)
    }

    /// Returns `at 13:39`, `on Wed 25, 13:39`, or `from 13:39 to 13:44`.
    fn span(&self, first: i64, last: i64) -> String {
        let (from, to) = match self.step {
            // The times of day are not known.
            DAY.. => (self.date(first), self.date(last)),
            _ => (self.exact(first), self.exact(last)),
        };
        if from == to {
            let has_date = self.step >= DAY || !self.is_same_day(first, self.now);
            return format!("{} {from}", if has_date { "on" } else { "at" });
        }
        if self.step < DAY && self.is_same_day(first, last) {
            return format!("from {from} to {}", clock_time(last, self.zone));
        }
        format!("from {from} to {to}")
    }

    fn is_same_day(&self, one: i64, other: i64) -> bool {
        let date = |second| {
            let at = Timestamp::from_second(second).unwrap_or_default();
            self.zone.to_datetime(at).date()
        };
        date(one) == date(other)
    }
}
