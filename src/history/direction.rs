//! Means of directions.
//!
//! The mean of 350° and 10° is 0° and not 180°. Each direction is therefore a vector, as long as the wind
//! was strong, and the mean is the direction of the sum of the vectors (WMO-No. 8, part I, chapter 5).

use std::ops::{Add, Sub};

/// Sum of the vectors of several directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorSum {
    /// Components of the sum.
    pub(super) east: f64,
    pub(super) north: f64,
    /// Sum of the lengths of the vectors.
    pub(super) weight: f64,
}

/// Length of a sum, relative to the lengths of its vectors, below which they cancel out. Exact sums of
/// opposite vectors differ from 0 by rounding errors only.
const VANISHING: f64 = 1e-9;

/// Decimals of a mean direction.
const DECIMALS: i32 = 6;

impl VectorSum {
    /// Returns the vector of one direction in degrees, with the speed of the wind or 1 as its weight.
    pub fn of(degrees: f64, weight: f64) -> VectorSum {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let weight = weight.max(0.0);
        VectorSum { east: weight * sin, north: weight * cos, weight }
    }

    /// Returns the mean direction, at least 0 and below 360 degrees. Returns `None` if the air was calm or if
    /// the vectors cancel out.
    pub(super) fn direction(self) -> Option<f64> {
        let length = self.east.hypot(self.north);
        if length.is_nan() || length <= self.weight * VANISHING {
            return None;
        }
        let degrees = self.east.atan2(self.north).to_degrees().rem_euclid(360.0);
        let rounded = crate::units::round_to(degrees, DECIMALS);
        Some(if rounded >= 360.0 { 0.0 } else { rounded })
    }

    /// Returns true if all vectors have no length.
    pub(super) fn is_calm(self) -> bool {
        self.weight <= 0.0
    }
}

impl Add for VectorSum {
    type Output = VectorSum;

    fn add(self, other: VectorSum) -> VectorSum {
        VectorSum {
            east: self.east + other.east,
            north: self.north + other.north,
            weight: self.weight + other.weight,
        }
    }
}

impl Sub for VectorSum {
    type Output = VectorSum;

    fn sub(self, other: VectorSum) -> VectorSum {
        VectorSum {
            east: self.east - other.east,
            north: self.north - other.north,
            weight: self.weight - other.weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_direction_is_that_of_the_sum_of_vectors() {
        for (winds, expected) in [
            (&[(350.0, 1.0), (10.0, 1.0)][..], Some(0.0)),
            (&[(350.0, 5.0), (20.0, 5.0)], Some(5.0)),
            (&[(0.0, 3.0), (90.0, 4.0)], Some(53.130_102)),
            (&[(180.0, 1.0), (270.0, 0.0)], Some(180.0)),
            (&[(360.0, 2.0)], Some(0.0)),
            (&[(-90.0, 2.0)], Some(270.0)),
            // Calm, and winds that cancel out.
            (&[(45.0, 0.0), (90.0, 0.0)], None),
            (&[(0.0, 5.0), (180.0, 5.0)], None),
            (&[(0.0, 2.0), (120.0, 2.0), (240.0, 2.0)], None),
            (&[(90.0, -1.0)], None),
        ] {
            let vectors = winds.iter().map(|&(degrees, speed)| VectorSum::of(degrees, speed));
            let sum = vectors.reduce(Add::add).unwrap();
            assert_eq!(sum.direction(), expected, "{winds:?}");
        }
        assert!(VectorSum::of(45.0, 0.0).is_calm() && !VectorSum::of(45.0, 0.1).is_calm());
    }
}
