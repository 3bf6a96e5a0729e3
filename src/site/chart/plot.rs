//! From points to shapes: lines that end at gaps, a band between least and most, and the spans
//! of which nothing is known.

use crate::history::Bucket;
use crate::units::Unit;

use super::axis::ValueAxis;

/// What a chart shows, without a size or a colour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// The window, seconds since 1970.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) axis: ValueAxis,
    /// Stretches of observations that follow each other closely.
    pub(super) runs: Vec<Vec<Bucket>>,
    /// Stretches of which the latest observation was stale already.
    pub(super) stale: Vec<(i64, i64)>,
}

/// What shapes need to know besides the points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Seconds that a point stands for.
    pub(super) step: i64,
    /// Seconds after which an observation is stale.
    pub(super) stale_after: i64,
    pub(super) unit: Option<Unit>,
}

impl Plot {
    /// The shapes of these points, which come in order; `None` when there are none.
    pub(super) fn of(points: &[Bucket], frame: Frame) -> Option<Plot> {
        let Frame { from, to, step, stale_after, unit } = frame;
        let least = points.iter().map(|point| point.min).reduce(f64::min)?;
        let most = points.iter().map(|point| point.max).reduce(f64::max)?;
        // A point says that something was observed in its span, not when.
        let known = stale_after.max(step * 3 / 2);
        let mut runs: Vec<Vec<Bucket>> = Vec::new();
        let mut stale = Vec::new();
        let mut last: Option<i64> = None;
        for point in points {
            match last {
                Some(last) if point.at - last <= known => {}
                Some(last) => {
                    stale.push((last + known, point.at));
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
            && to - last > known
        {
            stale.push((last + known, to));
        }
        Some(Plot { from, to, axis: ValueAxis::over(least, most, unit), runs, stale })
    }

    /// The points in order.
    pub(super) fn points(&self) -> impl DoubleEndedIterator<Item = &Bucket> {
        self.runs.iter().flatten()
    }

    /// How far the least and the most of a point are apart, by and large.
    pub(super) fn mean_band(&self) -> f64 {
        let apart: f64 = self.points().map(|point| point.max - point.min).sum();
        apart / self.points().count().max(1) as f64
    }

    /// Whether some point stands for several observations that differ.
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
    fn lines_end_at_gaps_and_gaps_are_shaded_from_where_it_was_stale() {
        for (times, runs, stale) in [
            (&[9000, 9300, 9900][..], &[3][..], &[][..]),
            (&[0, 300, 6000, 6300], &[2, 2], &[(1200, 6000), (7200, 10_000)]),
            (&[5000], &[1], &[(5900, 10_000)]),
            // What was before the first observation is not stale: nothing was watched.
            (&[9500], &[1], &[]),
        ] {
            let plot = plot(times);
            let lengths: Vec<usize> = plot.runs.iter().map(Vec::len).collect();
            assert_eq!((&lengths[..], &plot.stale[..]), (runs, stale), "{times:?}");
        }
        assert_eq!(Plot::of(&[], FRAME), None);
    }

    #[test]
    fn days_are_not_gaps() {
        let days: Vec<Bucket> =
            (0..5).map(|day| Bucket::single(day * 86_400, day as f64)).collect();
        let frame = Frame { to: 5 * 86_400, step: 86_400, ..FRAME };
        assert_eq!(Plot::of(&days, frame).unwrap().runs.len(), 1);
    }
}
