//! Wind speeds by which directions are weighted.
//!
//! A direction and the `wind_speed` of the same source with the same time are one observation. The speed is
//! stored with the direction, in metres per second, so that neither reads nor rebuilds look it up.

use super::error::StoreError;
use super::executor::{self, Executor, Row, params};
use crate::board::Sample;
use crate::units::{OverTime, Unit};

/// Field with the speed of the wind, which weights its direction.
pub const FIELD: &str = "wind_speed";

/// Returns a speed in metres per second. A speed in a unit that cannot be converted is returned unchanged:
/// weights of one unit can be compared with each other.
pub(super) fn metres_per_second(number: f64, unit: Option<Unit>) -> f64 {
    let unit = unit.filter(|unit| unit.converts_to(Unit::MetrePerSecond));
    unit.and_then(|unit| unit.convert_unrounded(number, Unit::MetrePerSecond)).unwrap_or(number)
}

/// Returns the speed that a sample states, if it is one.
pub(super) fn of_sample(sample: &Sample) -> Option<f64> {
    (*sample.field == *FIELD).then(|| metres_per_second(sample.value.get(), sample.unit))
}

/// Returns true if two samples are of the same observation.
fn is_same_observation(one: &Sample, other: &Sample) -> bool {
    one.source == other.source && one.at == other.at
}

/// Returns true if the samples have a direction of the same observation as the speed.
pub(super) fn has_direction(samples: &[Sample], speed: &Sample) -> bool {
    samples
        .iter()
        .any(|sample| sample.over_time == OverTime::Circular && is_same_observation(sample, speed))
}

/// Returns the speed of the observation of a direction, from the samples written with it.
pub(super) fn beside(samples: &[Sample], direction: &Sample) -> Option<f64> {
    samples.iter().filter(|sample| is_same_observation(sample, direction)).find_map(of_sample)
}

/// Returns the speed of the observation of a direction, from the samples written with it or from the file.
pub(super) fn of_direction(
    db: &dyn Executor,
    samples: &[Sample],
    direction: &Sample,
) -> Result<Option<f64>, StoreError> {
    match beside(samples, direction) {
        Some(speed) => Ok(Some(speed)),
        None => recorded(db, &direction.source, direction.at.as_second()),
    }
}

/// Returns the recorded speed of an observation.
fn recorded(db: &dyn Executor, source: &str, at: i64) -> Result<Option<f64>, StoreError> {
    let sql = "SELECT raw.value, series.unit FROM series JOIN raw ON raw.series = series.id \
               AND raw.at = ?3 WHERE series.source = ?1 AND series.field = ?2 \
               ORDER BY series.recorded DESC LIMIT 1";
    let speed =
        |row: &dyn Row| Ok(metres_per_second(row.f64(0)?, Unit::from_recorded(&row.string(1)?)));
    executor::first(db, sql, params![source, FIELD, at], speed)
}

/// Stores the recorded speeds with the directions of a series.
pub(super) fn fill(db: &dyn Executor, source: &str, series: i64) -> Result<(), StoreError> {
    let sql = "SELECT id, unit FROM series WHERE source = ?1 AND field = ?2 ORDER BY recorded DESC";
    let speeds = executor::all(db, sql, params![source, FIELD], |row| {
        Ok((row.i64(0)?, metres_per_second(1.0, Unit::from_recorded(&row.string(1)?))))
    })?;
    for (speed, factor) in speeds {
        db.execute(
            "UPDATE raw SET qualifier = speed.value * ?1 FROM raw AS speed \
             WHERE raw.series = ?2 AND raw.qualifier IS NULL \
             AND speed.series = ?3 AND speed.at = raw.at",
            params![factor, series, speed],
        )?;
    }
    Ok(())
}
