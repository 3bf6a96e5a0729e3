//! Times of reports by text, by age, and by texts that contradict their age.

use super::*;
use crate::upstream::age;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn denver() -> TimeZone {
    TimeZone::get("America/Denver").unwrap()
}

/// Time of a report, and true if a note doubts the zone.
fn read(times: Times<'_>, zone: &TimeZone, now: &str) -> Option<(Observed, bool)> {
    let ReportTime { observed, note } = report_time(times, zone, at(now)).ok()?;
    assert!(note.as_ref().is_none_or(|note| note.contains("timezone")), "{note:?}");
    Some((observed, note.is_some()))
}

fn only(text: &str) -> Times<'_> {
    Times { transmitter: Some(text), receiver: None, age: None, is_silent: false }
}

fn absolute(text: &str) -> Observed {
    inferred(at(text))
}

fn words(phrase: &str) -> Option<Age> {
    Some(age::parse(phrase).unwrap())
}

#[test]
fn text_without_an_age_is_the_latest_in_the_past() {
    for (text, now, expected) in [
        ("Jul 15th, 8:17 AM", "2026-07-15T20:00:00Z", Some(("2026-07-15T14:17:00Z", false))),
        // Last year's, seen in January.
        ("Dec 31st, 11:59 PM", "2026-01-01T08:00:00Z", Some(("2026-01-01T06:59:00Z", false))),
        // A clock that is a little ahead.
        ("Jul 15th, 3:20 PM", "2026-07-15T20:00:00Z", Some(("2026-07-15T21:20:00Z", false))),
        // 364 days ago, or the zone is wrong.
        ("Jul 15th, 3:31 PM", "2026-07-15T20:00:00Z", Some(("2025-07-15T21:31:00Z", true))),
        ("Jul 16th, 8:17 AM", "2026-07-15T20:00:00Z", Some(("2025-07-16T14:17:00Z", true))),
        ("Jul 17th, 8:17 AM", "2026-07-15T20:00:00Z", Some(("2025-07-17T14:17:00Z", false))),
        ("Feb 29th, 12:00 PM", "2026-07-15T20:00:00Z", Some(("2024-02-29T19:00:00Z", false))),
        ("March 1st, 12:05 AM", "2026-07-15T20:00:00Z", Some(("2026-03-01T07:05:00Z", false))),
        ("Nov 25th 2025, 5:30 PM", "2026-07-15T20:00:00Z", Some(("2025-11-26T00:30:00Z", false))),
        ("Nov 25th, 2026, 5:30 PM", "2026-07-15T20:00:00Z", Some(("2026-11-26T00:30:00Z", false))),
        ("Feb 30th, 1:00 PM", "2026-07-15T20:00:00Z", None),
        ("Jul 15th", "2026-07-15T20:00:00Z", None),
        ("Jul 15th, 25:00 PM", "2026-07-15T20:00:00Z", None),
        ("2026-07-15, 1:00 PM", "2026-07-15T20:00:00Z", None),
        ("a while ago", "2026-07-15T20:00:00Z", None),
        ("", "2026-07-15T20:00:00Z", None),
    ] {
        let expected = expected.map(|(at, is_doubtful)| (absolute(at), is_doubtful));
        assert_eq!(read(only(text), &denver(), now), expected, "{text}");
    }
}

#[test]
fn age_shows_the_year_and_an_error_of_the_zone() {
    let now = "2026-01-31T17:20:30Z";
    let by_age = |phrase| {
        let age = words(phrase).unwrap();
        aged(at(now), age)
    };
    for (transmitter, receiver, age, is_silent, expected, is_doubtful) in [
        // The zone is right: 10:19 in Denver.
        (
            "Jan 31st, 10:19 AM",
            "Jan 31st, 10:19 AM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T17:19:00Z"),
            false,
        ),
        (
            "Jan 31st, 10:19 AM",
            "Jan 31st, 10:19 AM",
            "1 minute ago",
            false,
            absolute("2026-01-31T17:19:00Z"),
            false,
        ),
        (
            "Jan 31st, 7:30 AM",
            "Jan 31st, 7:30 AM",
            "2 hours ago",
            false,
            absolute("2026-01-31T14:30:00Z"),
            false,
        ),
        // The texts are in UTC.
        (
            "Jan 31st, 5:19 PM",
            "Jan 31st, 5:19 PM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T17:19:00Z"),
            true,
        ),
        (
            "Jan 31st, 2:20 PM",
            "Jan 31st, 2:20 PM",
            "3 hours ago",
            false,
            absolute("2026-01-31T14:20:00Z"),
            true,
        ),
        // They are in the zone of Kathmandu, UTC+5:45, and in that of Honolulu, UTC-10.
        (
            "Jan 31st, 11:04 PM",
            "Jan 31st, 11:04 PM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T17:19:00Z"),
            true,
        ),
        (
            "Jan 31st, 7:19 AM",
            "Jan 31st, 7:19 AM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T17:19:00Z"),
            true,
        ),
        // The transmitter has been silent for five hours: its age is its own.
        (
            "Jan 31st, 5:19 AM",
            "Jan 31st, 10:19 AM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T12:19:00Z"),
            false,
        ),
        (
            "Jan 31st, 12:19 PM",
            "Jan 31st, 5:19 PM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T12:19:00Z"),
            true,
        ),
        // A text that is older than its age, of a device that is not working, is not made younger.
        (
            "Jan 31st, 7:19 AM",
            "Jan 31st, 7:19 AM",
            "48 seconds ago",
            true,
            absolute("2026-01-31T14:19:00Z"),
            false,
        ),
        // Half an hour is no error of a zone.
        (
            "Jan 31st, 9:50 AM",
            "Jan 31st, 9:50 AM",
            "48 seconds ago",
            false,
            absolute("2026-01-31T16:50:00Z"),
            false,
        ),
        // 364 and a half days ago.
        (
            "Jan 31st, 10:20 PM",
            "Jan 31st, 10:20 PM",
            "11 months, 4 weeks ago",
            false,
            absolute("2025-02-01T05:20:00Z"),
            false,
        ),
        (
            "Jan 31st, 10:30 AM",
            "Jan 31st, 10:30 AM",
            "1 year ago",
            false,
            absolute("2025-01-31T17:30:00Z"),
            false,
        ),
        // The transmitter died 364 days ago, the receiver lives.
        (
            "Jan 31st, 9:19 PM",
            "Jan 31st, 10:19 AM",
            "48 seconds ago",
            false,
            absolute("2025-02-01T04:19:00Z"),
            false,
        ),
        // Unexplained: the age counts.
        (
            "Jan 31st, 10:26 AM",
            "Jan 31st, 10:26 AM",
            "48 seconds ago",
            false,
            by_age("48 seconds ago"),
            false,
        ),
        ("Feb 1st, 8:00 PM", "Feb 1st, 8:00 PM", "2 days ago", false, by_age("2 days ago"), false),
    ] {
        let times = Times {
            transmitter: Some(transmitter),
            receiver: Some(receiver),
            age: words(age),
            is_silent,
        };
        let case = format!("{transmitter} / {receiver} / {age}");
        assert_eq!(read(times, &denver(), now), Some((expected, is_doubtful)), "{case}");
    }
}

#[test]
fn age_without_a_text_of_its_own_counts() {
    let now = "2026-01-31T17:20:30Z";
    let age = words("48 seconds ago");
    // Without the receiver's text, only a text in the future shows an error of the zone.
    for (text, expected, is_doubtful) in [
        ("Jan 31st, 5:19 PM", "2026-01-31T17:19:00Z", true),
        ("Jan 31st, 5:19 AM", "2026-01-31T12:19:00Z", false),
    ] {
        let times = Times { age, ..only(text) };
        let expected = (absolute(expected), is_doubtful);
        assert_eq!(read(times, &denver(), now), Some(expected), "{text}");
    }
    let none = Times { transmitter: None, receiver: None, age, is_silent: false };
    let expected = aged(at(now), age.unwrap());
    assert_eq!(read(none, &denver(), now), Some((expected, false)));
    assert!(report_time(Times { age: None, ..none }, &denver(), at(now)).is_err());
}

#[test]
fn same_text_is_the_same_observation_at_every_fetch() {
    // UTC texts, read by a right and by a wrong zone.
    for (zone, is_wrong) in [("UTC", false), ("America/Denver", true), ("Asia/Tokyo", true)] {
        let zone = TimeZone::get(zone).unwrap();
        let reported = at("2026-01-31T17:16:00Z");
        for minutes in (0..3 * 24 * 60).step_by(7) {
            let now = reported + SignedDuration::from_mins(minutes) + SignedDuration::from_secs(30);
            let phrase = match minutes {
                0 => "30 seconds ago".to_owned(),
                1..60 => format!("{minutes} minutes ago"),
                60..1440 => format!("{} hours ago", minutes / 60),
                _ => format!("{} days ago", minutes / 1440),
            };
            let text = Some("Jan 31st, 5:16 PM");
            let age = words(&phrase);
            let times = Times { transmitter: text, receiver: text, age, is_silent: false };
            let ReportTime { observed, .. } = report_time(times, &zone, now).unwrap();
            let is_in_days = minutes >= 1440;
            match is_wrong && is_in_days {
                false => assert_eq!(observed, inferred(reported), "{phrase} {minutes}"),
                // Days show no error of a zone, but the observation is not younger than they say.
                true => assert!(now.duration_since(observed.at) >= SignedDuration::from_hours(12)),
            }
        }
    }
}

#[test]
fn age_distinguishes_the_two_hours_of_a_clock_set_back() {
    // 1:30 occurred at 7:30 and at 8:30 UTC on 1 November 2026 in Denver.
    let text = "Nov 1st, 1:30 AM";
    for (now, age, expected) in [
        ("2026-11-01T07:31:10Z", "70 seconds ago", "2026-11-01T07:30:00Z"),
        ("2026-11-01T08:31:10Z", "70 seconds ago", "2026-11-01T08:30:00Z"),
        ("2026-11-01T09:40:00Z", "2 hours ago", "2026-11-01T07:30:00Z"),
        ("2026-11-01T09:40:00Z", "1 hour ago", "2026-11-01T08:30:00Z"),
    ] {
        let age = words(age);
        let times = Times { transmitter: Some(text), receiver: Some(text), age, is_silent: false };
        assert_eq!(read(times, &denver(), now), Some((absolute(expected), false)), "{now}");
    }
    let expected = Some((absolute("2026-11-01T07:30:00Z"), false));
    assert_eq!(read(only(text), &denver(), "2026-11-01T10:00:00Z"), expected);
}
