//! Values as people read them: the number with its unit on one line, and the remarks below it.

use jiff::Timestamp;
use maud::{Markup, html};

use super::time::{AgeFormat, Clock, time};
use crate::board::{Datum, SourceView, Value};
use crate::format::{compact, datum, headline, is_sign, suffix, symbol, unit_name};
use crate::site::freshness::{is_later, stale_at};
use crate::units::Unit;

/// Length of the shortest and the longest amount that the style sheet has a size for.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=24;

/// Width of a letter of a unit, as a share of that of a digit: units are printed smaller.
const UNIT_SHARE: f64 = 0.62;

/// Renders a value with its unit, or a dash. Its remarks are not included.
pub(super) fn amount(value: &Value) -> Markup {
    rendered(value, datum, symbol)
}

/// Renders a value for large digits: fewer decimals, and the name of its unit in place of the symbol.
pub(super) fn large_amount(value: &Value) -> Markup {
    let number = |sent: &Datum, unit: Option<Unit>| match sent {
        Datum::Number(number) if unit != Some(Unit::Bool) => headline(number.get()),
        other => datum(other, unit),
    };
    rendered(value, number, unit_name)
}

/// Returns the value in a few words, for a title: `85%`, `84 mm`, `FULL`.
pub(super) fn amount_in_words(value: &Value) -> Option<String> {
    const MAX_TEXT: usize = 24;
    let number = match value.datum.as_ref()? {
        Datum::Text(text) if text.chars().count() > MAX_TEXT => {
            text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
        }
        Datum::Number(number) if value.unit != Some(Unit::Bool) => headline(number.get()),
        other => datum(other, value.unit),
    };
    Some(format!("{number}{}", suffix(value.unit)))
}

fn rendered(
    value: &Value,
    number: impl Fn(&Datum, Option<Unit>) -> String,
    unit: impl Fn(Unit) -> &'static str,
) -> Markup {
    html! {
        @match &value.datum {
            Some(Datum::Text(text)) => { span.text { (text) } }
            Some(sent) => { (on_one_line(&number(sent, value.unit), value.unit.map_or("", unit))) }
            None => { span.absent { span aria-hidden="true" { "–" } span.unseen { "no value" } } }
        }
    }
}

/// Renders a number and its unit, which a line break must not separate. The style sheet selects a
/// size by the length, so that both fit.
fn on_one_line(number: &str, unit: &str) -> Markup {
    html! {
        span.amount data-length=(length(number, unit)) {
            span.number { (number) }
            @if !unit.is_empty() {
                @if !is_sign(unit) { " " }
                span.unit.sign[is_sign(unit)] { (unit) }
            }
        }
    }
}

/// Returns the length of a number with its unit, in digits.
fn length(number: &str, unit: &str) -> usize {
    let unit_length = unit.chars().count() + usize::from(!unit.is_empty() && !is_sign(unit));
    let length = number.chars().count() as f64 + unit_length as f64 * UNIT_SHARE;
    // The cast is exact: a length of a few hundred at most.
    (length.ceil() as usize).clamp(*LENGTHS.start(), *LENGTHS.end())
}

/// Returns a note with the number that it is about as pages show numbers: `-1234.5 degF is not possible` as
/// `−1,234°F is not possible`. The note itself has the number and the unit for programs.
pub(super) fn note_in_words(note: &str) -> String {
    let parts = note.split("; ").map(|part| about_number(part).unwrap_or_else(|| part.to_owned()));
    parts.collect::<Vec<_>>().join("; ")
}

/// Returns a note that begins with a number, an optional unit and a verb.
fn about_number(note: &str) -> Option<String> {
    // A number that stands for no measurement is a code, which is shown as it was sent.
    let is_verb = |text: &str| text.starts_with("is ");
    let (number, rest) = note.split_once(' ')?;
    let number = compact(number.parse().ok().filter(|number: &f64| number.is_finite())?);
    if is_verb(rest) {
        return Some(format!("{number} {rest}"));
    }
    let (unit, rest) = rest.split_once(' ').filter(|(_, rest)| is_verb(rest))?;
    let unit = Unit::from_recorded(unit)?;
    Some(format!("{number}{} {rest}", suffix(Some(unit))))
}

/// Returns true if an amount needs the width of several tiles.
pub(super) fn is_long(value: &Value) -> bool {
    const MAX_LENGTH: usize = 11;
    match &value.datum {
        Some(sent @ Datum::Number(_)) => {
            length(&datum(sent, value.unit), value.unit.map_or("", symbol)) > MAX_LENGTH
        }
        Some(Datum::Text(text)) => text.chars().count() > 2 * MAX_LENGTH,
        None => false,
    }
}

/// Age of a value with its own time, as the style sheet and the script see it. All other values have the
/// default: the card says how old its reading is.
#[derive(Clone, Copy, Default)]
pub(super) struct Age {
    /// True if the value is older than readings of the source may be.
    pub(super) is_old: bool,
    /// Second at which the script marks the value as old.
    pub(super) old_at: Option<i64>,
}

impl Age {
    /// Returns the age of a value at `now`.
    pub(super) fn of(source: &SourceView, value: &Value, now: Timestamp) -> Age {
        let old_at = own_stale_at(source, value);
        let is_later = value.observed.is_some_and(|own| is_later(own.at, now));
        let is_old = old_at.is_some_and(|at| now >= at || is_later);
        Age { is_old, old_at: old_at.map(Timestamp::as_second) }
    }
}

/// Returns the time at which a value with its own time turns stale.
fn own_stale_at(source: &SourceView, value: &Value) -> Option<Timestamp> {
    let reading = source.reading.as_ref()?;
    let own = value.observed.filter(|own| own.at != reading.observed.at);
    own.map(|_| stale_at(reading, value))
}

/// Renders the remarks on a value: its note, and its own time if it has one.
pub(super) fn remarks(source: &SourceView, value: &Value, clock: Clock<'_>) -> Markup {
    html! {
        @if let Some(note) = &value.note { small.note { (note_in_words(note)) } }
        (own_age(source, value, clock))
    }
}

/// Renders the age of a value that has its own time, and marks it if it is older than readings of the
/// source may be.
pub(super) fn own_age(source: &SourceView, value: &Value, clock: Clock<'_>) -> Markup {
    let Age { is_old, old_at } = Age::of(source, value, clock.now);
    html! {
        @if let Some(own) = value.observed && let Some(old_at) = old_at {
            small.note.old[is_old] data-old-at=(old_at) {
                span { @if is_old { "Stale, observed" } @else { "Observed" } } " "
                (time(own.at, clock, AgeFormat::Ago))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_about_a_number_has_it_as_pages_show_numbers() {
        for (note, words) in [
            ("-1234.5 degF is not possible", "−1,234°F is not possible"),
            ("-9999 hPa stands for no measurement", "-9999 hPa stands for no measurement"),
            ("-9999 stands for no measurement", "-9999 stands for no measurement"),
            (
                "1.7e308 is beyond what can be measured",
                "1.7 × 10³⁰⁸ is beyond what can be measured",
            ),
            ("the clock is late; 255 % is not possible", "the clock is late; 255% is not possible"),
            ("3 in a row is too many", "3 in a row is too many"),
            ("-5 xyzzy", "-5 xyzzy"),
            ("sent as null", "sent as null"),
        ] {
            assert_eq!(note_in_words(note), words);
        }
    }
}
