//! Units of measurement: the table of names, quantities, sizes and decimals.

use std::fmt;
use std::str::FromStr;

use super::Quantity;
use super::label::Label;

/// Declares [`Unit`] from one line for each unit: name, quantity, size relative to the base unit of the
/// quantity, least decimals of a computed number, and further names that the configuration accepts.
macro_rules! units {
    ($(
        #[doc = $doc:literal]
        $variant:ident = $name:literal, $quantity:ident, $factor:expr, $decimals:literal, [$($alias:literal),*];
    )*) => {
        /// Unit of measurement, named as in the JSON API, the configuration and the metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Unit {
            $(
                #[doc = $doc]
                $variant,
            )*
            /// A unit that the program does not know, from `unit_label`.
            Label(Label),
        }

        impl Unit {
            /// Names of all units but labels.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// All units but labels, in the order of their names.
            pub const ALL: &'static [Unit] = &[$(Unit::$variant),*];

            /// Returns the name used in JSON, configuration and metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Unit::$variant => $name,)*
                    Unit::Label(label) => label.as_str(),
                }
            }

            /// Returns the quantity that the unit measures.
            pub const fn quantity(self) -> Quantity {
                match self {
                    $(Unit::$variant => Quantity::$quantity,)*
                    Unit::Label(_) => Quantity::Unknown,
                }
            }

            /// Returns the size of the unit relative to the base unit of its quantity, which is the one
            /// of size 1.
            ///
            /// All factors but those of pressure are exact by definition (NIST SP 811, appendix B.8).
            /// The conventional inch of mercury is 25.4 mm, and a millimetre of mercury is
            /// 133.322 387 415 Pa. A milligram per litre is a gram per cubic metre.
            pub(super) const fn factor(self) -> f64 {
                match self {
                    $(Unit::$variant => $factor,)*
                    Unit::Label(_) => 1.0,
                }
            }

            /// Returns the number of decimals that sensors resolve in this unit.
            pub(super) const fn least_decimals(self) -> i32 {
                match self {
                    $(Unit::$variant => $decimals,)*
                    Unit::Label(_) => 1,
                }
            }

            /// Every name that [`from_input`](Unit::from_input) accepts, with its unit.
            const INPUT: &'static [(&'static str, Unit)] =
                &[$(($name, Unit::$variant), $(($alias, Unit::$variant),)*)*];
        }
    };
}

units! {
    /// `%`
    Percent = "%", Ratio, 1.0, 1, ["percent", "pct", "%RH", "% RH", "per cent", "%rH"];
    /// `in`, inch
    Inch = "in", Length, 25.4, 2, ["inch", "inches", "\"", "in.", "IN"];
    /// `ft`, international foot
    Foot = "ft", Length, 304.8, 2, ["foot", "feet", "ft.", "'", "FT"];
    /// `m`, metre
    Metre = "m", Length, 1000.0, 2, ["metre", "meter", "metres", "meters"];
    /// `cm`, centimetre
    Centimetre = "cm", Length, 10.0, 1, ["centimetre", "centimeter", "centimetres", "centimeters", "CM"];
    /// `mm`, millimetre
    Millimetre = "mm", Length, 1.0, 1, ["millimetre", "millimeter", "millimetres", "millimeters", "MM"];
    /// `gal`, US liquid gallon (231 cubic inches)
    UsGallon = "gal", Volume, 3.785_411_784, 0, ["gallon", "gallons", "USgal", "US gal", "US gallon", "US gallons", "gals"];
    /// `L`, litre
    Litre = "L", Volume, 1.0, 0, ["l", "litre", "liter", "litres", "liters", "ltr", "\u{2113}"];
    /// `m3`, cubic metre
    CubicMetre = "m3", Volume, 1000.0, 2, ["m³", "m^3", "cbm", "cu m", "cubic metre", "cubic metres", "cubic meter", "cubic meters"];
    /// `ft3`, cubic foot
    CubicFoot = "ft3", Volume, 28.316_846_592, 1, ["ft³", "ft^3", "cu ft", "cf", "cuft", "cubic foot", "cubic feet"];
    /// `gal/min`, US gallons per minute
    UsGallonPerMinute = "gal/min", VolumeFlow, 3.785_411_784 * 60.0, 1, ["gpm", "GPM", "gallons/min", "USgpm"];
    /// `gal/h`, US gallons per hour
    UsGallonPerHour = "gal/h", VolumeFlow, 3.785_411_784, 1, ["gph", "GPH", "gal/hr"];
    /// `L/min`, litres per minute
    LitrePerMinute = "L/min", VolumeFlow, 60.0, 1, ["lpm", "LPM", "l/min", "ltr/min"];
    /// `L/h`, litres per hour
    LitrePerHour = "L/h", VolumeFlow, 1.0, 1, ["lph", "LPH", "l/h", "L/hr"];
    /// `m3/h`, cubic metres per hour
    CubicMetrePerHour = "m3/h", VolumeFlow, 1000.0, 2, ["m³/h", "m^3/h", "m3/hr", "m³/hr", "cbm/h"];
    /// `degF`, degree Fahrenheit
    Fahrenheit = "degF", Temperature, 1.0, 1, ["°F", "F", "fahrenheit", "Fahrenheit", "deg F", "\u{2109}", "\u{ba}F", "degree F", "degrees F", "° F"];
    /// `degC`, degree Celsius
    Celsius = "degC", Temperature, 1.0, 1, ["°C", "C", "celsius", "Celsius", "deg C", "\u{2103}", "\u{ba}C", "degree C", "degrees C", "° C"];
    /// `mph`, miles per hour
    MilePerHour = "mph", Speed, 1.609_344, 1, ["mi/h"];
    /// `km/h`, kilometres per hour
    KilometrePerHour = "km/h", Speed, 1.0, 1, ["kmh", "kph", "kmph", "km/hr", "kmhr"];
    /// `m/s`, metres per second
    MetrePerSecond = "m/s", Speed, 3.6, 1, ["mps", "m/sec", "m s-1"];
    /// `kn`, international knot (1,852 metres per hour)
    Knot = "kn", Speed, 1.852, 1, ["kt", "kts", "knot", "knots"];
    /// `deg`, degree of arc, clockwise from north
    Degree = "deg", Angle, 1.0, 1, ["°", "degree", "degrees", "\u{ba}", "degs"];
    /// `inHg`, inch of mercury
    InchOfMercury = "inHg", Pressure, 25.4 * 1.333_223_874_15, 2, ["in Hg", "inches Hg", "\"Hg", "in. Hg", "inhg"];
    /// `hPa`, hectopascal
    Hectopascal = "hPa", Pressure, 1.0, 1, ["hpa"];
    /// `mbar`, millibar
    Millibar = "mbar", Pressure, 1.0, 1, ["mb", "millibar", "millibars", "mbars"];
    /// `psi`, pound-force per square inch
    PoundPerSquareInch = "psi", Pressure, 68.947_572_931_683_6, 1, ["PSI", "psig", "lb/in2", "lbf/in2", "psia"];
    /// `bar`
    Bar = "bar", Pressure, 1000.0, 2, ["bars"];
    /// `kPa`, kilopascal
    Kilopascal = "kPa", Pressure, 10.0, 1, ["kpa", "KPa", "kilopascal"];
    /// `Pa`, pascal
    Pascal = "Pa", Pressure, 0.01, 0, ["pascal"];
    /// `V`, volt
    Volt = "V", Voltage, 1.0, 1, ["v", "volt", "volts", "VDC", "Vdc"];
    /// `W`, watt
    Watt = "W", Power, 1.0, 1, ["w", "watt", "watts"];
    /// `kW`, kilowatt
    Kilowatt = "kW", Power, 1000.0, 2, ["kw", "KW"];
    /// `kWh`, kilowatt-hour
    KilowattHour = "kWh", Energy, 1.0, 2, ["kwh", "KWh", "kW h"];
    /// `A`, ampere
    Ampere = "A", Current, 1.0, 2, ["amp", "amps"];
    /// `mA`, milliampere
    Milliampere = "mA", Current, 0.001, 1, ["milliamp", "milliamps"];
    /// `Ah`, ampere-hour
    AmpereHour = "Ah", Charge, 1.0, 2, ["A h"];
    /// `Hz`, hertz
    Hertz = "Hz", Frequency, 1.0, 2, ["hz", "hertz"];
    /// `rpm`, revolutions per minute
    RevolutionPerMinute = "rpm", Rotation, 1.0, 0, ["RPM", "1/min"];
    /// `s`, second
    Second = "s", Time, 1.0 / 3600.0, 1, ["sec", "second", "seconds", "secs"];
    /// `min`, minute
    Minute = "min", Time, 1.0 / 60.0, 1, ["minute", "minutes", "mins"];
    /// `h`, hour
    Hour = "h", Time, 1.0, 1, ["hr", "hour", "hours", "hrs"];
    /// `d`, day of 24 hours
    Day = "d", Time, 24.0, 1, ["day", "days"];
    /// `lx`, lux
    Lux = "lx", Illuminance, 1.0, 0, ["lux"];
    /// `W/m2`, watts per square metre
    WattPerSquareMetre = "W/m2", Irradiance, 1.0, 1, ["W/m²", "W/m^2", "w/m2", "watts/m2"];
    /// `UV`, UV index
    UvIndex = "UV", UvIndex, 1.0, 1, ["uv", "UVI", "uvi", "UV index", "UV-I"];
    /// `ppm`, parts per million
    PartPerMillion = "ppm", Concentration, 1.0, 1, ["PPM"];
    /// `mg/L`, milligrams per litre
    MilligramPerLitre = "mg/L", Density, 1.0, 2, ["mg/l"];
    /// `uS/cm`, microsiemens per centimetre
    MicrosiemensPerCentimetre = "uS/cm", Conductivity, 1.0, 1, ["\u{b5}S/cm", "\u{3bc}S/cm", "us/cm"];
    /// `pH`
    Ph = "pH", Acidity, 1.0, 2, ["ph", "PH"];
    /// `NTU`, nephelometric turbidity unit
    NephelometricTurbidityUnit = "NTU", Turbidity, 1.0, 2, ["ntu"];
    /// `g/m3`, grams per cubic metre
    GramPerCubicMetre = "g/m3", Density, 1.0, 2, ["g/m³", "g/m^3"];
    /// `ug/m3`, micrograms per cubic metre
    MicrogramPerCubicMetre = "ug/m3", Density, 1e-6, 1, ["ug/m³", "ug/m^3", "\u{b5}g/m3", "\u{b5}g/m³", "\u{3bc}g/m3", "\u{3bc}g/m³"];
    /// `dB`, decibel
    Decibel = "dB", SoundLevel, 1.0, 1, ["db", "dB(A)", "dBA"];
    /// `dBm`, decibel-milliwatt
    DecibelMilliwatt = "dBm", SignalLevel, 1.0, 1, ["dbm"];
    /// `in/h`, inches per hour
    InchPerHour = "in/h", LengthRate, 25.4, 2, ["in/hr", "in/Hr", "inph", "inch/h", "inch/hr", "iph"];
    /// `cm/h`, centimetres per hour
    CentimetrePerHour = "cm/h", LengthRate, 10.0, 1, ["cm/hr"];
    /// `mm/h`, millimetres per hour
    MillimetrePerHour = "mm/h", LengthRate, 1.0, 1, ["mm/hr", "mm/Hr"];
    /// `%/h`, per cent per hour
    PercentPerHour = "%/h", RatioRate, 1.0, 1, ["%/hr"];
    /// `bool`, true (1) or false (0)
    Bool = "bool", Truth, 1.0, 0, ["boolean"];
    /// `WMO`, code of WMO table 4677, as weather services use it
    WmoCode = "WMO", Code, 1.0, 0, [];
}

/// Fewest bytes of a name whose case is ignored: `MPH` is `mph`, but `S` is not a second, and `MA` not a
/// milliampere.
const MIN_CASELESS: usize = 3;

impl Unit {
    /// Returns the unit with this name, or with one of the further names that people type: `gpm`, `m³`,
    /// `°C`. A longer name may be in capitals. Returns `None` for a label.
    pub fn from_input(text: &str) -> Option<Unit> {
        let exact = Unit::INPUT.iter().find(|(name, _)| *name == text);
        let found = exact.or_else(|| {
            let is_same =
                |name: &str| text.len() >= MIN_CASELESS && name.eq_ignore_ascii_case(text);
            Unit::INPUT.iter().find(|(name, _)| is_same(name))
        });
        found.map(|(_, unit)| *unit)
    }

    /// Returns the unit with a recorded name: one of [`NAMES`](Unit::NAMES), or else a label. Returns
    /// `None` for a text that cannot be a label.
    pub fn from_recorded(text: &str) -> Option<Unit> {
        text.parse().ok().or_else(|| Label::new(text).map(Unit::Label))
    }

    /// Returns the unit of this unit's rate of change.
    ///
    /// Every quantity that accumulates or drifts has one; rates, flows, angles, times, codes and
    /// levels in decibels have none. A rate without a unit of its own is a label: `degC/h`.
    pub fn per_hour(self) -> Option<Unit> {
        match self {
            Unit::Percent => Some(Unit::PercentPerHour),
            Unit::UsGallon => Some(Unit::UsGallonPerHour),
            Unit::Litre => Some(Unit::LitrePerHour),
            Unit::CubicMetre => Some(Unit::CubicMetrePerHour),
            Unit::Inch => Some(Unit::InchPerHour),
            Unit::Centimetre => Some(Unit::CentimetrePerHour),
            Unit::Millimetre => Some(Unit::MillimetrePerHour),
            Unit::KilowattHour => Some(Unit::Kilowatt),
            Unit::AmpereHour => Some(Unit::Ampere),
            other if other.quantity().has_rate() => {
                Label::new(&format!("{}/h", other.as_str())).map(Unit::Label)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not the name of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a unit")]
pub struct UnknownUnit;

/// Parses a name of [`NAMES`](Unit::NAMES).
impl FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Unit, UnknownUnit> {
        let position = Unit::NAMES.iter().position(|name| *name == text);
        position.map(|at| Unit::ALL[at]).ok_or(UnknownUnit)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn name_of_a_unit_parses_to_that_unit() {
        let mut seen = BTreeSet::new();
        for (&unit, &name) in Unit::ALL.iter().zip(Unit::NAMES) {
            assert_eq!(name.parse(), Ok(unit));
            assert_eq!(Unit::from_input(name), Some(unit));
            assert_eq!(Unit::from_recorded(name), Some(unit));
            assert_eq!((unit.as_str(), &*unit.to_string()), (name, name));
            assert!(seen.insert(name), "{name} names two units");
        }
        for unknown in ["", "IN", "gallons", "% ", "Percent"] {
            assert!(unknown.parse::<Unit>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn unit_that_people_type_is_accepted() {
        for (typed, unit) in [
            ("gpm", Unit::UsGallonPerMinute),
            ("lpm", Unit::LitrePerMinute),
            ("m³", Unit::CubicMetre),
            ("°C", Unit::Celsius),
            // The micro sign and the Greek letter look alike.
            ("\u{b5}S/cm", Unit::MicrosiemensPerCentimetre),
            ("\u{3bc}S/cm", Unit::MicrosiemensPerCentimetre),
            ("kt", Unit::Knot),
            ("W/m²", Unit::WattPerSquareMetre),
            ("MPH", Unit::MilePerHour),
            ("HPA", Unit::Hectopascal),
            ("Km/h", Unit::KilometrePerHour),
            ("℃", Unit::Celsius),
            ("deg F", Unit::Fahrenheit),
            ("in/Hr", Unit::InchPerHour),
            ("'", Unit::Foot),
            ("\"", Unit::Inch),
        ] {
            assert_eq!(Unit::from_input(typed), Some(unit), "{typed}");
        }
        for unknown in ["furlong", "S", "M", "MA", "PA", "mS/cm", "mW", ""] {
            assert_eq!(Unit::from_input(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn name_that_is_accepted_means_one_unit() {
        for (index, (name, unit)) in Unit::INPUT.iter().enumerate() {
            for (other, of) in &Unit::INPUT[index + 1..] {
                assert_ne!(name, other, "listed twice");
                let is_same = name.len() >= MIN_CASELESS && name.eq_ignore_ascii_case(other);
                assert!(!is_same || unit == of, "{name} of {unit} and {other} of {of}");
            }
        }
    }

    #[test]
    fn recorded_unknown_unit_is_a_label() {
        let label = Unit::from_recorded("bales").unwrap();
        assert_eq!((label.as_str(), label.quantity()), ("bales", Quantity::Unknown));
        assert_eq!(Unit::from_recorded(""), None);
    }

    #[test]
    fn quantity_with_a_meaning_per_time_has_a_rate() {
        for (unit, rate) in [
            ("%", Some("%/h")),
            ("gal", Some("gal/h")),
            ("m3", Some("m3/h")),
            ("ft", Some("ft/h")),
            ("degC", Some("degC/h")),
            ("bar", Some("bar/h")),
            ("kWh", Some("kW")),
            ("Ah", Some("A")),
            ("pH", Some("pH/h")),
            ("bales", Some("bales/h")),
            ("gal/min", None),
            ("mph", None),
            ("deg", None),
            ("h", None),
            ("dBm", None),
            ("bool", None),
            ("WMO", None),
        ] {
            let found = Unit::from_recorded(unit).unwrap().per_hour();
            assert_eq!(found.map(Unit::as_str), rate, "{unit}");
        }
    }
}
