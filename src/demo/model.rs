//! A pumphouse with days, seasons and sensors that are off by a little: people draw water, a pump
//! refills the tank, the sun comes and goes.
//!
//! Everything is a function of the time, so that a page that is loaded twice tells the same story,
//! and the past can be told as well as the present.

use std::f64::consts::TAU;

use jiff::Timestamp;

const DAY: f64 = 24.0 * 60.0 * 60.0;
const YEAR: f64 = 365.25 * DAY;

/// How far the sun is behind that of Greenwich, at 122 degrees west.
const SUN_BEHIND: f64 = 122.0 / 360.0 * DAY;

/// The tank's full height, inches, and its volume, US gallons.
pub(super) const TANK_HEIGHT: f64 = 58.0;
pub(super) const TANK_CAPACITY: f64 = 1400.0;

/// The pump starts and stops at these shares of a full tank.
const LOW: f64 = 0.35;
const HIGH: f64 = 0.95;

/// Time for which a tank lasts, and for which the pump needs to fill it.
const DRAIN: f64 = 2.2 * DAY;
const FILL: f64 = 0.25 * DAY;

/// What the sensors would see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scene {
    /// Inches of water.
    pub(super) depth: f64,
    /// The pump is running.
    pub(super) pumping: bool,
    /// Degrees Fahrenheit.
    pub(super) temperature: f64,
    /// Percent.
    pub(super) humidity: f64,
    /// Miles an hour.
    pub(super) wind: f64,
    /// Miles an hour.
    pub(super) gust: f64,
    /// Degrees.
    pub(super) wind_direction: f64,
    /// Hectopascals.
    pub(super) pressure: f64,
    /// Inches in the last quarter of an hour.
    pub(super) rain: f64,
    /// WMO table 4677.
    pub(super) weather_code: u8,
    /// Volts at the pump's controller.
    pub(super) battery: f64,
}

/// The scene of that moment.
pub(super) fn scene(at: Timestamp) -> Scene {
    let time = at.as_second() as f64;
    let (level, pumping) = tank(time);
    // The warmest hour is in the afternoon, the coldest day in January; slow waves make no two
    // days alike.
    let sun = (TAU * ((time - SUN_BEHIND) / DAY - 0.37)).sin();
    let season = (TAU * (time / YEAR - 0.30)).sin();
    let spell = 0.6 * (TAU * time / (3.3 * DAY)).sin() + 0.4 * (TAU * time / (11.7 * DAY)).sin();
    let gusty = (TAU * time / 1900.0).sin() * (TAU * time / 700.0).cos();
    let wind = (7.0 + 4.0 * spell + 2.5 * gusty + 1.2 * noise(time, 1.0)).max(0.0);
    let wet = spell < -0.55;
    Scene {
        depth: level * TANK_HEIGHT + 0.08 * noise(time, 2.0),
        pumping,
        temperature: 58.0 + 9.0 * season + 10.0 * sun + 5.0 * spell + 0.3 * noise(time, 3.0),
        humidity: (60.0 - 20.0 * sun - 12.0 * spell + noise(time, 4.0)).clamp(8.0, 100.0),
        wind,
        gust: wind * (1.5 + 0.2 * noise(time, 5.0).abs()),
        wind_direction: (220.0 + 60.0 * spell + 15.0 * gusty).rem_euclid(360.0),
        pressure: 1013.0 + 9.0 * spell,
        rain: if wet { 0.04 } else { 0.0 },
        weather_code: match () {
            () if wet => 61,
            () if spell < -0.2 => 3,
            () if spell < 0.4 => 2,
            () => 0,
        },
        battery: 12.6 + 0.7 * sun + 0.02 * noise(time, 6.0),
    }
}

/// A sensor's error from -1 to 1, another one each second.
fn noise(time: f64, sensor: f64) -> f64 {
    let mixed = (time * 12.9898 + sensor * 78.233).sin() * 43_758.545_3;
    2.0 * (mixed - mixed.floor()) - 1.0
}

/// The tank's share and whether the pump fills it.
fn tank(time: f64) -> (f64, bool) {
    let phase = time.rem_euclid(DRAIN + FILL);
    if phase < DRAIN {
        // People draw by day more than by night, which makes the line wavy.
        let drawn = phase / DRAIN;
        let wave = (TAU * (time - SUN_BEHIND) / DAY).sin() / 22.0;
        let share = drawn + wave * (drawn * (1.0 - drawn) * 4.0).min(1.0);
        (HIGH - (HIGH - LOW) * share.clamp(0.0, 1.0), false)
    } else {
        (LOW + (HIGH - LOW) * (phase - DRAIN) / FILL, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over_days(days: i64) -> impl Iterator<Item = (Scene, Scene)> {
        const STEP: i64 = 600;
        const START: i64 = 1_770_000_000;
        let scene = |n: i64| scene(Timestamp::from_second(START + n * STEP).unwrap());
        (0..days * 86_400 / STEP).map(move |n| (scene(n), scene(n + 1)))
    }

    #[test]
    fn the_scene_stays_plausible() {
        for (scene, _) in over_days(400) {
            assert!((LOW * TANK_HEIGHT - 0.1..=HIGH * TANK_HEIGHT + 0.1).contains(&scene.depth));
            assert!((20.0..100.0).contains(&scene.temperature), "{scene:?}");
            assert!((0.0..=100.0).contains(&scene.humidity), "{scene:?}");
            assert!((0.0..40.0).contains(&scene.wind) && scene.gust >= scene.wind, "{scene:?}");
            assert!((0.0..360.0).contains(&scene.wind_direction), "{scene:?}");
        }
    }

    #[test]
    fn something_changes_with_every_poll_and_the_pump_comes_and_goes() {
        let mut pumped = [false, false];
        for (before, after) in over_days(6) {
            assert_ne!(before, after);
            pumped[usize::from(after.pumping)] = true;
        }
        assert_eq!(pumped, [true, true]);
    }
}
