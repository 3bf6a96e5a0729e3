//! Where things are going: what the page says of the values that were worked out.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::figure::{label, number, short, symbol, whole};
use super::icon::Icon;
use super::state::{Form, time};
use crate::board::{Datum, SourceView, State, Value};
use crate::site::age;
use crate::site::freshness::state_at;
use crate::units::Unit;

/// Changes smaller than that are told as none: less than a sensor is good for.
const STILL: f64 = 0.05;

/// What the page says of one field's past.
struct Subject {
    field: String,
    /// Times to full and empty, and refills, are of this one.
    is_tank: bool,
}

/// Where the source's values go, how they have changed, when it was filled; as much of that as
/// the source shows.
pub(super) fn of_source(source: &SourceView, now: Timestamp) -> Markup {
    html! { @for subject in &subjects(source) { (told(source, subject, now)) } }
}

/// Whether that value is told of by [`of_source`], so that it needs no tile.
pub(super) fn tells(source: &SourceView, name: &str, value: &Value) -> bool {
    let mut derived = source.reading.iter().flat_map(|reading| &reading.derived);
    let is_told = name != "last_refill_amount" || source.shows("last_refill");
    // One that is missing has a reason to tell, if it was asked for by name.
    is_told && value.datum.is_some() && derived.any(|(known, _)| **known == *name)
}

/// The fields that something was worked out of, in order: first rates and changes, then what is
/// of tanks only.
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

fn told(source: &SourceView, subject: &Subject, now: Timestamp) -> Markup {
    let going = going(source, subject);
    let changes = changes(source, &subject.field);
    let refill = refill(source).filter(|_| subject.is_tank);
    if going.is_none() && changes.is_empty() && refill.is_none() {
        return html! {};
    }
    // What was said of the future was said when the source was last observed.
    let old = source.reading.as_ref().filter(|_| state_at(source, now) == State::Stale);
    html! {
        ul.trend {
            @if going.is_some() || !subject.is_tank {
                li.going {
                    // Of a tank it is plain what rises and falls.
                    @if !subject.is_tank { span { (label(&subject.field)) } }
                    @if let Some(going) = going { (going) }
                    @if let Some(reading) = old {
                        span.then { "as of " (time(reading.observed.at, now, Form::Ago)) }
                    }
                }
            }
            @for (over, change, unit) in changes {
                li { span.delta { (signed(change)) " " (symbol(unit)) } " in " (over) }
            }
            @if let Some((at, amount)) = refill {
                li { "Filled " (time(at, now, Form::Ago)) @if let Some(amount) = amount { " by " (amount) } }
            }
        }
    }
}

/// A number that the source shows.
fn shown(source: &SourceView, field: &str) -> Option<(f64, Option<Unit>)> {
    number(source, field).filter(|_| source.shows(field))
}

/// In which direction, how fast, until when.
fn going(source: &SourceView, subject: &Subject) -> Option<Markup> {
    let end = |word: &str, name: &str| {
        let (hours, _) = shown(source, name).filter(|_| subject.is_tank)?;
        Some(format!("{word} in {}", about(hours)))
    };
    let rising = end("full", "time_to_full");
    let ends = end("empty", "time_to_empty").into_iter().chain(rising);
    let (icon, mut words) = match shown(source, &format!("{}_rate", subject.field)) {
        Some((rate, Some(unit))) => {
            let (icon, word) = match rate {
                rate if rate >= STILL => (Icon::Rising, "Rising"),
                rate if rate <= -STILL => (Icon::Falling, "Falling"),
                _ => (Icon::Steady, "Steady"),
            };
            let fast = format!(" {} {}", short(rate.abs()), symbol(unit));
            let fast = if icon == Icon::Steady { String::new() } else { fast };
            (icon, html! { strong { (word) } (fast) })
        }
        _ => (Icon::Waiting, html! {}),
    };
    for end in ends {
        let and = if words.0.is_empty() { "" } else { ", " };
        words = html! { (words) (and) (end) };
    }
    (!words.0.is_empty()).then(|| html! { (icon.show()) span.way { (words) } })
}

/// `2 hours`, `3 days`: as rough as a forecast is.
fn about(hours: f64) -> String {
    // At most a year of hours, by construction.
    age::rough(SignedDuration::from_secs((hours * 3600.0) as i64))
}

/// The changes that are known: over how long, how much.
fn changes(source: &SourceView, field: &str) -> Vec<(String, f64, Unit)> {
    let prefix = format!("{field}_change_");
    let change = |name: &str, value: &Value| {
        let over = name.strip_prefix(&prefix).filter(|_| source.shows(name))?;
        match (&value.datum, value.unit) {
            (Some(Datum::Number(number)), Some(unit)) => Some((spoken(over), number.get(), unit)),
            _ => None,
        }
    };
    source.values().filter_map(|(name, value)| change(name, value)).collect()
}

/// `24h` as `24 h`.
fn spoken(over: &str) -> String {
    let digits = over.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match &over[digits.len()..] {
        "m" => format!("{digits} min"),
        unit => format!("{digits} {unit}"),
    }
}

fn signed(change: f64) -> String {
    let size = if change.abs() >= 100.0 { whole(change) } else { short(change) };
    if change > 0.0 { format!("+{size}") } else { size }
}

fn refill(source: &SourceView) -> Option<(Timestamp, Option<String>)> {
    let last = source.value("last_refill").filter(|_| source.shows("last_refill"))?;
    let Some(Datum::Text(at)) = &last.datum else { return None };
    let amount = shown(source, "last_refill_amount");
    let amount =
        amount.and_then(|(amount, unit)| Some(format!("{} {}", short(amount), symbol(unit?))));
    Some((at.parse().ok()?, amount))
}
