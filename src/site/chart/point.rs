//! A point of a chart: a single observation, or an aggregate of those of a span.

use crate::history::{Bucket, Calendar, DAY};
use crate::units::OverTime;

/// A point of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Time of the observation, or start of the span.
    pub(super) at: i64,
    /// Seconds of the span; 0 for a single observation.
    pub(super) length: i64,
    pub(super) value: f64,
    /// Least number of the span. It equals `value` if the value does not lie between others.
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Point {
    /// Returns the point of a single observation.
    pub(super) const fn single(at: i64, value: f64) -> Point {
        Point { at, length: 0, value, least: value, most: value }
    }

    /// Returns the point of a row, of a span of `step` seconds or of a single observation; `None` if the
    /// row has no value.
    pub(super) fn of(
        row: &Bucket,
        step: Option<i64>,
        over_time: OverTime,
        calendar: &mut Calendar,
    ) -> Option<Point> {
        let length = step.map_or(0, |step| {
            if step < DAY {
                // Steps are counted from midnight, so the last one of a day may be shorter.
                return step.min(calendar.day(row.at).1 - row.at);
            }
            // Noon of the last day, which a change of the clocks at night cannot move to another date.
            calendar.day(row.at + step - DAY / 2).1 - row.at
        });
        let value = row.value(over_time)?;
        let (least, most) = match over_time {
            OverTime::Mean => (row.min, row.max),
            _ => (value, value),
        };
        Some(Point { at: row.at, length, value, least, most })
    }

    /// Returns the time at which a line passes through the point.
    pub(super) const fn middle(&self) -> i64 {
        self.at + self.length / 2
    }

    /// Returns the end of the span, or the time of the observation.
    pub(super) const fn end(&self) -> i64 {
        self.at + self.length
    }
}
