//! Ages, durations and points in time, in English words.
//!
//! A text of an age changes at most once a minute, so a page of ages keeps its bytes for as long,
//! and with them its entity tag. `script.js` updates the ages between two fetches by the same
//! rules.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::kernel::clock::CLOCK_TOLERANCE;
use crate::time_zone;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Returns an age: `just now`, `4 minutes ago`, `3 hours 5 minutes ago`, `2 days ago`.
///
/// The age of a time in the future is negative: `2 hours ahead of the server's clock`. One of the two clocks
/// is wrong then.
pub(crate) fn humanize(age: SignedDuration) -> String {
    if is_ahead(age) {
        let ahead = duration(age.checked_neg().unwrap_or(SignedDuration::MAX));
        return format!("{ahead} ahead of the server's clock");
    }
    if age.as_secs() < MINUTE { "just now".to_owned() } else { format!("{} ago", duration(age)) }
}

/// Returns an age in short, for a screen with little room: `just now`, `4 min ago`, `3 h 5 min ago`, `2 days ago`.
pub(crate) fn short_age(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let (hours, minutes) = (seconds / HOUR, seconds % HOUR / MINUTE);
    match seconds {
        MINUTE..HOUR => format!("{minutes} min ago"),
        HOUR..DAY if minutes == 0 => format!("{hours} h ago"),
        HOUR..DAY => format!("{hours} h {minutes} min ago"),
        _ => humanize(age),
    }
}

/// Returns true for the age of a time in the future.
pub(crate) fn is_ahead(age: SignedDuration) -> bool {
    age < -CLOCK_TOLERANCE
}

/// Returns a duration: `less than a minute`, `4 minutes`, `3 hours 5 minutes`, `2 days`.
pub(crate) fn duration(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes) = (seconds / HOUR, seconds % HOUR / MINUTE);
    match seconds {
        ..MINUTE => "less than a minute".to_owned(),
        MINUTE..HOUR => count(minutes, "minute"),
        HOUR..DAY if minutes == 0 => count(hours, "hour"),
        HOUR..DAY => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
        DAY.. => count(seconds / DAY, "day"),
    }
}

/// Returns a duration in its largest unit only: `4 minutes`, `3 hours`, `2 days`.
pub(crate) fn coarse_duration(length: SignedDuration) -> String {
    match length.as_secs() {
        seconds @ HOUR..DAY => count(seconds / HOUR, "hour"),
        _ => duration(length),
    }
}

/// Returns the time that an amount covers: `last hour`, `last 15 minutes`.
pub(crate) fn last(period: Duration) -> String {
    let length = duration(SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX));
    format!("last {}", length.strip_prefix("1 ").unwrap_or(&length))
}

/// Returns the time to wait before a retry: `a second`, `64 seconds`, `2 minutes`.
pub(crate) fn wait(seconds: u64) -> String {
    match seconds {
        ..=1 => "a second".to_owned(),
        2..120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// Returns a point in time by the clocks of `zone`: `Sat 31 Jan 2026, 17:00`. A time that occurs twice,
/// because the clocks are set back, has its abbreviation: `Sun 1 Nov 2026, 01:00 PDT`.
pub(crate) fn local_time(second: i64, zone: &TimeZone) -> String {
    local("%a %-d %b %Y, %H:%M", second, zone)
}

/// Returns a time of day by the clocks of `zone`: `13:39`.
pub(crate) fn clock_time(second: i64, zone: &TimeZone) -> String {
    local("%H:%M", second, zone)
}

/// Returns a point in time as short as the present allows: `02:10` today, `Sat 31 Jan, 02:10` this year, and
/// else as [`local_time`] does.
pub(crate) fn near_time(second: i64, now: i64, zone: &TimeZone) -> String {
    let date = |second| Timestamp::from_second(second).ok().map(|at| zone.to_datetime(at).date());
    let form = match (date(second), date(now)) {
        (Some(day), Some(today)) if day == today => "%H:%M",
        (Some(day), Some(today)) if day.year() == today.year() => "%a %-d %b, %H:%M",
        _ => "%a %-d %b %Y, %H:%M",
    };
    local(form, second, zone)
}

/// Returns the start of a row of a table in short, by the time to the next row and by that to the last:
/// `Sat 31, 17:00`, from a day on `Sat 31 Jan`, and over more than a month `31 Jan 2026`.
pub(crate) fn row_time(second: i64, step: i64, window: i64, zone: &TimeZone) -> String {
    let form = match (step, window) {
        (..DAY, _) => "%a %-d, %H:%M",
        (_, window) if window <= 31 * DAY => "%a %-d %b",
        _ => "%-d %b %Y",
    };
    local(form, second, zone)
}

/// Formats a point in time by the clocks of `zone`, and distinguishes one that occurs twice.
fn local(form: &str, second: i64, zone: &TimeZone) -> String {
    let Ok(at) = Timestamp::from_second(second) else { return second.to_string() };
    let mut text = zone.to_datetime(at).strftime(form).to_string();
    if let Some(distinction) = time_zone::distinction(zone, at) {
        text.push(' ');
        text.push_str(&distinction);
    }
    text
}

/// Returns a point in time in full, by the clocks of `zone` and with its name:
/// `Saturday, 31 January 2026, 10:16:00 America/Denver`.
pub(crate) fn full_time(at: Timestamp, zone: &TimeZone) -> String {
    let time = local("%A, %-d %B %Y, %H:%M:%S", at.as_second(), zone);
    format!("{time} {}", time_zone::label(zone, at))
}

fn count(number: i64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_of_an_amount_is_the_last_hour_or_minutes() {
        for (seconds, text) in [
            (900, "last 15 minutes"),
            (3600, "last hour"),
            (3 * 3600, "last 3 hours"),
            (86_400, "last day"),
        ] {
            assert_eq!(last(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn age_is_in_words_that_change_once_a_minute() {
        for (seconds, expected_age, expected_coarse) in [
            (-1, "just now", "less than a minute"),
            (0, "just now", "less than a minute"),
            (59, "just now", "less than a minute"),
            (60, "1 minute ago", "1 minute"),
            (119, "1 minute ago", "1 minute"),
            (120, "2 minutes ago", "2 minutes"),
            (3599, "59 minutes ago", "59 minutes"),
            (3600, "1 hour ago", "1 hour"),
            (3660, "1 hour 1 minute ago", "1 hour"),
            (7260, "2 hours 1 minute ago", "2 hours"),
            (86_399, "23 hours 59 minutes ago", "23 hours"),
            (86_400, "1 day ago", "1 day"),
            (172_799, "1 day ago", "1 day"),
            (172_800, "2 days ago", "2 days"),
            (i64::MAX, "106751991167300 days ago", "106751991167300 days"),
        ] {
            let age = SignedDuration::from_secs(seconds);
            assert_eq!(humanize(age), expected_age, "{seconds}");
            assert_eq!(coarse_duration(age), expected_coarse, "{seconds}");
        }
    }

    #[test]
    fn time_in_the_future_is_ahead_of_the_clock() {
        for (seconds, expected) in [
            (i64::MIN, "106751991167300 days ahead of the server's clock"),
            (-7260, "2 hours 1 minute ahead of the server's clock"),
            (-3, "less than a minute ahead of the server's clock"),
            // Times are in whole seconds.
            (-2, "just now"),
        ] {
            assert_eq!(humanize(SignedDuration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn wait_is_rounded_up_to_minutes_from_two_minutes_on() {
        for (seconds, expected) in [
            (0, "a second"),
            (1, "a second"),
            (64, "64 seconds"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (900, "15 minutes"),
        ] {
            assert_eq!(wait(seconds), expected);
        }
    }

    #[test]
    fn local_time_is_that_of_the_zone() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        assert_eq!(local_time(1_769_880_000, &zone), "Sat 31 Jan 2026, 09:20");
        for (step, window, text) in [
            (HOUR, DAY, "Sat 31, 09:20"),
            (DAY, 30 * DAY, "Sat 31 Jan"),
            (14 * DAY, 365 * DAY, "31 Jan 2026"),
        ] {
            assert_eq!(row_time(1_769_880_000, step, window, &zone), text);
        }
        assert_eq!(local_time(i64::MAX, &zone), i64::MAX.to_string());
    }

    #[test]
    fn near_time_has_its_date_unless_it_is_today() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let now = second("2026-02-03T06:00:00Z");
        for (at, expected) in [
            ("2026-02-03T05:59:00Z", "21:59"),
            ("2026-02-02T08:00:00Z", "00:00"),
            ("2026-02-02T07:59:00Z", "Sun 1 Feb, 23:59"),
            ("2025-12-31T12:00:00Z", "Wed 31 Dec 2025, 04:00"),
        ] {
            assert_eq!(near_time(second(at), now, &zone), expected);
        }
    }

    #[test]
    fn short_age_abbreviates_hours_and_minutes() {
        for (seconds, expected) in [
            (0, "just now"),
            (60, "1 min ago"),
            (7200, "2 h ago"),
            (7260, "2 h 1 min ago"),
            (2 * DAY, "2 days ago"),
            (-7260, "2 hours 1 minute ahead of the server's clock"),
        ] {
            assert_eq!(short_age(SignedDuration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn full_time_has_the_name_of_its_zone() {
        for (zone, second, expected) in [
            ("UTC", 1_769_880_000, "Saturday, 31 January 2026, 17:20:00 UTC"),
            (
                "America/Los_Angeles",
                1_769_880_000,
                "Saturday, 31 January 2026, 09:20:00 America/Los_Angeles",
            ),
            ("Asia/Kathmandu", 1_769_880_000, "Saturday, 31 January 2026, 23:05:00 Asia/Kathmandu"),
            ("Etc/GMT+5", 1_769_880_000, "Saturday, 31 January 2026, 12:20:00 UTC−05:00"),
            // This hour occurs twice.
            (
                "America/Los_Angeles",
                1_793_523_600,
                "Sunday, 1 November 2026, 01:00:00 PST America/Los_Angeles",
            ),
        ] {
            let at = Timestamp::from_second(second).unwrap();
            assert_eq!(full_time(at, &TimeZone::get(zone).unwrap()), expected);
        }
    }
}
