//! The frame of every card, and the card of a source of any kind.

use maud::{Markup, html};

use super::amount::{Age, amount, is_long, remarks};
use super::grid::Width;
use super::icon::Icon;
use super::time::Clock;
use super::{status, trend};
use crate::board::{FieldName, SourceView, Value};
use crate::format::{field_label, last};
use crate::site::freshness::state_at;
use crate::units::{Quantity, Unit};

/// Shape of a card, which decides its place on the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A tank with its drawing.
    Tank,
    /// Values and a drawn chart.
    Charted,
    /// Weather without a chart.
    Weather,
    /// Other values without a chart, which are low.
    Plain,
    /// No values yet.
    Empty,
}

/// Parts of a card that depend on the page that it is on.
pub(super) struct Placement {
    /// Width of the card.
    pub(super) width: Width,
    /// Chart below the values; may be empty.
    pub(super) chart: Markup,
    /// Relative reference from the page to the root of the site.
    pub(super) root: String,
    /// Query of the link to the source's page: it keeps the range of the charts.
    pub(super) query: String,
}

/// Renders a card: title and state, a failure, `body` and the chart, and the times.
pub(super) fn frame(
    source: &SourceView,
    class: &'static str,
    clock: Clock<'_>,
    body: &Markup,
    placement: &Placement,
) -> Markup {
    let id = format!("source-{}", source.name);
    let stale_at = source.reading.as_ref().map(|reading| reading.stale_at);
    let is_half = placement.width == Width::Half;
    let failing = source.error.is_some().then_some("true");
    html! {
        article.card.(class) aria-labelledby=(id) data-state=(state_at(source, clock.now).as_str())
            data-failing=[failing] data-width=[is_half.then_some("half")]
            data-stale-at=[stale_at.map(|at| at.as_second())] {
            header {
                h2 #(id) { a href={ (placement.root) "source/" (source.name) (placement.query) } { (source.title) } }
                (status::badge(source, clock.now))
            }
            (status::failure_notice(source, clock))
            (status::stale_band(source, clock))
            div.parts { div.body { (body) } (placement.chart) }
            (status::foot(source, clock))
        }
    }
}

/// Most values of a card that is low: they share a row.
const MAX_BRIEF: usize = 4;

/// Renders the card of a source of any kind: its values in their order, then its trends.
pub(super) fn generic(source: &SourceView, clock: Clock<'_>, placement: &Placement) -> Markup {
    let shown = source.shown().into_iter();
    let values: Vec<_> =
        shown.filter(|(name, value)| !trend::contains(source, name, value)).collect();
    let trends = trend::trends(source, clock);
    let is_brief = values.len() <= MAX_BRIEF && trends.0.is_empty();
    let body = html! {
        @if source.reading.is_some() {
            (tiles(source, values.into_iter(), clock))
            (trends)
        } @else { (pending()) }
    };
    let class = if is_brief { "generic brief" } else { "generic" };
    frame(source, class, clock, &body, placement)
}

/// Renders the body of a card without a reading.
pub(super) fn pending() -> Markup {
    html! { p.pending { "No reading yet" } }
}

/// Renders values side by side, each with its label and its remarks.
pub(super) fn tiles<'a>(
    source: &SourceView,
    values: impl Iterator<Item = &'a (FieldName, Value)>,
    clock: Clock<'_>,
) -> Markup {
    let values: Vec<_> = values.filter(|(name, value)| !is_foreign(source, name, value)).collect();
    // The style sheet fills the rows of tiles of the same width.
    let count = (!values.iter().any(|(_, value)| is_long(value))).then_some(values.len());
    html! {
        @if !values.is_empty() {
            dl.tiles data-count=[count] { @for (name, value) in values { (tile(source, name, value, clock)) } }
        }
    }
}

/// Returns true for a quantity that the device does not measure: devices of this vendor differ in
/// their sensors, and the response has only those that the device has.
fn is_foreign(source: &SourceView, name: &str, value: &Value) -> bool {
    let is_requested = source.show.iter().any(|shown| **shown == *name);
    source.kind == "ptdevices" && value.is_unsent() && !is_requested
}

fn tile(source: &SourceView, name: &str, value: &Value, clock: Clock<'_>) -> Markup {
    html! {
        div class=[is_long(value).then_some("long")] data-key=(name) {
            dt {
                @if let Some(icon) = icon_of(name, value.unit) { (icon.render()) }
                (field_label(name))
                @if let Some(period) = value.period { ", " (last(period)) }
            }
            @let age = Age::of(source, value, clock.now);
            dd class=[age.is_old.then_some("old")] data-old-at=[age.old_at] {
                (amount(value)) (remarks(source, value, clock))
            }
        }
    }
}

fn icon_of(name: &str, unit: Option<Unit>) -> Option<Icon> {
    match (name, unit.map(Unit::quantity)) {
        ("humidity", _) => Some(Icon::Humidity),
        ("battery", _) => Some(Icon::Battery),
        ("depth", _) => Some(Icon::Depth),
        (name, _) if name == "rain" || name.starts_with("rain_") => Some(Icon::Rain),
        (_, Some(Quantity::Temperature)) => Some(Icon::Thermometer),
        (_, Some(Quantity::Pressure)) => Some(Icon::Pressure),
        (name, Some(Quantity::Speed)) if name.starts_with("wind") => Some(Icon::Wind),
        _ => None,
    }
}
