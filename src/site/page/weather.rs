//! The card of the weather: temperature and conditions in large letters, other values below.

use maud::{Markup, html};

use super::amount::{Age, amount, large_amount, remarks};
use super::card::{Placement, frame, pending, tiles};
use super::time::Clock;
use super::{sky, trend, wind};
use crate::board::{SourceView, Value};

/// Fields that the head of the card shows, which need no tile.
const IN_HEAD: [&str; 4] = ["temperature", "conditions", "weather_code", "wind_direction"];

/// Renders the card of a weather station or forecast.
pub(super) fn card(source: &SourceView, clock: Clock<'_>, placement: &Placement) -> Markup {
    let rest: Vec<_> = source
        .shown()
        .into_iter()
        .filter(|(name, value)| {
            !IN_HEAD.contains(&&**name)
                && !wind::contains(source, name)
                && !trend::contains(source, name, value)
        })
        .collect();
    let body = html! {
        @if source.reading.is_none() { (pending()) } @else {
            (head(source, clock))
            (wind::direction(source, clock))
            (tiles(source, rest.into_iter(), clock))
            (trend::trends(source, clock))
        }
    };
    frame(source, "weather", clock, &body, placement)
}

/// Renders the icon of the sky, the temperature and the conditions.
fn head(source: &SourceView, clock: Clock<'_>) -> Markup {
    let temperature = source.value("temperature").filter(|_| source.shows("temperature"));
    let sky = sky::Sky::of(source);
    html! {
        @if sky.is_some() || temperature.is_some() {
            div.sky {
                @if let Some(sky) = &sky { (sky.icon()) }
                div {
                    @if let Some(value) = temperature { (degrees(source, value, clock)) }
                    @if let Some(sky) = &sky { (sky.words(source, clock)) }
                }
            }
        }
    }
}

fn degrees(source: &SourceView, temperature: &Value, clock: Clock<'_>) -> Markup {
    html! {
        @let age = Age::of(source, temperature, clock.now);
        @if temperature.datum.is_some() {
            p.temperature.old[age.is_old] data-old-at=[age.old_at] { (large_amount(temperature)) }
        } @else { p.conditions { "Temperature: " (amount(temperature)) } }
        (remarks(source, temperature, clock))
    }
}
