//! The direction of the wind, as an arrow and in words.

use jiff::Timestamp;
use maud::{Markup, html};

use super::amount::{amount, remarks};
use super::number::number;
use crate::board::{Datum, SourceView};
use crate::site::format::{compass_point, whole};
use crate::units::Unit;

/// Renders the direction of the wind; nothing if the source has or shows none.
///
/// A calm has no direction. Sensors report the last one then, 0, which would be north, or null.
pub(super) fn direction(source: &SourceView, now: Timestamp) -> Markup {
    let Some(value) = source.value("wind_direction").filter(|_| source.shows("wind_direction"))
    else {
        return html! {};
    };
    let is_calm = number(source, "wind_speed").is_some_and(|(speed, _)| speed == 0.0);
    if is_calm && !matches!(value.datum, Some(Datum::Text(_))) {
        return html! {
            p.vane { (arrow(None)) span { "Calm" } }
            @if value.datum.is_some() { (remarks(source, value, now)) }
        };
    }
    html! {
        @match (&value.datum, value.unit) {
            (Some(Datum::Number(sent)), Some(Unit::Degree) | None) if is_angle(sent.get()) => {
                @let degrees = sent.get();
                p.vane {
                    (arrow(Some(degrees)))
                    span {
                        "Wind from " (compass_point(degrees)) " "
                        span.quiet { (whole(degrees)) "°" }
                    }
                }
            }
            (Some(Datum::Text(text)), _) if text.eq_ignore_ascii_case("calm") => {
                p.vane { (arrow(None)) span { "Calm" } }
            }
            (Some(Datum::Text(text)), _) => {
                p.vane { (arrow(None)) span { "Wind from " (text) } }
            }
            _ => { p.vane { (arrow(None)) span { "Wind direction " (amount(value)) } } }
        }
        (remarks(source, value, now))
    }
}

/// Returns true for an angle as compasses and sensors report it.
fn is_angle(degrees: f64) -> bool {
    (-360.0..=360.0).contains(&degrees)
}

/// Renders a compass, with an arrow if the direction is a known angle.
fn arrow(degrees: Option<f64>) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            circle cx="12" cy="12" r="10.5" {}
            @if let Some(degrees) = degrees {
                // The direction is where the wind comes from; the arrow points where it goes.
                path transform={ "rotate(" (degrees) " 12 12)" } d="M12 19l-4.5-12L12 9.5 16.5 7z" {}
            } @else {
                circle.still cx="12" cy="12" r="2" {}
            }
        }
    }
}
