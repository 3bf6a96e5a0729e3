//! Parsers of times and steps in queries and on command lines.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::calendar::DAY;
use super::plan::Step;
use crate::config::parse_duration;

/// Earliest time that RFC 3339 can express, since its years have four digits and no sign.
pub const MIN_TIME: i64 = -62_167_219_200;

/// Parses a time: `2026-01-31T17:16:00Z`, with any offset; `2026-01-31`, midnight in `zone`; or
/// seconds since 1970. Returns whole seconds since 1970.
pub fn parse_time(text: &str, zone: &TimeZone) -> Option<i64> {
    any_time(text, zone).filter(|at| *at >= MIN_TIME)
}

fn any_time(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_second());
    }
    // `Date::parse` also accepts a date with a time, and drops the time.
    if text.len() == "2026-01-31".len()
        && let Ok(date) = text.parse::<Date>()
    {
        return Some(zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second());
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| is_number)?;
    Timestamp::from_second(seconds).is_ok().then_some(seconds)
}

/// Parses a step: `raw`, `15m`, `1d`, or seconds. Rejects steps longer than a day that are not whole
/// days.
pub fn parse_step(text: &str) -> Option<Step> {
    const LONGEST: i64 = 3660 * DAY;
    if text == "raw" {
        return Some(Step::Raw);
    }
    let seconds = match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok()?,
        false => i64::try_from(parse_duration(text)?.as_secs()).ok()?,
    };
    let whole_days = seconds <= DAY || seconds % DAY == 0;
    (1..=LONGEST).contains(&seconds).then_some(Step::Seconds(seconds)).filter(|_| whole_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_parsed_in_each_form_and_other_texts_are_rejected() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        for (text, expected) in [
            ("2026-01-31T17:16:00Z", Some(1_769_879_760)),
            ("2026-01-31T18:16:00+01:00", Some(1_769_879_760)),
            ("2026-01-31T17:16:00.9Z", Some(1_769_879_760)),
            ("2026-01-31", Some(1_769_846_400)),
            ("1769879760", Some(1_769_879_760)),
            ("0", Some(0)),
            ("-60", Some(-60)),
            ("0000-01-01T00:00:00Z", Some(MIN_TIME)),
            ("-62167219200", Some(MIN_TIME)),
            ("-62167219201", None),
            ("-000001-12-31", None),
            ("", None),
            ("-", None),
            ("+60", None),
            ("1e9", None),
            ("99999999999999", None),
            ("2026-01-31T17:16:00", None),
            ("2026-13-31", None),
            ("yesterday", None),
        ] {
            assert_eq!(parse_time(text, &zone), expected, "{text:?}");
        }
    }

    #[test]
    fn step_is_parsed_in_each_form_and_other_texts_are_rejected() {
        for (text, expected) in [
            ("raw", Some(Step::Raw)),
            ("900", Some(Step::Seconds(900))),
            ("15m", Some(Step::Seconds(900))),
            ("1h30m", Some(Step::Seconds(5400))),
            ("1d", Some(Step::Seconds(DAY))),
            ("7d", Some(Step::Seconds(7 * DAY))),
            ("25h", None),
            ("0", None),
            ("", None),
            ("-900", None),
            ("fine", None),
            ("99999999999", None),
        ] {
            assert_eq!(parse_step(text), expected, "{text:?}");
        }
    }
}
