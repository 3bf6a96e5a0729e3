//! The time zone of the site: the machine's, or that of the nearest city.

use std::fs;

use jiff::tz::TimeZone;

use super::place::Place;
use crate::time_zone;

/// Table of time zones with the coordinates of a city of each, in the package of the time zones.
const TABLES: [&str; 2] = ["/usr/share/zoneinfo/zone1970.tab", "/usr/share/zoneinfo/zone.tab"];

/// A suggested time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// Its IANA name.
    pub name: String,
    /// True if the machine has this zone; false if it was derived from the place.
    pub is_of_machine: bool,
}

/// Returns the machine's time zone if it is that of a place: servers are often in UTC. Otherwise the
/// one of the city nearest to `place`, if this machine has a table of cities.
pub(super) fn suggestion(place: &Place) -> Option<Suggestion> {
    let machine = time_zone::of_machine().zone;
    let name = machine.iana_name().filter(|name| is_of_a_place(name));
    if let Some(name) = name {
        return Some(Suggestion { name: name.to_owned(), is_of_machine: true });
    }
    let table = TABLES.iter().find_map(|path| fs::read_to_string(path).ok())?;
    Some(Suggestion { name: nearest(&table, place)?, is_of_machine: false })
}

/// Parses the name of a time zone.
///
/// # Errors
/// There is no zone of that name.
pub fn parse(text: &str) -> Result<String, String> {
    let known = TimeZone::get(text.trim()).ok();
    let name = known.and_then(|zone| zone.iana_name().map(str::to_owned));
    name.ok_or_else(|| match time_zone::nearest(text) {
        Some(near) => format!("no time zone; did you mean {near}?"),
        None => "no time zone, such as America/Los_Angeles".to_owned(),
    })
}

fn is_of_a_place(name: &str) -> bool {
    name.contains('/') && !name.starts_with("Etc/")
}

/// Returns the zone of the nearest city in a table: tab-separated countries, coordinates, names.
fn nearest(table: &str, place: &Place) -> Option<String> {
    let zones = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t').skip(1);
        let city = coordinates(columns.next()?)?;
        let name = columns.next()?;
        TimeZone::get(name).ok()?;
        Some((city.distance(place), name.to_owned()))
    });
    zones.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// Parses coordinates of ISO 6709 without a separator: `+340308-1181434`, `+4723+00832`.
fn coordinates(text: &str) -> Option<Place> {
    let split = text.rfind(['+', '-']).filter(|at| *at > 0)?;
    let (latitude, longitude) = text.split_at(split);
    Some(Place { latitude: degrees(latitude, 2)?, longitude: degrees(longitude, 3)? })
}

/// Parses a sign, degrees with that many digits, minutes, and perhaps seconds.
fn degrees(text: &str, digits: usize) -> Option<f64> {
    let sign = match text.chars().next()? {
        '+' => 1.0,
        '-' => -1.0,
        _ => return None,
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<f64>().ok();
    let minutes = 1 + digits;
    let seconds = number(minutes + 2, minutes + 4).unwrap_or(0.0);
    Some(sign * (number(1, minutes)? + number(minutes, minutes + 2)? / 60.0 + seconds / 3600.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# a comment\nUS\t+340308-1181434\tAmerica/Los_Angeles\tPacific\n\
                         US\t+394421-1045903\tAmerica/Denver\tMountain\n\
                         CH,DE,LI\t+4723+00832\tEurope/Zurich\nAU\t-3352+15113\tAustralia/Sydney\n\
                         XX\t+0000+00000\tNowhere/Town\nbroken\n";

    #[test]
    fn zone_of_the_nearest_city_is_suggested() {
        for (place, expected) in [
            ("37.24,-122.14", "America/Los_Angeles"),
            ("40,-105", "America/Denver"),
            ("46.9,7.4", "Europe/Zurich"),
            ("-34,151", "Australia/Sydney"),
            // Of two cities across the 180th meridian, by the shorter way.
            ("-20,-179", "Australia/Sydney"),
        ] {
            let place = place.parse().unwrap();
            assert_eq!(nearest(TABLE, &place).as_deref(), Some(expected), "{place}");
        }
        assert_eq!(nearest("", &"1,1".parse().unwrap()), None);
    }

    #[test]
    fn zone_must_exist() {
        assert_eq!(parse(" europe/zurich ").as_deref(), Ok("Europe/Zurich"));
        assert!(parse("Europe/Zurch").unwrap_err().contains("did you mean Europe/Zurich?"));
        assert!(parse("here").unwrap_err().contains("such as"));
    }
}
