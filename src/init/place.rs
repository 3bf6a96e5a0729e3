//! The place of the dashboard: latitude and longitude, in the forms that people copy from maps.

use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use crate::units::System;

/// A place, in degrees north and east.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

/// A text is not a place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlaceError {
    /// The text has other parts than two numbers with their degree signs and directions.
    #[error(
        "\"{0}\" is not LAT,LON: degrees north and east, such as 37.24,-122.14 or 37.24N 122.14W"
    )]
    Malformed(String),
    /// The first number can only be a longitude.
    #[error(
        "the latitude {first} is not between -90 and 90; it comes first: did you mean {second},{first}?"
    )]
    Swapped {
        /// The first number.
        first: f64,
        /// The second number.
        second: f64,
    },
    /// The latitude is out of range.
    #[error("the latitude {0} is not between -90 and 90")]
    Latitude(f64),
    /// The longitude is out of range.
    #[error("the longitude {0} is not between -180 and 180; west is negative")]
    Longitude(f64),
}

/// Longest text that is parsed.
const MAX_BYTES: usize = 100;

/// Decimals that are kept: 0.1 m.
const DECIMALS: f64 = 1e6;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Place, PlaceError> {
        let malformed = || PlaceError::Malformed(text.chars().take(MAX_BYTES).collect());
        if text.len() > MAX_BYTES {
            return Err(malformed());
        }
        let read = |has_decimal_commas| coordinates(&tokens(text, has_decimal_commas)?);
        // A comma is a separator, or between two digits the decimal point of some languages.
        let separated =
            read(false).or_else(|| read(true).filter(|_| may_have_decimal_commas(text)));
        let (one, other) = separated.ok_or_else(malformed)?;
        let (latitude, longitude) = match (one.axis, other.axis) {
            (None, None) if one.degrees.abs() > 90.0 && other.degrees.abs() <= 90.0 => {
                return Err(PlaceError::Swapped { first: one.degrees, second: other.degrees });
            }
            (None, None) | (Some(Axis::Latitude), Some(Axis::Longitude)) => (one, other),
            (Some(Axis::Longitude), Some(Axis::Latitude)) => (other, one),
            _ => return Err(malformed()),
        };
        Place::new(latitude.degrees, longitude.degrees)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.latitude, self.longitude)
    }
}

impl Place {
    fn new(latitude: f64, longitude: f64) -> Result<Place, PlaceError> {
        // Also replaces -0 by 0.
        let rounded = |degrees: f64| (degrees * DECIMALS).round() / DECIMALS + 0.0;
        let (latitude, longitude) = (rounded(latitude), rounded(longitude));
        if !(-90.0..=90.0).contains(&latitude) {
            Err(PlaceError::Latitude(latitude))
        } else if !(-180.0..=180.0).contains(&longitude) {
            Err(PlaceError::Longitude(longitude))
        } else {
            Ok(Place { latitude, longitude })
        }
    }

    /// Returns the system of units that people there use: a default to confirm, since the borders are
    /// rectangles.
    pub fn usual_units(&self) -> System {
        /// South, north, west and east: the 48 states, Alaska, Hawaii, Puerto Rico.
        const UNITED_STATES: [[f64; 4]; 4] = [
            [24.4, 49.0, -124.8, -66.9],
            [51.2, 71.5, -179.9, -130.0],
            [18.8, 22.4, -160.4, -154.7],
            [17.8, 18.6, -67.4, -65.2],
        ];
        let is_inside = |&[south, north, west, east]: &[f64; 4]| {
            (south..=north).contains(&self.latitude) && (west..=east).contains(&self.longitude)
        };
        if UNITED_STATES.iter().any(is_inside) { System::Us } else { System::Metric }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Latitude,
    Longitude,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    /// A number without its sign, and its text's sign if it has one.
    Number(f64, Option<bool>),
    Degrees,
    Minutes,
    Seconds,
    /// N, S, E or W.
    Direction(char),
    Separator,
}

/// One of the two numbers.
#[derive(Debug, Clone, Copy)]
struct Coordinate {
    degrees: f64,
    axis: Option<Axis>,
}

/// Returns false for a text whose commas could separate its numbers in another way: `37,24,122`.
fn may_have_decimal_commas(text: &str) -> bool {
    let is_bare = |c: char| c.is_ascii_digit() || matches!(c, ',' | '+' | '-' | '\u{2212}');
    !text.contains('.') && (text.matches(',').count() == 3 || !text.trim().chars().all(is_bare))
}

/// Splits a text; `None` if a character has no meaning here.
fn tokens(text: &str, has_decimal_commas: bool) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim().chars().peekable();
    while let Some(&c) = rest.peek() {
        if c.is_ascii_digit() || matches!(c, '+' | '-' | '\u{2212}' | '.') {
            tokens.push(number(&mut rest, has_decimal_commas)?);
            continue;
        }
        rest.next();
        let token = match c {
            '°' | 'º' | '˚' => Token::Degrees,
            '\'' if rest.next_if_eq(&'\'').is_some() => Token::Seconds,
            '\'' | '’' | '′' => Token::Minutes,
            '"' | '”' | '″' => Token::Seconds,
            'N' | 'S' | 'E' | 'W' | 'n' | 's' | 'e' | 'w' => {
                Token::Direction(c.to_ascii_uppercase())
            }
            ',' | ';' | '/' => Token::Separator,
            c if c.is_whitespace() => continue,
            _ => return None,
        };
        tokens.push(token);
    }
    Some(tokens)
}

fn number(rest: &mut Peekable<Chars<'_>>, has_decimal_commas: bool) -> Option<Token> {
    let is_negative = match rest.peek()? {
        '-' | '\u{2212}' => Some(true),
        '+' => Some(false),
        _ => None,
    };
    if is_negative.is_some() {
        rest.next();
    }
    let mut digits = String::new();
    let mut has_point = false;
    while let Some(&c) = rest.peek() {
        match c {
            '0'..='9' => digits.push(c),
            '.' if !has_point => digits.push('.'),
            // A decimal comma has a digit on each side.
            ',' if has_decimal_commas && !has_point && !digits.is_empty() => {
                let mut behind = rest.clone();
                behind.next();
                if !behind.next().is_some_and(|next| next.is_ascii_digit()) {
                    break;
                }
                digits.push('.');
            }
            _ => break,
        }
        has_point |= digits.ends_with('.');
        rest.next();
    }
    Some(Token::Number(digits.parse().ok()?, is_negative))
}

/// Reads the two coordinates of a place; `None` if the tokens are anything else.
fn coordinates(tokens: &[Token]) -> Option<(Coordinate, Coordinate)> {
    let is_prefixed = matches!(tokens.first()?, Token::Direction(_));
    let (one, rest) = coordinate(tokens, is_prefixed)?;
    let rest = rest.strip_prefix(&[Token::Separator]).unwrap_or(rest);
    let (other, rest) = coordinate(rest, is_prefixed)?;
    rest.is_empty().then_some((one, other))
}

/// Reads one coordinate: degrees, then perhaps minutes and seconds, with its direction before or behind.
fn coordinate(tokens: &[Token], is_prefixed: bool) -> Option<(Coordinate, &[Token])> {
    let mut rest = tokens;
    let mut direction = None;
    if is_prefixed {
        (direction, rest) = direction_of(rest);
        direction?;
    }
    let (&Token::Number(number, is_negative), behind) = rest.split_first()? else { return None };
    rest = behind;
    let mut degrees = number;
    if let Some(behind) = rest.strip_prefix(&[Token::Degrees]) {
        rest = behind;
        for (mark, part) in [(Token::Minutes, 60.0), (Token::Seconds, 3600.0)] {
            match rest {
                [Token::Number(number, None), found, behind @ ..] if *found == mark => {
                    if *number >= 60.0 {
                        return None;
                    }
                    degrees += number / part;
                    rest = behind;
                }
                _ => {}
            }
        }
    }
    if !is_prefixed {
        (direction, rest) = direction_of(rest);
    }
    let is_negative = match (is_negative, direction) {
        (Some(_), Some(_)) => return None,
        (sign, None) => sign == Some(true),
        (None, Some(letter)) => matches!(letter, 'S' | 'W'),
    };
    let axis = direction.map(|letter| match letter {
        'N' | 'S' => Axis::Latitude,
        _ => Axis::Longitude,
    });
    Some((Coordinate { degrees: if is_negative { -degrees } else { degrees }, axis }, rest))
}

fn direction_of(tokens: &[Token]) -> (Option<char>, &[Token]) {
    match tokens {
        [Token::Direction(letter), rest @ ..] => (Some(*letter), rest),
        _ => (None, tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_in_forms_that_people_copy_is_read() {
        for (text, latitude, longitude) in [
            ("37.24,-122.14", 37.24, -122.14),
            (" 37.24, -122.14 ", 37.24, -122.14),
            ("37.24 -122.14", 37.24, -122.14),
            ("+37.24;\u{2212}122.14", 37.24, -122.14),
            ("37,-122", 37.0, -122.0),
            ("47,8", 47.0, 8.0),
            ("-0.0,0", 0.0, 0.0),
            ("-90,180", -90.0, 180.0),
            ("37.24N 122.14W", 37.24, -122.14),
            ("37.24° N, 122.14° W", 37.24, -122.14),
            ("122.14 w / 37.24 n", 37.24, -122.14),
            ("N 37.24 W 122.14", 37.24, -122.14),
            ("33.9 s, 151.2 e", -33.9, 151.2),
            ("37°14'24\"N 122°8'24\"W", 37.24, -122.14),
            ("37° 14.4′ N, 122° 8.4′ W", 37.24, -122.14),
            ("37°14'24''N, 122°8'24''W", 37.24, -122.14),
            ("37,24 -122,14", 37.24, -122.14),
            ("37,24; -122,14", 37.24, -122.14),
            ("37,24,-122,14", 37.24, -122.14),
            ("47,37, 8,54", 47.37, 8.54),
            ("47,37° N, 8,54° E", 47.37, 8.54),
            ("37.240000012,-122.14", 37.24, -122.14),
        ] {
            assert_eq!(text.parse(), Ok(Place { latitude, longitude }), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_place_is_rejected_with_its_reason() {
        for (text, part) in [
            ("", "is not LAT,LON"),
            ("home", "is not LAT,LON"),
            ("37.24", "is not LAT,LON"),
            ("37.24,", "is not LAT,LON"),
            ("37.24,-122.14,5", "is not LAT,LON"),
            ("37,24,122", "is not LAT,LON"),
            ("37.24,122,14", "is not LAT,LON"),
            ("37.2.4,-122.14", "is not LAT,LON"),
            ("nan,inf", "is not LAT,LON"),
            ("1e3", "is not LAT,LON"),
            ("33.9 s, 151.2", "is not LAT,LON"),
            ("37.24N 122.14N", "is not LAT,LON"),
            ("-37.24S 122.14E", "is not LAT,LON"),
            ("37°75'N 122°W", "is not LAT,LON"),
            ("37.24 N W", "is not LAT,LON"),
            ("-122.14,37.24", "did you mean 37.24,-122.14?"),
            ("122.14,37.24", "did you mean 37.24,122.14?"),
            ("97,97", "latitude 97 is not between -90 and 90"),
            ("37.24,-182.14", "longitude -182.14 is not between -180 and 180"),
            ("97N 10E", "latitude 97 is not between"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let long = "3".repeat(100_000);
        assert!(long.parse::<Place>().unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn usual_units_are_those_of_the_country() {
        for (text, expected) in [
            ("37.24,-122.14", System::Us),
            ("61.2,-149.9", System::Us),
            ("21.3,-157.8", System::Us),
            ("47.37,8.54", System::Metric),
            ("-33.9,151.2", System::Metric),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().usual_units(), expected, "{text}");
        }
    }
}
