//! The direction of the wind, as an arrow and in words.

use maud::{Markup, html};

use super::amount::{amount, remarks};
use super::number::number;
use super::time::Clock;
use crate::board::{Datum, SourceView};
use crate::format::{compass_point, datum, is_compass_point, suffix, whole};
use crate::units::{Quantity, Unit};

/// Renders the direction of the wind; nothing if the source has or shows none.
///
/// A calm has no direction. Sensors report the last one then, 0, which would be north, or null.
pub(super) fn direction(source: &SourceView, clock: Clock<'_>) -> Markup {
    let Some(value) = source.value("wind_direction").filter(|_| source.shows("wind_direction"))
    else {
        return html! {};
    };
    if is_calm(source) && !matches!(value.datum, Some(Datum::Text(_))) {
        return html! {
            p.vane { (arrow(None)) span { "Calm" } }
            @if value.datum.is_some() { (remarks(source, value, clock)) }
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
                        (speeds(source))
                    }
                }
            }
            (Some(Datum::Text(text)), _) if text.eq_ignore_ascii_case("calm") => {
                p.vane { (arrow(None)) span { "Calm" } }
            }
            (Some(Datum::Text(text)), _) if is_compass_point(text) => {
                p.vane { (arrow(None)) span { "Wind from " (text) (speeds(source)) } }
            }
            // Not the name of a direction: `VRB`, or an abbreviation of another language.
            _ => { p.vane { (arrow(None)) span { "Wind direction: " (amount(value)) } } }
        }
        (remarks(source, value, clock))
    }
}

/// Returns true if the value needs no tile: the sentence about the direction has all of it.
pub(super) fn contains(source: &SourceView, name: &str) -> bool {
    let has_speeds = source.shows("wind_direction")
        && source.value("wind_direction").is_some_and(|value| match &value.datum {
            Some(Datum::Number(degrees)) => {
                matches!(value.unit, Some(Unit::Degree) | None) && is_angle(degrees.get())
            }
            Some(Datum::Text(text)) => is_compass_point(text),
            None => false,
        });
    has_speeds
        && !is_calm(source)
        && matches!(name, "wind_speed" | "wind_gust")
        && speed(source, name).is_some()
}

/// Returns true if the wind has no speed.
fn is_calm(source: &SourceView) -> bool {
    number(source, "wind_speed").is_some_and(|(speed, _)| speed == 0.0)
}

/// Returns a speed in words if there is no more to it: notes and times of its own need a tile.
fn speed(source: &SourceView, field: &str) -> Option<(String, Unit)> {
    let value = source.value(field).filter(|_| source.shows(field))?;
    let is_plain = value.note.is_none() && value.observed.is_none();
    let unit = value.unit.filter(|unit| is_plain && unit.quantity() == Quantity::Speed)?;
    let sent = value.datum.as_ref().filter(|sent| matches!(sent, Datum::Number(_)))?;
    Some((datum(sent, Some(unit)), unit))
}

/// Renders the speeds behind a direction: `, 9.4 mph, gusts 14`.
fn speeds(source: &SourceView) -> Markup {
    let (mean, gust) = (speed(source, "wind_speed"), speed(source, "wind_gust"));
    html! {
        @if let Some((number, unit)) = &mean { ", " (number) (suffix(Some(*unit))) }
        @if let Some((number, unit)) = &gust {
            ", gusts " (number)
            @if mean.as_ref().is_none_or(|(_, of_mean)| of_mean != unit) { (suffix(Some(*unit))) }
        }
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
