//! Where things are going: what the page says of the values that were worked out.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::figure::{number, short, symbol, whole};
use super::icon::Icon;
use super::state::{Form, time};
use crate::board::{Datum, SourceView, Value};
use crate::site::age;
use crate::units::Unit;

/// Changes smaller than that are told as none: less than a sensor is good for.
const STILL: f64 = 0.05;

/// What is known of a tank's content: where it goes, how it has changed, when it was filled.
pub(super) fn of_tank(source: &SourceView, now: Timestamp) -> Markup {
    let Some(content) = content(source) else { return html! {} };
    let rate = number(source, &format!("{content}_rate"));
    let changes = changes(source, content);
    let refill = refill(source);
    if rate.is_none() && changes.is_empty() && refill.is_none() {
        return html! {};
    }
    html! {
        ul.trend {
            @if let Some((rate, Some(unit))) = rate { li.going { (going(source, rate, unit)) } }
            @for (over, change, unit) in changes {
                li { span.delta { (signed(change)) " " (symbol(unit)) } " in " (over) }
            }
            @if let Some((at, amount)) = refill {
                li { "Filled " (time(at, now, Form::Ago)) @if let Some(amount) = amount { " by " (amount) } }
            }
        }
    }
}

/// Which field the trend is of.
fn content(source: &SourceView) -> Option<&'static str> {
    ["volume", "level"].into_iter().find(|field| source.value(&format!("{field}_rate")).is_some())
}

fn going(source: &SourceView, rate: f64, unit: Unit) -> Markup {
    let end = |field| number(source, field).map(|(hours, _)| hours);
    let (icon, word) = match rate {
        rate if rate >= STILL => (Icon::Rising, "Rising"),
        rate if rate <= -STILL => (Icon::Falling, "Falling"),
        _ => (Icon::Steady, "Steady"),
    };
    html! {
        (icon.show())
        span {
            strong { (word) }
            @if icon != Icon::Steady { " " (short(rate.abs())) " " (symbol(unit)) }
            @if let Some(hours) = end("time_to_empty") { ", empty in " (about(hours)) }
            @if let Some(hours) = end("time_to_full") { ", full in " (about(hours)) }
        }
    }
}

/// `2 hours`, `3 days`: as rough as a forecast is.
fn about(hours: f64) -> String {
    // At most a year of hours, by construction.
    age::rough(SignedDuration::from_secs((hours * 3600.0) as i64))
}

/// The changes that are known: over how long, how much.
fn changes(source: &SourceView, content: &str) -> Vec<(String, f64, Unit)> {
    let prefix = format!("{content}_change_");
    let change = |name: &str, value: &Value| {
        let over = name.strip_prefix(&prefix)?;
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
    let Some(Datum::Text(at)) = &source.value("last_refill")?.datum else { return None };
    let amount = number(source, "last_refill_amount");
    let amount =
        amount.and_then(|(amount, unit)| Some(format!("{} {}", short(amount), symbol(unit?))));
    Some((at.parse().ok()?, amount))
}
