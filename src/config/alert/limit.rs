//! A number of a rule, with the unit that the operator wrote.

use std::fmt;

use crate::units::Unit;

/// Threshold or amount, such as `"300 gal"` or `300`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Finite number.
    pub number: f64,
    /// Its unit; `None`: that of the value.
    pub unit: Option<Unit>,
}

impl Limit {
    /// Returns the threshold in the unit of a value; `None` if the units measure different quantities.
    pub fn level_in(self, unit: Option<Unit>) -> Option<f64> {
        match (self.unit, unit) {
            (None, _) => Some(self.number),
            (Some(own), Some(unit)) => own.convert_unrounded(self.number, unit),
            (Some(_), None) => None,
        }
    }

    /// Returns the amount, a difference of two values, in the unit of these; `None` if the units measure
    /// different quantities.
    pub fn amount_in(self, unit: Option<Unit>) -> Option<f64> {
        let zero = Limit { number: 0.0, ..self };
        Some(self.level_in(unit)? - zero.level_in(unit)?)
    }
}

/// Formats the number as the configuration writes it.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        match self.unit {
            Some(unit) => write!(f, " {}", unit.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_amounts_convert_to_the_unit_of_the_value() {
        let limit = |number, unit| Limit { number, unit };
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-9;
        let freezing = limit(0.0, Some(Unit::Celsius));
        assert!(close(freezing.level_in(Some(Unit::Fahrenheit)), 32.0));
        let drop = limit(10.0, Some(Unit::Celsius));
        assert!(close(drop.amount_in(Some(Unit::Fahrenheit)), 18.0), "a difference has no offset");
        assert!(close(limit(1.0, Some(Unit::CubicMetre)).level_in(Some(Unit::Litre)), 1000.0));
        assert_eq!(limit(5.0, None).level_in(Some(Unit::Litre)), Some(5.0));
        assert_eq!(freezing.level_in(Some(Unit::Litre)), None, "another quantity");
        assert_eq!(freezing.level_in(None), None);
    }
}
