//! Chooses the card that suits a source.

use maud::Markup;

use super::card::{Placement, Shape};
use super::time::Clock;
use super::{card, tank, weather};
use crate::board::SourceView;

/// Card of a kind of source.
#[derive(Clone, Copy)]
enum Card {
    Tank,
    Weather,
    Generic,
}

/// Selects the card. The kind decides for upstreams of tanks and weather, also before the first
/// reading; otherwise the fields of the reading decide.
fn select(source: &SourceView) -> Card {
    let has = |field: &str| source.value(field).is_some();
    match source.kind {
        "ptlevel" | "ptdevices" => Card::Tank,
        "open-meteo" | "nws" | "ambient" => Card::Weather,
        _ if has("level") => Card::Tank,
        _ if has("conditions") || has("weather_code") => Card::Weather,
        _ => Card::Generic,
    }
}

/// Renders the card of a source, at its place on a page.
pub(super) fn source_card(source: &SourceView, clock: Clock<'_>, placement: &Placement) -> Markup {
    match select(source) {
        Card::Tank => tank::card(source, clock, placement),
        Card::Weather => weather::card(source, clock, placement),
        Card::Generic => card::generic(source, clock, placement),
    }
}

/// Returns the shape of the card of a source, with or without a drawn chart.
pub(super) fn shape(source: &SourceView, has_chart: bool) -> Shape {
    match select(source) {
        _ if source.reading.is_none() => Shape::Empty,
        Card::Tank if tank::is_drawn(source) => Shape::Tank,
        _ if has_chart => Shape::Charted,
        Card::Weather => Shape::Weather,
        Card::Tank | Card::Generic => Shape::Plain,
    }
}
