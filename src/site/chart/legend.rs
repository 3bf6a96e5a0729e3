//! The legend of a chart: what its line or bars and its band stand for.

use maud::{Markup, html};

use super::layout::{Layout, tenth};
use super::plot::{Plot, Shape};
use super::point::Point;
use crate::history::DAY;
use crate::units::OverTime;

/// Sample of a shape in the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Swatch {
    Line,
    Band,
    Bar,
    Dot,
}

/// Parts of a legend, in a row.
pub(in crate::site) type Wording = Vec<(Swatch, String)>;

/// Width of a sample in the legend, with the room behind it.
pub(super) const SWATCH: f64 = 22.0;

impl Swatch {
    /// Returns the class of the shape in the style sheet.
    pub(in crate::site) const fn class(self) -> &'static str {
        match self {
            Swatch::Line => "line",
            Swatch::Band => "between",
            Swatch::Bar => "bar",
            Swatch::Dot => "dots",
        }
    }
}

/// Returns the wordings of the legend, the preferred one first; none if the chart needs no legend.
pub(super) fn wordings(plot: &Plot) -> Vec<Wording> {
    let frame = &plot.frame;
    let (Some(aggregate), Some(step)) = (aggregate(frame.over_time), frame.step) else {
        return Vec::new();
    };
    let has_band = has_visible_band(plot);
    let swatch = match frame.shape() {
        // A line through means of about the same numbers needs no explanation.
        Shape::Line if frame.over_time == OverTime::Mean && !has_band => return Vec::new(),
        _ if plot.points().next().is_none() => return Vec::new(),
        Shape::Line => Swatch::Line,
        Shape::Bars => Swatch::Bar,
        Shape::Dots => Swatch::Dot,
    };
    let band = has_band.then(|| (Swatch::Band, "lowest to highest".to_owned()));
    let texts = [format!("{aggregate} per {}", span_in_words(step)), aggregate.to_owned()];
    let wording = |text| [(swatch, text)].into_iter().chain(band.clone()).collect();
    texts.into_iter().map(wording).collect()
}

/// Returns true if the band is wider than the line at some point. Where the line is steep, it covers a band that
/// is as high as the change of the value in a step.
fn has_visible_band(plot: &Plot) -> bool {
    /// Width of the line, as a share of the height of a chart.
    const LINE: f64 = 0.03;
    /// Height of a chart, as a share of its width.
    const ASPECT: f64 = 0.5;
    let (least, most) = plot.extremes();
    let share = |difference: f64| difference / (most - least);
    let slope = |one: &Point, next: &Point| {
        let time = (next.middle() - one.middle()) as f64 / (plot.frame.to - plot.frame.from) as f64;
        (share(next.value - one.value) * ASPECT / time).abs()
    };
    plot.runs.iter().any(|run| {
        run.iter().enumerate().any(|(index, point)| {
            let before = index.checked_sub(1).and_then(|index| run.get(index));
            let before = before.map_or(0.0, |before| slope(before, point));
            let after = run.get(index + 1).map_or(0.0, |after| slope(point, after));
            // Across the line, rather than upwards.
            share(point.most - point.least) / before.max(after).hypot(1.0) > LINE
        })
    })
}

/// Returns what the value of a span is called: `mean`; `None` for the latest one.
pub(super) const fn aggregate(over_time: OverTime) -> Option<&'static str> {
    match over_time {
        OverTime::Mean => Some("mean"),
        OverTime::Circular => Some("mean direction"),
        OverTime::Sum => Some("total"),
        OverTime::Increase => Some("increase"),
        OverTime::Max => Some("highest"),
        OverTime::Last => None,
    }
}

/// Returns the span of a point: `day`, `2 hours`, `15 minutes`.
pub(super) fn span_in_words(seconds: i64) -> String {
    let (number, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3600.. => (seconds / 3600, "hour"),
        _ => (seconds / 60, "minute"),
    };
    if number <= 1 { unit.to_owned() } else { format!("{number} {unit}s") }
}

/// Renders the legend of a picture, if it has one that fits.
pub(super) fn render(layout: &Layout<'_>) -> Markup {
    let baseline = tenth(layout.canvas.font * 1.2);
    let middle = tenth(baseline - layout.canvas.font * 0.35);
    html! {
        @if !layout.legend.is_empty() {
            g.legend {
                @for (x, swatch, text) in &layout.legend {
                    @match swatch {
                        Swatch::Line => { path.line d={ "M" (tenth(*x)) " " (middle) "h16" } {} }
                        Swatch::Band => {
                            rect.between x=(tenth(*x)) y=(tenth(middle - 5.0)) width="16" height="10" {}
                        }
                        Swatch::Bar => {
                            rect.bar x=(tenth(*x)) y=(tenth(middle - 5.0)) width="16" height="10" {}
                        }
                        Swatch::Dot => { path.dots d={ "M" (tenth(*x + 8.0)) " " (middle) "h0" } {} }
                    }
                    text x=(tenth(*x + SWATCH)) y=(baseline) { (text) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::super::plot::Frame;
    use super::*;

    #[test]
    fn span_is_in_its_largest_unit() {
        for (seconds, expected) in [
            (30, "minute"),
            (60, "minute"),
            (300, "5 minutes"),
            (3600, "hour"),
            (7200, "2 hours"),
            (DAY, "day"),
            (2 * DAY, "2 days"),
        ] {
            assert_eq!(span_in_words(seconds), expected);
        }
    }

    #[test]
    fn band_that_the_line_covers_is_not_explained() {
        let (step, count) = (1800, 336);
        // A curve that turns in so many days, with this noise.
        let has_legend = |days: f64, noise: f64| {
            let curve = |at: i64| 10.0 * (at as f64 / DAY as f64 / days * TAU).sin();
            let point = |number: i64| {
                let at = number * step;
                let (first, last) = (curve(at), curve(at + step));
                let (least, most) = (first.min(last) - noise, first.max(last) + noise);
                Point { at, length: step, value: (first + last) / 2.0, least, most }
            };
            let points: Vec<Point> = (0..count).map(point).collect();
            let (to, over_time) = (count * step, OverTime::Mean);
            let frame =
                Frame { from: 0, to, step: Some(step), covered: DAY, unit: None, over_time };
            !wordings(&Plot::of(&points, None, frame)).is_empty()
        };
        for (days, noise, expected) in [
            (1.0, 0.0, false),
            (7.0, 0.0, false),
            (1.0, 0.1, false),
            (1.0, 1.0, true),
            (7.0, 1.0, true),
        ] {
            assert_eq!(has_legend(days, noise), expected, "{days} {noise}");
        }
    }

    #[test]
    fn legend_names_what_each_quantity_shows() {
        let first = |over_time, step: Option<i64>, band: f64| {
            let point = |at: i64, value: f64| {
                let (least, most) = (value - band, value + band);
                Point { at: at * DAY, length: step.unwrap_or(0), value, least, most }
            };
            let points = [point(0, 10.0), point(1, 20.0)];
            let (from, to) = (0, 2 * DAY);
            let frame = Frame { from, to, step, covered: DAY, unit: None, over_time };
            let wordings = wordings(&Plot::of(&points, None, frame));
            let first = wordings.first().cloned().unwrap_or_default();
            first.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        let day = Some(DAY);
        for (over_time, step, band, expected) in [
            (OverTime::Mean, day, 3.0, &["mean per day", "lowest to highest"][..]),
            (OverTime::Mean, day, 0.01, &[]),
            (OverTime::Mean, None, 0.0, &[]),
            (OverTime::Max, day, 0.0, &["highest per day"]),
            (OverTime::Sum, day, 0.0, &["total per day"]),
            (OverTime::Increase, day, 0.0, &["increase per day"]),
            (OverTime::Circular, day, 0.0, &["mean direction per day"]),
            (OverTime::Last, day, 0.0, &[]),
        ] {
            assert_eq!(first(over_time, step, band), expected, "{over_time} {band}");
        }
    }
}
