//! Parses ages in English words, as on web pages: `2 hours, 5 minutes ago`.

use std::time::Duration;

/// Singular names of each unit, and its length in seconds. Months and years are approximate: an observation
/// that old is stale in any case.
const UNITS: [(&[&str], u64); 7] = [
    (&["second", "sec", "s"], 1),
    (&["minute", "min", "m"], 60),
    (&["hour", "hr", "h"], 3600),
    (&["day", "d"], 86_400),
    (&["week", "wk", "w"], 7 * 86_400),
    (&["month", "mo"], 30 * 86_400),
    (&["year", "yr", "y"], 365 * 86_400),
];

/// Words that are skipped.
const FILLERS: [&str; 7] = ["ago", "and", "about", "almost", "over", "less", "than"];

/// Parses an age. Returns `None` if any word is unknown: skipping `3 days` would make an old observation look
/// fresh.
pub(super) fn parse(phrase: &str) -> Option<Duration> {
    let phrase = phrase.to_ascii_lowercase();
    let mut words =
        phrase.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    if matches!(
        words.clone().collect::<Vec<_>>()[..],
        ["just", "now"] | ["now"] | ["moments", "ago"]
    ) {
        return Some(Duration::ZERO);
    }
    let mut age: Option<u64> = None;
    while let Some(word) = words.next() {
        if FILLERS.contains(&word) {
            continue;
        }
        let count: u64 = match word {
            "a" | "an" | "one" => 1,
            digits => digits.parse().ok()?,
        };
        let seconds = count.checked_mul(unit(words.next()?)?)?;
        age = Some(age.unwrap_or(0).checked_add(seconds)?);
    }
    age.map(Duration::from_secs)
}

/// Returns the length in seconds of a unit, named in the singular or plural.
fn unit(word: &str) -> Option<u64> {
    let is_name = |name: &str| word == name || word.strip_suffix('s') == Some(name);
    UNITS
        .iter()
        .find(|(names, _)| names.iter().any(|name| is_name(name)))
        .map(|(_, seconds)| *seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_in_words_is_parsed_and_unknown_words_are_rejected() {
        for (phrase, seconds) in [
            ("3 minutes, 20 seconds ago", Some(200)),
            ("2 hours, 5 minutes ago", Some(7500)),
            ("1 day, 3 hours ago", Some(97_200)),
            ("just now", Some(0)),
            (" Just\n now ", Some(0)),
            ("0 seconds ago", Some(0)),
            ("1 second ago", Some(1)),
            ("45 secs ago", Some(45)),
            ("1 minute ago", Some(60)),
            ("a minute ago", Some(60)),
            ("less than a minute ago", Some(60)),
            ("about an hour ago", Some(3600)),
            ("2 days", Some(172_800)),
            ("3 weeks, 1 day ago", Some(1_900_800)),
            ("2 months ago", Some(5_184_000)),
            ("1 year, 2 months and 3 days ago", Some(36_979_200)),
            ("1 Hour, 1 Minute, 1 Second Ago", Some(3661)),
            ("1\u{a0}hour ago", Some(3600)),
            ("", None),
            ("ago", None),
            ("never", None),
            ("5", None),
            ("5 ago", None),
            ("minutes ago", None),
            ("5 fortnights ago", None),
            ("-5 minutes ago", None),
            ("1.5 hours ago", None),
            ("yesterday", None),
            ("3 minutes from now", None),
            ("99999999999999999999 seconds ago", None),
            ("9999999999999999999 years ago", None),
        ] {
            assert_eq!(parse(phrase), seconds.map(Duration::from_secs), "{phrase:?}");
        }
    }
}
