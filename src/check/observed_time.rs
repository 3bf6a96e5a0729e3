//! Describes the time of an observation, and which clock is likely to be wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::board::{Observed, Stamp};
use crate::kernel::clock::CLOCK_TOLERANCE;

/// Largest difference from the offset of a time zone that one explains: the observation may be as old.
const ZONE_TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

/// Offsets from UTC that are not whole hours, in minutes. Each is that of a place, east or west.
const FRACTIONAL_OFFSETS: [i64; 10] = [150, 210, 270, 330, 345, 390, 525, 570, 630, 765];

/// Largest difference between two time zones, in hours.
const MAX_ZONE_HOURS: i64 = 26;

/// Time of an observation, and that of the response that stated it.
pub(super) struct ObservedTime {
    pub(super) observed: Observed,
    pub(super) response: Timestamp,
}

impl ObservedTime {
    /// Returns the age of the observation, or by how much the upstream's clock is ahead.
    pub(super) fn describe(&self, stale_after: Duration) -> String {
        let Observed { at, inferred, .. } = self.observed;
        let age = whole(self.response.duration_since(at));
        let inferred = if inferred { ", inferred" } else { "" };
        if age < -CLOCK_TOLERANCE {
            let ahead = age.abs();
            return format!(
                "observed at {at:.0}{inferred}, in the future: the upstream's clock is ahead by {ahead:#}"
            );
        }
        let age = age.max(SignedDuration::ZERO);
        let is_stale = SignedDuration::try_from(stale_after).is_ok_and(|limit| age >= limit);
        let stale = if is_stale { ": STALE" } else { "" };
        format!("observed {age:#} ago ({at:.0}{inferred}){stale}")
    }

    /// Returns what to check about the clocks, a line each.
    pub(super) fn hints(&self) -> Vec<String> {
        let stamp = match self.observed.stamp {
            Stamp::Absolute(stamp) => stamp,
            Stamp::Age { .. } => return Vec::new(),
            Stamp::Fetched => {
                return vec!["the upstream states no time: it is that of the response".to_owned()];
            }
        };
        let ahead = stamp.duration_since(self.response);
        let zone = zone_difference(ahead);
        if ahead > CLOCK_TOLERANCE {
            let cause = match zone {
                Some(zone) => format!(
                    "that is {zone}: a time zone is the likely cause, such as local time that is sent \
                     as UTC; check the time zone of the device and of this source"
                ),
                None => "set the clock of the device, or that of this machine if it is behind"
                    .to_owned(),
            };
            return vec![
                cause,
                "until then its age counts from when its time is first seen".to_owned(),
            ];
        }
        match zone {
            Some(zone) => vec![format!(
                "that is {zone}: if the device has measured just now, a time zone is the likely cause"
            )],
            None => Vec::new(),
        }
    }
}

/// Returns the difference between time zones that explains this one, as text; `None` if there is none.
fn zone_difference(difference: SignedDuration) -> Option<String> {
    let difference = difference.abs();
    let is_near =
        |minutes: &i64| (difference - SignedDuration::from_mins(*minutes)).abs() <= ZONE_TOLERANCE;
    let whole_hours = (1..=MAX_ZONE_HOURS).map(|hours| hours * 60);
    let minutes = whole_hours.chain(FRACTIONAL_OFFSETS).find(is_near)?;
    let exact = SignedDuration::from_mins(minutes);
    let about = if whole(difference) == exact { "" } else { "almost exactly " };
    Some(format!("{about}{exact:#}"))
}

/// Returns the duration in whole seconds.
fn whole(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALE_AFTER: Duration = Duration::from_secs(900);

    /// Returns the lines about an observation that was `age` seconds old when the response was complete.
    fn lines(observed: impl Fn(Timestamp) -> Observed, age: i64) -> Vec<String> {
        let response: Timestamp = "2026-01-31T17:20:00Z".parse().unwrap();
        let observed = observed(response - SignedDuration::from_secs(age));
        let time = ObservedTime { observed, response };
        [vec![time.describe(STALE_AFTER)], time.hints()].concat()
    }

    #[test]
    fn age_or_a_clock_that_is_ahead_is_described_with_its_likely_cause() {
        const HOUR: i64 = 3600;
        // Age in seconds, and texts of the lines about it.
        for (age, description, hint) in [
            (240, "observed 4m ago (2026-01-31T17:16:00Z)", None),
            (0, "observed 0s ago (2026-01-31T17:20:00Z)", None),
            (-2, "observed 0s ago (2026-01-31T17:20:02Z)", None),
            (900, "observed 15m ago (2026-01-31T17:05:00Z): STALE", None),
            (-3, "the upstream's clock is ahead by 3s", Some("set the clock of the device")),
            (
                -17_999,
                "is ahead by 4h 59m 59s",
                Some("that is almost exactly 5h: a time zone is the likely"),
            ),
            (-5 * HOUR, "is ahead by 5h", Some("that is 5h: a time zone is the likely cause")),
            (-5 * HOUR - 120, "is ahead by 5h 2m", Some("almost exactly 5h: a time zone")),
            (-5 * HOUR - 121, "is ahead by 5h 2m 1s", Some("set the clock")),
            // India, Nepal, the Chatham Islands; and no place.
            (-5 * HOUR - 1800, "ahead by 5h 30m", Some("that is 5h 30m: a time zone")),
            (-5 * HOUR - 2700, "ahead by 5h 45m", Some("that is 5h 45m: a time zone")),
            (-12 * HOUR - 2700, "ahead by 12h 45m", Some("that is 12h 45m: a time zone")),
            (-5 * HOUR - 900, "ahead by 5h 15m", Some("set the clock")),
            (-1800, "ahead by 30m", Some("set the clock")),
            (-27 * HOUR, "ahead by 27h", Some("set the clock")),
            // Behind: whether it is old or of another zone is not known.
            (
                7 * HOUR + 20,
                "observed 7h 20s ago",
                Some("if the device has measured just now, a time"),
            ),
            (7 * HOUR + 600, "observed 7h 10m ago", None),
        ] {
            let lines = lines(Observed::absolute, age);
            assert!(lines[0].contains(description), "{age}: {lines:?}");
            match hint {
                Some(hint) => assert!(lines[1].contains(hint), "{age}: {lines:?}"),
                None => assert_eq!(lines.len(), 1, "{age}: {lines:?}"),
            }
            assert!(!lines[0].contains("ago ago"), "{lines:?}");
        }
    }

    #[test]
    fn time_by_this_machine_has_no_cause() {
        let hour = |at: Timestamp| Observed::aged(at, Duration::ZERO, Duration::from_secs(60));
        assert_eq!(lines(hour, 3600), ["observed 1h ago (2026-01-31T16:20:00Z): STALE"]);
        let fetched = lines(Observed::fetched, 0);
        assert_eq!(fetched[0], "observed 0s ago (2026-01-31T17:20:00Z, inferred)");
        assert!(fetched[1].contains("states no time"), "{fetched:?}");
    }
}
