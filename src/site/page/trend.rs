//! Trends of a source: the rate of change, times to full and empty, changes, and the last refill.
//!
//! These are the values that the board derives from the observations. A value that is part of a
//! sentence here gets no tile.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::icon::Icon;
use super::number::shown_number;
use super::time::{AgeFormat, Clock, time};
use crate::board::{Datum, SourceView, State, Value};
use crate::format::{coarse_duration, compact, field_label, signed, suffix};
use crate::site::freshness::{is_value_stale, state_at};
use crate::units::Unit;

/// Rate below which a value is called steady: sensors do not resolve less.
const STEADY_RATE: f64 = 0.05;

/// A field with derived values.
struct Subject {
    field: String,
    /// True for the field that times to full and empty, and refills, are about.
    is_tank: bool,
}

/// Renders the trends that the source is configured to show.
pub(super) fn trends(source: &SourceView, clock: Clock<'_>) -> Markup {
    html! { @for subject in &subjects(source) { (trend(source, subject, clock)) } }
}

/// Returns true if [`trends`] contains the value, so that it needs no tile.
pub(super) fn contains(source: &SourceView, name: &str, value: &Value) -> bool {
    let mut derived = source.reading.iter().flat_map(|reading| &reading.derived);
    let is_of_refill = matches!(name, "last_refill_began" | "last_refill_amount");
    let is_in_sentence = !is_of_refill || source.shows("last_refill");
    // A null has a note instead, which a tile shows if the field is configured to be shown.
    is_in_sentence && value.datum.is_some() && derived.any(|(field, _)| **field == *name)
}

/// Returns the fields with derived values, in order.
///
/// The board derives the rate and the changes of each field, then, once, the times and refills of a
/// tank: these follow the field that they are about.
fn subjects(source: &SourceView) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    let mut has_tank = false;
    for (name, _) in source.reading.iter().flat_map(|reading| &reading.derived) {
        let rate = name.strip_suffix("_rate");
        let field = rate.or_else(|| Some(name.split_once("_change_")?.0));
        match (field, subjects.last_mut()) {
            (Some(field), last) if last.as_ref().is_none_or(|last| last.field != field) => {
                subjects.push(Subject { field: field.to_owned(), is_tank: false });
            }
            (None, Some(last)) if !has_tank => {
                has_tank = true;
                last.is_tank = true;
            }
            _ => {}
        }
    }
    subjects
}

fn trend(source: &SourceView, subject: &Subject, clock: Clock<'_>) -> Markup {
    let direction = direction(source, subject);
    let changes = changes(source, &subject.field);
    let refill = refill(source).filter(|_| subject.is_tank);
    if direction.is_none() && changes.is_empty() && refill.is_none() {
        return html! {};
    }
    let as_of = stale_since(source, &subject.field, clock.now);
    html! {
        ul.trend {
            @if direction.is_some() || !subject.is_tank {
                li.going {
                    // The card of a tank needs no label for the water.
                    @if !subject.is_tank { span { (field_label(&subject.field)) } }
                    @if let Some(direction) = direction { (direction) }
                    @if let Some(at) = as_of {
                        span.then { "as of " (time(at, clock, AgeFormat::Ago)) }
                    }
                }
            }
            @for (over, change, unit) in changes {
                li { span.delta { (signed(change)) (suffix(Some(unit))) } " in " (over) }
            }
            @if let Some(refill) = &refill { li { (refill_sentence(refill, clock)) } }
        }
    }
}

/// Returns the time of the latest observation of a field if it is stale: a forecast is from that time.
fn stale_since(source: &SourceView, field: &str, now: Timestamp) -> Option<Timestamp> {
    let reading = source.reading.as_ref()?;
    let value = source.value(field);
    let is_stale = match value {
        Some(value) => is_value_stale(source, value, now),
        None => state_at(source, now) == State::Stale,
    };
    let observed = value.and_then(|value| value.observed).unwrap_or(reading.observed);
    is_stale.then_some(observed.at)
}

/// Renders the direction, the rate, and the time until full or empty.
fn direction(source: &SourceView, subject: &Subject) -> Option<Markup> {
    let end = |word: &str, name: &str| {
        let (hours, _) = shown_number(source, name).filter(|_| subject.is_tank)?;
        Some(format!("{word} in {}", rough_hours(hours)))
    };
    let rising = end("full", "time_to_full");
    let ends = end("empty", "time_to_empty").into_iter().chain(rising);
    let (icon, mut words) = match shown_number(source, &format!("{}_rate", subject.field)) {
        Some((rate, Some(unit))) => {
            let (icon, word) = match rate {
                rate if rate >= STEADY_RATE => (Icon::Rising, "Rising"),
                rate if rate <= -STEADY_RATE => (Icon::Falling, "Falling"),
                _ => (Icon::Steady, "Steady"),
            };
            let speed = match icon {
                Icon::Steady => String::new(),
                _ => format!(" {}{}", compact(rate.abs()), suffix(Some(unit))),
            };
            (icon, html! { strong { (word) } (speed) })
        }
        _ => (Icon::Waiting, html! {}),
    };
    for end in ends {
        let separator = if words.0.is_empty() { "" } else { ", " };
        words = html! { (words) (separator) (end) };
    }
    (!words.0.is_empty()).then(|| html! { (icon.render()) span.way { (words) } })
}

/// Returns a duration as precise as a forecast is: `2 hours`, `3 days`.
fn rough_hours(hours: f64) -> String {
    // The board forecasts at most a year, so the cast is exact.
    coarse_duration(SignedDuration::from_secs((hours * 3600.0) as i64))
}

/// Returns the known changes of a field: the period, the change and its unit.
fn changes(source: &SourceView, field: &str) -> Vec<(String, f64, Unit)> {
    let prefix = format!("{field}_change_");
    let change = |name: &str, value: &Value| {
        let over = name.strip_prefix(&prefix).filter(|_| source.shows(name))?;
        match (&value.datum, value.unit) {
            (Some(Datum::Number(number)), Some(unit)) => Some((spaced(over), number.get(), unit)),
            _ => None,
        }
    };
    source.values().filter_map(|(name, value)| change(name, value)).collect()
}

/// Returns `24h` as `24 h`.
fn spaced(over: &str) -> String {
    let digits = over.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match &over[digits.len()..] {
        "m" => format!("{digits} min"),
        unit => format!("{digits} {unit}"),
    }
}

/// Rise of a tank.
struct Refill {
    began: Option<Timestamp>,
    ended: Timestamp,
    amount: Option<String>,
}

/// Rises that took less time are shown without it.
const LONG_RISE: SignedDuration = SignedDuration::from_hours(1);

/// Returns the last refill.
fn refill(source: &SourceView) -> Option<Refill> {
    let time = |field: &str| match &source.value(field)?.datum {
        Some(Datum::Text(at)) => at.parse().ok(),
        _ => None,
    };
    let ended = time("last_refill").filter(|_| source.shows("last_refill"))?;
    let amount = shown_number(source, "last_refill_amount");
    let amount = amount.filter(|(_, unit)| unit.is_some());
    let amount = amount.map(|(amount, unit)| format!("{}{}", compact(amount), suffix(unit)));
    Some(Refill { began: time("last_refill_began"), ended, amount })
}

/// Renders `Filled by 842 gal, 5 hours ago`, and for a long rise its length:
/// `Filled by 24,511 L over 4 days, until 2 hours ago`.
fn refill_sentence(refill: &Refill, clock: Clock<'_>) -> Markup {
    let length = refill.began.map(|began| refill.ended.duration_since(began));
    let length = length.filter(|&length| length >= LONG_RISE);
    html! {
        "Filled"
        @if let Some(amount) = &refill.amount { " by " (amount) }
        @match length {
            Some(length) => { " over " (coarse_duration(length)) ", until " }
            None if refill.amount.is_some() => { ", " }
            None => { " " }
        }
        (time(refill.ended, clock, AgeFormat::Ago))
    }
}
