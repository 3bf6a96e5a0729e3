//! Values of a trend, computed again from recorded observations.

use jiff::{SignedDuration, Timestamp};

use super::super::rule::signed;
use super::feed::Row;
use super::plan::PlannedTrend;
use crate::board::{Datum, FieldName, Finite, RecordedTrend, Value};
use crate::config::Source;
use crate::units::Unit;

/// A trend during a replay.
pub(super) struct TrendReplay {
    planned: PlannedTrend,
    trend: RecordedTrend,
    /// Order of preference of the field that it follows, and its latest time.
    followed: Option<(usize, Timestamp)>,
    /// Time for which a field that is not observed stays the one to follow.
    patience: SignedDuration,
    derived: Vec<(FieldName, Value)>,
    values: Vec<(FieldName, Value)>,
}

/// Recorded field: name and unit.
pub(super) type Field = (FieldName, Option<Unit>);

impl TrendReplay {
    pub(super) fn new(source: &Source, planned: PlannedTrend) -> TrendReplay {
        TrendReplay {
            trend: RecordedTrend::new(planned.settings.clone(), source.kind.over_time()),
            planned,
            followed: None,
            patience: signed(source.stale_after),
            derived: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Adds the rows of a time. Returns true if values were derived from them.
    ///
    /// A quarter of an hour is used in place of its latest observation.
    pub(super) fn observe(
        &mut self,
        at: Timestamp,
        rows: &[Option<Row>],
        fields: &[Field],
    ) -> bool {
        let followed = self.planned.followed.iter();
        let Some(rank) = followed.into_iter().position(|&field| rows[field].is_some()) else {
            return false;
        };
        if let Some((known, latest)) = self.followed
            && rank > known
            && at.duration_since(latest) <= self.patience
        {
            return false;
        }
        self.followed = Some((rank, at));
        self.values.clear();
        let level = self.planned.level.filter(|level| !self.planned.followed.contains(level));
        for &field in self.planned.followed.iter().chain(&level) {
            let (name, unit) = &fields[field];
            let number = rows[field].and_then(|row| Finite::new(row.bucket.last));
            self.values.extend(number.map(|number| {
                let datum = Some(Datum::Number(number));
                let value = Value { datum, unit: *unit, note: None, observed: None, period: None };
                (name.clone(), value)
            }));
        }
        self.derived = self.trend.derive(&self.values, at);
        true
    }

    /// Returns a derived value.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.derived.iter().find(|(field, _)| **field == *name).map(|(_, value)| value)
    }
}
