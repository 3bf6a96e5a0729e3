//! Reads numbers with their units: `300`, `"300"`, `"300 gal"`, `"300gal"`.

use std::cmp::Ordering;
use std::fmt;

use toml_span::value::ValueInner;
use toml_span::{Span, Value};

use super::super::kind::FieldType;
use super::super::section::{Section, Spanned, into_inner};
use super::Limit;
use super::plant::{Misfit, Watched};
use crate::suggestion::advice;
use crate::units::Unit;

/// Description of a limit in errors.
const LIMIT: &str = "a number with its unit such as \"300 gal\", or a number";

/// Description of two limits in errors.
const PAIR: &str = "an array of two limits such as [\"4 degC\", \"30 degC\"]";

/// Longest text that is taken for a number with its unit, bytes.
const MAX_TEXT: usize = 64;

/// Quantity that a limit is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// A value.
    Level,
    /// The difference of two values.
    Amount,
}

/// Reads a limit in the unit of the watched values or in another one of the same quantity.
pub(super) fn limit(
    section: &mut Section<'_, '_>,
    key: &str,
    watched: &Watched<'_, '_>,
) -> Option<Spanned<Limit>> {
    let (_, value) = section.take(key)?;
    limit_in(section, key, LIMIT, value, watched)
}

/// Reads an amount, which is greater than 0.
pub(super) fn amount(
    section: &mut Section<'_, '_>,
    key: &str,
    watched: &Watched<'_, '_>,
) -> Option<Spanned<Limit>> {
    let Spanned { value, span } = limit(section, key, watched)?;
    if value.number > 0.0 {
        return Some(Spanned { value, span });
    }
    section.report(span, format_args!("\"{key}\" must be greater than 0; it is {value}"));
    None
}

/// Reads an array of two limits.
pub(super) fn pair(
    section: &mut Section<'_, '_>,
    key: &str,
    watched: &Watched<'_, '_>,
) -> Option<Spanned<(Limit, Limit)>> {
    let (_, value) = section.take(key)?;
    let span = value.span;
    let items = match into_inner(value) {
        ValueInner::Array(items) => items,
        single => {
            section.report_type(key, span, PAIR, &single);
            return None;
        }
    };
    let count = items.len();
    let mut items = items.into_iter();
    let (Some(low), Some(high), None) = (items.next(), items.next(), items.next()) else {
        let message = format_args!("\"{key}\" must be {PAIR}; it has {count}");
        section.report(span, message);
        return None;
    };
    let low = limit_in(section, key, PAIR, low, watched);
    let high = limit_in(section, key, PAIR, high, watched);
    Some(Spanned { value: (low?.value, high?.value), span })
}

fn limit_in(
    section: &Section<'_, '_>,
    key: &str,
    expected: &str,
    value: Value<'_>,
    watched: &Watched<'_, '_>,
) -> Option<Spanned<Limit>> {
    let span = value.span;
    let limit = match into_inner(value) {
        // Exact: configured quantities are far below 2^53.
        ValueInner::Integer(number) => Limit { number: number as f64, unit: None },
        ValueInner::Float(number) if number.is_finite() => Limit { number, unit: None },
        ValueInner::String(text) => {
            let text = section.expand(span, &text)?;
            parse(section, key, &text, span, watched)?
        }
        other => {
            section.report_type(key, span, expected, &other);
            return None;
        }
    };
    check_quantity(section, key, &Spanned { value: limit, span }, watched)
        .then_some(Spanned { value: limit, span })
}

fn parse(
    section: &Section<'_, '_>,
    key: &str,
    text: &str,
    span: Span,
    watched: &Watched<'_, '_>,
) -> Option<Limit> {
    let Some((number, unit)) = divided(text) else {
        section.report(span, format_args!("\"{key}\" must be {LIMIT}; \"{text}\" is neither"));
        return None;
    };
    if unit.is_empty() {
        return Some(Limit { number, unit: None });
    }
    let known = known_unit(unit).or_else(|| watched.label(unit));
    if known.is_none() {
        let advice = advice(unit, Unit::NAMES.iter().copied());
        section.report(span, format_args!("\"{key}\": the unit \"{unit}\" is unknown; {advice}"));
    }
    Some(Limit { number, unit: Some(known?) })
}

/// Divides a text into the finite number that it begins with, and its unit, which may be empty.
fn divided(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return None;
    }
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let longest = text.find(|c: char| !is_of_number(c)).unwrap_or(text.len());
    // `1e3 L` has an exponent, and `3e` would be a unit that begins with an e.
    let (number, unit) = (1..=longest).rev().find_map(|end| {
        let number: f64 = text[..end].parse().ok()?;
        Some((number, &text[end..]))
    })?;
    number.is_finite().then_some((number, unit.trim_start()))
}

/// Returns the unit that a text names: one of the known ones, or the rate of one, such as `ft/h`.
fn known_unit(text: &str) -> Option<Unit> {
    let rate = || Unit::from_input(text.strip_suffix("/h")?.trim_end())?.per_hour();
    Unit::from_input(text).or_else(rate)
}

/// Reports a limit that can be compared with no watched value.
fn check_quantity(
    section: &Section<'_, '_>,
    key: &str,
    limit: &Spanned<Limit>,
    watched: &Watched<'_, '_>,
) -> bool {
    let own = limit.value.unit;
    let span = limit.span;
    let misfit = watched.misfit(&|found| match (own, found) {
        (_, FieldType::Text) => false,
        (None, _) | (Some(_), FieldType::Unknown) => true,
        (Some(own), FieldType::Number(Some(unit))) => own.converts_to(unit),
        (Some(_), FieldType::Number(None) | FieldType::AsSent) => false,
    });
    let (source, found) = match misfit {
        Misfit::None => return true,
        Misfit::Some { source, found, count } => {
            // What it says of `clear` is known from the condition.
            if key != "clear" {
                watched.warn_of_misfit(section, span, key, (source, found), count);
            }
            return true;
        }
        Misfit::All { source, found } => (source, found),
    };
    let field = format!("{}.{}", source.name, watched.field);
    match (found.unit(), own) {
        _ if found == FieldType::Text => section.report(
            span,
            format_args!(
                "\"{key}\" compares numbers, and {field} is a text; compare it by \"equals\" or \"not_equals\""
            ),
        ),
        (Some(unit), Some(own)) => section.report(
            span,
            format_args!(
                "\"{key}\" is in {own}, which does not measure what {field} does; that is in {unit}"
            ),
        ),
        (_, own) => {
            let own = own.map(|unit| format!(" in {unit}")).unwrap_or_default();
            let number = limit.value.number;
            section.report(
                span,
                format_args!("\"{key}\" is{own}, and {field} has no unit; write {key} = {number}"),
            );
        }
    }
    false
}

/// Compares two limits of a rule in the unit of its values; `None` if one of them has that unit, and it is unknown.
pub(super) fn order(
    measure: Measure,
    one: Limit,
    other: Limit,
    watched: &Watched<'_, '_>,
) -> Option<Ordering> {
    let of_values = watched.types().find_map(|(_, found)| found.unit());
    let unit = match (one.unit, other.unit) {
        _ if of_values.is_some() => of_values,
        (None, None) => None,
        (Some(unit), Some(_)) => Some(unit),
        _ => return None,
    };
    let number = |limit: Limit| match measure {
        Measure::Level => limit.level_in(unit),
        Measure::Amount => limit.amount_in(unit),
    };
    number(one)?.partial_cmp(&number(other)?)
}

/// Two limits as the configuration writes them.
pub(super) struct Pair(pub(super) Limit, pub(super) Limit);

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_finite_number_and_its_unit() {
        for (text, expected) in [
            ("300", Some((300.0, ""))),
            ("300 gal", Some((300.0, "gal"))),
            ("300gal", Some((300.0, "gal"))),
            (" -5 degC ", Some((-5.0, "degC"))),
            ("1e3 L", Some((1000.0, "L"))),
            ("1e3L", Some((1000.0, "L"))),
            (".5 in", Some((0.5, "in"))),
            ("+2.5%", Some((2.5, "%"))),
            ("3e", Some((3.0, "e"))),
            ("5 ft3", Some((5.0, "ft3"))),
            ("2 \u{b0}C", Some((2.0, "\u{b0}C"))),
            ("", None),
            ("gal", None),
            ("nan", None),
            ("inf", None),
            ("-inf gal", None),
            ("1e999 gal", None),
            ("--5", None),
        ] {
            assert_eq!(divided(text), expected, "{text:?}");
        }
        assert_eq!(divided(&"1".repeat(65)), None);
    }

    #[test]
    fn rate_of_a_unit_is_known() {
        assert_eq!(known_unit("gal/h"), Some(Unit::UsGallonPerHour));
        assert_eq!(known_unit("ft/h"), Unit::Foot.per_hour());
        assert_eq!(known_unit("mph/h"), None);
        assert_eq!(known_unit("bales"), None);
    }
}
