//! Chooses the card that suits a source.

use jiff::Timestamp;
use maud::Markup;

use super::card::Placement;
use super::{card, tank, weather};
use crate::board::SourceView;

/// Renders the card of a source, at its place on a page.
///
/// The kind decides for upstreams of tanks and weather, also before the first reading; otherwise the
/// fields of the reading decide.
pub(super) fn source_card(source: &SourceView, now: Timestamp, placement: &Placement) -> Markup {
    let has = |field: &str| source.value(field).is_some();
    match source.kind {
        "ptlevel" | "ptdevices" => tank::card(source, now, placement),
        "open-meteo" | "nws" | "ambient" => weather::card(source, now, placement),
        _ if has("level") => tank::card(source, now, placement),
        _ if has("conditions") || has("weather_code") => weather::card(source, now, placement),
        _ => card::generic(source, now, placement),
    }
}
