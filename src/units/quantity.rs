//! Quantities that units measure.

/// Quantity that a unit measures. Units of the same quantity are converted to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Share of a whole.
    Ratio,
    /// Length: depth of water or of rain.
    Length,
    /// Volume.
    Volume,
    /// Volume per time.
    VolumeFlow,
    /// Temperature.
    Temperature,
    /// Speed, such as that of the wind.
    Speed,
    /// Angle or direction.
    Angle,
    /// Pressure.
    Pressure,
    /// Electric potential.
    Voltage,
    /// Power.
    Power,
    /// Energy.
    Energy,
    /// Electric current.
    Current,
    /// Electric charge.
    Charge,
    /// Frequency.
    Frequency,
    /// Frequency of rotation.
    Rotation,
    /// Duration.
    Time,
    /// Illuminance.
    Illuminance,
    /// Irradiance.
    Irradiance,
    /// UV index.
    UvIndex,
    /// Share of a mixture, whose unit does not state of what.
    Concentration,
    /// Mass per volume.
    Density,
    /// Electric conductivity of water.
    Conductivity,
    /// Acidity.
    Acidity,
    /// Turbidity of water.
    Turbidity,
    /// Level of sound.
    SoundLevel,
    /// Level of a radio signal.
    SignalLevel,
    /// Length per time, such as the rate of rain.
    LengthRate,
    /// Change of a share per time.
    RatioRate,
    /// True or false.
    Truth,
    /// Code without an order.
    Code,
    /// Quantity of a label.
    Unknown,
}

impl Quantity {
    /// Returns true if a change of the quantity per hour has a meaning.
    pub(super) const fn has_rate(self) -> bool {
        matches!(
            self,
            Quantity::Ratio
                | Quantity::Length
                | Quantity::Volume
                | Quantity::Temperature
                | Quantity::Pressure
                | Quantity::Voltage
                | Quantity::Energy
                | Quantity::Charge
                | Quantity::Concentration
                | Quantity::Density
                | Quantity::Conductivity
                | Quantity::Acidity
                | Quantity::Turbidity
                | Quantity::Unknown
        )
    }
}
