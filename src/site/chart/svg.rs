//! A plot as SVG: shapes with classes, which the style sheet of the page colours, or an embedded one.
//!
//! `readout.js` reads the `data-` attributes and the paths of the lines to show the value under the
//! pointer, so the two change together.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::axis::time_ticks;
use super::plot::Plot;
use super::size::Size;
use crate::history::Bucket;
use crate::site::format::{fixed, symbol};
use crate::units::Unit;

// Margins around the plot, for labels.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

/// Half of the width of a label of time, which is cut off closer to the edge.
const HALF_LABEL: f64 = 22.0;

/// Mean distance between least and most, as a share of the axis, beyond which the line through the
/// means is drawn thin: the band is then the larger part of the chart.
const WIDE_BAND: f64 = 0.08;

/// Texts and names of a chart.
pub(super) struct Caption<'a> {
    /// `Level`
    pub(super) title: &'a str,
    /// `Cistern`
    pub(super) source: &'a str,
    /// `the last 24 hours`
    pub(super) window: &'a str,
    pub(super) unit: Option<Unit>,
    /// Suffix that makes the ids unique on a page.
    pub(super) id: &'a str,
    /// Class by which the style sheet shows the chart only where it fits.
    pub(super) class: &'a str,
}

/// Coordinates of times and values in the picture.
struct Grid<'a> {
    plot: &'a Plot,
    size: Size,
}

impl Grid<'_> {
    fn right(&self) -> f64 {
        f64::from(self.size.width) - RIGHT
    }

    fn bottom(&self) -> f64 {
        f64::from(self.size.height) - BOTTOM
    }

    fn x(&self, at: i64) -> f64 {
        let share = (at - self.plot.from) as f64 / (self.plot.to - self.plot.from).max(1) as f64;
        tenth(LEFT + (self.right() - LEFT) * share.clamp(0.0, 1.0))
    }

    fn y(&self, value: f64) -> f64 {
        let axis = &self.plot.axis;
        let share = (value - axis.low) / (axis.high - axis.low);
        tenth(self.bottom() - (self.bottom() - TOP) * share)
    }

    /// Returns the line through the means.
    fn line(&self, run: &[Bucket]) -> Path {
        let mut path = Path::default();
        for point in run {
            path.to(self.x(point.at), self.y(point.mean()));
        }
        if run.len() == 1 {
            // A line of no length with round caps is a dot.
            path.text.push_str("h0");
        }
        path
    }

    /// Returns the area between least and most.
    fn band(&self, run: &[Bucket]) -> String {
        let mut path = Path::default();
        for point in run {
            path.to(self.x(point.at), self.y(point.max));
        }
        for point in run.iter().rev() {
            path.to(self.x(point.at), self.y(point.min));
        }
        path.text + "z"
    }

    /// Returns the area below the line.
    fn area(&self, run: &[Bucket]) -> String {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return String::new() };
        let mut path = self.line(run);
        path.to(self.x(last.at), self.bottom());
        path.to(self.x(first.at), self.bottom());
        path.text + "z"
    }
}

/// A path of relative steps in tenths, which take fewer digits than absolute coordinates.
#[derive(Default)]
struct Path {
    text: String,
    at: Option<(i64, i64)>,
}

impl Path {
    fn to(&mut self, x: f64, y: f64) {
        let here = ((x * 10.0).round() as i64, (y * 10.0).round() as i64);
        let text = &mut self.text;
        let _ = match self.at.replace(here) {
            None => write!(text, "M{} {}", tenths(here.0), tenths(here.1)),
            Some(last) => write!(text, "l{} {}", tenths(here.0 - last.0), tenths(here.1 - last.1)),
        };
    }
}

/// Returns a number of tenths as the shortest decimal: `-.5`, `12`, `3.1`.
fn tenths(number: i64) -> String {
    let (sign, size) = (if number < 0 { "-" } else { "" }, number.abs());
    match (size / 10, size % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, tenth) => format!("{sign}.{tenth}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}

/// Rounds to tenths.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Renders a chart. With `style`, a style sheet to embed, it is a document of its own.
pub(super) fn render(
    plot: &Plot,
    caption: &Caption<'_>,
    size: Size,
    zone: &TimeZone,
    style: Option<&str>,
) -> Markup {
    let grid = Grid { plot, size };
    let title = format!("{} of {}, {}", caption.title, caption.source, caption.window);
    let (title_id, desc_id) = (format!("t-{}", caption.id), format!("d-{}", caption.id));
    let axis = &plot.axis;
    let decimals = axis.decimals();
    let unit = caption.unit.map_or("", symbol);
    let last = plot.points().next_back();
    let is_wide = plot.mean_band() > WIDE_BAND * (axis.high - axis.low);
    html! {
        svg.chart.(caption.class).banded[is_wide] xmlns=[style.map(|_| "http://www.w3.org/2000/svg")] role="img"
            viewBox={ "0 0 " (size.width) " " (size.height) }
            width=[style.map(|_| size.width)] height=[style.map(|_| size.height)]
            aria-labelledby={ (title_id) " " (desc_id) }
            data-from=(plot.from) data-to=(plot.to) data-low=(axis.low) data-high=(axis.high)
            data-left=(LEFT) data-right=(grid.right()) data-top=(TOP) data-bottom=(grid.bottom())
            data-unit=(unit) data-decimals=(decimals) {
            title id=(title_id) { (title) }
            desc id=(desc_id) { (description(plot, unit, decimals)) }
            @if let Some(style) = style { style { (style) } }
            @for &(from, to) in &plot.stale {
                rect.stale x=(grid.x(from)) y=(TOP) height=(grid.bottom() - TOP)
                    width=(tenth(grid.x(to) - grid.x(from))) {}
            }
            g.grid {
                @for tick in &axis.ticks {
                    @let y = grid.y(tick.at);
                    line x1=(LEFT) x2=(grid.right()) y1=(y) y2=(y) {}
                    text.value x=(LEFT - 8.0) y=(y + 4.0) { (tick.label) }
                }
                @for tick in time_ticks(plot.from, plot.to, zone) {
                    @let x = grid.x(tick.at);
                    line x1=(x) x2=(x) y1=(grid.bottom()) y2=(grid.bottom() + 5.0) {}
                    @if x > LEFT + HALF_LABEL / 2.0 && x < grid.right() - HALF_LABEL + RIGHT {
                        text.time x=(x) y=(grid.bottom() + 19.0) { (tick.label) }
                    }
                }
            }
            @for run in &plot.runs {
                path.under d=(grid.area(run)) {}
                @if plot.has_band() { path.between d=(grid.band(run)) {} }
            }
            @for run in &plot.runs { path.line d=(grid.line(run).text) {} }
            @if let Some(last) = last {
                circle.latest cx=(grid.x(last.at)) cy=(grid.y(last.mean())) r="4" {}
            }
        }
    }
}

/// Describes the chart for screen readers.
fn description(plot: &Plot, unit: &str, decimals: usize) -> String {
    let amount = |number: f64| format!("{} {unit}", fixed(number, decimals)).trim_end().to_owned();
    let least = plot.points().map(|point| point.min).reduce(f64::min).unwrap_or_default();
    let most = plot.points().map(|point| point.max).reduce(f64::max).unwrap_or_default();
    let last = plot.points().next_back().map_or(0.0, |point| point.last);
    let mut text =
        format!("Between {} and {}; the latest is {}.", amount(least), amount(most), amount(last));
    match plot.stale.len() {
        0 => {}
        1 => text.push_str(" There is one gap."),
        gaps => {
            let _ = write!(text, " There are {gaps} gaps.");
        }
    }
    text
}
