//! The time zone of the site: its names, and the machine's as its default.
//!
//! Days of the history, axes and tables of charts, times of events and the page's footer all follow
//! one [`TimeZone`]. It may have no IANA name: `TZ` may be a rule (`EST5EDT,M3.2.0,M11.1.0`) or the
//! path of a file, and `/etc/localtime` may be a copy, as in containers. Such a zone is shown by its
//! offset ([`label`]) and stored by a digest of its offsets ([`identity`]).

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::suggestion::nearest_by;
use crate::wall_clock;

/// File with the machine's time zone, where `TZ` is not set.
const LOCAL_TIME: &str = "/etc/localtime";

/// The machine's time zone.
#[derive(Debug, Clone)]
pub struct MachineZone {
    /// UTC if the machine's zone cannot be read.
    pub zone: TimeZone,
    /// Reason why the zone is probably not the intended one, or has no name.
    pub warning: Option<String>,
}

/// Returns the machine's time zone, by `TZ` and `/etc/localtime`.
pub fn of_machine() -> MachineZone {
    let variable = env::var_os("TZ").filter(|value| !value.is_empty());
    let found = TimeZone::try_system().ok();
    let has_file = Path::new(LOCAL_TIME).exists();
    judge(variable.as_deref(), found, has_file, wall_clock::now())
}

/// Returns the zone that `TZ`, or the file of the machine, was read as, with a warning.
fn judge(
    variable: Option<&OsStr>,
    found: Option<TimeZone>,
    has_file: bool,
    now: Timestamp,
) -> MachineZone {
    let variable = variable.map(OsStr::to_string_lossy);
    let Some(zone) = found else {
        let warning = match &variable {
            Some(value) => Some(unknown_value(value)),
            // A machine without the file is in UTC, as for every program.
            None => has_file.then(|| {
                format!(
                    "{LOCAL_TIME} is not a time zone, so times and days are those of UTC: {REMEDY}"
                )
            }),
        };
        return MachineZone { zone: TimeZone::UTC, warning };
    };
    if zone.iana_name().is_some() {
        return MachineZone { zone, warning: None };
    }
    if Offsets::of(&zone) == Offsets::of(&TimeZone::UTC) {
        return MachineZone { zone: TimeZone::UTC, warning: None };
    }
    let origin = match &variable {
        Some(value) => format!("TZ={value}"),
        None => format!("{LOCAL_TIME}, which is no symbolic link,"),
    };
    let hint = match &*named_like(&zone, now) {
        [] => REMEDY.to_owned(),
        names => format!("{REMEDY}, for example to {}", names.join(" or ")),
    };
    let warning =
        format!("the time zone of {origin} has no name, so pages show its offset: {hint}");
    MachineZone { zone, warning: Some(warning) }
}

/// Advice that ends each warning.
const REMEDY: &str = "set \"timezone\" in [site]";

fn unknown_value(value: &str) -> String {
    let nearest = nearest(value.trim_start_matches(':'));
    let hint = nearest.map_or_else(String::new, |name| format!(" (did you mean {name}?)"));
    format!("TZ={value} is not a time zone{hint}, so times and days are those of UTC: {REMEDY}")
}

/// Returns the first names of zones with the same clocks, or at least with the same from `now` on.
fn named_like(zone: &TimeZone, now: Timestamp) -> Vec<String> {
    const MAX_NAMES: usize = 2;
    let names_since = |start| {
        let wanted = Offsets::since(start, zone);
        // Names without a slash, and of Etc, are of no place.
        let names = jiff::tz::db().available().map(|name| name.as_str().to_owned());
        let names = names.filter(|name| name.contains('/') && !name.starts_with("Etc/"));
        let is_like = |name: &String| {
            TimeZone::get(name).is_ok_and(|other| Offsets::since(start, &other) == wanted)
        };
        names.filter(is_like).take(MAX_NAMES).collect::<Vec<_>>()
    };
    let names = names_since(Timestamp::UNIX_EPOCH);
    if names.is_empty() { names_since(now) } else { names }
}

/// Returns the known IANA name that is nearest to `written`, if it is near enough to suggest.
pub fn nearest(written: &str) -> Option<String> {
    /// Least Jaro-Winkler similarity of a suggestion. Names share long beginnings such as `America/`.
    const MIN_SIMILARITY: f64 = 0.88;
    let written = written.to_lowercase();
    let known = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    nearest_by(&written, known, MIN_SIMILARITY, |name| name.to_lowercase())
}

/// Returns a name of the zone that differs from that of each zone with other days: the IANA name, or a
/// digest of the offsets from 1970 to 2100.
pub fn identity(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => format!("unnamed-{:08x}", Offsets::of(zone).digest()),
    }
}

/// Returns the zone as pages show it: the IANA name of a place, or else the abbreviation and the offset at
/// `at`: `EST (UTC−05:00)`.
pub fn label(zone: &TimeZone, at: Timestamp) -> String {
    if let Some(name) = zone.iana_name() {
        // The signs of these names are reversed: Etc/GMT+5 is UTC−05:00.
        let is_place = !name.starts_with("Etc/");
        return if is_place { name.to_owned() } else { offset_label(zone.to_offset(at)) };
    }
    let offset = offset_label(zone.to_offset(at));
    match abbreviation(zone, at) {
        Some(abbreviation) => format!("{abbreviation} ({offset})"),
        None => offset,
    }
}

/// Returns the abbreviation or the offset that distinguishes the local time of `at` from an equal one, an hour
/// earlier or later, where the clocks are set back; `None` for all other times.
pub fn distinction(zone: &TimeZone, at: Timestamp) -> Option<String> {
    let ambiguous = zone.to_ambiguous_timestamp(zone.to_datetime(at));
    matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. })
        .then(|| abbreviation(zone, at).unwrap_or_else(|| offset_label(zone.to_offset(at))))
}

/// Returns the abbreviation in force at `at`; `None` where it is only a number, such as `-03`.
fn abbreviation(zone: &TimeZone, at: Timestamp) -> Option<String> {
    let abbreviation = zone.to_offset_info(at).abbreviation().to_owned();
    abbreviation.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some(abbreviation)
}

/// Returns an offset from UTC: `UTC−05:00`, `UTC+05:45`, `UTC`.
fn offset_label(offset: Offset) -> String {
    let seconds = offset.seconds();
    if seconds == 0 {
        return "UTC".to_owned();
    }
    let (sign, minutes) = (if seconds < 0 { '−' } else { '+' }, seconds.abs() / 60);
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Offsets of a zone from a time to 2100: the seconds since 1970 from which each is in force, and its
/// seconds.
#[derive(Debug, PartialEq, Eq)]
struct Offsets(Vec<(i64, i32)>);

impl Offsets {
    /// Returns the offsets from 1970 on.
    fn of(zone: &TimeZone) -> Offsets {
        Offsets::since(Timestamp::UNIX_EPOCH, zone)
    }

    fn since(start: Timestamp, zone: &TimeZone) -> Offsets {
        /// 1 January 2100 in UTC. Zones by rule have transitions for ever.
        const END: i64 = 4_102_444_800;
        let mut offsets = vec![(start.as_second(), zone.to_offset(start).seconds())];
        for transition in zone.following(start) {
            let (at, offset) = (transition.timestamp().as_second(), transition.offset());
            if at >= END {
                break;
            }
            // Some transitions change the abbreviation only.
            if offsets.last().is_some_and(|&(_, last)| last != offset.seconds()) {
                offsets.push((at, offset.seconds()));
            }
        }
        Offsets(offsets)
    }

    fn digest(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for (at, offset) in &self.0 {
            hasher.update(&at.to_le_bytes());
            hasher.update(&offset.to_le_bytes());
        }
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "EST5EDT,M3.2.0,M11.1.0";

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Judges a `TZ` that was read as `found`.
    fn judged(variable: Option<&str>, found: Option<TimeZone>, has_file: bool) -> MachineZone {
        judge(variable.map(OsStr::new), found, has_file, at("2026-01-31T17:20:00Z"))
    }

    #[test]
    fn machine_zone_without_a_name_or_unknown_is_warned_of() {
        let rule = || TimeZone::posix(RULE).ok();
        for (variable, found, has_file, parts) in [
            (Some("America/Denver"), Some(zone("America/Denver")), true, &[][..]),
            (None, Some(zone("Europe/Zurich")), true, &[]),
            (None, None, false, &[]),
            // A rule that is UTC.
            (Some("UTC0"), TimeZone::posix("UTC0").ok(), true, &[]),
            (None, None, true, &["/etc/localtime is not a time zone", "UTC", "[site]"]),
            (
                Some("Amerika/Denver"),
                None,
                true,
                &["TZ=Amerika/Denver is not a time zone (did you mean America/Denver?)", "UTC"],
            ),
            (Some(":europe/zurch"), None, true, &["did you mean Europe/Zurich?"]),
            (Some("Nowhere/Town"), None, true, &["TZ=Nowhere/Town is not a time zone, so"]),
            (Some(RULE), rule(), true, &["TZ=EST5EDT,M3.2.0,M11.1.0 has no name", "America/"]),
            (None, rule(), true, &["/etc/localtime, which is no symbolic link, has no name"]),
        ] {
            let MachineZone { zone, warning } = judged(variable, found.clone(), has_file);
            let warning = warning.unwrap_or_default();
            assert_eq!(warning.is_empty(), parts.is_empty(), "{variable:?}: {warning}");
            for part in parts {
                assert!(warning.contains(part), "{part} is not in: {warning}");
            }
            if found.is_none() || variable == Some("UTC0") {
                assert_eq!(zone.iana_name(), Some("UTC"), "{variable:?}");
            }
        }
    }

    #[test]
    fn identity_tells_zones_apart_and_does_not_depend_on_their_source() {
        assert_eq!(identity(&zone("America/Denver")), "America/Denver");
        let identity_of = |rule: &str| identity(&TimeZone::posix(rule).unwrap());
        // Stored in files of the history.
        assert_eq!(identity_of(RULE), "unnamed-5736b196");
        assert_eq!(identity_of("FOO5BAR,M3.2.0,M11.1.0"), identity_of(RULE));
        for other in ["CST6CDT,M3.2.0,M11.1.0", "EST5EDT,M3.1.0,M11.1.0", "EST5"] {
            assert_ne!(identity_of(other), identity_of(RULE), "{other}");
        }
    }

    #[test]
    fn label_is_the_name_or_the_offset_in_force() {
        let (winter, summer) = (at("2026-01-31T17:20:00Z"), at("2026-07-31T17:20:00Z"));
        for (zone, winter_label, summer_label) in [
            (zone("Etc/UTC"), "UTC", "UTC"),
            (zone("Etc/GMT+5"), "UTC−05:00", "UTC−05:00"),
            (zone("Etc/GMT-14"), "UTC+14:00", "UTC+14:00"),
            (zone("America/Denver"), "America/Denver", "America/Denver"),
            (TimeZone::posix(RULE).unwrap(), "EST (UTC−05:00)", "EDT (UTC−04:00)"),
            (TimeZone::posix("<-03>3").unwrap(), "UTC−03:00", "UTC−03:00"),
            (TimeZone::posix("<+0545>-5:45").unwrap(), "UTC+05:45", "UTC+05:45"),
        ] {
            assert_eq!(label(&zone, winter), winter_label);
            assert_eq!(label(&zone, summer), summer_label);
        }
    }

    #[test]
    fn local_time_that_occurs_twice_is_distinguished() {
        for (name, twice, first, second) in [
            ("America/Los_Angeles", "2026-11-01T08:00:00Z", "PDT", "PST"),
            ("Europe/Zurich", "2026-10-25T00:30:00Z", "CEST", "CET"),
            ("America/Santiago", "2026-04-05T02:15:00Z", "UTC−03:00", "UTC−04:00"),
        ] {
            let (zone, twice) = (zone(name), at(twice));
            let later = twice + jiff::SignedDuration::from_hours(1);
            assert_eq!(zone.to_datetime(twice), zone.to_datetime(later), "{name}");
            assert_eq!(distinction(&zone, twice).as_deref(), Some(first));
            assert_eq!(distinction(&zone, later).as_deref(), Some(second));
            let after = later + jiff::SignedDuration::from_hours(1);
            assert_eq!(distinction(&zone, after), None);
        }
        // The clocks of Lord Howe Island are set back by half an hour.
        let lord_howe = zone("Australia/Lord_Howe");
        assert_eq!(
            distinction(&lord_howe, at("2026-04-04T14:45:00Z")).as_deref(),
            Some("UTC+11:00")
        );
        assert_eq!(
            distinction(&lord_howe, at("2026-04-04T15:15:00Z")).as_deref(),
            Some("UTC+10:30")
        );
        assert_eq!(distinction(&TimeZone::UTC, at("2026-11-01T08:00:00Z")), None);
    }
}
