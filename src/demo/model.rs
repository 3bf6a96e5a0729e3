//! A pumphouse in fast motion: people draw water, a pump refills the tank, the sun comes and goes.
//!
//! Everything is a function of the time since the start, so that a page that is loaded twice
//! tells the same story, and a test can look at any moment.

use std::f64::consts::TAU;
use std::time::Duration;

/// Seconds of the model for each second of ours: a day takes six minutes.
const PACE: f64 = 240.0;

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// The tank's full height, inches, and its volume, US gallons.
pub(super) const TANK_HEIGHT: f64 = 58.0;
pub(super) const TANK_CAPACITY: f64 = 1400.0;

/// The pump starts and stops at these shares of a full tank.
const LOW: f64 = 0.35;
const HIGH: f64 = 0.95;

/// Time for which a tank lasts, and for which the pump needs to fill it.
const DRAIN: f64 = 0.8 * DAY;
const FILL: f64 = 0.2 * DAY;

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

/// The scene that long after the start.
pub(super) fn scene(elapsed: Duration) -> Scene {
    let time = elapsed.as_secs_f64() * PACE;
    let (level, pumping) = tank(time);
    let hour = time / DAY + 0.4;
    // The warmest hour is in the afternoon; a slow wave makes no two days alike.
    let sun = (TAU * (hour - 0.35)).sin();
    let spell = (TAU * time / (3.3 * DAY)).sin();
    let gusty = (TAU * time / 1900.0).sin() * (TAU * time / 700.0).cos();
    let wind = 7.0 + 4.0 * spell + 2.5 * gusty;
    let wet = spell < -0.6;
    Scene {
        depth: level * TANK_HEIGHT,
        pumping,
        temperature: 58.0 + 13.0 * sun + 5.0 * spell,
        humidity: 60.0 - 22.0 * sun - 10.0 * spell,
        wind,
        gust: wind * 1.6,
        wind_direction: (220.0 + 60.0 * spell + 15.0 * gusty).rem_euclid(360.0),
        pressure: 1013.0 + 9.0 * spell,
        rain: if wet { 0.04 } else { 0.0 },
        weather_code: match () {
            () if wet => 61,
            () if spell < -0.2 => 3,
            () if spell < 0.4 => 2,
            () => 0,
        },
        battery: 12.6 + 0.7 * sun,
    }
}

/// The tank's share and whether the pump fills it.
fn tank(time: f64) -> (f64, bool) {
    // The demo opens on a tank that is well filled.
    let phase = (time + 0.15 * DAY).rem_euclid(DRAIN + FILL);
    if phase < DRAIN {
        // People draw by day more than by night, which makes the line wavy.
        let drawn = phase / DRAIN;
        let wave = (TAU * 4.0 * drawn).sin() / 60.0;
        (HIGH - (HIGH - LOW) * (drawn + wave).clamp(0.0, 1.0), false)
    } else {
        (LOW + (HIGH - LOW) * (phase - DRAIN) / FILL, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over_days(days: u32) -> impl Iterator<Item = (Scene, Scene)> {
        let step = Duration::from_secs(3);
        let steps = days * (DAY / PACE) as u32 / 3;
        (0..steps).map(move |n| (scene(step * n), scene(step * (n + 1))))
    }

    #[test]
    fn the_scene_stays_plausible() {
        for (scene, _) in over_days(20) {
            assert!((LOW * TANK_HEIGHT - 0.01..=HIGH * TANK_HEIGHT + 0.01).contains(&scene.depth));
            assert!((20.0..100.0).contains(&scene.temperature), "{scene:?}");
            assert!((0.0..=100.0).contains(&scene.humidity), "{scene:?}");
            assert!((0.0..40.0).contains(&scene.wind) && scene.gust >= scene.wind, "{scene:?}");
            assert!((0.0..360.0).contains(&scene.wind_direction), "{scene:?}");
        }
    }

    #[test]
    fn something_changes_with_every_poll_and_the_pump_comes_and_goes() {
        let mut pumped = [false, false];
        for (before, after) in over_days(3) {
            assert_ne!(before, after);
            pumped[usize::from(after.pumping)] = true;
        }
        assert_eq!(pumped, [true, true]);
    }
}
