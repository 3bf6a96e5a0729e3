//! The card of a tank: its level in large digits and as a drawing.

use jiff::Timestamp;
use maud::{Markup, html};

use super::card::{Placement, frame, tiles};
use super::icon::Icon;
use super::number::shown_number;
use super::trend;
use crate::board::{FieldName, SourceView, Value};
use crate::site::format::{unit_name, whole};

/// Level in percent at and below which the card warns of a low level.
const LOW: f64 = 25.0;

/// Level in percent at and below which the warning is urgent.
const VERY_LOW: f64 = 10.0;

/// Returns the level in percent, if the source has one and shows it.
pub(super) fn level(source: &SourceView) -> Option<f64> {
    shown_number(source, "level").map(|(level, _)| level)
}

/// Renders the card of a tank.
pub(super) fn card(source: &SourceView, now: Timestamp, placement: &Placement) -> Markup {
    let level = level(source);
    let rest: Vec<_> = source
        .shown()
        .into_iter()
        .filter(|(name, value)| {
            !matches!(&**name, "level" | "volume") && !trend::contains(source, name, value)
        })
        .collect();
    let body = html! {
        div.figures {
            @if source.shows("level") { (level_figure(level)) }
            @if let Some((volume, unit)) = shown_number(source, "volume") {
                p.volume {
                    span.number { (whole(volume)) }
                    @if let Some(unit) = unit { " " span.sign { (unit_name(unit)) } }
                }
            }
            (warning(level))
            (missing_reading(source))
            (trend::trends(source, now))
            @if !rest.is_empty() { (tiles(rest.into_iter())) }
        }
        // A drawing without a level means that the level is unknown.
        @if source.shows("level") { (drawing(source, level)) }
    };
    frame(source, "tank", now, &body, placement)
}

fn level_figure(level: Option<f64>) -> Markup {
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
    html! { p.warning.(class) { (Icon::Low.render()) span { (words) } } }
}

/// Renders the reason for a missing level or volume.
fn missing_reading(source: &SourceView) -> Markup {
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

// Inside of the tank, in coordinates of the drawing.
const LEFT: f64 = 34.0;
const RIGHT: f64 = 234.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 364.0;

/// Distance between the rings of the corrugated wall.
const RING: f64 = 24.0;

/// Returns the coordinate of a level. A level below 0 or above 100 is drawn at the wall.
fn surface(level: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * level.clamp(0.0, 100.0) / 100.0
}

/// Renders the drawing of a tank without a source, for a server without sources.
pub(super) fn empty_drawing() -> Markup {
    svg("none", None)
}

fn drawing(source: &SourceView, level: Option<f64>) -> Markup {
    svg(&source.name, level)
}

/// Renders the drawing. Its ids contain `name`, because a page may have several tanks.
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
            // The downpipe and the tap.
            path.pipe d="M10 30v64q0 14 14 14h10" {}
            path.pipe d="M34 340H14v12M14 340v-9M8 330h12" {}
            rect.wall x=(LEFT) y=(TOP) width=(RIGHT - LEFT) height=(BOTTOM - TOP) rx="8" {}
            @if let Some(level) = level {
                g clip-path=(url(&inside)) {
                    path.wave.behind d=(wave(surface(level) - 3.0, 7.0)) {}
                    path.wave.front d=(wave(surface(level), 5.0)) fill=(url(&water)) {}
                    rect.hatch x=(LEFT) y=(surface(level)) width=(RIGHT - LEFT)
                        height=(BOTTOM - surface(level)) fill=(url(&hatch)) {}
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
            path.mark d={ "M" (LEFT) " " (surface(LOW)) "H" (RIGHT) } {}
            g.scale {
                @for mark in [0.0, 25.0, 50.0, 75.0, 100.0] {
                    line x1="242" x2="250" y1=(surface(mark)) y2=(surface(mark)) {}
                    text x="262" y=(surface(mark) + 4.0) { (mark) }
                }
            }
            @if let Some(level) = level {
                path.pointer d={ "M238 " (surface(level)) "l13 -8v16z" } {}
            }
        }
    }
}

/// Returns the path of the water with waves of height `swell` on top. It is wider than the tank, so
/// that the style sheet can move it sideways.
fn wave(surface: f64, swell: f64) -> String {
    format!("M-166 {surface}q50 -{swell} 100 0t100 0t100 0t100 0t100 0V{BOTTOM}H-166z")
}
