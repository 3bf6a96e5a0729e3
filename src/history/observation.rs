//! Single observations, and what each adds to the total of its step.
//!
//! | over time | step of an observation at `t` | added to the total |
//! | --- | --- | --- |
//! | `mean`, `max`, `last` | the one that contains `t` | nothing: their numbers suffice |
//! | `circular` | the one that contains `t` | its vector, as long as the wind speed of the observation |
//! | `sum` | the one that ends at `t` or contains it | the amount |
//! | `increase` | the one that contains `t` | the rise since the observation before |
//!
//! An amount covers the time before its stamp, so that the rain stamped 00:00 fell on the day before. If
//! the amounts of several observations cover the same time, such as "the last hour" that is reported every
//! ten minutes, each counts by the part of its period since the observation before.
//!
//! A counter that drops by more than a tenth was reset, and counts from 0. The first reading of a series adds nothing.
//!
//! Readers compute the totals of single observations by the same code as the writer, so that a window has
//! the same totals whichever rows it is read from.

use super::bucket::{Bucket, Total};
use super::direction::VectorSum;
use super::speeds;
use crate::units::{OverTime, Unit, rise};

/// A row of `raw`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observation {
    pub(super) at: i64,
    pub(super) value: f64,
    /// Further input of the total: the period of an amount in seconds, or the wind speed of a
    /// direction in metres per second.
    pub(super) qualifier: Option<f64>,
}

/// Returns the time before which an observation is positioned: the observation at `t` belongs to the step
/// that contains `t - shift`.
pub(super) const fn shift(over_time: OverTime) -> i64 {
    match over_time {
        // The end of the interval that an amount covers is exclusive.
        OverTime::Sum => 1,
        _ => 0,
    }
}

/// Returns true if the total of an observation depends on the observation before.
pub(super) const fn depends_on_previous(over_time: OverTime) -> bool {
    matches!(over_time, OverTime::Sum | OverTime::Increase)
}

/// Returns the total of an observation, given the time and the number of the one before.
pub(super) fn total(
    over_time: OverTime,
    previous: Option<(i64, f64)>,
    observation: &Observation,
) -> Total {
    let Observation { at, value, qualifier } = *observation;
    match over_time {
        OverTime::Mean | OverTime::Max | OverTime::Last => Total::None,
        OverTime::Circular => Total::Vector(VectorSum::of(value, qualifier.unwrap_or(1.0))),
        OverTime::Sum => {
            let share = match (qualifier, previous) {
                (Some(period), Some((before, _))) if period > 0.0 => {
                    ((at - before) as f64 / period).clamp(0.0, 1.0)
                }
                _ => 1.0,
            };
            Total::Amount(value * share)
        }
        OverTime::Increase => Total::Amount(match previous {
            None => 0.0,
            Some((_, before)) => rise(before, value),
        }),
    }
}

/// Computes the totals of consecutive observations.
#[derive(Debug)]
pub(super) struct Totals {
    over_time: OverTime,
    /// Time and number of the observation before.
    previous: Option<(i64, f64)>,
}

impl Totals {
    pub(super) const fn after(previous: Option<(i64, f64)>, over_time: OverTime) -> Totals {
        Totals { over_time, previous }
    }

    /// Returns the bucket of the next observation, whose `at` is in the step to which it belongs.
    pub(super) fn next(&mut self, observation: &Observation) -> Bucket {
        let total = total(self.over_time, self.previous, observation);
        self.previous = Some((observation.at, observation.value));
        let at = observation.at - shift(self.over_time);
        let bucket = Bucket::with_total(at, observation.value, total);
        Bucket { last_at: observation.at, ..bucket }
    }
}

/// Returns the bucket of an observation that is not written yet, with the speed of the wind of the same
/// observation; `None` if its total depends on the observation before.
pub fn unwritten(
    over_time: OverTime,
    at: i64,
    value: f64,
    wind_speed: Option<(f64, Option<Unit>)>,
) -> Option<Bucket> {
    if depends_on_previous(over_time) {
        return None;
    }
    let qualifier = wind_speed.map(|(speed, unit)| speeds::metres_per_second(speed, unit));
    Some(Totals::after(None, over_time).next(&Observation { at, value, qualifier }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the amounts of observations of the given times, numbers and periods.
    fn amounts(over_time: OverTime, rows: &[(i64, f64, Option<f64>)]) -> Vec<f64> {
        let mut totals = Totals::after(None, over_time);
        let observations =
            rows.iter().map(|&(at, value, qualifier)| Observation { at, value, qualifier });
        let buckets = observations.map(|observation| totals.next(&observation));
        buckets.map(|bucket| bucket.value(over_time).unwrap()).collect()
    }

    #[test]
    fn overlapping_amounts_count_once() {
        let hour = Some(3600.0);
        for (rows, expected) in [
            // Hourly amounts, each hour.
            (&[(3600, 1.0, hour), (7200, 2.0, hour)][..], &[1.0, 2.0][..]),
            // Every ten minutes, and after a gap.
            (&[(3600, 6.0, hour), (4200, 6.0, hour), (9000, 3.0, hour)], &[6.0, 1.0, 3.0]),
            // Without a period each counts in full.
            (&[(0, 1.0, None), (60, 1.0, None)], &[1.0, 1.0]),
        ] {
            assert_eq!(amounts(OverTime::Sum, rows), expected);
        }
    }

    #[test]
    fn counter_that_drops_counts_from_zero() {
        let readings = [25.0, 25.5, 25.5, 0.0, 0.2, 0.1];
        let rows: Vec<_> = (0..).zip(readings).map(|(n, value)| (n * 60, value, None)).collect();
        let expected = [0.0, 0.5, 0.0, 0.0, 0.2, 0.1];
        assert_eq!(amounts(OverTime::Increase, &rows), expected);
    }

    #[test]
    fn counter_that_dips_was_not_reset() {
        let readings = [12_345.5, 12_345.25, 12_345.5, 12_346.0];
        let rows: Vec<_> = (0..).zip(readings).map(|(n, value)| (n * 60, value, None)).collect();
        assert_eq!(amounts(OverTime::Increase, &rows), [0.0, -0.25, 0.25, 0.5]);
    }

    #[test]
    fn amount_belongs_to_the_step_that_ends_at_its_stamp() {
        for (over_time, expected) in
            [(OverTime::Sum, 899), (OverTime::Increase, 900), (OverTime::Mean, 900)]
        {
            let midnight = Observation { at: 900, value: 1.0, qualifier: None };
            assert_eq!(Totals::after(None, over_time).next(&midnight).at, expected, "{over_time}");
        }
    }
}
