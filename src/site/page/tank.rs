//! A tank: its level in numbers to be read from across the room, and drawn.

use jiff::Timestamp;
use maud::{Markup, html};

use super::card::{frame, tiles};
use super::figure::{number, spelled, whole};
use super::icon::Icon;
use super::trend;
use crate::board::{FieldName, SourceView, Value};

/// At this level and below, in percent, the page says that the tank is low.
const LOW: f64 = 25.0;

/// At this level and below it says so with more urgency.
const VERY_LOW: f64 = 10.0;

/// The level in percent, if that source has one and shows it.
pub(super) fn level(source: &SourceView) -> Option<f64> {
    number(source, "level").filter(|_| source.shows("level")).map(|(level, _)| level)
}

/// The card of a tank.
pub(super) fn card(source: &SourceView, now: Timestamp, past: &Markup) -> Markup {
    let level = level(source);
    let rest: Vec<_> = source
        .shown()
        .into_iter()
        .filter(|(name, value)| {
            !matches!(&**name, "level" | "volume") && !trend::tells(source, name, value)
        })
        .collect();
    let body = html! {
        div.figures {
            @if source.shows("level") { (figure(level)) }
            @if let Some((volume, unit)) = number(source, "volume") && source.shows("volume") {
                p.volume {
                    span.number { (whole(volume)) }
                    @if let Some(unit) = unit { " " span.sign { (spelled(unit)) } }
                }
            }
            (warning(level))
            (missing(source))
            (trend::of_source(source, now))
            @if !rest.is_empty() { (tiles(rest.into_iter())) }
        }
        // Without a level to show, a tank would say that it is not known.
        @if source.shows("level") { (drawing(source, level)) }
    };
    frame(source, "tank", now, &body, past)
}

fn figure(level: Option<f64>) -> Markup {
    html! {
        p.level {
            @match level {
                Some(level) => {
                    span.number { (whole(level)) } span.sign { "%" } span.unseen { " full" }
                }
                None => {
                    span.number.absent aria-hidden="true" { "–" }
                    span.unseen { "Level unknown" }
                }
            }
        }
    }
}

fn warning(level: Option<f64>) -> Markup {
    let (class, words) = match level {
        Some(level) if level <= VERY_LOW => ("urgent", "Very low"),
        Some(level) if level <= LOW => ("low", "Low level"),
        _ => return html! {},
    };
    html! { p.warning.(class) { (Icon::Low.show()) span { (words) } } }
}

/// Why there is no level, where the source has answered without one.
fn missing(source: &SourceView) -> Markup {
    let note = |(name, value): &(FieldName, Value)| match (&**name, &value.datum, &value.note) {
        ("level" | "volume", None, Some(note)) if source.shows(name) => Some(note.clone()),
        _ => None,
    };
    let first = source.values().find_map(note);
    html! {
        @if let Some(note) = first { p.pending { "No reading: " (note) } }
        @else if source.reading.is_none() { p.pending { "No reading yet" } }
    }
}

// The drawing's coordinates: the inside of the tank.
const LEFT: f64 = 34.0;
const RIGHT: f64 = 234.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 364.0;

/// Distance between the rings of the corrugated wall.
const RING: f64 = 24.0;

/// Where a level stands in the drawing. What is beyond the walls is drawn at the wall.
fn height(level: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * level.clamp(0.0, 100.0) / 100.0
}

/// The tank in the drawing of a server that has none.
pub(super) fn empty_drawing() -> Markup {
    svg("none", None)
}

fn drawing(source: &SourceView, level: Option<f64>) -> Markup {
    svg(&source.name, level)
}

/// The ids are made unique by the source's name, for a page may have several tanks.
fn svg(name: &str, level: Option<f64>) -> Markup {
    let inside = format!("inside-{name}");
    let (water, hatch) = (format!("water-{name}"), format!("hatch-{name}"));
    let url = |id: &str| format!("url(#{id})");
    let low = level.is_some_and(|level| level <= LOW);
    html! {
        svg.drawing.unknown[level.is_none()].low[low] viewBox="0 0 300 382" aria-hidden="true"
            focusable="false" {
            defs {
                linearGradient id=(water) x1="0" y1="0" x2="0" y2="1" {
                    stop.shallow offset="0" {}
                    stop.deep offset="1" {}
                }
                pattern id=(hatch) width="10" height="10" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" { rect.stroke width="4" height="10" {} }
                clipPath id=(inside) {
                    rect x=(LEFT) y=(TOP) width=(RIGHT - LEFT) height=(BOTTOM - TOP) rx="8" {}
                }
            }
            path.ground d="M2 376h296" {}
            // The downpipe that brings the rain, and the tap.
            path.pipe d="M10 30v64q0 14 14 14h10" {}
            path.pipe d="M34 340H14v12M14 340v-9M8 330h12" {}
            rect.wall x=(LEFT) y=(TOP) width=(RIGHT - LEFT) height=(BOTTOM - TOP) rx="8" {}
            @if let Some(level) = level {
                g clip-path=(url(&inside)) {
                    path.wave.behind d=(wave(height(level) - 3.0, 7.0)) {}
                    path.wave.front d=(wave(height(level), 5.0)) fill=(url(&water)) {}
                    rect.hatch x=(LEFT) y=(height(level)) width=(RIGHT - LEFT)
                        height=(BOTTOM - height(level)) fill=(url(&hatch)) {}
                }
            }
            g.rings {
                @for ring in 1..12 {
                    @let y = TOP + RING * f64::from(ring);
                    line x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
                }
            }
            path.shine d="M52 96v248" {}
            rect.rim x=(LEFT) y=(TOP) width=(RIGHT - LEFT) height=(BOTTOM - TOP) rx="8" {}
            path.roof d="M26 76L126 38h16L242 76z" {}
            path.vent d="M134 36V24M122 22h24" {}
            path.mark d={ "M" (LEFT) " " (height(LOW)) "H" (RIGHT) } {}
            g.scale {
                @for mark in [0.0, 25.0, 50.0, 75.0, 100.0] {
                    line x1="242" x2="250" y1=(height(mark)) y2=(height(mark)) {}
                    text x="262" y=(height(mark) + 4.0) { (mark) }
                }
            }
            @if let Some(level) = level {
                path.pointer d={ "M238 " (height(level)) "l13 -8v16z" } {}
            }
        }
    }
}

/// The water with waves on top, wider than the tank so that the script-free
/// animation of the style sheet can let it drift.
fn wave(surface: f64, swell: f64) -> String {
    format!("M-166 {surface}q50 -{swell} 100 0t100 0t100 0t100 0t100 0V{BOTTOM}H-166z")
}
