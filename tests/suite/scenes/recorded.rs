//! Pages with a recorded history, and with one that cannot be written.

use std::f64::consts::TAU;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::import;
use pumphouse_web::units::Unit;

use super::Scene;
use super::sources::{ANSWER, configured, configured_every};
use super::stage::{Complete, scene, served, visit};
use crate::server::{BINARY, Server};
use crate::webdriver::Browser;

/// Visits the page of sources with a day of history.
pub(super) fn day(browser: &Browser) -> Scene {
    let now = Timestamp::now().as_second();
    let samples = (1..24 * 60).rev().step_by(5).flat_map(|minutes| {
        let at = Timestamp::from_second(now - minutes * 60).unwrap();
        let wave = (minutes as f64 / 480.0 * TAU).sin();
        let number = |field: &str, value: f64, unit| {
            let value = Finite::new((value * 10.0).round() / 10.0).unwrap();
            Sample::new("s0".into(), field.into(), at, value, Some(unit))
        };
        [
            number("level", 70.0 + 14.0 * wave, Unit::Percent),
            number("volume", 980.0 + 190.0 * wave, Unit::UsGallon),
            number("depth", 40.0 + 8.0 * wave, Unit::Inch),
        ]
    });
    with_samples(browser, samples.collect())
}

pub(super) fn first_observation(browser: &Browser) -> Scene {
    with_samples(browser, Vec::new())
}

/// Visits the page of a source that was recorded for long, with few observations in a day.
pub(super) fn few_observations(browser: &Browser) -> Scene {
    let now = Timestamp::now().as_second();
    let samples = [40 * 86_400, 900, 600].map(|ago| {
        let at = Timestamp::from_second(now - ago).unwrap();
        let level = Finite::new(83.0).unwrap();
        Sample::new("s0".into(), "level".into(), at, level, Some(Unit::Percent))
    });
    with_samples(browser, samples.into())
}

fn with_samples(browser: &Browser, samples: Vec<Sample>) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    import(&path, &TimeZone::UTC, [Change::Observed(samples)]).unwrap();
    let (config, mut running) = configured(&["tank"]);
    running.push(Box::new(folder));
    let config = config.set("history.path", path.to_str().unwrap());
    served(browser, running, config, "Observed")
}

/// Visits a page whose server has a full disk.
pub(super) fn full_disk(browser: &Browser) -> Scene {
    let (config, mut running) = configured_every("2s", &["tank", "pump"], ANSWER);
    let shell = format!(
        "mkdir disk && exec unshare --mount sh -c \
         'mount -t tmpfs -o size=512k tmpfs disk && exec {BINARY} serve' #"
    );
    let config = config.set("history.path", "disk/pumphouse.db").set("history.flush", "200ms");
    let server = Server::start_after(&shell, &config);
    visit(browser, &server, "Observed", Complete::Charts);
    let ballast = format!("/proc/{}/cwd/disk/ballast", server.process());
    // The write fails once the disk is full.
    let _ = std::fs::write(ballast, vec![0; 1 << 20]);
    server.wait_for_log("the disk is full");
    visit(browser, &server, "History is not being written", Complete::Readings);
    running.push(Box::new(server));
    scene(running)
}
