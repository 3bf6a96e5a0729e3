//! The tank of a first configuration: its kind, and measures with their units.

use std::fmt;
use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::config::KINDS;
use crate::units::{System, Unit};

/// Kind of the tank's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum TankKind {
    /// No tank.
    None,
    /// A PTLevel share page.
    PtLevel,
    /// The PTDevices API.
    PtDevices,
    /// Any JSON endpoint.
    Json,
}

impl TankKind {
    /// Parses a kind.
    ///
    /// # Errors
    /// The text is no kind, or one that reads the weather.
    pub fn parse(text: &str) -> Result<TankKind, String> {
        let known = TankKind::VARIANTS.join(", ");
        text.trim().to_ascii_lowercase().parse().map_err(|_| {
            if KINDS.contains(&text) {
                format!("\"{text}\" reads the weather; kinds of tanks are {known}")
            } else {
                format!("no kind of tank; known are {known}")
            }
        })
    }
}

/// A number with its unit, such as `58 in`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    number: f64,
    /// `None`: that of the chosen system.
    unit: Option<Unit>,
}

/// A text is not a measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// It is no number above 0, or its unit is unknown.
    #[error("not a number above 0, perhaps with its unit, such as \"58 in\" or \"147 cm\"")]
    NotAMeasure,
    /// Its point or comma may separate thousands or decimals.
    #[error(
        "{whole}{separator}{decimals} may be {whole}{decimals} or a fraction; write {whole}{decimals}{unit} or \
         {}{unit}",
        fraction(whole, decimals)
    )]
    Ambiguous {
        /// Digits before the separator.
        whole: String,
        /// The separator.
        separator: char,
        /// The three digits behind it.
        decimals: String,
        /// The unit with a space before it, or nothing.
        unit: String,
    },
}

/// Returns a fraction of another length than three digits.
fn fraction(whole: &str, decimals: &str) -> String {
    match decimals.trim_end_matches('0') {
        "" => format!("{whole}.0"),
        decimals if decimals.len() == 3 => format!("{whole}.{decimals}0"),
        decimals => format!("{whole}.{decimals}"),
    }
}

impl FromStr for Measure {
    type Err = MeasureError;

    fn from_str(text: &str) -> Result<Measure, MeasureError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let unit = match unit.trim() {
            "" => None,
            unit => Some(Unit::from_input(unit).ok_or(MeasureError::NotAMeasure)?),
        };
        let number = plain_number(number, unit)?;
        if number > 0.0 && number < 1e9 {
            Ok(Measure { number, unit })
        } else {
            Err(MeasureError::NotAMeasure)
        }
    }
}

/// Parses a number with a decimal point or comma. Three digits behind it may be thousands, unless those before it
/// cannot: 0, or more than three.
fn plain_number(text: &str, unit: Option<Unit>) -> Result<f64, MeasureError> {
    if let Some((whole, decimals)) = text.split_once(['.', ','])
        && matches!(whole.len(), 1..=3)
        && !whole.starts_with('0')
        && decimals.len() == 3
        && decimals.chars().all(|c| c.is_ascii_digit())
    {
        return Err(MeasureError::Ambiguous {
            whole: whole.to_owned(),
            separator: if text.contains(',') { ',' } else { '.' },
            decimals: decimals.to_owned(),
            unit: unit.map(|unit| format!(" {unit}")).unwrap_or_default(),
        });
    }
    text.replacen(',', ".", 1).parse().map_err(|_| MeasureError::NotAMeasure)
}

impl Measure {
    /// Returns the number in `wanted`, rounded to hundredths unless it was given in that unit. A number
    /// without a unit is in `usual`.
    ///
    /// # Errors
    /// The unit measures another quantity.
    pub fn number_in(self, wanted: Unit, usual: Unit) -> Result<f64, String> {
        let unit = self.unit.unwrap_or(usual);
        if unit == wanted {
            return Ok(self.number);
        }
        let converted = unit.convert_unrounded(self.number, wanted);
        let rounded = converted.map(|number| (number * 100.0).round() / 100.0);
        match rounded {
            Some(number) if number > 0.0 => Ok(number),
            Some(_) => Err(format!("{self} is too small")),
            None => Err(format!("{self} cannot be converted to {wanted}")),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Some(unit) => write!(f, "{} {unit}", self.number),
            None => write!(f, "{}", self.number),
        }
    }
}

/// Returns the unit of a height without a unit.
pub(super) const fn usual_length(units: System) -> Unit {
    match units {
        System::Us => Unit::Inch,
        System::Metric => Unit::Centimetre,
    }
}

/// Returns the unit of a capacity without a unit.
pub(super) const fn usual_volume(units: System) -> Unit {
    match units {
        System::Us => Unit::UsGallon,
        System::Metric => Unit::Litre,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_program_that_is_no_weather_is_a_kind_of_tank() {
        let weather = ["open-meteo", "nws", "ambient"];
        for kind in KINDS {
            let parsed = TankKind::parse(kind);
            assert_eq!(parsed.is_ok(), !weather.contains(&kind), "{kind}: {parsed:?}");
        }
        assert_eq!(TankKind::parse("none"), Ok(TankKind::None));
        assert_eq!(TankKind::parse(" PTLevel "), Ok(TankKind::PtLevel));
        assert!(TankKind::parse("nws").unwrap_err().contains("reads the weather"));
        assert!(TankKind::parse("ptlevle").unwrap_err().contains("known are none, ptlevel"));
    }

    #[test]
    fn measure_is_converted_from_its_unit_or_the_usual_one() {
        let inches = |text: &str, usual| {
            let measure: Result<Measure, _> = text.parse();
            measure.map_err(|error| error.to_string())?.number_in(Unit::Inch, usual)
        };
        for (text, usual, expected) in [
            ("58", Unit::Inch, 58.0),
            ("58 in", Unit::Centimetre, 58.0),
            ("147", Unit::Centimetre, 57.87),
            ("147cm", Unit::Inch, 57.87),
            ("1,5 m", Unit::Inch, 59.06),
            ("57.8750", Unit::Inch, 57.875),
            ("0.875 in", Unit::Inch, 0.875),
            ("1400.125 in", Unit::Inch, 1400.125),
        ] {
            assert_eq!(inches(text, usual), Ok(expected), "{text}");
        }
        for text in
            ["", "-5", "0", "nan", "inf", "1,234", "5 gal", "5 furlongs", "1e99", "0.001 mm"]
        {
            assert!(inches(text, Unit::Inch).is_err(), "{text}");
        }
    }

    #[test]
    fn three_digits_behind_a_separator_are_refused_with_both_ways_to_write_them() {
        for (text, whole, fraction) in [
            ("1.400 L", "1400 L", "1.4 L"),
            ("1,400L", "1400 L", "1.4 L"),
            ("57.875", "57875", "57.8750"),
            ("250.000 gal", "250000 gal", "250.0 gal"),
        ] {
            let refused = text.parse::<Measure>().unwrap_err().to_string();
            assert!(refused.ends_with(&format!("write {whole} or {fraction}")), "{refused}");
            for written in [whole, fraction] {
                assert!(written.parse::<Measure>().is_ok(), "{written}");
            }
        }
    }
}
