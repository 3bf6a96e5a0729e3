//! A trend over recorded observations, for the replay of alerts.

use jiff::Timestamp;

use super::super::reading::{FieldName, Value};
use super::Trend;
use crate::config::TrendSettings;
use crate::units::OverTime;

/// A trend over recorded observations. Its values are those that the server derived when they came.
#[derive(Debug)]
pub struct RecordedTrend(Trend);

impl RecordedTrend {
    /// Returns a trend without observations. `over_time` are the configured aggregations of fields.
    pub fn new(settings: TrendSettings, over_time: Vec<(FieldName, OverTime)>) -> RecordedTrend {
        RecordedTrend(Trend::new(settings, over_time.into()))
    }

    /// Adds an observation and returns the derived values. The calls must be in order of time.
    pub fn derive(
        &mut self,
        values: &[(FieldName, Value)],
        at: Timestamp,
    ) -> Vec<(FieldName, Value)> {
        self.0.derive(values, |_| (at.as_second(), false))
    }
}
