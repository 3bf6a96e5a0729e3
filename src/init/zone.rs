//! The time zone of the site: the machine's, or that of the place.
//!
//! The nearest city would not do: that of Reno, Nevada, is in Idaho, an hour ahead. Open-Meteo, whose weather
//! the dashboard shows anyway, knows the borders.

use std::path::Path;

use jiff::tz::TimeZone;

use super::place::Place;
use crate::board::Datum;
use crate::config;
use crate::time_zone;
use crate::upstream::poll_all;
use crate::upstream::user_agent;

/// API of Open-Meteo.
const OPEN_METEO: &str = "https://api.open-meteo.com";

/// Returns the time zone of a place, if it can be found out.
pub type Lookup<'a> = &'a dyn Fn(&Place) -> Option<String>;

/// A suggested time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// Its IANA name.
    pub name: String,
    /// True if the machine has this zone; false if it is that of the place.
    pub is_of_machine: bool,
}

/// Returns the machine's time zone if it has a place: servers are often in UTC. Otherwise that of `place`.
pub(super) fn suggestion(place: &Place, lookup: Lookup<'_>) -> Option<Suggestion> {
    choose(time_zone::of_machine().zone.iana_name(), || lookup(place))
}

fn choose(machine: Option<&str>, lookup: impl FnOnce() -> Option<String>) -> Option<Suggestion> {
    if let Some(name) = machine.filter(|name| has_place(name)) {
        return Some(Suggestion { name: name.to_owned(), is_of_machine: true });
    }
    Some(Suggestion { name: lookup()?, is_of_machine: false })
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

fn has_place(name: &str) -> bool {
    name.contains('/') && !name.starts_with("Etc/")
}

/// Returns the time zone of a place by Open-Meteo; `None` if it does not answer within seconds.
pub fn by_open_meteo(place: &Place) -> Option<String> {
    by_server(OPEN_METEO, place)
}

fn by_server(server: &str, place: &Place) -> Option<String> {
    let Place { latitude, longitude } = place;
    // A source as in a configuration, so that its timeouts and limits apply.
    let text = format!(
        "[[source]]\n\
         name = \"place\"\n\
         kind = \"json\"\n\
         url = \"{server}/v1/forecast?latitude={latitude}&longitude={longitude}&current=weather_code&timezone=auto\"\n\
         timeout = \"5s\"\n\
         [source.values.zone]\n\
         pointer = \"/timezone\"\n\
         type = \"text\"\n"
    );
    let config = config::parse(Path::new("time zone"), &text, &|_| None).ok()?;
    let mut zone = None;
    poll_all(&config.sources, &user_agent(&config.site), |_, polled| {
        let Ok((reading, _)) = &polled.reading else { return };
        zone = reading.values.iter().find_map(|(_, value)| match &value.datum {
            Some(Datum::Text(text)) => parse(text).ok(),
            _ => None,
        });
    });
    zone
}

#[cfg(test)]
mod tests {
    use hostile::upstream::Upstream;

    use super::*;

    #[test]
    fn zone_of_the_place_is_that_of_the_answer() {
        let place = "39.53,-119.81".parse().unwrap();
        for (answer, expected) in [
            (r#"{"timezone":"America/Los_Angeles","current":{}}"#, Some("America/Los_Angeles")),
            (r#"{"timezone":"America/Nowhere"}"#, None),
            (r#"{"timezone":7}"#, None),
            (r#"{"error":true}"#, None),
            ("<html>", None),
        ] {
            let upstream = Upstream::answering(answer);
            let url = upstream.url();
            assert_eq!(by_server(&url, &place).as_deref(), expected, "{answer}");
        }
        assert_eq!(by_server("http://127.0.0.1:1", &place), None);
        assert_eq!(by_server(OPEN_METEO.trim_end_matches("api.open-meteo.com"), &place), None);
    }

    #[test]
    fn zone_of_the_place_is_looked_up_only_if_the_machine_has_none() {
        let reno = || Some("America/Los_Angeles".to_owned());
        for machine in [None, Some("UTC"), Some("Etc/UTC"), Some("Etc/GMT+8")] {
            let chosen = choose(machine, reno).unwrap();
            assert_eq!((&*chosen.name, chosen.is_of_machine), ("America/Los_Angeles", false));
            assert_eq!(choose(machine, || None), None, "{machine:?}");
        }
        let chosen = choose(Some("Europe/Zurich"), || panic!("looked up")).unwrap();
        assert_eq!((&*chosen.name, chosen.is_of_machine), ("Europe/Zurich", true));
    }

    #[test]
    fn zone_must_exist() {
        assert_eq!(parse(" europe/zurich ").as_deref(), Ok("Europe/Zurich"));
        assert!(parse("Europe/Zurch").unwrap_err().contains("did you mean Europe/Zurich?"));
        assert!(parse("here").unwrap_err().contains("such as"));
    }
}
