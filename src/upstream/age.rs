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
const FILLERS: [&str; 13] = [
    "ago", "and", "about", "almost", "over", "less", "than", "last", "updated", "seen", "reported",
    "received", "observed",
];

/// Phrases for an age below a minute.
const NOW: [&[&str]; 8] = [
    &["just", "now"],
    &["now"],
    &["moments", "ago"],
    &["a", "moment", "ago"],
    &["a", "few", "seconds", "ago"],
    &["few", "seconds", "ago"],
    &["seconds", "ago"],
    &["half", "a", "minute", "ago"],
];

const MINUTE: Duration = Duration::from_secs(60);

/// Age of an observation, as a text states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Age {
    /// Time since the observation.
    pub(super) age: Duration,
    /// Length of the smallest unit that the text names: the age is exact to it.
    pub(super) resolution: Duration,
}

/// Parses an age. Returns `None` if any word is unknown: skipping `3 days` would make an old observation look
/// fresh.
pub(super) fn parse(phrase: &str) -> Option<Age> {
    let phrase = phrase.to_ascii_lowercase();
    let words: Vec<&str> = words(&phrase).collect();
    if NOW.contains(&&words[..]) {
        return Some(Age { age: Duration::ZERO, resolution: MINUTE });
    }
    let mut words = words.into_iter();
    let mut sum: Option<(u64, u64)> = None;
    while let Some(word) = words.next() {
        if FILLERS.contains(&word) {
            continue;
        }
        let count: u64 = match word {
            "a" | "an" | "one" => 1,
            digits => digits.parse().ok()?,
        };
        let seconds_of_unit = unit(words.next()?)?;
        let seconds = count.checked_mul(seconds_of_unit)?;
        sum = Some(match sum {
            None => (seconds, seconds_of_unit),
            Some((earlier, smallest)) => {
                (earlier.checked_add(seconds)?, smallest.min(seconds_of_unit))
            }
        });
    }
    sum.map(|(age, resolution)| Age {
        age: Duration::from_secs(age),
        resolution: Duration::from_secs(resolution),
    })
}

/// Splits a phrase into words and numbers: `5m` is `5` and `m`.
fn words(phrase: &str) -> impl Iterator<Item = &str> {
    let words = phrase.split(|c: char| c.is_whitespace() || c == ',');
    let words = words.map(|word| word.strip_suffix(['.', ':', '!']).unwrap_or(word));
    words.filter(|word| !word.is_empty()).flat_map(|word| {
        let is_boundary = |pair: &(usize, char)| {
            let before = word[..pair.0].chars().next_back();
            before.is_some_and(|before| before.is_ascii_digit() != pair.1.is_ascii_digit())
        };
        let boundaries = word.char_indices().filter(is_boundary).map(|(at, _)| at);
        let ends: Vec<usize> = boundaries.chain([word.len()]).collect();
        let starts = std::iter::once(0).chain(ends.clone());
        starts.zip(ends).map(|(start, end)| &word[start..end])
    })
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
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        for (phrase, age) in [
            ("3 minutes, 20 seconds ago", Some((200, 1))),
            ("2 hours, 5 minutes ago", Some((7500, MINUTE))),
            ("1 day, 3 hours ago", Some((97_200, HOUR))),
            ("just now", Some((0, MINUTE))),
            (" Just\n now ", Some((0, MINUTE))),
            ("0 seconds ago", Some((0, 1))),
            ("1 second ago", Some((1, 1))),
            ("45 secs ago", Some((45, 1))),
            ("5 s ago", Some((5, 1))),
            ("5s ago", Some((5, 1))),
            ("1h5m", Some((3900, MINUTE))),
            ("10 min. ago", Some((600, MINUTE))),
            ("1 minute ago", Some((60, MINUTE))),
            ("a minute ago", Some((60, MINUTE))),
            ("less than a minute ago", Some((60, MINUTE))),
            ("about an hour ago", Some((3600, HOUR))),
            ("2 days", Some((172_800, DAY))),
            ("3 weeks, 1 day ago", Some((1_900_800, DAY))),
            ("11 months, 4 weeks ago", Some((30_931_200, 7 * DAY))),
            ("2 months ago", Some((5_184_000, 30 * DAY))),
            ("1 year, 2 months and 3 days ago", Some((36_979_200, DAY))),
            ("1 Hour, 1 Minute, 1 Second Ago", Some((3661, 1))),
            ("1\u{a0}hour ago", Some((3600, HOUR))),
            ("Just now!", Some((0, MINUTE))),
            ("a few seconds ago", Some((0, MINUTE))),
            ("half a minute ago", Some((0, MINUTE))),
            ("a moment ago", Some((0, MINUTE))),
            ("less than 5 seconds ago", Some((5, 1))),
            ("Last updated: 3 min. ago", Some((180, MINUTE))),
            ("last seen 2 days ago", Some((172_800, DAY))),
            ("last week", None),
            ("a few minutes ago", None),
            ("half an hour ago", None),
            ("in 5 minutes", None),
            ("00:05:12", None),
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
            let age = age.map(|(age, resolution)| Age {
                age: Duration::from_secs(age),
                resolution: Duration::from_secs(resolution),
            });
            assert_eq!(parse(phrase), age, "{phrase:?}");
        }
    }
}
