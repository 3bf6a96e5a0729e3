//! Hours of each day, by the clock of the site: `"22:00-07:00"`.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// Hours of each day, from `begin` up to `end`. They span midnight if the end is not later than the begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailySpan {
    /// First minute of the span.
    pub begin: civil::Time,
    /// First minute after the span.
    pub end: civil::Time,
}

/// A text is not a span of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DailySpanError {
    /// The text is not `HH:MM-HH:MM`.
    #[error("must be two times such as \"22:00-07:00\"")]
    Malformed,
    /// Both times are the same.
    #[error("begins and ends at the same time; leave the key out to mean the whole day")]
    Empty,
}

impl DailySpan {
    /// Returns the span that contains `at`, as the times of its begin and its end; `None` if no span does.
    ///
    /// A time that the clocks skip when summer time begins is that of the moment at which they are set. Where
    /// they are set back, the first of two equal times begins the span, and ends it.
    pub fn around(self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let date = zone.to_datetime(at).date();
        let spans = [date.yesterday().ok(), Some(date)].into_iter().flatten();
        let spans = spans.filter_map(|date| self.on(date, zone));
        spans.into_iter().find(|&(begin, end)| begin <= at && at < end)
    }

    /// Returns the span that contains `at`, or else the next one, as the times of its begin and its end.
    pub fn at_or_after(self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        /// Dates to search. A span in an hour that the clocks skip is empty.
        const DATES: usize = 4;
        let date = zone.to_datetime(at).date();
        let first = date.yesterday().unwrap_or(date);
        let spans = first.series(jiff::ToSpan::day(1)).take(DATES);
        let mut spans = spans.filter_map(|date| self.on(date, zone));
        spans.find(|&(begin, end)| begin < end && at < end)
    }

    /// Returns the span that begins on a date.
    fn on(self, date: civil::Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let end = if self.end <= self.begin { date.tomorrow().ok()? } else { date };
        Some((
            timestamp(date.to_datetime(self.begin), zone)?,
            timestamp(end.to_datetime(self.end), zone)?,
        ))
    }
}

/// Returns the time of a reading of the site's clock.
fn timestamp(at: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    match ambiguous.is_ambiguous() {
        false => ambiguous.unambiguous().ok(),
        true => ambiguous.compatible().ok(),
    }
}

impl FromStr for DailySpan {
    type Err = DailySpanError;

    fn from_str(text: &str) -> Result<DailySpan, DailySpanError> {
        let (begin, end) = text.split_once('-').ok_or(DailySpanError::Malformed)?;
        let (begin, end) = (time(begin)?, time(end)?);
        if begin == end {
            return Err(DailySpanError::Empty);
        }
        Ok(DailySpan { begin, end })
    }
}

/// Parses `HH:MM`; 24:00 is midnight.
fn time(text: &str) -> Result<civil::Time, DailySpanError> {
    let two_digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i8>().ok().filter(|_| is_number).ok_or(DailySpanError::Malformed)
    };
    let (hour, minute) = text.trim().split_once(':').ok_or(DailySpanError::Malformed)?;
    match (two_digits(hour)?, two_digits(minute)?) {
        (24, 0) => Ok(civil::Time::midnight()),
        (hour, minute) => {
            civil::Time::new(hour, minute, 0, 0).map_err(|_| DailySpanError::Malformed)
        }
    }
}

/// Formats the span as the configuration writes it.
impl fmt::Display for DailySpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (begin, end) = (self.begin, self.end);
        write!(f, "{:02}:{:02}-{:02}:{:02}", begin.hour(), begin.minute(), end.hour(), end.minute())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn zone() -> TimeZone {
        TimeZone::get("America/Los_Angeles").unwrap()
    }

    /// Returns the span around a time, both by the clock of the site.
    fn around(span: &str, at: &str) -> Option<(String, String)> {
        let at: civil::DateTime = at.parse().unwrap();
        let at = zone().to_timestamp(at).unwrap();
        let local = |at: Timestamp| zone().to_datetime(at).to_string();
        let (begin, end) = span.parse::<DailySpan>().unwrap().around(at, &zone())?;
        Some((local(begin), local(end)))
    }

    #[test]
    fn span_of_the_day_or_over_midnight_contains_its_begin_and_not_its_end() {
        let some = |begin: &str, end: &str| Some((begin.to_owned(), end.to_owned()));
        let morning = some("2026-02-03T00:00:00", "2026-02-03T04:30:00");
        for (at, expected) in [
            ("2026-02-02T23:59:59", None),
            ("2026-02-03T00:00:00", morning.clone()),
            ("2026-02-03T04:29:59", morning),
            ("2026-02-03T04:30:00", None),
        ] {
            assert_eq!(around("00:00-04:30", at), expected, "{at}");
        }
        let night = some("2026-02-03T22:00:00", "2026-02-04T07:00:00");
        for (at, expected) in [
            ("2026-02-03T21:59:00", None),
            ("2026-02-03T22:00:00", night.clone()),
            ("2026-02-04T00:00:00", night.clone()),
            ("2026-02-04T06:59:00", night),
            ("2026-02-04T07:00:00", None),
        ] {
            assert_eq!(around("22:00-07:00", at), expected, "{at}");
        }
        assert_eq!(
            around("20:00-24:00", "2026-02-03T23:00:00"),
            some("2026-02-03T20:00:00", "2026-02-04T00:00:00")
        );
    }

    #[test]
    fn span_is_an_hour_shorter_or_longer_when_the_clocks_change() {
        let hours = |at: &str| {
            let at: Timestamp = at.parse().unwrap();
            let span = DailySpan::from_str("00:30-04:30").unwrap();
            let (begin, end) = span.around(at, &zone()).unwrap();
            end.duration_since(begin)
        };
        assert_eq!(hours("2026-03-08T09:00:00Z"), SignedDuration::from_hours(3));
        assert_eq!(hours("2026-11-01T08:00:00Z"), SignedDuration::from_hours(5));
    }

    #[test]
    fn next_span_begins_today_or_tomorrow() {
        let next = |span: &str, at: &str| {
            let at = zone().to_timestamp(at.parse::<civil::DateTime>().unwrap()).unwrap();
            let (begin, end) = span.parse::<DailySpan>().unwrap().at_or_after(at, &zone()).unwrap();
            let local = |at: Timestamp| zone().to_datetime(at).to_string();
            format!("{} to {}", local(begin), local(end))
        };
        let night = "2026-02-03T22:00:00 to 2026-02-04T07:00:00";
        assert_eq!(next("22:00-07:00", "2026-02-03T12:00:00"), night);
        assert_eq!(next("22:00-07:00", "2026-02-04T06:59:00"), night, "the span that contains it");
        let morning = "2026-02-04T00:00:00 to 2026-02-04T04:30:00";
        assert_eq!(next("00:00-04:30", "2026-02-03T04:30:00"), morning);
        let skipped = "2026-03-08T03:10:00 to 2026-03-08T03:50:00";
        assert_eq!(next("02:10-02:50", "2026-03-08T00:00:00"), skipped, "by the time before it");
        let span: DailySpan = "22:00-07:00".parse().unwrap();
        for at in [Timestamp::MIN, Timestamp::MAX] {
            span.at_or_after(at, &zone());
        }
    }

    #[test]
    fn text_is_checked_and_written_back() {
        for (text, expected) in [
            ("22:00-07:00", Ok("22:00-07:00")),
            ("00:00 - 04:30", Ok("00:00-04:30")),
            ("20:00-24:00", Ok("20:00-00:00")),
            ("08:00-08:00", Err(DailySpanError::Empty)),
            ("8:00-9:00", Err(DailySpanError::Malformed)),
            ("22-07", Err(DailySpanError::Malformed)),
            ("22:60-07:00", Err(DailySpanError::Malformed)),
            ("25:00-07:00", Err(DailySpanError::Malformed)),
            ("+1:00-07:00", Err(DailySpanError::Malformed)),
            ("", Err(DailySpanError::Malformed)),
        ] {
            let span = text.parse::<DailySpan>().map(|span| span.to_string());
            assert_eq!(span, expected.map(str::to_owned), "{text}");
        }
    }
}
