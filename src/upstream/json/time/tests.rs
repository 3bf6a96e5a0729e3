use super::*;
use crate::board::Stamp;
use crate::config::JsonPlace;

fn keys(format: &str, zone: Option<&str>) -> JsonTime {
    let format = match format.parse::<NamedFormat>() {
        Ok(named) => TimeFormat::Named(named),
        Err(_) => TimeFormat::Pattern(format.to_owned()),
    };
    let timezone = zone.map(|zone| TimeZone::get(zone).unwrap());
    JsonTime { place: JsonPlace::at(""), format, timezone }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const FETCHED: &str = "2026-01-31T17:20:00Z";

#[test]
fn time_is_read_by_its_format() {
    const VIENNA: Option<&str> = Some("Europe/Vienna");
    const GERMAN: &str = "%d.%m.%Y %H:%M";
    let observed = Some("2026-01-31T17:16:00Z");
    for (format, zone, sent, expected) in [
        ("unix", None, "1769879760", observed),
        ("unix", None, "1769879760.9", observed),
        ("unix", None, "\"1769879760\"", observed),
        ("unix_ms", None, "1769879760500", observed),
        ("unix_us", None, "1769879760500999", observed),
        ("rfc3339", None, "\"2026-01-31T18:16:00+01:00\"", observed),
        ("rfc3339", None, "\"2026-01-31 17:16:00Z\"", observed),
        ("rfc3339", VIENNA, "\"2026-01-31T18:16:00\"", observed),
        ("rfc3339", VIENNA, "\"2026-01-31T17:16:00Z\"", observed),
        ("rfc3339", None, "\"2026-01-31T17:16:00\"", None),
        ("rfc3339", None, "1769879760", None),
        ("rfc3339", None, "\"yesterday\"", None),
        ("rfc3339", None, "\"2026-01-31 18:16:00 +0100\"", observed),
        ("rfc3339", None, "\"2026-01-31 18:16:00 +01:00\"", observed),
        ("rfc3339", None, "\"2026-01-31 17:16:00 UTC\"", observed),
        ("rfc3339", None, "\"2026-01-31T17:16:00 Z\"", observed),
        ("rfc3339", None, "\"0001-01-01T00:00:00Z\"", None),
        ("rfc3339", None, "\"1970-01-01T00:00:00Z\"", None),
        ("local", VIENNA, "\"1970-01-01T01:00:00\"", None),
        ("http", None, "\"Thu, 01 Jan 1970 00:00:00 GMT\"", None),
        ("%d.%m.%Y %H:%M", VIENNA, "\"31.01.26 18:16\"", None),
        ("local", VIENNA, "\"2026-01-31T18:16:00\"", observed),
        ("local", VIENNA, "\" 2026-01-31 18:16 \"", observed),
        ("local", VIENNA, "\"2026-01-31 18:16:00.750\"", Some("2026-01-31T17:16:00.75Z")),
        ("local", VIENNA, "\"2026-01-31T19:16:00+02:00\"", observed),
        ("local", VIENNA, "\"2026-01-31\"", None),
        ("local", VIENNA, "\"2026-02-31T18:16:00\"", None),
        // The three forms of RFC 9110 5.6.7.
        ("http", None, "\"Sat, 31 Jan 2026 17:16:00 GMT\"", observed),
        ("http", None, "\"Saturday, 31-Jan-26 17:16:00 GMT\"", observed),
        ("http", None, "\"Sat Jan 31 17:16:00 2026\"", observed),
        ("http", None, "\"Sat, 31 Feb 2026 17:16:00 GMT\"", None),
        (GERMAN, VIENNA, "\"31.01.2026 18:16\"", observed),
        (GERMAN, VIENNA, "\"31.01.2026\"", None),
        (GERMAN, VIENNA, "\"31.13.2026 18:16\"", None),
        ("%Y%m%d%H%M%S", VIENNA, "20260131181600", observed),
        ("%Y-%m-%d %H:%M %z", None, "\"2026-01-31 19:16 +0200\"", observed),
        ("%s", None, "\"1769879760\"", observed),
        ("unix", None, "0", None),
        ("unix", None, "-5", None),
        ("unix", None, "null", None),
        ("unix", None, "1e30", None),
        ("unix", None, "1e999", None),
        ("unix", None, "\"now\"", None),
        ("unix", None, "[]", None),
    ] {
        let read = read(&keys(format, zone), &serde_json::from_str(sent).unwrap(), at(FETCHED));
        match expected {
            Some(expected) => {
                assert_eq!(read, Ok(Observed::absolute(at(expected))), "{format} {sent}");
            }
            None => assert!(read.is_err(), "{format} {sent}: {read:?}"),
        }
    }
}

#[test]
fn age_counts_from_the_response() {
    for (format, sent, age, resolution) in [
        ("age", "\"48 seconds ago\"", 48, 1),
        ("age", "\"5 minutes ago\"", 300, 60),
        ("age", "\"2 hours, 5 minutes ago\"", 7500, 60),
        ("age_seconds", "48", 48, 1),
        ("age_seconds", "\"48\"", 48, 1),
        ("age_seconds", "0", 0, 1),
        ("age_seconds", "\"48 s\"", 48, 1),
        ("age_seconds", "\"1,234\"", 1234, 1),
        ("age_seconds", "\"5 min\"", 300, 1),
        ("age", "\"a few seconds ago\"", 0, 60),
    ] {
        let read = read(&keys(format, None), &serde_json::from_str(sent).unwrap(), at(FETCHED));
        let observed = read.unwrap();
        assert_eq!(at(FETCHED).duration_since(observed.at).as_secs(), age, "{sent}");
        let resolution = Duration::from_secs(resolution);
        assert_eq!(observed.stamp, Stamp::Age { resolution }, "{sent}");
    }
    for (format, sent) in [
        ("age", "\"a while ago\""),
        ("age", "300"),
        ("age_seconds", "-1"),
        ("age_seconds", "1e30"),
        ("age_seconds", "\"5 gal\""),
        // A point in time in milliseconds, and in seconds.
        ("age_seconds", "1769879760000"),
        ("age_seconds", "1769879760"),
    ] {
        let read = read(&keys(format, None), &serde_json::from_str(sent).unwrap(), at(FETCHED));
        assert!(read.is_err(), "{format} {sent}");
    }
}

#[test]
fn unusable_time_is_quoted_with_the_remedy() {
    for (format, sent, note) in [
        (
            "rfc3339",
            "\"2026-01-31T17:16:00\"",
            "sent as \"2026-01-31T17:16:00\", which has no offset; configure \"timezone\"",
        ),
        ("rfc3339", "\"soon\"", "sent as \"soon\", which is no date and time"),
        ("http", "\"soon\"", "sent as \"soon\", which is no time in the format http"),
        ("unix", "0", "sent as \"0\", which is no time in the format unix"),
        ("%s", "\"soon\"", "sent as \"soon\", which is no time in the format \"%s\""),
        ("age", "7", "not sent as a text"),
    ] {
        let read = read(&keys(format, None), &serde_json::from_str(sent).unwrap(), at(FETCHED));
        assert_eq!(read, Err(Note::from(note)), "{format} {sent}");
    }
}

#[test]
fn local_time_that_clocks_show_twice_or_never_is_inferred() {
    // One zone north, one south, with half an hour of daylight saving time, and of 45 minutes.
    for (zone, local, fetched_at, expected) in [
        // The first and the second 02:30 of an autumn night.
        ("Europe/Vienna", "2026-10-25T02:30:00", "2026-10-25T00:35:00Z", "2026-10-25T00:30:00Z"),
        ("Europe/Vienna", "2026-10-25T02:30:00", "2026-10-25T01:35:00Z", "2026-10-25T01:30:00Z"),
        // The sensor's clock is a little ahead.
        ("Europe/Vienna", "2026-10-25T02:30:00", "2026-10-25T01:29:30Z", "2026-10-25T01:30:00Z"),
        ("America/Denver", "2026-11-01T01:30:00", "2026-11-01T07:31:00Z", "2026-11-01T07:30:00Z"),
        ("America/Denver", "2026-11-01T01:30:00", "2026-11-01T08:31:00Z", "2026-11-01T08:30:00Z"),
        (
            "Australia/Lord_Howe",
            "2026-04-05T01:45:00",
            "2026-04-04T14:46:00Z",
            "2026-04-04T14:45:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05T01:45:00",
            "2026-04-04T15:16:00Z",
            "2026-04-04T15:15:00Z",
        ),
        ("Pacific/Chatham", "2026-04-05T03:00:00", "2026-04-04T13:16:00Z", "2026-04-04T13:15:00Z"),
        ("Pacific/Chatham", "2026-04-05T03:00:00", "2026-04-04T14:16:00Z", "2026-04-04T14:15:00Z"),
        // 02:30 is skipped in spring.
        ("Europe/Vienna", "2026-03-29T02:30:00", "2026-03-29T01:31:00Z", "2026-03-29T01:30:00Z"),
    ] {
        let read = read(&keys("local", Some(zone)), &Json::from(local), at(fetched_at)).unwrap();
        assert_eq!(read.at, at(expected), "{zone} {fetched_at}");
        assert!(read.inferred, "{zone} {fetched_at}");
    }
    let zone = Some("Asia/Kathmandu");
    let read = read(&keys("local", zone), &Json::from("2026-01-31T23:01:00"), at(FETCHED)).unwrap();
    assert_eq!(read, Observed::absolute(at("2026-01-31T17:16:00Z")), "UTC+05:45");
}

#[test]
fn age_counts_also_while_the_clock_of_this_machine_is_not_set() {
    let boot = at("1970-01-01T00:00:10Z");
    let observed = read(&keys("age", None), &Json::from("5 minutes ago"), boot).unwrap();
    assert_eq!(boot.duration_since(observed.at).as_secs(), 300);
}
