//! Model of a pumphouse: water is drawn from a tank, a pump refills it, the weather follows the day and
//! the season, and each sensor has a random error.
//!
//! All values are functions of the time, so the generated history agrees with the polls.

use std::f64::consts::TAU;

use jiff::Timestamp;

const DAY: f64 = 24.0 * 60.0 * 60.0;
const YEAR: f64 = 365.25 * DAY;

/// Offset of solar time from UTC at 122 degrees west, in seconds.
const SOLAR_OFFSET: f64 = 122.0 / 360.0 * DAY;

/// Seconds from the start of the demo to its first squall, from one squall to the next, and of each of them.
const FIRST_SQUALL: f64 = 15.0;
const SQUALL_INTERVAL: f64 = 10.0 * 60.0;
const SQUALL: f64 = 75.0;

/// Gusts of a squall, in miles per hour: more than the highest without one.
const SQUALL_GUST: f64 = 34.0;

/// Height of the full tank, in inches.
pub(super) const TANK_HEIGHT: f64 = 58.0;
/// Volume of the full tank, in US gallons.
pub(super) const TANK_CAPACITY: f64 = 1400.0;

/// Ratio of the air pressure at an elevation of 700 m to that at sea level.
const PRESSURE_RATIO: f64 = 0.9195;

/// Shares of a full tank at which the pump starts and stops.
const LOW: f64 = 0.35;
const HIGH: f64 = 0.95;

/// Seconds from the stop of the pump to its next start, and from there to the next stop.
const DRAIN: f64 = 2.2 * DAY;
const FILL: f64 = 0.25 * DAY;

/// Values of all sensors at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SensorValues {
    /// Depth of the water, in inches.
    pub(super) depth: f64,
    /// True if the pump is running.
    pub(super) pumping: bool,
    /// Air temperature, in degrees Fahrenheit.
    pub(super) temperature: f64,
    /// Relative humidity, in percent.
    pub(super) humidity: f64,
    /// Wind speed, in miles per hour.
    pub(super) wind: f64,
    /// Gusts, in miles per hour.
    pub(super) gust: f64,
    /// Direction of the wind, in degrees.
    pub(super) wind_direction: f64,
    /// Air pressure at sea level, in hectopascals.
    pub(super) pressure: f64,
    /// Air pressure at the pumphouse, in hectopascals.
    pub(super) station_pressure: f64,
    /// Rain of the last quarter of an hour, in inches.
    pub(super) rain: f64,
    /// Weather code of WMO table 4677.
    pub(super) weather_code: u8,
    /// Battery voltage of the pump's controller.
    pub(super) battery: f64,
}

/// Returns the values of all sensors at a time.
pub(super) fn sensors_at(at: Timestamp) -> SensorValues {
    let time = at.as_second() as f64;
    let (level, pumping) = tank(time);
    // The warmest hour is in the afternoon, the coldest day in January. Waves with other periods make
    // the days differ.
    let sun = (TAU * ((time - SOLAR_OFFSET) / DAY - 0.37)).sin();
    let season = (TAU * (time / YEAR - 0.30)).sin();
    let spell = 0.6 * (TAU * time / (3.3 * DAY)).sin() + 0.4 * (TAU * time / (11.7 * DAY)).sin();
    let gusty = (TAU * time / 1900.0).sin() * (TAU * time / 700.0).cos();
    let wind = (7.0 + 4.0 * spell + 2.5 * gusty + 1.2 * noise(time, 1.0)).max(0.0);
    let wet = spell < -0.55;
    let pressure = 1013.0 + 9.0 * spell;
    SensorValues {
        depth: level * TANK_HEIGHT + 0.08 * noise(time, 2.0),
        pumping,
        temperature: 58.0 + 9.0 * season + 10.0 * sun + 5.0 * spell + 0.3 * noise(time, 3.0),
        humidity: (60.0 - 20.0 * sun - 12.0 * spell + noise(time, 4.0)).clamp(8.0, 100.0),
        wind,
        gust: wind * (1.5 + 0.2 * noise(time, 5.0).abs()),
        wind_direction: (220.0 + 60.0 * spell + 15.0 * gusty).rem_euclid(360.0),
        pressure,
        station_pressure: pressure * PRESSURE_RATIO,
        rain: if wet { 0.01 } else { 0.0 },
        weather_code: match () {
            () if wet => 61,
            () if spell < -0.2 => 3,
            () if spell < 0.4 => 2,
            () => 0,
        },
        battery: 12.6 + 0.7 * sun + 0.02 * noise(time, 6.0),
    }
}

/// Returns the values of all sensors at a time, with the squalls since the start of the demo: something happens while
/// one watches.
pub(super) fn sensors_since(started: Timestamp, at: Timestamp) -> SensorValues {
    let sensors = sensors_at(at);
    let running = at.duration_since(started).as_secs_f64() - FIRST_SQUALL;
    if running < 0.0 || running.rem_euclid(SQUALL_INTERVAL) >= SQUALL {
        return sensors;
    }
    SensorValues { gust: SQUALL_GUST + noise(at.as_second() as f64, 7.0), ..sensors }
}

/// Returns the error of a sensor from -1 to 1, different in each second.
fn noise(time: f64, sensor: f64) -> f64 {
    let mixed = (time * 12.9898 + sensor * 78.233).sin() * 43_758.545_3;
    2.0 * (mixed - mixed.floor()) - 1.0
}

/// Returns the level as a share of the full tank, and true if the pump is running.
fn tank(time: f64) -> (f64, bool) {
    let phase = time.rem_euclid(DRAIN + FILL);
    if phase < DRAIN {
        // More water is drawn by day than by night.
        let drawn = phase / DRAIN;
        let wave = (TAU * (time - SOLAR_OFFSET) / DAY).sin() / 22.0;
        let share = drawn + wave * (drawn * (1.0 - drawn) * 4.0).min(1.0);
        (HIGH - (HIGH - LOW) * share.clamp(0.0, 1.0), false)
    } else {
        (LOW + (HIGH - LOW) * (phase - DRAIN) / FILL, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over_days(days: i64) -> impl Iterator<Item = (SensorValues, SensorValues)> {
        const STEP: i64 = 600;
        const START: i64 = 1_770_000_000;
        let sensors = |n: i64| sensors_at(Timestamp::from_second(START + n * STEP).unwrap());
        (0..days * 86_400 / STEP).map(move |n| (sensors(n), sensors(n + 1)))
    }

    #[test]
    fn readings_stay_in_plausible_ranges() {
        for (sensors, _) in over_days(400) {
            assert!((LOW * TANK_HEIGHT - 0.1..=HIGH * TANK_HEIGHT + 0.1).contains(&sensors.depth));
            assert!((20.0..100.0).contains(&sensors.temperature), "{sensors:?}");
            assert!((0.0..=100.0).contains(&sensors.humidity), "{sensors:?}");
            assert!(
                (0.0..40.0).contains(&sensors.wind) && sensors.gust >= sensors.wind,
                "{sensors:?}"
            );
            assert!((0.0..360.0).contains(&sensors.wind_direction), "{sensors:?}");
        }
    }

    #[test]
    fn gusts_of_squalls_are_higher_than_all_others() {
        let started = Timestamp::from_second(1_770_000_000).unwrap();
        let gust =
            |second| sensors_since(started, started + jiff::SignedDuration::from_secs(second)).gust;
        for second in [15, 60, 89, 615, 689] {
            assert!(gust(second) > 32.0, "{second}");
        }
        for second in [0, 14, 90, 614, 690] {
            assert!(gust(second) < 26.0, "{second}");
        }
        assert!(over_days(40).all(|(sensors, _)| sensors.gust < 27.0));
    }

    #[test]
    fn readings_change_with_every_poll_and_the_pump_starts_and_stops() {
        let mut pumped = [false, false];
        for (before, after) in over_days(6) {
            assert_ne!(before, after);
            pumped[usize::from(after.pumping)] = true;
        }
        assert_eq!(pumped, [true, true]);
    }
}
