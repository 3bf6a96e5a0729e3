//! Numbers as devices and people write them: `1.79 mph`, `1,185 gal`, `12,5`, `−46.00dBm`, `5' 3"`.
//!
//! | sent | read as | because |
//! | --- | --- | --- |
//! | `1.185`, `0.125` | 1.185, 0.125 | a single point is a decimal point |
//! | `12,5`, `0,125`, `1234,567` | 12.5, 0.125, 1234.567 | a single comma is a decimal comma, except: |
//! | `1,185`, `-12,500` | 1185, -12500 | a comma before exactly three digits, and after one to three of which the first is not 0, separates thousands |
//! | `1,185.5`, `1.185,5` | 1185.5 | of both, the last one is the decimal separator |
//! | `1,185,000`, `1.185.000`, `1 185`, `1'185,5` | 1185000, 1185000, 1185, 1185.5 | groups of three digits |
//! | `5' 3"`, `5 ft 3 in`, `5'` | 63 in, 63 in, 5 ft | feet and inches |
//! | `49 1/2 in`, `5' 3-1/2"`, `49½"` | 49.5 in, 63.5 in, 49.5 in | fractions of an inch, as on a tape measure |
//!
//! Blanks may be any of Unicode's, and the minus sign may be U+2212 or a hyphen. Every other text is not a number.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::super::plausible;
use super::short_text;
use crate::board::Value;
use crate::units::{Quantity, Unit};

/// Note on why a value is missing.
pub(in crate::upstream) type Note = Cow<'static, str>;

/// A number as it was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::upstream) struct Quoted {
    /// The number, which is finite.
    pub(in crate::upstream) number: f64,
    /// Unit that was sent with it.
    pub(in crate::upstream) unit: Option<Unit>,
}

/// Most bytes of a text that can be a number.
const MAX_LENGTH: usize = 64;

/// Most characters of a text that a note quotes.
const MAX_QUOTE: usize = 40;

/// Returns a value in `unit`, or a missing one with a note. A number that was sent with another unit is
/// converted.
pub(in crate::upstream) fn quantity(json: Option<&Json>, unit: Unit) -> Value {
    match quoted(json).and_then(|quoted| in_unit(quoted, Some(unit))) {
        Ok(Quoted { number, .. }) => Value::number(number, unit),
        Err(note) => Value::missing(Some(unit), note),
    }
}

/// Returns the number that was sent as a JSON number or in a string, or the note for its absence.
pub(in crate::upstream) fn quoted(json: Option<&Json>) -> Result<Quoted, Note> {
    match json {
        Some(Json::String(text)) => parse(text),
        _ => Ok(Quoted { number: super::number(json)?, unit: None }),
    }
}

/// Converts a number to the configured unit and rounds it. Without one, the number keeps the unit that was
/// sent.
pub(in crate::upstream) fn in_unit(
    quoted: Quoted,
    configured: Option<Unit>,
) -> Result<Quoted, Note> {
    converted(quoted, configured, Unit::convert)
}

/// Converts a number as [`in_unit`] does, without rounding it: for a number that is computed with.
pub(in crate::upstream) fn in_unit_unrounded(
    quoted: Quoted,
    configured: Option<Unit>,
) -> Result<Quoted, Note> {
    converted(quoted, configured, Unit::convert_unrounded)
}

fn converted(
    quoted: Quoted,
    configured: Option<Unit>,
    convert: fn(Unit, f64, Unit) -> Option<f64>,
) -> Result<Quoted, Note> {
    let (Some(sent), Some(wanted)) = (quoted.unit, configured) else {
        return Ok(Quoted { unit: quoted.unit.or(configured), ..quoted });
    };
    // A bare degree sign is that of the angle, or that of a temperature on an unnamed scale.
    let is_degree = sent == Unit::Degree && wanted.quantity() == Quantity::Temperature;
    if sent != wanted && plausible::stands_for_nothing(quoted.number, sent) {
        return Err(format!("{} {sent} stands for no measurement", quoted.number).into());
    }
    let number = if is_degree { Some(quoted.number) } else { convert(sent, quoted.number, wanted) };
    match number {
        Some(number) if number.is_finite() => Ok(Quoted { number, unit: configured }),
        Some(_) => Err("out of range after conversion".into()),
        None => Err(format!("sent in {sent}, but {wanted} is configured").into()),
    }
}

/// Parses a number with or without a unit.
pub(in crate::upstream) fn parse(text: &str) -> Result<Quoted, Note> {
    let not_a_number = || match short_text(text) {
        None => "sent as an empty text".into(),
        Some(_) => sent_as(text, ", which is not a number"),
    };
    if is_placeholder(text) {
        return Err(sent_as(text, ""));
    }
    if text.len() > MAX_LENGTH {
        return Err(not_a_number());
    }
    let plain: String = text.trim().chars().map(plain_character).collect();
    let (number, rest) = leading_number(&plain).ok_or_else(not_a_number)?;
    if !number.is_finite() {
        return Err("sent out of range".into());
    }
    let name = rest.trim();
    if name.is_empty() {
        return Ok(Quoted { number, unit: None });
    }
    if let Some(inches) = inches_behind_feet(name) {
        let inches = (number.abs() * 12.0 + inches).copysign(number);
        return Ok(Quoted { number: inches, unit: Some(Unit::Inch) });
    }
    if let Some((fraction, name)) = fraction_of(name)
        && number.fract() == 0.0
        && Unit::from_input(name.trim()) == Some(Unit::Inch)
    {
        let inches = (number.abs() + fraction).copysign(number);
        return Ok(Quoted { number: inches, unit: Some(Unit::Inch) });
    }
    let unit = Unit::from_input(name).or_else(|| Unit::from_input(name.trim_end_matches('.')));
    match unit {
        Some(unit) => Ok(Quoted { number, unit: Some(unit) }),
        None if name == "." => Ok(Quoted { number, unit: None }),
        None if looks_like_a_unit(name) => Err(sent_as(text, ", in a unit that is not known")),
        None => Err(not_a_number()),
    }
}

/// Returns true for a text behind a number that is hardly a part of it.
fn looks_like_a_unit(text: &str) -> bool {
    let is_of_unit =
        |c: char| c.is_alphabetic() || matches!(c, '%' | '°' | '/' | '.' | '²' | '³' | ' ');
    text.starts_with(char::is_alphabetic) && text.chars().all(is_of_unit)
}

/// Returns the number of a text that is a plain decimal number and nothing that looks like a code: without
/// a unit, an exponent, leading zeros, or so many digits that it must be an identifier.
pub(in crate::upstream) fn plain_number(text: &str) -> Option<f64> {
    /// Digits that an `f64` represents exactly.
    const MAX_DIGITS: usize = 15;
    /// Digits of a number with a plus sign; a longer one is a telephone number.
    const MAX_SIGNED_DIGITS: usize = 6;
    let text = text.trim();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let most = if text.starts_with('+') { MAX_SIGNED_DIGITS } else { MAX_DIGITS };
    let is_plain = is_digits(whole)
        && is_digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && whole.len() <= most;
    is_plain.then(|| text.parse().ok()).flatten()
}

/// Returns a note that quotes the beginning of a text.
pub(in crate::upstream) fn sent_as(text: &str, reason: &str) -> Note {
    let text = short_text(text).unwrap_or_default();
    let mut quote: String = text.chars().take(MAX_QUOTE).collect();
    if quote.len() < text.len() {
        quote.push(super::CUT);
    }
    format!("sent as \"{quote}\"{reason}").into()
}

/// Returns true for a text that stands for the absence of a number.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "n/a",
        "na",
        "n.a.",
        "nan",
        "-nan",
        "null",
        "nil",
        "none",
        "unknown",
        "unavailable",
        "inf",
        "-inf",
        "infinity",
        "-infinity",
    ];
    let text = text.trim();
    let is_dash = |c: char| matches!(c, '-' | '.' | ',' | ':' | '_' | '*' | '?' | '–' | '—' | ' ');
    !text.is_empty()
        && (text.chars().all(is_dash) || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// Replaces the characters that are typed for blanks, minus signs, apostrophes and quotation marks.
const fn plain_character(c: char) -> char {
    match c {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\t' => ' ',
        '\u{2212}' | '\u{2010}'..='\u{2013}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{2019}' | '\u{2032}' => '\'',
        '\u{201d}' | '\u{2033}' => '"',
        c => c,
    }
}

/// Returns the number at the beginning of a text, and the text behind it. The number may be infinite.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).trim_start();
    let body = &unsigned[..length_of_digits(unsigned.as_bytes())];
    let rest = &unsigned[body.len()..];
    let digits = decimal_of(body)?;
    let exponent = exponent_of(rest);
    let rest = &rest[exponent.len()..];
    let number: f64 = format!("{digits}{exponent}").parse().ok()?;
    Some((if text.starts_with('-') { -number } else { number }, rest))
}

/// Returns the length of the digits at the beginning of a text, with the separators between them. A blank or
/// an apostrophe is a separator only before a group of three digits.
fn length_of_digits(bytes: &[u8]) -> usize {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let continues = match byte {
            b'0'..=b'9' => true,
            b'.' | b',' => is_digit(at + 1),
            b' ' | b'\'' => {
                at > 0 && (1..=3).all(|ahead| is_digit(at + ahead)) && !is_digit(at + 4)
            }
            _ => false,
        };
        if !continues {
            break;
        }
        at += 1;
    }
    at
}

/// Returns the exponent at the beginning of a text; empty if there is none.
fn exponent_of(text: &str) -> &str {
    let Some(power) = text.strip_prefix(['e', 'E']) else { return "" };
    let unsigned = power.strip_prefix(['-', '+']).unwrap_or(power);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { "" } else { &text[..text.len() - unsigned.len() + digits] }
}

/// Returns a number without separators of thousands and with a decimal point.
fn decimal_of(body: &str) -> Option<String> {
    let count = |separator: char| body.matches(separator).count();
    let (points, commas) = (count('.'), count(','));
    let mark = match (count(' '), count('\'')) {
        (0, 0) => None,
        (_, 0) => Some(' '),
        (0, _) => Some('\''),
        _ => return None,
    };
    let last = body.rfind(['.', ',']).map(|at| &body[at..=at]);
    let (group, decimal) = match (mark, points, commas) {
        (Some(mark), 0 | 1, 0) => (Some(mark), '.'),
        (Some(mark), 0, 1) => (Some(mark), ','),
        (Some(_), ..) => return None,
        (None, 0 | 1, 0) => (None, '.'),
        (None, 0, 1) if has_thousands(body) => (Some(','), '.'),
        (None, 0, 1) => (None, ','),
        (None, _, 0) => (Some('.'), ','),
        (None, 0, _) => (Some(','), '.'),
        (None, 1, _) if last == Some(".") => (Some(','), '.'),
        (None, _, 1) if last == Some(",") => (Some('.'), ','),
        _ => return None,
    };
    let (whole, fraction) = body.split_once(decimal).unwrap_or((body, ""));
    let whole = match group {
        None => whole.to_owned(),
        Some(group) => without_groups(whole, group)?,
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    (has_digits && is_digits(&whole) && is_digits(fraction)).then(|| format!("{whole}.{fraction}"))
}

/// Returns true if a text may be two numbers: its comma is read as a separator of thousands, and would be a
/// decimal comma for an upstream that writes those.
pub(in crate::upstream) fn is_ambiguous(text: &str) -> bool {
    let plain: String = text.trim().chars().map(plain_character).collect();
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(&plain).trim_start();
    let body = &unsigned[..length_of_digits(unsigned.as_bytes())];
    text.len() <= MAX_LENGTH && !body.contains(['.', ' ', '\'']) && has_thousands(body)
}

/// Returns true if the only comma of a number separates thousands.
fn has_thousands(body: &str) -> bool {
    body.split_once(',').is_some_and(|(before, after)| {
        after.len() == 3 && (1..=3).contains(&before.len()) && !before.starts_with('0')
    })
}

/// Removes the separators between groups of three digits; `None` if the groups are of another size.
fn without_groups(whole: &str, separator: char) -> Option<String> {
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let is_first = (1..=3).contains(&first.len()) && !first.starts_with('0');
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    (is_first || digits == first).then_some(digits)
}

/// Returns the inches of feet and inches, from the text behind the number of feet: `' 3"`, `ft 3 in`.
fn inches_behind_feet(name: &str) -> Option<f64> {
    let feet = ["'", "feet", "foot", "ft.", "ft"];
    let (mark, rest) = feet.iter().find_map(|mark| Some((*mark, name.strip_prefix(mark)?)))?;
    // Whole feet and inches are also written 5'-3" and 5 feet, 3 inches.
    let rest = rest.trim_start().trim_start_matches(['-', ',']).trim_start();
    // A sign, a separator of thousands or an exponent has no place in the inches.
    let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (inches, unit) = rest.split_at(length);
    let (fraction, unit) = fraction_of(unit).unwrap_or((0.0, unit));
    let is_inch = match unit.trim().trim_end_matches('.') {
        "" => mark == "'",
        "\"" | "''" | "in" | "inch" | "inches" => true,
        _ => false,
    };
    let whole: f64 = inches.parse().ok()?;
    let is_one_number = fraction == 0.0 || !inches.contains('.');
    let inches = whole + fraction;
    (is_inch && is_one_number && (0.0..12.0).contains(&inches)).then_some(inches)
}

/// Returns the fraction at the beginning of a text, and the text behind it: ` 1/2`, `-3/16`, `½`.
fn fraction_of(text: &str) -> Option<(f64, &str)> {
    const SIGNS: [(char, f64); 7] = [
        ('½', 0.5),
        ('¼', 0.25),
        ('¾', 0.75),
        ('⅛', 0.125),
        ('⅜', 0.375),
        ('⅝', 0.625),
        ('⅞', 0.875),
    ];
    let text = text.trim_start_matches([' ', '-']);
    if let Some((sign, fraction)) = SIGNS.iter().find(|(sign, _)| text.starts_with(*sign)) {
        return Some((*fraction, &text[sign.len_utf8()..]));
    }
    let (numerator, rest) = text.split_once('/')?;
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (denominator, rest) = rest.split_at(length);
    let is_plain = |digits: &str| digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit());
    let (numerator, denominator): (u8, u8) = match is_plain(numerator) && is_plain(denominator) {
        true => (numerator.parse().ok()?, denominator.parse().ok()?),
        false => return None,
    };
    let is_of_tape = matches!(denominator, 2 | 4 | 8 | 16 | 32 | 64) && numerator < denominator;
    is_of_tape.then(|| (f64::from(numerator) / f64::from(denominator), rest))
}

#[cfg(test)]
mod tests;
