//! Aggregates of observations, and their further aggregation to longer steps.

use strum::{IntoStaticStr, VariantArray};

use super::calendar::Calendar;
use super::direction::VectorSum;
use crate::units::{OverTime, Unit};

/// Granularity of stored rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Tier {
    /// Single observations.
    #[strum(serialize = "raw")]
    Raw,
    /// Quarters of an hour.
    #[strum(serialize = "15m")]
    Quarter,
    /// Days.
    #[strum(serialize = "1d")]
    Day,
}

impl Tier {
    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A point of a series: a single observation, or the aggregate of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Start of the step, or time of a single observation, in seconds since 1970.
    pub at: i64,
    /// Smallest number.
    pub min: f64,
    /// Largest number.
    pub max: f64,
    /// Sum of the numbers, for the mean.
    pub sum: f64,
    /// Number of the latest observation.
    pub last: f64,
    /// Time of the latest observation.
    pub last_at: i64,
    /// Number of observations, at least 1.
    pub count: u64,
    /// Aggregate of the ways over time that the numbers above do not determine.
    pub total: Total,
    /// True if the window cuts the step, so that the bucket has a part of its observations only.
    pub is_partial: bool,
}

/// Aggregate of the ways over time that need more than the numbers of the observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Total {
    /// Not needed, or not known.
    None,
    /// The bucket is one observation, unchanged: its value is the number that was measured.
    Observation,
    /// Amount of [`OverTime::Sum`] or rise of [`OverTime::Increase`].
    Amount(f64),
    /// Directions of [`OverTime::Circular`].
    Vector(VectorSum),
}

impl Total {
    fn merge(self, other: Total) -> Total {
        match (self, other) {
            (Total::Amount(one), Total::Amount(other)) => Total::Amount(one + other),
            (Total::Vector(one), Total::Vector(other)) => Total::Vector(one + other),
            // An unknown part makes the whole unknown.
            _ => Total::None,
        }
    }
}

impl Bucket {
    /// Returns the bucket of an observation that is shown as it was measured.
    pub const fn single(at: i64, value: f64) -> Bucket {
        Bucket::with_total(at, value, Total::Observation)
    }

    /// Returns the bucket of an observation that is to be merged with others.
    pub(super) const fn with_total(at: i64, value: f64, total: Total) -> Bucket {
        let (min, max, sum, last) = (value, value, value, value);
        Bucket { at, min, max, sum, last, last_at: at, count: 1, total, is_partial: false }
    }

    /// Returns the mean.
    pub fn mean(&self) -> f64 {
        // A count is far below 2^52.
        self.sum / self.count as f64
    }

    /// Returns the number that stands for all observations. Returns `None` if there is none, for the
    /// reason that [`note`](Bucket::note) returns.
    pub fn value(&self, over_time: OverTime) -> Option<f64> {
        let value = match (self.total, over_time) {
            (Total::Observation, _) | (_, OverTime::Last) => self.last,
            (_, OverTime::Mean) => self.mean(),
            (_, OverTime::Max) => self.max,
            (Total::Amount(amount), OverTime::Sum | OverTime::Increase) => amount,
            (Total::Vector(vector), OverTime::Circular) => vector.direction()?,
            _ => return None,
        };
        value.is_finite().then_some(value)
    }

    /// Returns the reason why [`value`](Bucket::value) is `None`; `None` if there is a value.
    pub fn note(&self, over_time: OverTime) -> Option<&'static str> {
        match self.value(over_time) {
            Some(_) => None,
            None => Some(match self.total {
                Total::Vector(vector) if vector.is_calm() => "calm",
                Total::Vector(_) => "no prevailing direction",
                _ => "the single observations are no longer stored",
            }),
        }
    }

    /// Adds the observations of another bucket. `at` does not change.
    pub fn merge(&mut self, other: &Bucket) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        if other.last_at >= self.last_at {
            (self.last, self.last_at) = (other.last, other.last_at);
        }
        self.count += other.count;
        self.total = self.total.merge(other.total);
        self.is_partial |= other.is_partial;
    }

    /// Converts the bucket to another unit. Returns it unchanged if the units measure different quantities.
    ///
    /// The numbers of observations are rounded as converted values are. Their sum and the amount are not,
    /// since they are added to others.
    pub fn converted(self, from: Option<Unit>, to: Option<Unit>) -> Bucket {
        let (Some(from), Some(to)) = (from, to) else { return self };
        if from == to {
            return self;
        }
        let convert = |number: f64| from.convert(number, to);
        let exact = |number: f64| from.convert_unrounded(number, to);
        let numbers = (convert(self.min), convert(self.max), convert(self.last));
        let (Some(min), Some(max), Some(last)) = numbers else { return self };
        let (Some(mean), Some(zero), Some(one)) = (exact(self.mean()), exact(0.0), exact(1.0))
        else {
            return self;
        };
        let total = match self.total {
            // A difference has no zero of its own: 1 K is 1.8 °F.
            Total::Amount(amount) => Total::Amount(amount * (one - zero)),
            other => other,
        };
        Bucket { min, max, sum: mean * self.count as f64, last, total, ..self }
    }
}

/// Merges consecutive buckets of the same step.
#[derive(Debug)]
pub struct Merger {
    calendar: Calendar,
    step: i64,
    open: Option<Bucket>,
}

impl Merger {
    /// Returns a merger to steps of `step` seconds.
    pub fn new(calendar: Calendar, step: i64) -> Merger {
        Merger { calendar, step: step.max(1), open: None }
    }

    /// Adds the next bucket. If it begins a new step, returns the complete step before it.
    pub fn push(&mut self, bucket: Bucket) -> Option<Bucket> {
        let at = self.calendar.step(bucket.at, self.step);
        self.push_to(at, bucket)
    }

    /// Adds the next bucket, which belongs to the step that starts at `at`.
    pub(super) fn push_to(&mut self, at: i64, bucket: Bucket) -> Option<Bucket> {
        match &mut self.open {
            Some(open) if open.at == at => {
                open.merge(&bucket);
                None
            }
            open => open.replace(Bucket { at, ..bucket }),
        }
    }

    /// Returns the last step.
    pub fn finish(&mut self) -> Option<Bucket> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn merged_bucket_has_the_statistics_of_all_observations() {
        let mut bucket = Bucket::single(0, 4.0);
        for (at, value) in [(60, 1.0), (120, 7.0), (180, 6.0)] {
            bucket.merge(&Bucket::single(at, value));
        }
        let numbers = (bucket.min, bucket.max, bucket.sum, bucket.last, bucket.count);
        assert_eq!(numbers, (1.0, 7.0, 18.0, 6.0, 4));
        assert_eq!((bucket.at, bucket.mean()), (0, 4.5));
        let celsius = bucket.converted(Some(Unit::Celsius), Some(Unit::Fahrenheit));
        assert_eq!((celsius.min, celsius.max, celsius.mean()), (33.8, 44.6, 40.1));
        assert_eq!(bucket.converted(Some(Unit::Celsius), Some(Unit::Inch)), bucket);
    }

    #[test]
    fn value_is_the_aggregate_by_the_quantity() {
        let with = |total| {
            let mut bucket = Bucket::with_total(0, 4.0, total);
            bucket.merge(&Bucket::with_total(60, 1.0, total));
            bucket
        };
        let east = Total::Vector(VectorSum::of(90.0, 2.0));
        for (over_time, total, expected) in [
            (OverTime::Mean, Total::None, Some(2.5)),
            (OverTime::Max, Total::None, Some(4.0)),
            (OverTime::Last, Total::None, Some(1.0)),
            (OverTime::Sum, Total::Amount(0.25), Some(0.5)),
            (OverTime::Increase, Total::Amount(3.0), Some(6.0)),
            (OverTime::Circular, east, Some(90.0)),
            (OverTime::Sum, Total::None, None),
            (OverTime::Increase, Total::None, None),
            (OverTime::Circular, Total::None, None),
            // An amount is unknown if a part of it is.
            (OverTime::Sum, Total::Observation, None),
        ] {
            let bucket = with(total);
            assert_eq!(bucket.value(over_time), expected, "{over_time} {total:?}");
            assert_eq!(bucket.note(over_time).is_none(), expected.is_some(), "{over_time}");
        }
        for over_time in [OverTime::Mean, OverTime::Sum, OverTime::Increase, OverTime::Circular] {
            assert_eq!(Bucket::single(0, 7.0).value(over_time), Some(7.0), "{over_time}");
        }
    }

    #[test]
    fn amount_is_converted_without_rounding_and_without_a_zero() {
        let rain = Bucket::with_total(0, 0.01, Total::Amount(0.001));
        let rain = rain.converted(Some(Unit::Inch), Some(Unit::Millimetre));
        assert_eq!(rain.value(OverTime::Sum), Some(0.0254));
        let rise = Bucket::with_total(0, 10.0, Total::Amount(10.0));
        let rise = rise.converted(Some(Unit::Celsius), Some(Unit::Fahrenheit));
        let amount = rise.value(OverTime::Increase).unwrap();
        assert!(rise.last == 50.0 && (amount - 18.0).abs() < 1e-9, "{rise:?}");
    }

    #[test]
    fn merger_adds_no_step_without_observations() {
        let mut merger = Merger::new(Calendar::new(TimeZone::UTC), 900);
        let mut merged = Vec::new();
        for at in [0, 300, 600, 900, 7200, 7500] {
            merged.extend(merger.push(Bucket::single(at, at as f64)));
        }
        merged.extend(merger.finish());
        let seen: Vec<_> = merged.iter().map(|step| (step.at, step.count, step.last)).collect();
        assert_eq!(seen, [(0, 3, 600.0), (900, 1, 900.0), (7200, 2, 7500.0)]);
    }
}
