//! Aggregates of observations, and their further aggregation to longer steps.

use strum::{IntoStaticStr, VariantArray};

use super::calendar::Calendar;
use crate::units::Unit;

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
    /// Number of observations, at least 1.
    pub count: u64,
}

impl Bucket {
    /// Returns the bucket of a single observation.
    pub const fn single(at: i64, value: f64) -> Bucket {
        Bucket { at, min: value, max: value, sum: value, last: value, count: 1 }
    }

    /// Returns the mean.
    pub fn mean(&self) -> f64 {
        // A count is far below 2^52.
        self.sum / self.count as f64
    }

    /// Adds the observations of a later bucket. `at` does not change.
    pub fn merge(&mut self, later: &Bucket) {
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.sum += later.sum;
        self.last = later.last;
        self.count += later.count;
    }

    /// Converts the bucket to another unit. Returns it unchanged if the units measure different quantities.
    pub fn converted(self, from: Option<Unit>, to: Option<Unit>) -> Bucket {
        let (Some(from), Some(to)) = (from, to) else { return self };
        if from == to {
            return self;
        }
        let convert = |number: f64| from.convert(number, to);
        let parts =
            (convert(self.min), convert(self.max), convert(self.mean()), convert(self.last));
        let (Some(min), Some(max), Some(mean), Some(last)) = parts else { return self };
        Bucket { min, max, sum: mean * self.count as f64, last, ..self }
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
        assert_eq!(bucket, Bucket { at: 0, min: 1.0, max: 7.0, sum: 18.0, last: 6.0, count: 4 });
        assert_eq!(bucket.mean(), 4.5);
        let celsius = bucket.converted(Some(Unit::Celsius), Some(Unit::Fahrenheit));
        assert_eq!((celsius.min, celsius.max, celsius.mean()), (33.8, 44.6, 40.1));
        assert_eq!(bucket.converted(Some(Unit::Celsius), Some(Unit::Inch)), bucket);
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
