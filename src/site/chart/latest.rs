//! The latest observation of a field on the board, which the history may not have written yet.

use crate::board::{Datum, Observed, SourceView, Value};
use crate::history::{Bucket, WIND_SPEED, unwritten};
use crate::units::{OverTime, Unit};

/// Latest observation of a field that is a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latest {
    /// Time of the value's own observation, or else of the reading, Unix time.
    pub(super) at: i64,
    pub(super) number: f64,
    pub(super) unit: Option<Unit>,
    /// Speed of the wind of the same observation, with its unit.
    speed: Option<(f64, Option<Unit>)>,
}

impl Latest {
    /// Returns the latest observation of a field; `None` if it has no number.
    pub(super) fn of(source: &SourceView, field: &str) -> Option<Latest> {
        let reading = source.reading.as_ref()?;
        let find = |field: &str| {
            let (_, value) = reading.values.iter().find(|(name, _)| **name == *field)?;
            let observed: Observed = value.observed.unwrap_or(reading.observed);
            Some((observed.at.as_second(), number(value)?, value.unit))
        };
        let (at, number, unit) = find(field)?;
        let speed = find(WIND_SPEED).filter(|&(speed_at, ..)| speed_at == at);
        Some(Latest { at, number, unit, speed: speed.map(|(_, speed, unit)| (speed, unit)) })
    }

    /// Returns the row that the history will write of it; `None` if that depends on the row before.
    pub(super) fn row(&self, over_time: OverTime) -> Option<Bucket> {
        unwritten(over_time, self.at, self.number, self.speed)
    }
}

fn number(value: &Value) -> Option<f64> {
    match value.datum {
        Some(Datum::Number(number)) => Some(number.get()),
        _ => None,
    }
}
