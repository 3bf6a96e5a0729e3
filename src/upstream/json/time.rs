//! Times of observation in the formats that upstreams write.

use std::borrow::Cow;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::super::age;
use super::super::decode::{self, Note};
use super::select::select;
use crate::board::{Observed, Stamp};
use crate::config::{JsonTime, NamedFormat, TimeFormat};
use crate::units::Unit;

/// Reads a time of a response that was complete at `fetched_at`, or returns the note for its absence.
pub(super) fn read(
    keys: &JsonTime,
    document: &Json,
    fetched_at: Timestamp,
) -> Result<Observed, Note> {
    let sent = select(&keys.place, document)?;
    let zone = keys.timezone.as_ref();
    let observed = by_format(keys, sent, zone, fetched_at)?;
    observed.filter(|observed| !is_unset(observed)).ok_or_else(|| unusable(sent, &keys.format))
}

/// Returns true for a time that stands for none: 0 in every format, and the year 1, with which many programs begin
/// to count. An age counts from the clock of this machine, which may begin in 1970.
fn is_unset(observed: &Observed) -> bool {
    matches!(observed.stamp, Stamp::Absolute(at) if at <= Timestamp::UNIX_EPOCH)
}

fn by_format(
    keys: &JsonTime,
    sent: &Json,
    zone: Option<&TimeZone>,
    fetched_at: Timestamp,
) -> Result<Option<Observed>, Note> {
    Ok(match &keys.format {
        TimeFormat::Pattern(pattern) => by_pattern(&text_of(sent)?, pattern, zone, fetched_at),
        TimeFormat::Named(format) => match format {
            NamedFormat::Unix => since_1970(sent, 1.0)?.map(Observed::absolute),
            NamedFormat::UnixMs => since_1970(sent, 1e3)?.map(Observed::absolute),
            NamedFormat::UnixUs => since_1970(sent, 1e6)?.map(Observed::absolute),
            NamedFormat::Rfc3339 | NamedFormat::Local => {
                Some(date_and_time(string_of(sent)?, zone, fetched_at)?)
            }
            NamedFormat::Http => {
                let time = httpdate::parse_http_date(string_of(sent)?.trim()).ok();
                time.and_then(|time| Timestamp::try_from(time).ok()).map(Observed::absolute)
            }
            NamedFormat::Age => age::parse(string_of(sent)?)
                .map(|age| Observed::aged(fetched_at, age.age, age.resolution)),
            NamedFormat::AgeSeconds => {
                let age = decode::in_unit(decode::quoted(Some(sent))?, Some(Unit::Second))?;
                let age = Duration::try_from_secs_f64(age.number).ok();
                age.filter(|age| *age <= MAX_AGE)
                    .map(|age| Observed::aged(fetched_at, age, Duration::from_secs(1)))
            }
        },
    })
}

/// Greatest age in seconds, 31 years. A longer one is a point in time, of this century.
const MAX_AGE: Duration = Duration::from_secs(1_000_000_000);

fn unusable(sent: &Json, format: &TimeFormat) -> Note {
    match text_of(sent) {
        Ok(text) => decode::sent_as(&text, &format!(", which is no time in the format {format}")),
        Err(note) => note,
    }
}

fn string_of(sent: &Json) -> Result<&str, Note> {
    sent.as_str().ok_or_else(|| "not sent as a text".into())
}

/// Returns a string, or the digits of a number: a date may be the number 20260131.
fn text_of(sent: &Json) -> Result<String, Note> {
    match sent {
        Json::Number(number) => Ok(number.to_string()),
        _ => string_of(sent).map(str::to_owned),
    }
}

/// Converts a count of seconds, or of fractions of which a second has `per_second`, to whole seconds. Zero
/// is rejected: devices whose clock is not set send it.
fn since_1970(sent: &Json, per_second: f64) -> Result<Option<Timestamp>, Note> {
    let seconds = (decode::number(Some(sent))? / per_second).floor();
    // The cast saturates, and a saturated count is outside the range of a timestamp.
    Ok((seconds > 0.0).then(|| Timestamp::from_second(seconds as i64).ok()).flatten())
}

/// Removes the blank before an offset, with which some programs write it: `17:16:00 +0100`, `17:16:00 UTC`.
fn with_joined_offset(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((time, "Z" | "UTC" | "GMT")) if time.contains(':') => format!("{time}Z").into(),
        Some((time, offset)) if time.contains(':') && offset.starts_with(['+', '-']) => {
            format!("{time}{offset}").into()
        }
        _ => text.into(),
    }
}

/// Parses a date and time as in RFC 3339. One without an offset is by the clocks of `zone`.
fn date_and_time(
    text: &str,
    zone: Option<&TimeZone>,
    fetched_at: Timestamp,
) -> Result<Observed, Note> {
    let text = text.trim();
    if let Ok(at) = with_joined_offset(text).parse::<Timestamp>() {
        return Ok(Observed::absolute(at));
    }
    // A date alone is the beginning of its day, and hardly the time of an observation.
    let local = text.parse::<DateTime>().ok().filter(|_| text.contains(':'));
    match (local, zone) {
        (Some(local), Some(zone)) => at_local(local, zone, fetched_at)
            .ok_or_else(|| decode::sent_as(text, ", which is out of range")),
        (Some(_), None) => {
            Err(decode::sent_as(text, ", which has no offset; configure \"timezone\""))
        }
        (None, _) => Err(decode::sent_as(text, ", which is no date and time")),
    }
}

fn by_pattern(
    text: &str,
    pattern: &str,
    zone: Option<&TimeZone>,
    fetched_at: Timestamp,
) -> Option<Observed> {
    let parsed = BrokenDownTime::parse(pattern, text.trim()).ok()?;
    if let Ok(at) = parsed.to_timestamp() {
        return Some(Observed::absolute(at));
    }
    if let Ok(zoned) = parsed.to_zoned_datetime() {
        return Some(Observed::absolute(zoned.timestamp()));
    }
    at_local(parsed.to_datetime().ok()?, zone?, fetched_at)
}

/// Tolerated difference between the clocks of the sensor and of this machine.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// Returns the time at which the clocks of a zone show a date and time.
///
/// Clocks that are set back show each time of an hour twice. The later of both is meant unless it
/// lies in the future: taking the earlier one would merge the observations of two hours, and the later one
/// would date those of the first hour in the future. A time that the clocks skip is dated as if they
/// had been set later. In both cases the time is inferred.
fn at_local(local: DateTime, zone: &TimeZone, fetched_at: Timestamp) -> Option<Observed> {
    let both = zone.to_ambiguous_timestamp(local);
    let inferred = both.is_ambiguous();
    let (earlier, later) = (both.earlier().ok()?, both.later().ok()?);
    let latest = fetched_at.checked_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
    let at = if later <= latest { later } else { earlier };
    Some(Observed { inferred, ..Observed::absolute(at) })
}

#[cfg(test)]
mod tests;
