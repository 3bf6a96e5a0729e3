//! Chooses the card that suits a source.

use jiff::Timestamp;
use maud::Markup;

use super::{card, tank, weather};
use crate::board::SourceView;

/// Renders the card of a source, with `chart` below its values.
///
/// The kind decides for upstreams of tanks and weather, also before the first reading; otherwise the
/// fields of the reading decide.
pub(super) fn source_card(source: &SourceView, now: Timestamp, chart: &Markup) -> Markup {
    let has = |field: &str| source.value(field).is_some();
    match source.kind {
        "ptlevel" | "ptdevices" => tank::card(source, now, chart),
        "open-meteo" | "nws" | "ambient" => weather::card(source, now, chart),
        _ if has("level") => tank::card(source, now, chart),
        _ if has("conditions") || has("weather_code") => weather::card(source, now, chart),
        _ => card::generic(source, now, chart),
    }
}
