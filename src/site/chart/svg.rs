//! A plot as SVG: shapes with classes, which the style sheet of the page colours, or an embedded one.
//!
//! `readout.js` reads the `data-` attributes to find the place of a point, so the two change together.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::layout::{LABEL_DROP, Layout, tenth};
use super::legend;
use super::plot::{Plot, Shape};
use super::point::Point;
use super::readout::displayed;
use super::size::Canvas;
use super::text_width::width;
use super::threshold::Level;
use crate::format::{fixed, suffix};

/// Mean distance between least and most, as a share of the axis, beyond which the line through the
/// means is drawn thin: the band is then the larger part of the chart.
const WIDE_BAND: f64 = 0.08;

/// Number of points up to which each is marked by a dot.
const FEW: usize = 12;

/// Texts and names of a chart.
pub(super) struct Caption<'a> {
    /// `Level`
    pub(super) title: &'a str,
    /// `Cistern`
    pub(super) source: &'a str,
    /// `the last 24 hours`
    pub(super) window: &'a str,
    /// Suffix that makes the ids unique on a page.
    pub(super) id: &'a str,
    /// Class by which the style sheet shows the chart only where it fits.
    pub(super) class: &'a str,
}

impl Layout<'_> {
    /// Returns the line through the values.
    fn line(&self, run: &[Point]) -> Path {
        let mut path = Path::new(self.grain);
        for point in run {
            path.to(self.x(point.middle()), self.y(point.value));
        }
        if run.len() == 1 {
            // A line of no length with round caps is a dot.
            path.text.push_str("h0");
        }
        path
    }

    /// Returns the area between least and most.
    fn band(&self, run: &[Point]) -> String {
        let mut path = Path::new(self.grain);
        for point in run {
            path.to(self.x(point.middle()), self.y(point.most));
        }
        for point in run.iter().rev() {
            path.to(self.x(point.middle()), self.y(point.least));
        }
        path.text + "z"
    }

    /// Returns the area below the line.
    fn area(&self, run: &[Point]) -> String {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return String::new() };
        let mut path = self.line(run);
        path.to(self.x(last.middle()), self.bottom());
        path.to(self.x(first.middle()), self.bottom());
        path.text + "z"
    }

    /// Returns the bars from zero to the values.
    fn bars(&self, run: &[Point]) -> String {
        let mut text = String::new();
        for point in run {
            let (left, right) = (self.x(point.at), self.x(point.end()));
            // Bars of more than a few units are set apart.
            let gap = if right - left > 3.0 { (right - left) * 0.15 } else { 0.0 };
            let (left, breadth) = (tenth(left + gap / 2.0), tenth((right - left - gap).max(0.7)));
            let (zero, top) = (self.y(0.0), self.y(point.value));
            let _ = write!(text, "M{left} {zero}V{top}h{breadth}V{zero}z");
        }
        text
    }

    /// Returns a dot for each value.
    fn dots(&self, run: &[Point]) -> String {
        let mut text = String::new();
        for point in run {
            let _ = write!(text, "M{} {}h0", self.x(point.middle()), self.y(point.value));
        }
        text
    }

    /// Returns the text of a single value, its place and its anchor.
    fn lone_label(&self, point: &Point, text: &str) -> (f64, f64, &'static str) {
        let (x, y) = (self.x(point.middle()), self.y(point.value));
        let y = (y - 0.8 * self.canvas.font).max(self.top + self.canvas.font);
        let length = width(text) * self.canvas.font + 8.0;
        if x - length >= self.left {
            (x - 8.0, y, "end")
        } else if x + length <= f64::from(self.canvas.size.width) {
            (x + 8.0, y, "start")
        } else {
            (f64::from(self.canvas.size.width), y, "end")
        }
    }
}

/// A path of relative steps in tenths, which take fewer digits than absolute coordinates.
struct Path {
    text: String,
    at: Option<(i64, i64)>,
    /// Resolution, in tenths.
    grain: f64,
}

impl Path {
    fn new(grain: f64) -> Path {
        Path { text: String::new(), at: None, grain }
    }

    fn to(&mut self, x: f64, y: f64) {
        let tenths_of = |place: f64| ((place * 10.0 / self.grain).round() * self.grain) as i64;
        let here = (tenths_of(x), tenths_of(y));
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

/// Renders a chart. With `style`, a style sheet to embed, it is a document of its own.
pub(super) fn render(
    plot: &Plot,
    caption: &Caption<'_>,
    canvas: Canvas,
    zone: &TimeZone,
    style: Option<&str>,
) -> Markup {
    // A page has the legend above the chart.
    let wordings = if style.is_some() { legend::wordings(plot) } else { Vec::new() };
    let layout = Layout::new(plot, canvas, zone, &wordings);
    let title = format!("{} of {}, {}", caption.title, caption.source, caption.window);
    let (title_id, desc_id) = (format!("t-{}", caption.id), format!("d-{}", caption.id));
    let (axis, size) = (&layout.values, canvas.size);
    let unit = suffix(plot.frame.unit);
    let is_wide = plot.mean_band() > WIDE_BAND * (axis.high - axis.low);
    let marks = plot.marks().count();
    html! {
        svg.chart.(caption.class).banded[is_wide] xmlns=[style.map(|_| "http://www.w3.org/2000/svg")] role="img"
            viewBox={ "0 0 " (size.width) " " (size.height) }
            width=[style.map(|_| size.width)] height=[style.map(|_| size.height)]
            aria-labelledby={ (title_id) " " (desc_id) }
            data-low=(axis.low) data-high=(axis.high)
            data-left=(layout.left) data-right=(layout.right())
            data-top=(layout.top) data-bottom=(layout.bottom()) {
            title id=(title_id) { (title) }
            desc id=(desc_id) { (description(plot, &unit, axis.decimals())) }
            @if let Some(style) = style { style { (style) } }
            (legend::render(&layout))
            @for &(from, to) in &plot.stale {
                rect.stale x=(layout.x(from)) y=(layout.top) height=(layout.bottom() - layout.top)
                    width=(tenth(layout.x(to) - layout.x(from))) {}
            }
            (grid(&layout))
            (shapes(&layout))
            (threshold_lines(&layout))
            @if marks <= FEW && plot.frame.shape() == Shape::Line {
                @for point in plot.points() {
                    circle.mark cx=(layout.x(point.middle())) cy=(layout.y(point.value)) r="3" {}
                }
            }
            @if let Some(latest) = plot.latest {
                circle.latest cx=(layout.x(latest.at)) cy=(layout.y(latest.value)) r="4" {}
            }
            @if let Some(only) = plot.marks().next().filter(|_| marks == 1) {
                @let text = format!("{}{unit}", displayed(only.value));
                @let (x, y, anchor) = layout.lone_label(only, &text);
                text.lone x=(tenth(x)) y=(tenth(y)) text-anchor=(anchor) { (text) }
            }
        }
    }
}

fn grid(layout: &Layout<'_>) -> Markup {
    let bottom = layout.bottom();
    let is_empty = layout.plot.is_empty();
    let middle = (layout.left + layout.right()) / 2.0;
    html! {
        g.grid {
            @if is_empty {
                line x1=(layout.left) x2=(layout.right()) y1=(bottom) y2=(bottom) {}
                text.time x=(middle) y=(tenth((layout.top + bottom) / 2.0)) { (no_data(layout)) }
            } @else {
                @for tick in &layout.values.ticks {
                    @let y = layout.y(tick.at);
                    line x1=(layout.left) x2=(layout.right()) y1=(y) y2=(y) {}
                    text.value x=(layout.canvas.margin) y=(y) dy=".34em" { (tick.label) }
                }
            }
            @for tick in &layout.times {
                @let x = layout.x(tick.at);
                line x1=(x) x2=(x) y1=(bottom) y2=(bottom + 5.0) {}
                @if !tick.label.is_empty() {
                    text.time x=(x) y=(bottom + LABEL_DROP) dy=".9em" { (tick.label) }
                }
            }
        }
    }
}

/// Renders a dashed line at each threshold, with its text above it. A threshold beyond the axis is a text at the
/// edge, with an arrow.
fn threshold_lines(layout: &Layout<'_>) -> Markup {
    let (axis, font) = (&layout.values, layout.canvas.font);
    let (left, right) = (layout.left, layout.right());
    let levels = if layout.plot.is_empty() { &[][..] } else { &layout.plot.levels };
    let (below, rest) = levels.split_at(levels.partition_point(|level| level.value < axis.low));
    let (within, above) = rest.split_at(rest.partition_point(|level| level.value <= axis.high));
    // The nearest one of those beyond an edge has room.
    let below = below.last().map(|level| (layout.bottom() - 0.4 * font, "↓", level));
    let above = above.first().map(|level| (layout.top + font, "↑", level));
    let lines: Vec<f64> = within.iter().map(|level| layout.y(level.value)).collect();
    let texts = baselines(&lines, (layout.top, layout.bottom()), font);
    html! {
        @for ((level, y), text_y) in within.iter().zip(&lines).zip(texts) {
            line.threshold x1=(left) x2=(right) y1=(y) y2=(y) {}
            @if let Some(text_y) = text_y {
                text.threshold x=(left + 4.0) y=(tenth(text_y)) { (level.text) }
            }
        }
        @for (y, arrow, level) in below.into_iter().chain(above) {
            text.threshold x=(left + 4.0) y=(tenth(y)) {
                (arrow) " " (level.text)
            }
        }
    }
}

/// Returns the baselines of the texts at lines, which begin with the lowest one. A text is above its line, or below it
/// where another line or the upper edge is near. A text without room is left out.
fn baselines(lines: &[f64], (top, bottom): (f64, f64), font: f64) -> Vec<Option<f64>> {
    let height = 1.2 * font;
    let mut lower = f64::INFINITY;
    let place = |(index, &y): (usize, &f64)| {
        let above = Some(y - 0.4 * font).filter(|above| above - font >= top);
        let below = Some(y + 1.1 * font).filter(|&below| below <= bottom);
        let is_next_near = lines.get(index + 1).is_some_and(|next| y - next < height);
        let order = if is_next_near { [below, above] } else { [above, below] };
        let found = order.into_iter().flatten().find(|baseline| lower - baseline >= height);
        lower = found.unwrap_or(lower);
        found
    };
    lines.iter().enumerate().map(place).collect()
}

/// Returns the text of an empty chart that fits.
fn no_data(layout: &Layout<'_>) -> &'static str {
    const TEXT: &str = "No data in this period";
    let room = layout.right() - layout.left;
    if width(TEXT) * layout.canvas.font <= room { TEXT } else { "No data" }
}

fn shapes(layout: &Layout<'_>) -> Markup {
    let plot = layout.plot;
    html! {
        @match plot.frame.shape() {
            Shape::Line => {
                @for run in &plot.runs {
                    path.under d=(layout.area(run)) {}
                    @if plot.has_band() { path.between d=(layout.band(run)) {} }
                }
                @for run in &plot.runs { path.line d=(layout.line(run).text) {} }
            }
            Shape::Bars => { @for run in &plot.runs { path.bar d=(layout.bars(run)) {} } }
            Shape::Dots => { @for run in &plot.runs { path.dots d=(layout.dots(run)) {} } }
        }
    }
}

/// Describes the chart for screen readers.
fn description(plot: &Plot, unit: &str, decimals: usize) -> String {
    if plot.is_empty() {
        return "No data in this period.".to_owned();
    }
    let amount = |number: f64| format!("{}{unit}", fixed(number, decimals));
    let (least, most) = plot.extremes();
    let between = format!("Between {} and {}", amount(least), amount(most));
    let latest = plot.marks().next_back().map_or(0.0, |point| point.value);
    let mut text = match plot.frame.shape() {
        Shape::Line => format!("{between}; the latest is {}.", amount(latest)),
        Shape::Bars => format!("{between}."),
        // A least direction has no meaning.
        Shape::Dots => format!("The latest is {}.", amount(latest)),
    };
    match plot.stale.len() {
        0 => {}
        1 => text.push_str(" There is one gap."),
        gaps => {
            let _ = write!(text, " There are {gaps} gaps.");
        }
    }
    if !plot.levels.is_empty() {
        let level = |level: &Level| format!("{} ({})", level.text, level.alert);
        let levels: Vec<String> = plot.levels.iter().map(level).collect();
        let _ = write!(text, " Alerts fire {}.", levels.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_near_thresholds_do_not_overlap() {
        for (lines, expected) in [
            (&[50.0][..], &[Some(46.0)][..]),
            (&[50.0, 30.0], &[Some(46.0), Some(26.0)]),
            (&[50.0, 45.0], &[Some(61.0), Some(41.0)]),
            (&[98.0, 95.0], &[Some(94.0), None]),
            (&[3.0], &[Some(14.0)]),
            (&[50.0, 47.0, 44.0], &[Some(61.0), Some(43.0), None]),
        ] {
            assert_eq!(baselines(lines, (0.0, 100.0), 10.0), expected, "{lines:?}");
        }
    }
}
