//! Chooses the card that suits a source.

use jiff::Timestamp;
use maud::Markup;

use super::{card, tank, weather};
use crate::board::SourceView;

/// The card that suits what a source measures. One that has not answered yet is
/// known by its kind only.
pub(super) fn card_of(source: &SourceView, now: Timestamp, past: &Markup) -> Markup {
    let has = |field: &str| source.value(field).is_some();
    match source.kind {
        "ptlevel" | "ptdevices" => tank::card(source, now, past),
        "open-meteo" | "nws" | "ambient" => weather::card(source, now, past),
        _ if has("level") => tank::card(source, now, past),
        _ if has("conditions") || has("weather_code") => weather::card(source, now, past),
        _ => card::generic(source, now, past),
    }
}
