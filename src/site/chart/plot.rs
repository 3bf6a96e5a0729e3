//! Converts points to shapes: lines that end at gaps, and the spans in which the latest observation was
//! stale.

use crate::history::Bucket;
use crate::units::Unit;

use super::axis::ValueAxis;

/// Shapes of a chart, without a size or a colour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// Start of the window, Unix time.
    pub(super) from: i64,
    /// End of the window, exclusive.
    pub(super) to: i64,
    pub(super) axis: ValueAxis,
    /// Runs of points without a gap between them, in order.
    pub(super) runs: Vec<Vec<Bucket>>,
    /// Spans in which the latest observation was stale.
    pub(super) stale: Vec<(i64, i64)>,
}

/// Parameters of a plot besides its points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Seconds that a point covers.
    pub(super) step: i64,
    /// Seconds after which an observation is stale.
    pub(super) stale_after: i64,
    pub(super) unit: Option<Unit>,
}

impl Plot {
    /// Returns the plot of these points, which are in order; `None` if there are none.
    pub(super) fn of(points: &[Bucket], frame: Frame) -> Option<Plot> {
        let Frame { from, to, step, stale_after, unit } = frame;
        let least = points.iter().map(|point| point.min).reduce(f64::min)?;
        let most = points.iter().map(|point| point.max).reduce(f64::max)?;
        // A point has the time at which its span starts. The observation may be from its end, so two points
        // that follow each other are never a gap.
        let covered = stale_after.max(step * 3 / 2);
        let mut runs: Vec<Vec<Bucket>> = Vec::new();
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
            if let Some(run) = runs.last_mut() {
                run.push(*point);
            }
        }
        if let Some(last) = last
            && to - last > covered
        {
            stale.push((last + covered, to));
        }
        Some(Plot { from, to, axis: ValueAxis::covering(least, most, unit), runs, stale })
    }

    /// Iterates over the points in order.
    pub(super) fn points(&self) -> impl DoubleEndedIterator<Item = &Bucket> {
        self.runs.iter().flatten()
    }

    /// Returns the mean distance between the least and the most of a point.
    pub(super) fn mean_band(&self) -> f64 {
        let total: f64 = self.points().map(|point| point.max - point.min).sum();
        total / self.points().count().max(1) as f64
    }

    /// Returns true if some point covers several observations that differ.
    pub(super) fn has_band(&self) -> bool {
        self.points().any(|point| point.min < point.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame =
        Frame { from: 0, to: 10_000, step: 300, stale_after: 900, unit: Some(Unit::Percent) };

    fn plot(times: &[i64]) -> Plot {
        let points: Vec<Bucket> = times.iter().map(|&at| Bucket::single(at, 50.0)).collect();
        Plot::of(&points, FRAME).unwrap()
    }

    #[test]
    fn line_ends_at_a_gap_which_is_shaded_once_the_observation_is_stale() {
        for (times, runs, stale) in [
            (&[9000, 9300, 9900][..], &[3][..], &[][..]),
            (&[0, 300, 6000, 6300], &[2, 2], &[(1200, 6000), (7200, 10_000)]),
            (&[5000], &[1], &[(5900, 10_000)]),
            // The span before the first observation is not stale: nothing was recorded then.
            (&[9500], &[1], &[]),
        ] {
            let plot = plot(times);
            let lengths: Vec<usize> = plot.runs.iter().map(Vec::len).collect();
            assert_eq!((&lengths[..], &plot.stale[..]), (runs, stale), "{times:?}");
        }
        assert_eq!(Plot::of(&[], FRAME), None);
    }

    #[test]
    fn points_a_step_apart_leave_no_gap() {
        let days: Vec<Bucket> =
            (0..5).map(|day| Bucket::single(day * 86_400, day as f64)).collect();
        let frame = Frame { to: 5 * 86_400, step: 86_400, ..FRAME };
        assert_eq!(Plot::of(&days, frame).unwrap().runs.len(), 1);
    }
}
