//! The card of a tank: its level in large digits and as a drawing.

use jiff::Timestamp;
use maud::{Markup, html};

use super::amount::{Age, amount_in_words, large_amount, note_in_words, remarks};
use super::card::{Placement, frame, pending, tiles};
use super::icon::Icon;
use super::time::Clock;
use super::trend;
use crate::board::{Datum, SourceView, Value};
use crate::site::freshness::is_value_stale;
use crate::units::Unit;

/// Level in percent at and below which the card warns of a low level.
const LOW: f64 = 25.0;

/// Level in percent at and below which the warning is urgent.
const VERY_LOW: f64 = 10.0;

/// Content of a tank, as its card shows it.
#[derive(Clone, Copy)]
enum Level<'a> {
    /// A percentage, which has a drawing and warnings.
    Percent(f64, &'a Value),
    /// A number in another unit, or a text: `84 mm`, `FULL`.
    Other(&'a Value),
    /// A null, or no reading yet. A drawing without a level says so.
    Unknown(Option<&'a Value>),
}

impl<'a> Level<'a> {
    /// Returns the level of a source that shows it.
    fn of(source: &'a SourceView) -> Option<Level<'a>> {
        if !source.shows("level") {
            return None;
        }
        let Some(value) = source.value("level") else { return Some(Level::Unknown(None)) };
        Some(match (&value.datum, value.unit) {
            (Some(Datum::Number(number)), Some(Unit::Percent)) => {
                Level::Percent(number.get(), value)
            }
            (Some(_), _) => Level::Other(value),
            (None, _) => Level::Unknown(Some(value)),
        })
    }

    const fn percent(self) -> Option<f64> {
        match self {
            Level::Percent(percent, _) => Some(percent),
            _ => None,
        }
    }

    const fn value(self) -> Option<&'a Value> {
        match self {
            Level::Percent(_, value) | Level::Other(value) => Some(value),
            Level::Unknown(value) => value,
        }
    }

    /// Returns true if the tank is drawn: a drawing shows percentages only.
    fn is_drawn(self) -> bool {
        match self {
            Level::Percent(..) => true,
            Level::Other(_) => false,
            Level::Unknown(value) => {
                value.is_none_or(|value| matches!(value.unit, Some(Unit::Percent) | None))
            }
        }
    }
}

/// Returns the level in words for the page's title, if the source has one and shows it. A level that is
/// too old is marked.
pub(super) fn level_in_words(source: &SourceView, now: Timestamp) -> Option<String> {
    let (Level::Percent(_, value) | Level::Other(value)) = Level::of(source)? else { return None };
    let words = amount_in_words(value)?;
    Some(if is_value_stale(source, value, now) { format!("{words} (stale)") } else { words })
}

/// Returns true if the card of the source has a drawing.
pub(super) fn is_drawn(source: &SourceView) -> bool {
    Level::of(source).is_some_and(Level::is_drawn)
}

/// Renders the card of a tank.
pub(super) fn card(source: &SourceView, clock: Clock<'_>, placement: &Placement) -> Markup {
    let level = Level::of(source);
    let volume = source.value("volume").filter(|_| source.shows("volume"));
    // A missing volume is a value like others; only the level stands for the whole reading.
    let volume = volume.filter(|value| value.datum.is_some());
    let rest: Vec<_> = source
        .shown()
        .into_iter()
        .filter(|(name, value)| match &**name {
            "level" => false,
            "volume" => volume.is_none(),
            _ => !trend::contains(source, name, value),
        })
        .collect();
    if source.reading.is_none() {
        return frame(source, "tank undrawn", clock, &pending(), placement);
    }
    let is_drawn = is_drawn(source);
    let body = html! {
        div.figures {
            @if let Some(level) = level { (level_figure(source, level, clock)) }
            @if let Some(volume) = volume {
                @let age = Age::of(source, volume, clock.now);
                p.volume.old[age.is_old] data-old-at=[age.old_at] { (large_amount(volume)) }
                (remarks(source, volume, clock))
            }
            (warning(level.and_then(Level::percent)))
            @if let Some(Level::Unknown(Some(value))) = level { (no_level(value)) }
            (trend::trends(source, clock))
            (tiles(source, rest.into_iter(), clock))
        }
        @if is_drawn {
            @let age = level.and_then(Level::value).map(|value| Age::of(source, value, clock.now));
            (svg(&source.name, level.and_then(Level::percent), age.unwrap_or_default()))
        }
    };
    frame(source, if is_drawn { "tank" } else { "tank undrawn" }, clock, &body, placement)
}

fn level_figure(source: &SourceView, level: Level<'_>, clock: Clock<'_>) -> Markup {
    html! {
        @match level {
            Level::Percent(percent, value) => {
                @let age = Age::of(source, value, clock.now);
                p.level.old[age.is_old] data-old-at=[age.old_at] {
                    (large_amount(value)) span.unseen { " full" }
                }
                @if value.note.is_none() && let Some(note) = out_of_range(percent) {
                    small.note { (note) }
                }
                (remarks(source, value, clock))
            }
            Level::Other(value) => {
                @let age = Age::of(source, value, clock.now);
                p.level.old[age.is_old] data-old-at=[age.old_at] {
                    span.label { "Level" } " " (large_amount(value))
                }
                (remarks(source, value, clock))
            }
            Level::Unknown(_) => {
                p.level {
                    span.number.absent aria-hidden="true" { "–" }
                    span.unseen { "Level unknown" }
                }
            }
        }
    }
}

/// Returns a note on a percentage that no tank has. Less than half a percent is the sensor's error.
const fn out_of_range(percent: f64) -> Option<&'static str> {
    match percent {
        100.5.. => Some("more than full"),
        ..=-0.5 => Some("less than empty"),
        _ => None,
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

/// Renders the reason for a missing level. The reading may have other values.
fn no_level(level: &Value) -> Markup {
    html! { @if let Some(note) = &level.note { p.pending { "No level: " (note_in_words(note)) } } }
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
    svg("none", None, Age::default())
}

/// Renders the drawing. Its ids contain `name`, because a page may have several tanks.
fn svg(name: &str, level: Option<f64>, age: Age) -> Markup {
    let inside = format!("inside-{name}");
    let (water, hatch) = (format!("water-{name}"), format!("hatch-{name}"));
    let url = |id: &str| format!("url(#{id})");
    let low = level.is_some_and(|level| level <= LOW);
    html! {
        svg.drawing.unknown[level.is_none()].low[low].old[age.is_old] data-old-at=[age.old_at]
            viewBox="0 0 300 382" aria-hidden="true" focusable="false" {
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
