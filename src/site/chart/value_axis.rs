//! The axis of values: ticks at round numbers, with labels that fit beside the plot.

use super::text_width::width;
use super::tick::Tick;
use crate::format::{fixed, scientific};
use crate::units::{Quantity, Unit};

/// Axis of values, which begins and ends at a tick.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<Tick<f64>>,
}

/// Room for an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Approximate number of intervals.
    pub(super) intervals: f64,
    /// Longest label, as a multiple of the size of its font.
    pub(super) label: f64,
}

/// Largest number that an axis shows; its labels stay finite.
const MAX_NUMBER: f64 = 1e300;

/// Smallest step, as a share of the largest number: below it, ticks would be the same number.
const MIN_STEP: f64 = 1e-9;

impl ValueAxis {
    /// Returns an axis that covers the numbers from `least` to `most`.
    pub(super) fn covering(least: f64, most: f64, unit: Option<Unit>, room: Room) -> ValueAxis {
        let bounded = |number: f64| number.clamp(-MAX_NUMBER, MAX_NUMBER);
        let (least, most) = with_zero(bounded(least), bounded(most), unit);
        let size = least.abs().max(most.abs());
        // A flat line gets some room above and below.
        let is_flat = most - least <= size * MIN_STEP;
        let pad = if !is_flat {
            0.0
        } else if size > 0.0 {
            size * 0.05
        } else {
            0.05
        };
        let (least, most) = (least - pad, most + pad);
        let mut step = round_step(((most - least) / room.intervals).max(size * MIN_STEP));
        loop {
            let axis = ValueAxis::by_step(least, most, step);
            // A coarser step has fewer digits. A step of the size of the numbers has one.
            if axis.label_width() <= room.label || step > size {
                return axis;
            }
            step = round_step(step * 1.01);
        }
    }

    /// Returns the axis of directions in degrees, from north to north.
    pub(super) fn compass() -> ValueAxis {
        let points = [(0.0, "N"), (90.0, "E"), (180.0, "S"), (270.0, "W"), (360.0, "N")];
        let ticks = points.map(|(at, label)| Tick { at, label: label.to_owned() });
        ValueAxis { low: 0.0, high: 360.0, ticks: ticks.into() }
    }

    fn by_step(least: f64, most: f64, step: f64) -> ValueAxis {
        let (first, last) = ((least / step).floor(), (most / step).ceil());
        let (low, high) = (first * step, last * step);
        let count = (last - first).round() as i32;
        let numbers = (0..=count).map(|number| {
            let at = low + f64::from(number) * step;
            // A rounding error can make zero a tiny number, whose label would be "-0".
            if at.abs() < step / 1e6 { 0.0 } else { at }
        });
        let numbers: Vec<f64> = numbers.collect();
        let labels = labels(&numbers, step);
        let ticks = numbers.into_iter().zip(labels).map(|(at, label)| Tick { at, label });
        ValueAxis { low, high, ticks: ticks.collect() }
    }

    /// Returns the width of the widest label, as a multiple of the size of its font.
    pub(super) fn label_width(&self) -> f64 {
        self.ticks.iter().map(|tick| width(&tick.label)).fold(0.0, f64::max)
    }

    /// Returns the number of decimals that resolve a thousandth of the axis.
    pub(super) fn decimals(&self) -> usize {
        (3.0 - (self.high - self.low).log10().ceil()).clamp(0.0, 12.0) as usize
    }
}

/// Extends the span of numbers to zero where the distance from zero has a meaning.
fn with_zero(least: f64, most: f64, unit: Option<Unit>) -> (f64, f64) {
    match unit.map(Unit::quantity) {
        // A percentage is shown as a share of the whole.
        _ if unit == Some(Unit::Percent) && least >= 0.0 => (0.0, most.max(100.0)),
        // An amount or a speed is shown in proportion to zero.
        Some(Quantity::Volume | Quantity::Speed) => (least.min(0.0), most.max(1.0)),
        Some(Quantity::Length) => (least.min(0.0), most.max(0.1)),
        _ => (least, most),
    }
}

/// Returns the least step of at least `number` that is 1, 2, 2.5 or 5 times a power of ten.
fn round_step(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let fraction = number / power;
    let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|&round| fraction <= round + 1e-9);
    round.unwrap_or(10.0) * power
}

/// Returns the labels of ticks a step apart. Very large and very small numbers are in scientific notation.
fn labels(numbers: &[f64], step: f64) -> Vec<String> {
    /// Number from which a label would be longer than one in scientific notation.
    const LARGE: f64 = 1e7;
    const MAX_DECIMALS: i32 = 6;
    let size = numbers.iter().fold(0.0_f64, |size, number| size.max(number.abs()));
    let is_whole = |number: f64| number > 0.5 && (number - number.round()).abs() < 1e-6;
    let decimals = (0..=MAX_DECIMALS).find(|&places| is_whole(step * 10_f64.powi(places)));
    match decimals {
        Some(places) if size < LARGE => {
            numbers.iter().map(|&number| fixed(number, places as usize)).collect()
        }
        _ => {
            // One more digit than the step has magnitudes below the number, for steps of 2.5.
            let digits =
                |number: f64| (number.abs().log10().floor() - step.log10().floor()) as usize;
            let label = |&number: &f64| match number {
                0.0 => "0".to_owned(),
                _ => scientific(number, digits(number) + 1),
            };
            numbers.iter().map(label).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { intervals: 4.0, label: 10.0 };

    fn labels_of(axis: &ValueAxis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| &*tick.label).collect()
    }

    #[test]
    fn value_axis_has_round_ticks() {
        for (least, most, unit, labels) in [
            (40.0, 80.0, Some(Unit::Percent), &["0", "25", "50", "75", "100"][..]),
            // Of a battery, or of a tank above its mark.
            (80.0, 110.0, Some(Unit::Percent), &["0", "50", "100", "150"]),
            (310.0, 1185.0, Some(Unit::UsGallon), &["0", "500", "1,000", "1,500"]),
            (51.3, 63.0, Some(Unit::Fahrenheit), &["50", "55", "60", "65"]),
            (-3.2, 4.1, Some(Unit::Celsius), &["−4", "−2", "0", "2", "4", "6"]),
            (29.91, 30.05, Some(Unit::InchOfMercury), &["29.90", "29.95", "30.00", "30.05"]),
            (
                1013.25,
                1013.75,
                Some(Unit::Hectopascal),
                &["1,013.2", "1,013.4", "1,013.6", "1,013.8"],
            ),
            (12.8, 12.8, Some(Unit::Volt), &["12.0", "12.5", "13.0", "13.5"]),
            (0.0, 0.0, Some(Unit::Inch), &["0.000", "0.025", "0.050", "0.075", "0.100"]),
            (0.0, 4e-8, None, &["0", "1 × 10⁻⁸", "2 × 10⁻⁸", "3 × 10⁻⁸", "4 × 10⁻⁸"]),
            (
                -2.5e12,
                5e12,
                None,
                &["−4 × 10¹²", "−2 × 10¹²", "0", "2 × 10¹²", "4 × 10¹²", "6 × 10¹²"],
            ),
        ] {
            let axis = ValueAxis::covering(least, most, unit, ROOM);
            assert_eq!(labels_of(&axis), labels, "{least} {most}");
            assert!(axis.low <= least && axis.high >= most);
        }
    }

    #[test]
    fn labels_of_any_magnitude_differ_and_fit() {
        let mut tried = 0;
        for exponent in [-300, -30, -9, -6, -3, -1, 0, 1, 2, 3, 5, 6, 7, 9, 15, 30, 300] {
            for base in [0.0, 1.0, -1.0, 1.01325, 9.87654321] {
                for spread in [0.0, 1e-15, 1e-9, 1e-6, 1e-3, 0.1, 1.0, 5.0] {
                    for unit in [None, Some(Unit::Percent), Some(Unit::Inch), Some(Unit::Litre)] {
                        for label in [3.5, 5.0, 8.0] {
                            let size = 10_f64.powi(exponent);
                            let (least, most) = (base * size, (base + spread) * size);
                            let room = Room { intervals: 4.0, label };
                            let axis = ValueAxis::covering(least, most, unit, room);
                            let labels = labels_of(&axis);
                            let context = format!("{least} {most} {unit:?}: {labels:?}");
                            assert!(axis.low.is_finite() && axis.high.is_finite(), "{context}");
                            assert!(axis.low < axis.high, "{context}");
                            assert!((2..=9).contains(&labels.len()), "{context}");
                            let mut seen = labels.clone();
                            seen.dedup();
                            assert_eq!(seen.len(), labels.len(), "{context}");
                            // Even `−5 × 10⁻³⁰⁰` has to fit somewhere.
                            assert!(axis.label_width() <= label.max(6.5), "{context}");
                            tried += 1;
                        }
                    }
                }
            }
        }
        assert!(tried > 5000);
    }
}
