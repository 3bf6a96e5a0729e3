//! The frame of every card, and the card of a source of any kind.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use super::{status, trend};
use crate::board::{Datum, FieldName, SourceView, Value};
use crate::site::format::{datum, field_label, symbol};
use crate::site::freshness::state_at;
use crate::units::Unit;

/// Parts of a card that depend on the page that it is on.
pub(super) struct Placement {
    /// Chart below the values; may be empty.
    pub(super) chart: Markup,
    /// Query of the link to the source's page: it keeps the range of the charts.
    pub(super) query: String,
}

/// Renders a card: title and state above `body` and the chart, times and failure below.
pub(super) fn frame(
    source: &SourceView,
    class: &'static str,
    now: Timestamp,
    body: &Markup,
    placement: &Placement,
) -> Markup {
    let id = format!("source-{}", source.name);
    let stale_at = source.reading.as_ref().map(|reading| reading.stale_at);
    html! {
        article.card.(class) aria-labelledby=(id) data-state=(state_at(source, now).as_str())
            data-stale-at=[stale_at.map(|at| at.as_second())] {
            header {
                h2 #(id) { a href={ "/source/" (source.name) (placement.query) } { (source.title) } }
                (status::badge(source, now))
            }
            (status::stale_band(source, now))
            div.parts { div.body { (body) } (placement.chart) }
            (status::foot(source, now))
        }
    }
}

/// Renders the card of a source of any kind: its values in their order, then its trends.
pub(super) fn generic(source: &SourceView, now: Timestamp, placement: &Placement) -> Markup {
    let values =
        source.shown().into_iter().filter(|(name, value)| !trend::contains(source, name, value));
    let body = html! {
        @if source.reading.is_some() {
            (tiles(values))
            (trend::trends(source, now))
        } @else { (pending()) }
    };
    frame(source, "generic", now, &body, placement)
}

/// Renders the body of a card without a reading.
pub(super) fn pending() -> Markup {
    html! { p.pending { "No reading yet" } }
}

/// Renders values side by side, each with its label.
pub(super) fn tiles<'a>(values: impl Iterator<Item = &'a (FieldName, Value)>) -> Markup {
    html! { dl.tiles { @for (name, value) in values { (tile(name, value)) } } }
}

fn tile(name: &str, value: &Value) -> Markup {
    html! {
        div {
            dt {
                @if let Some(icon) = icon_of(name, value.unit) { (icon.render()) }
                (field_label(name))
            }
            dd { (amount(value)) }
        }
    }
}

/// Renders a value with its unit, or a dash, and the value's note.
pub(super) fn amount(value: &Value) -> Markup {
    let note = value.note.as_deref();
    html! {
        @match &value.datum {
            Some(Datum::Text(text)) => { span.text { (text) } }
            Some(number) => {
                (datum(number, value.unit))
                @if let Some(unit) = value.unit { span.unit { (symbol(unit)) } }
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
