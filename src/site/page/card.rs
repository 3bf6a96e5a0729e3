//! The frame of every card, and the card for values of any kind.

use jiff::Timestamp;
use maud::{Markup, html};

use super::figure::{datum, label, symbol};
use super::icon::Icon;
use super::{state, trend};
use crate::board::{Datum, FieldName, SourceView, Value};
use crate::site::freshness::state_at;
use crate::units::Unit;

/// The frame: title and state above, both clocks below.
pub(super) fn frame(
    source: &SourceView,
    class: &'static str,
    now: Timestamp,
    body: &Markup,
    past: &Markup,
) -> Markup {
    let id = format!("source-{}", source.name);
    let stale_at = source.reading.as_ref().map(|reading| reading.stale_at);
    html! {
        article.card.(class) aria-labelledby=(id) data-state=(state_at(source, now).as_str())
            data-stale-at=[stale_at.map(|at| at.as_second())] {
            header {
                h2 #(id) { a href={ "/source/" (source.name) } { (source.title) } }
                (state::badge(source, now))
            }
            (state::band(source, now))
            div.parts { div.body { (body) } (past) }
            (state::foot(source, now))
        }
    }
}

/// Any source: its values in the order they came, and where those go that there are trends of.
pub(super) fn generic(source: &SourceView, now: Timestamp, past: &Markup) -> Markup {
    let values =
        source.shown().into_iter().filter(|(name, value)| !trend::tells(source, name, value));
    let body = html! {
        @if source.reading.is_some() {
            (tiles(values))
            (trend::of_source(source, now))
        } @else { (pending()) }
    };
    frame(source, "generic", now, &body, past)
}

/// Where values will stand once there are any.
pub(super) fn pending() -> Markup {
    html! { p.pending { "No reading yet" } }
}

/// Values side by side, each with its name.
pub(super) fn tiles<'a>(values: impl Iterator<Item = &'a (FieldName, Value)>) -> Markup {
    html! { dl.tiles { @for (name, value) in values { (tile(name, value)) } } }
}

fn tile(name: &str, value: &Value) -> Markup {
    html! {
        div {
            dt { @if let Some(icon) = icon_of(name, value.unit) { (icon.show()) } (label(name)) }
            dd { (amount(value)) }
        }
    }
}

/// A value with its unit; a dash and the reason where there is none.
pub(super) fn amount(value: &Value) -> Markup {
    let note = value.note.as_deref();
    html! {
        @match &value.datum {
            Some(Datum::Text(text)) => { span.text { (text) } }
            Some(number) => {
                (datum(number, value.unit)) @if let Some(unit) = value.unit { span.unit { (symbol(unit)) } }
            }
            None => { span.absent { span aria-hidden="true" { "–" } span.unseen { "no value" } } }
        }
        @if let Some(note) = note { small.note { (note) } }
    }
}

fn icon_of(name: &str, unit: Option<Unit>) -> Option<Icon> {
    match (name, unit) {
        ("humidity", _) => Some(Icon::Humidity),
        ("rain", _) => Some(Icon::Rain),
        ("battery", _) => Some(Icon::Battery),
        ("depth", _) => Some(Icon::Depth),
        (_, Some(Unit::Fahrenheit | Unit::Celsius)) => Some(Icon::Thermometer),
        (_, Some(Unit::InchOfMercury | Unit::Hectopascal)) => Some(Icon::Pressure),
        (_, Some(Unit::MilePerHour | Unit::KilometrePerHour | Unit::MetrePerSecond)) => {
            Some(Icon::Wind)
        }
        _ => None,
    }
}
