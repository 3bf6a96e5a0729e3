//! The layout of a chart of a size: margins for its labels, axes, legend, and coordinates.

use super::plot::{Plot, Shape};
use super::size::Size;
use super::text_width::width;
use super::tick::Tick;
use super::time_axis::{self, Extent};
use super::value_axis::{Room, ValueAxis};
use jiff::tz::TimeZone;

/// Room on the right, for half of the mark of the latest observation and of a label of time.
const RIGHT: f64 = 12.0;

/// Room between the labels of values and the plot.
const GAP: f64 = 8.0;

/// Share of the width that labels of values may take.
const MAX_LABEL_SHARE: f64 = 0.4;

/// Layout of a chart.
pub(super) struct Layout<'a> {
    pub(super) plot: &'a Plot,
    pub(super) size: Size,
    /// Size of the font of labels.
    pub(super) font: f64,
    pub(super) values: ValueAxis,
    pub(super) times: Vec<Tick<i64>>,
    pub(super) left: f64,
    pub(super) top: f64,
    /// Parts of the legend, each with its place from the left.
    pub(super) legend: Vec<(f64, Swatch, &'a str)>,
}

/// Sample of a shape in the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swatch {
    Line,
    Band,
    Bar,
    Dot,
}

/// Width of a sample in the legend, with the room behind it.
pub(super) const SWATCH: f64 = 22.0;

impl<'a> Layout<'a> {
    /// Lays a chart out. `explanations` are wordings of the legend, the preferred one first.
    pub(super) fn new(
        plot: &'a Plot,
        size: Size,
        font: f64,
        zone: &TimeZone,
        explanations: &'a [Vec<(Swatch, String)>],
    ) -> Layout<'a> {
        let total = f64::from(size.width);
        let legend = explanations.iter().find_map(|parts| lay_legend(parts, font, total));
        let legend = legend.unwrap_or_default();
        let top = 12.0 + if legend.is_empty() { 0.0 } else { font * 1.6 };
        let (least, most) = plot.extremes();
        let height = f64::from(size.height) - top - bottom_margin(font);
        let room = Room {
            // Two more may be added, to begin and end at a tick.
            intervals: (height / 42.0).floor().clamp(1.0, 10.0),
            label: (total * MAX_LABEL_SHARE - GAP) / font,
        };
        let (least, most) = match plot.frame.shape() {
            Shape::Bars => (least.min(0.0), most.max(0.0)),
            Shape::Line | Shape::Dots => (least, most),
        };
        let values = ValueAxis::covering(least, most, plot.frame.unit, room);
        let left = (values.label_width() * font + GAP + 2.0).ceil();
        let extent = Extent { left, right: total - RIGHT, width: total, font };
        let times = time_axis::ticks(plot.frame.from, plot.frame.to, zone, extent);
        Layout { plot, size, font, values, times, left, top, legend }
    }

    pub(super) fn right(&self) -> f64 {
        f64::from(self.size.width) - RIGHT
    }

    pub(super) fn bottom(&self) -> f64 {
        f64::from(self.size.height) - bottom_margin(self.font)
    }

    pub(super) fn x(&self, at: i64) -> f64 {
        let (from, to) = (self.plot.frame.from, self.plot.frame.to);
        let share = (at - from) as f64 / (to - from).max(1) as f64;
        tenth(self.left + (self.right() - self.left) * share.clamp(0.0, 1.0))
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let axis = &self.values;
        let share = (value - axis.low) / (axis.high - axis.low);
        tenth(self.bottom() - (self.bottom() - self.top) * share)
    }
}

/// Room below the plot, for the labels of time.
fn bottom_margin(font: f64) -> f64 {
    font + 13.0
}

/// Places the parts of a legend in a row; `None` if it has no room for them.
fn lay_legend<'a>(
    parts: &'a [(Swatch, String)],
    font: f64,
    total: f64,
) -> Option<Vec<(f64, Swatch, &'a str)>> {
    const MARGIN: f64 = 10.0;
    let mut x = MARGIN;
    let mut placed = Vec::new();
    for (swatch, text) in parts {
        placed.push((x, *swatch, &**text));
        x += SWATCH + width(text) * font + 1.2 * font;
    }
    (x - 1.2 * font <= total - MARGIN).then_some(placed)
}

/// Rounds to tenths.
pub(super) fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
