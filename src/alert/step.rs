//! Step of a sensor: the smallest difference of its values, as an estimate of its resolution.
//!
//! A sensor that shows a level to the nearest 5 % changes by 5 % or not at all. If it is between two of its values, it
//! alternates between them, so a threshold needs a hysteresis of at least one step.

use crate::units::Unit;

/// Fewest differences from which a step is estimated.
const MIN_DIFFERENCES: u16 = 8;

/// Fewest steps between the lowest and the highest value. A pump that is on or off has no resolution: a hysteresis of
/// the difference of the two would keep its alert for ever.
const MIN_RANGE: f64 = 4.0;

/// Differences smaller than this share of the values are errors of rounding.
const ROUNDING: f64 = 1e-9;

/// Estimate of the step of a sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// Time of the latest value, in milliseconds since 1970.
    pub(super) at: i64,
    /// Latest value.
    pub(super) latest: f64,
    /// Smallest difference of two consecutive values that differ.
    pub(super) smallest: f64,
    /// Number of such differences, up to a limit.
    pub(super) differences: u16,
    /// Lowest value.
    pub(super) lowest: f64,
    /// Highest value.
    pub(super) highest: f64,
}

impl Step {
    /// Returns an estimate from one value, which is none yet.
    pub(super) fn new(at: i64, value: f64) -> Step {
        Step {
            at,
            latest: value,
            smallest: f64::MAX,
            differences: 0,
            lowest: value,
            highest: value,
        }
    }

    /// Adds a value. One that is not later than the latest changes nothing.
    pub(super) fn push(&mut self, at: i64, value: f64) {
        if at <= self.at {
            return;
        }
        let difference = (value - self.latest).abs();
        if difference > ROUNDING * value.abs().max(self.latest.abs()) {
            self.smallest = self.smallest.min(difference);
            self.differences = self.differences.saturating_add(1);
        }
        (self.at, self.latest) = (at, value);
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
    }

    /// Returns the step, or 0 without enough evidence.
    pub(super) fn get(&self) -> f64 {
        let is_known = self.differences >= MIN_DIFFERENCES
            // The range of numbers near the greatest ones is infinite, and no step is known then.
            && (MIN_RANGE * self.smallest * (1.0 - ROUNDING)..f64::INFINITY)
                .contains(&(self.highest - self.lowest));
        if is_known { self.smallest } else { 0.0 }
    }

    /// Returns the estimate in another unit; `None` if that measures another quantity.
    pub(super) fn converted(self, from: Option<Unit>, to: Option<Unit>) -> Option<Step> {
        let convert = |number| from?.convert_unrounded(number, to?).filter(|n: &f64| n.is_finite());
        let smallest = match self.differences {
            0 => f64::MAX,
            _ => (convert(self.smallest)? - convert(0.0)?).abs(),
        };
        Some(Step {
            latest: convert(self.latest)?,
            smallest,
            lowest: convert(self.lowest)?,
            highest: convert(self.highest)?,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(values: &[f64]) -> f64 {
        let mut step = Step::new(0, values[0]);
        (1..).zip(&values[1..]).for_each(|(at, &value)| step.push(at, value));
        step.get()
    }

    #[test]
    fn step_is_the_smallest_difference_if_there_is_evidence() {
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        let ramp = [20.0, 20.1, 20.3, 20.4, 20.3, 20.2, 20.1, 20.0, 19.9, 20.4];
        assert!(close(step(&ramp), 0.1), "{}", step(&ramp));
        let levels = [85.0, 80.0, 85.0, 85.0, 80.0, 75.0, 70.0, 65.0, 60.0, 55.0];
        assert!(close(step(&levels), 5.0));
        assert_eq!(step(&levels[..6]), 0.0, "too few differences");
        assert_eq!(step(&[0.0, 6.0].repeat(10)), 0.0, "on or off");
        let noise: Vec<f64> = ramp.iter().map(|value| value + f64::EPSILON * value).collect();
        let with_noise: Vec<f64> = ramp.iter().zip(&noise).flat_map(|(a, b)| [*a, *b]).collect();
        assert!(close(step(&with_noise), 0.1), "{}", step(&with_noise));
        assert_eq!(step(&[f64::MAX, f64::MIN].repeat(10)), 0.0);
    }

    #[test]
    fn late_values_change_nothing_and_units_convert() {
        let mut late = Step::new(10, 1.0);
        late.push(10, 5.0);
        late.push(3, 7.0);
        assert_eq!(late, Step::new(10, 1.0));
        let mut celsius = Step::new(0, 0.0);
        celsius.push(1, 10.0);
        let converted = celsius.converted(Some(Unit::Celsius), Some(Unit::Fahrenheit)).unwrap();
        assert!((converted.smallest - 18.0).abs() < 1e-9 && (converted.latest - 50.0).abs() < 1e-9);
        assert_eq!(celsius.converted(Some(Unit::Celsius), Some(Unit::Litre)), None);
    }
}
