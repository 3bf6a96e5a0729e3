//! Moments and steps as people write them in a query or on a command line.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::bucket::DAY;
use super::window::Step;
use crate::config::parse_duration;

/// The earliest moment that RFC 3339 can write: its years have four digits and no sign.
pub const MIN_TIME: i64 = -62_167_219_200;

/// A moment: `2026-01-31T17:16:00Z`, with any offset; `2026-01-31`, the midnight of that zone;
/// or seconds since 1970. Whole seconds; `None`: it is none of them.
pub fn parse_time(text: &str, zone: &TimeZone) -> Option<i64> {
    moment(text, zone).filter(|at| *at >= MIN_TIME)
}

fn moment(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_second());
    }
    // `parse` would take a time along with the date, and drop it.
    if text.len() == "2026-01-31".len()
        && let Ok(date) = text.parse::<Date>()
    {
        return Some(zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second());
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| plain)?;
    Timestamp::from_second(seconds).is_ok().then_some(seconds)
}

/// A step: `raw`, `15m`, `1d`, or seconds. Beyond a day it is whole days; `None`: it is none.
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
    fn moments() {
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
    fn steps() {
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
