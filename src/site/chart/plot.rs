//! Converts points to shapes: lines that end at gaps, bars, and the spans in which the latest observation
//! was stale.

use super::point::Point;
use super::threshold::Level;
use crate::units::{OverTime, Unit};

/// Shapes of a chart, without a size or a colour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    pub(super) frame: Frame,
    /// Runs of points without a gap between them, in order.
    pub(super) runs: Vec<Vec<Point>>,
    /// The latest observation, which is marked. It is not part of a line through spans: between the value of
    /// a span and a single observation the line would jump.
    pub(super) latest: Option<Point>,
    /// Spans in which the latest observation was stale.
    pub(super) stale: Vec<(i64, i64)>,
    /// Thresholds of alerts, from the lowest to the highest.
    pub(super) levels: Vec<Level>,
}

/// Parameters of a plot besides its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Start of the window, Unix time.
    pub(super) from: i64,
    /// End of the window, exclusive.
    pub(super) to: i64,
    /// Seconds of the span of each point; `None` if the points are single observations.
    pub(super) step: Option<i64>,
    /// Seconds after a point for which it holds; then there is a gap.
    pub(super) covered: i64,
    pub(super) unit: Option<Unit>,
    pub(super) over_time: OverTime,
}

/// Way to draw the points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A line through values at a time.
    Line,
    /// A bar for the amount of each span.
    Bars,
    /// Dots: the way from one direction to the next may be either way round.
    Dots,
}

impl Frame {
    pub(super) const fn shape(&self) -> Shape {
        match (self.over_time, self.step) {
            (OverTime::Circular, _) => Shape::Dots,
            (OverTime::Sum, _) | (OverTime::Increase, Some(_)) => Shape::Bars,
            _ => Shape::Line,
        }
    }
}

impl Plot {
    /// Returns the plot of these points, which are in order, and of the latest observation, which may be the
    /// last of these.
    pub(super) fn of(points: &[Point], latest: Option<Point>, frame: Frame) -> Plot {
        let Frame { from, to, covered, .. } = frame;
        let mut runs: Vec<Vec<Point>> = Vec::new();
        let mut stale = Vec::new();
        let mut last: Option<i64> = None;
        for point in points {
            match last {
                Some(last) if point.at - last <= covered => {}
                Some(last) => {
                    stale.push((last + covered, point.at));
                    runs.push(Vec::new());
                }
                None => runs.push(Vec::new()),
            }
            last = Some(point.at);
            // The amount of a part of a span would be low, but that of the span so far is true.
            let shown = match frame.shape() {
                Shape::Bars => point.at >= from,
                Shape::Line | Shape::Dots => point.end() <= to && point.middle() >= from,
            };
            if let Some(run) = runs.last_mut().filter(|_| shown) {
                run.push(*point);
            }
        }
        let last = last.max(latest.map(|latest| latest.at));
        if let Some(last) = last
            && to - last > covered
        {
            stale.push((last + covered, to));
        }
        runs.retain(|run| !run.is_empty());
        Plot { frame, runs, latest, stale, levels: Vec::new() }
    }

    /// Iterates over the points of all runs in order.
    pub(super) fn points(&self) -> impl DoubleEndedIterator<Item = &Point> {
        self.runs.iter().flatten()
    }

    /// Iterates over the points and the latest observation, if it is not one of the points.
    pub(super) fn marks(&self) -> impl DoubleEndedIterator<Item = &Point> {
        let last = self.points().next_back().filter(|last| last.length == 0).map(|last| last.at);
        self.points().chain(self.latest.iter().filter(move |latest| Some(latest.at) != last))
    }

    /// Returns true if there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.marks().next().is_none()
    }

    /// Returns the least and the greatest number of all marks; zeros if there are none.
    pub(super) fn extremes(&self) -> (f64, f64) {
        let least = self.marks().map(|point| point.least).reduce(f64::min);
        let most = self.marks().map(|point| point.most).reduce(f64::max);
        (least.unwrap_or_default(), most.unwrap_or_default())
    }

    /// Returns the mean distance between the least and the most of a point.
    pub(super) fn mean_band(&self) -> f64 {
        let total: f64 = self.points().map(|point| point.most - point.least).sum();
        total / self.points().count().max(1) as f64
    }

    /// Returns true if some point covers several observations that differ.
    pub(super) fn has_band(&self) -> bool {
        self.points().any(|point| point.least < point.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        from: 0,
        to: 10_000,
        step: None,
        covered: 900,
        unit: Some(Unit::Percent),
        over_time: OverTime::Mean,
    };

    const DAY: i64 = 86_400;

    fn plot(times: &[i64]) -> Plot {
        let points: Vec<Point> = times.iter().map(|&at| Point::single(at, 50.0)).collect();
        Plot::of(&points, points.last().copied(), FRAME)
    }

    fn day(number: i64) -> Point {
        Point { length: DAY, ..Point::single(number * DAY, number as f64) }
    }

    #[test]
    fn line_ends_at_a_gap_which_is_shaded_once_the_observation_is_stale() {
        for (times, runs, stale) in [
            (&[9000, 9300, 9900][..], &[3][..], &[][..]),
            (&[0, 300, 6000, 6300], &[2, 2], &[(1200, 6000), (7200, 10_000)]),
            (&[5000], &[1], &[(5900, 10_000)]),
            // The span before the first observation is not stale: nothing was recorded then.
            (&[9500], &[1], &[]),
            (&[], &[], &[]),
        ] {
            let plot = plot(times);
            let lengths: Vec<usize> = plot.runs.iter().map(Vec::len).collect();
            assert_eq!((&lengths[..], &plot.stale[..]), (runs, stale), "{times:?}");
            assert_eq!(plot.is_empty(), times.is_empty());
            assert_eq!(plot.marks().count(), times.len(), "the latest is marked once");
        }
    }

    #[test]
    fn points_a_step_apart_leave_no_gap() {
        let days: Vec<Point> = (0..5).map(day).collect();
        let frame = Frame { to: 5 * DAY, step: Some(DAY), covered: DAY, ..FRAME };
        assert_eq!(Plot::of(&days, None, frame).runs, [days]);
    }

    #[test]
    fn line_through_spans_has_no_incomplete_span_and_is_not_continued_to_the_latest_observation() {
        // The window begins in the afternoon of day 0 and ends in the morning of day 4.
        let days: Vec<Point> = (0..5).map(day).collect();
        let latest = Some(Point::single(4 * DAY + 3000, 99.0));
        let frame =
            Frame { from: DAY * 3 / 4, to: 4 * DAY + 3600, step: Some(DAY), covered: DAY, ..FRAME };
        let plot = Plot::of(&days, latest, frame);
        assert_eq!(plot.runs, [&days[1..4]]);
        assert_eq!(plot.marks().next_back(), latest.as_ref());
        assert_eq!(plot.stale, []);
        for over_time in [OverTime::Sum, OverTime::Increase] {
            let plot = Plot::of(&days, None, Frame { over_time, ..frame });
            assert_eq!(plot.runs, [&days[1..]]);
        }
        // A day that has only begun leaves the latest observation alone.
        let first = Plot::of(&days[4..], latest, frame);
        assert_eq!((first.runs.len(), first.marks().count()), (0, 1));
    }
}
