//! Time of the transmitter's last report, from texts without a year or a zone.
//!
//! | member | meaning | example |
//! | --- | --- | --- |
//! | `tx_reported` | last report of the transmitter, which measures | `Jul 15th, 8:17 AM` |
//! | `reported` | last report of the receiver, which forwards | `Jul 15th, 1:25 PM` |
//! | `last_updated_on` | age of the receiver's last report | `48 seconds ago`, or null |
//!
//! The observation is the transmitter's report; a device without a transmitter has the receiver's. Its time is
//! computed from the text alone wherever possible, so the same text is the same observation.
//!
//! The age needs neither year nor zone. It shows which year a text means: a report of 364 days ago reads like
//! one of tomorrow. If it differs from the receiver's text by whole hours, the configured zone is not that of
//! the texts; all of them are corrected by the difference, and a note says so. The transmitter's text does not
//! show that, since a transmitter that has been silent for some hours is older than its receiver.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::board::Observed;
use crate::upstream::age::Age;
use crate::upstream::decode::DecodeError;

/// Time by which a text may be ahead of our clock. It covers a difference of one hour by daylight saving time.
/// A time further ahead is last year's.
const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(90);

/// Time by which the clocks of the service and of this machine may differ.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

/// The texts omit the seconds.
const TEXT_RESOLUTION: SignedDuration = SignedDuration::from_mins(1);

/// Largest difference between two zones: from UTC-12 to UTC+14.
const MAX_ZONE_ERROR: SignedDuration = SignedDuration::from_hours(26);

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// Times of a response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times<'a> {
    /// `tx_reported`
    pub(super) transmitter: Option<&'a str>,
    /// `reported`
    pub(super) receiver: Option<&'a str>,
    /// `last_updated_on`
    pub(super) age: Option<Age>,
    /// True if the service states that a part of the device is silent.
    pub(super) is_silent: bool,
}

/// Time of an observation, with a note if the configured zone is doubtful.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReportTime {
    pub(super) observed: Observed,
    pub(super) note: Option<String>,
}

/// Returns the time of the last report.
///
/// # Errors
/// The response has no time, or one that cannot be parsed: a sensor of unknown age must not look fresh.
pub(super) fn report_time(
    times: Times<'_>,
    zone: &TimeZone,
    fetched_at: Timestamp,
) -> Result<ReportTime, DecodeError> {
    match (times.transmitter.or(times.receiver), times.age) {
        (None, None) => Err(DecodeError::new("the response has no time of the last report")),
        (None, Some(age)) => Ok(ReportTime { observed: aged(fetched_at, age), note: None }),
        (Some(text), age) => {
            let written = WrittenTime::parse(text)
                .ok_or_else(|| DecodeError::new("the time of the last report cannot be parsed"))?;
            Ok(match age {
                None => without_age(written, zone, fetched_at),
                Some(age) => with_age(written, times, age, zone, fetched_at),
            })
        }
    }
}

/// Returns the latest time in the past that a text can mean.
fn without_age(written: WrittenTime, zone: &TimeZone, fetched_at: Timestamp) -> ReportTime {
    let readings = written.readings(zone, fetched_at, Folds::First);
    let ahead = |at: &Timestamp| at.duration_since(fetched_at);
    let past = readings.iter().copied().find(|at| ahead(at) <= MAX_AHEAD);
    let is_last_year = readings
        .iter()
        .map(ahead)
        .any(|ahead| ahead > MAX_AHEAD && ahead <= MAX_ZONE_ERROR && written.year.is_none());
    let note = is_last_year.then(|| {
        "the last report is in the future by the configured zone, and is taken for last year's; \
         check \"timezone\""
            .to_owned()
    });
    // A text with a year has one reading, which may be in the future.
    let at = past.or(readings.last().copied()).unwrap_or(fetched_at);
    ReportTime { observed: inferred(at), note }
}

/// Returns the time that a text means if the receiver reported this long ago.
fn with_age(
    written: WrittenTime,
    times: Times<'_>,
    age: Age,
    zone: &TimeZone,
    fetched_at: Timestamp,
) -> ReportTime {
    let updated_at = aged(fetched_at, age).at;
    let receiver = times.receiver.and_then(WrittenTime::parse);
    let readings = receiver.unwrap_or(written).readings(zone, fetched_at, Folds::Both);
    let differences = readings.iter().map(|at| at.duration_since(updated_at));
    let difference = differences.min_by_key(|difference| difference.abs()).unwrap_or_default();
    let correction = match Difference::of(difference, age) {
        Difference::None | Difference::Earlier => SignedDuration::ZERO,
        // The age is all that is known.
        Difference::Later => return ReportTime { observed: aged(fetched_at, age), note: None },
        // A text that is older than the age is also that of a silent transmitter.
        Difference::Zone(error)
            if error.is_negative() && (receiver.is_none() || times.is_silent) =>
        {
            SignedDuration::ZERO
        }
        Difference::Zone(error) => error,
    };
    let note = (!correction.is_zero()).then(|| {
        let relation = if correction.is_negative() { "behind" } else { "ahead of" };
        let amount = correction.abs();
        format!("the device's times are {amount:#} {relation} its age; check \"timezone\"")
    });
    // The transmitter reported before the receiver. An age may be rounded, too.
    let tolerance = half(age.resolution) + CLOCK_TOLERANCE;
    let latest = updated_at.checked_add(tolerance).unwrap_or(Timestamp::MAX);
    let folds = match receiver {
        // The age is also that of this text, and distinguishes the two hours of a clock set back.
        Some(receiver) if receiver == written => Folds::Both,
        _ => Folds::First,
    };
    let readings = written.readings(zone, fetched_at, folds).into_iter();
    let at = readings.filter_map(|at| at.checked_sub(correction).ok()).find(|at| *at <= latest);
    ReportTime { observed: at.map_or_else(|| aged(fetched_at, age), inferred), note }
}

/// Relation of the receiver's text to its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    /// Both mean the same time.
    None,
    /// The text is later by this error of the zone; earlier if it is negative.
    Zone(SignedDuration),
    /// The text is later, for another reason.
    Later,
    /// The text is earlier, for another reason.
    Earlier,
}

impl Difference {
    /// Classifies `difference`, the time of the text minus the time by the age.
    ///
    /// The age is rounded down to its resolution, or to the nearest, and the text is rounded down.
    fn of(difference: SignedDuration, age: Age) -> Difference {
        let resolution = signed(age.resolution);
        let least = difference - half(age.resolution) - CLOCK_TOLERANCE;
        let most = difference + resolution + TEXT_RESOLUTION + CLOCK_TOLERANCE;
        if !least.is_positive() && !most.is_negative() {
            return Difference::None;
        }
        let steps = if resolution <= TEXT_RESOLUTION && difference.is_positive() {
            &[HOUR, QUARTER][..]
        } else if resolution <= HOUR {
            &[HOUR][..]
        } else {
            &[]
        };
        let errors = steps.iter().map(|step| {
            // With a tolerance, an age of "3 hours" at the end of its hour would show another error.
            let tolerance =
                if resolution <= TEXT_RESOLUTION { CLOCK_TOLERANCE } else { SignedDuration::ZERO };
            let error = (difference - tolerance).as_secs();
            // The least multiple of the step that is not less than the error.
            let multiple = -(-error).div_euclid(step.as_secs());
            *step * i32::try_from(multiple).unwrap_or(i32::MAX)
        });
        let is_possible = |error: &SignedDuration| *error <= most && error.abs() <= MAX_ZONE_ERROR;
        match { errors }.find(is_possible) {
            Some(error) => Difference::Zone(error),
            None if difference.is_positive() => Difference::Later,
            None => Difference::Earlier,
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn half(duration: Duration) -> SignedDuration {
    signed(duration / 2)
}

/// Returns a time that was inferred from a text.
fn inferred(at: Timestamp) -> Observed {
    Observed { inferred: true, ..Observed::absolute(at) }
}

/// Returns a time that was inferred from the receiver's age.
fn aged(fetched_at: Timestamp, age: Age) -> Observed {
    Observed { inferred: true, ..Observed::aged(fetched_at, age.age, age.resolution) }
}

/// Instants that a local time means in the hour that occurs twice when a clock is set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folds {
    /// The first one.
    First,
    /// Both.
    Both,
}

/// A time such as `Jul 15th, 8:17 AM`; some devices add the year, `Jul 15th 2026, 8:17 AM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WrittenTime {
    year: Option<i16>,
    month: i8,
    day: i8,
    time: Time,
}

impl WrittenTime {
    fn parse(text: &str) -> Option<WrittenTime> {
        let (date, time) = text.rsplit_once(',')?;
        let mut words = date.split([' ', ',']).filter(|word| !word.is_empty());
        let month = month_of(words.next()?)?;
        let day = words.next()?.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let day = day.parse().ok()?;
        let year: Option<i16> = words.next().map(str::parse).transpose().ok()?;
        let time = Time::strptime("%I:%M %p", time.trim()).ok()?;
        // A leap year has every day that exists.
        let exists = Date::new(year.unwrap_or(2000), month, day).is_ok();
        (exists && words.next().is_none()).then_some(WrittenTime { year, month, day, time })
    }

    /// Returns the instants that the text can mean, latest first, from years ago to the coming year.
    fn readings(self, zone: &TimeZone, now: Timestamp, folds: Folds) -> Vec<Timestamp> {
        let this_year = now.to_zoned_datetime(zone.clone()).year();
        let years = match self.year {
            Some(year) => year..=year,
            // Nine years include a 29th of February, even across the end of a century.
            None => this_year - 8..=this_year + 1,
        };
        let dates = years.rev().filter_map(|year| Date::new(year, self.month, self.day).ok());
        dates.flat_map(|date| instants(zone, date.to_datetime(self.time), folds)).collect()
    }
}

/// Returns the instants of a local time, latest first.
fn instants(zone: &TimeZone, local: DateTime, folds: Folds) -> impl Iterator<Item = Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let later = ambiguous.later().ok().filter(|_| folds == Folds::Both);
    let first = ambiguous.compatible().ok();
    later.filter(|later| first.is_some_and(|first| first < *later)).into_iter().chain(first)
}

fn month_of(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.to_ascii_lowercase();
    let position = MONTHS.iter().position(|month| name.starts_with(month))?;
    i8::try_from(position + 1).ok()
}

#[cfg(test)]
mod tests;
