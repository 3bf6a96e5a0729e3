//! Ages in words.
//!
//! The words change with the minute at most, so that a page of ages stays the same
//! bytes for as long as a reader would see no difference. `script.js` has the same
//! rules for the time between two fetches.

use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `just now`, `4 minutes ago`, `3 hours 5 minutes ago`, `2 days ago`. What lies in
/// the future is told as `just now`.
pub(super) fn words(age: SignedDuration) -> String {
    if age.as_secs() < MINUTE { "just now".to_owned() } else { format!("{} ago", span(age)) }
}

/// A length of time: `less than a minute`, `4 minutes`, `3 hours 5 minutes`, `2 days`.
pub(super) fn span(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let (hours, minutes) = (seconds / HOUR, seconds % HOUR / MINUTE);
    match seconds {
        ..MINUTE => "less than a minute".to_owned(),
        MINUTE..HOUR => count(minutes, "minute"),
        HOUR..DAY if minutes == 0 => count(hours, "hour"),
        HOUR..DAY => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
        DAY.. => count(seconds / DAY, "day"),
    }
}

/// A length of time in its largest unit: `4 minutes`, `3 hours`, `2 days`.
pub(super) fn rough(age: SignedDuration) -> String {
    match age.as_secs() {
        seconds @ HOUR..DAY => count(seconds / HOUR, "hour"),
        _ => span(age),
    }
}

/// The time since a moment.
pub(super) fn since(moment: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(moment)
}

fn count(number: i64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoken() {
        for (seconds, expected_words, expected_rough) in [
            (i64::MIN, "just now", "less than a minute"),
            (-3600, "just now", "less than a minute"),
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
            assert_eq!(words(age), expected_words, "{seconds}");
            assert_eq!(rough(age), expected_rough, "{seconds}");
        }
    }
}
