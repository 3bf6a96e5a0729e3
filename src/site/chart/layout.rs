//! The layout of a chart of a size: margins for its labels, axes, legend, and coordinates.

use jiff::tz::TimeZone;

use super::legend::{SWATCH, Swatch, Wording};
use super::plot::{Plot, Shape};
use super::size::{Canvas, NARROW};
use super::text_width::width;
use super::threshold::extended;
use super::tick::Tick;
use super::time_axis::{self, Extent};
use super::value_axis::{Room, ValueAxis};

/// Room on the right, for half of the mark of the latest observation and of a label of time.
const RIGHT: f64 = 12.0;

/// Room between the labels of values and the plot.
const GAP: f64 = 8.0;

/// Distance from the plot down to the labels of time.
pub(super) const LABEL_DROP: f64 = 8.5;

/// Share of the width that labels of values may take.
const MAX_LABEL_SHARE: f64 = 0.4;

/// Layout of a chart.
pub(super) struct Layout<'a> {
    pub(super) plot: &'a Plot,
    pub(super) canvas: Canvas,
    pub(super) values: ValueAxis,
    pub(super) times: Vec<Tick<i64>>,
    /// Place of the window's start.
    pub(super) left: f64,
    pub(super) top: f64,
    /// Resolution of paths, in tenths: below a third of a pixel of the screen.
    pub(super) grain: f64,
    /// Parts of the legend, each with its place from the left.
    pub(super) legend: Vec<(f64, Swatch, &'a str)>,
}

impl<'a> Layout<'a> {
    /// Lays a chart out, with the first of the legend's wordings that fits.
    pub(super) fn new(
        plot: &'a Plot,
        canvas: Canvas,
        zone: &TimeZone,
        wordings: &'a [Wording],
    ) -> Layout<'a> {
        let Canvas { size, font, margin } = canvas;
        let total = f64::from(size.width);
        let legend = wordings.iter().find_map(|parts| lay_legend(parts, font, margin, total));
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
            Shape::Line => extended((least, most), &plot.levels),
            Shape::Dots => (least, most),
        };
        let values = match plot.frame.shape() {
            Shape::Dots => ValueAxis::compass(),
            Shape::Line | Shape::Bars => ValueAxis::covering(least, most, plot.frame.unit, room),
        };
        let left = (margin + values.label_width() * font + GAP).ceil();
        let extent = Extent { left, right: total - RIGHT, width: total, font };
        let times = time_axis::ticks(plot.frame.from, plot.frame.to, zone, extent);
        let grain = if size == NARROW { 5.0 } else { 2.0 };
        Layout { plot, canvas, values, times, left, top, grain, legend }
    }

    pub(super) fn right(&self) -> f64 {
        f64::from(self.canvas.size.width) - RIGHT
    }

    pub(super) fn bottom(&self) -> f64 {
        f64::from(self.canvas.size.height) - bottom_margin(self.canvas.font)
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
    LABEL_DROP + font + 5.0
}

/// Places the parts of a legend in a row; `None` if it has no room for them.
fn lay_legend(
    parts: &Wording,
    font: f64,
    margin: f64,
    total: f64,
) -> Option<Vec<(f64, Swatch, &str)>> {
    let mut x = margin;
    let mut placed = Vec::new();
    for (swatch, text) in parts {
        placed.push((x, *swatch, &**text));
        x += SWATCH + width(text) * font + 1.2 * font;
    }
    (x - 1.2 * font <= total - margin).then_some(placed)
}

/// Rounds to tenths.
pub(super) fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::super::legend;
    use super::super::plot::Frame;
    use super::super::point::Point;
    use super::super::range::Range;
    use super::super::size::{Size, WIDE};
    use super::*;
    use crate::units::{OverTime, Unit};

    /// Box of a label: left, top, right and bottom.
    type LabelBox = (f64, f64, f64, f64);

    /// Returns a plot of three points, the latest of which is now.
    fn plot(range: Range, numbers: [f64; 3], unit: Option<Unit>, over_time: OverTime) -> Plot {
        let to = 1_795_687_200;
        let (from, step) = (to - range.seconds(), range.step());
        let frame = Frame { from, to, step: Some(step), covered: 900, unit, over_time };
        let point = |place: i64, value: f64| Point {
            at: from + place * range.seconds() / 4,
            length: step,
            value,
            least: value,
            most: value * 1.1,
        };
        let [one, two, three] = numbers;
        let points = [point(1, one), point(2, two), point(3, three)];
        Plot::of(&points, Some(Point::single(to - 60, three)), frame)
    }

    /// Returns the boxes of all labels, of the axis of values, of time, and of the legend.
    fn boxes(layout: &Layout<'_>) -> Vec<(String, LabelBox)> {
        let Canvas { font, margin, size } = layout.canvas;
        let mut boxes = Vec::new();
        let mut add = |text: &str, left: f64, middle: f64| {
            let (right, half) = (left + width(text) * font, font * 0.5);
            boxes.push((text.to_owned(), (left, middle - half, right, middle + half)));
        };
        for tick in &layout.values.ticks {
            add(&tick.label, margin, layout.y(tick.at));
            let length = width(&tick.label) * font;
            assert!(margin + length + GAP <= layout.left, "{} {size:?}", tick.label);
        }
        for tick in layout.times.iter().filter(|tick| !tick.label.is_empty()) {
            let length = width(&tick.label) * font;
            add(
                &tick.label,
                layout.x(tick.at) - length / 2.0,
                layout.bottom() + LABEL_DROP + font * 0.5,
            );
        }
        for (x, _, text) in &layout.legend {
            add(text, x + SWATCH, font * 0.85);
        }
        boxes
    }

    #[test]
    fn labels_of_every_size_range_and_magnitude_stay_in_the_frame_and_apart() {
        let sizes = [(160, 160), (160, 600), (320, 160), (640, 400), (2400, 160), (2400, 2400)];
        let pictures = sizes.map(|(width, height)| Canvas::of_picture(Size { width, height }));
        let pages = [WIDE, NARROW].map(Canvas::of_page);
        let canvases = pages.into_iter().chain([Canvas::of_picture(WIDE)]).chain(pictures);
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let mut checked = 0;
        for canvas in canvases {
            for &range in Range::VARIANTS {
                for (numbers, unit, over_time) in [
                    ([1013.25, 1013.3, 1013.75], Some(Unit::Hectopascal), OverTime::Mean),
                    ([0.0, 0.004, 0.01], Some(Unit::Inch), OverTime::Sum),
                    ([-40.0, -12.0, 3.0], Some(Unit::Celsius), OverTime::Mean),
                    ([41_234.5, 41_234.75, 41_235.0], Some(Unit::KilowattHour), OverTime::Increase),
                    ([12.8, 12.8, 12.8], Some(Unit::Volt), OverTime::Max),
                    ([1e-9, 2e-9, 4e-9], None, OverTime::Mean),
                    ([9.9e6, 1e7, 1.1e7], None, OverTime::Mean),
                    ([1e12, 1.000_1e12, 1.000_2e12], Some(Unit::Litre), OverTime::Mean),
                    ([-1e300, 0.0, 1e300], None, OverTime::Mean),
                ] {
                    let plot = plot(range, numbers, unit, over_time);
                    let wordings = legend::wordings(&plot);
                    let layout = Layout::new(&plot, canvas, &zone, &wordings);
                    let boxes = boxes(&layout);
                    let size = canvas.size;
                    let context = format!("{size:?} {range:?} {numbers:?}: {boxes:?}");
                    assert!(
                        layout.right() - layout.left >= 40.0,
                        "no room for the plot: {context}"
                    );
                    for (index, (text, one)) in boxes.iter().enumerate() {
                        let (left, top, right, bottom) = *one;
                        let (total, height) = (f64::from(size.width), f64::from(size.height));
                        assert!(left >= 0.0 && right <= total, "{text}: {context}");
                        assert!(top >= 0.0 && bottom <= height, "{text}: {context}");
                        for (other, next) in &boxes[index + 1..] {
                            let is_apart = next.0 >= right || next.2 <= left;
                            let is_apart = is_apart || next.1 >= bottom || next.3 <= top;
                            assert!(is_apart, "{text} overlaps {other}: {context}");
                        }
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked > 4000, "{checked}");
    }
}
