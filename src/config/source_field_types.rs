//! Types of the fields that a source can have, those of its trends included.

use super::kind::FieldType;
use super::source::Source;
use super::trends::{TrendSettings, span_suffix};
use crate::units::{OverTime, Unit};

/// Returns the type of a field; `None` if the source cannot have it.
pub(super) fn field_type(source: &Source, field: &str) -> Option<FieldType> {
    let of_kind = source.kind.field_type(field).map(|own| in_shown_unit(source, field, own));
    of_kind.or_else(|| source.trends.iter().find_map(|trend| of_trend(source, trend, field)))
}

/// Origin of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldOrigin<'a> {
    /// The upstream sends numbers, or what it sends is not known.
    Upstream,
    /// The upstream sends texts.
    UpstreamText,
    /// The trend derives it from another field.
    Trend(&'a TrendSettings),
}

impl Source {
    /// Returns the origin of the values of a field; `None` if the source cannot have it.
    pub fn origin_of(&self, field: &str) -> Option<FieldOrigin<'_>> {
        match self.kind.field_type(field) {
            Some(FieldType::Text) => Some(FieldOrigin::UpstreamText),
            Some(_) => Some(FieldOrigin::Upstream),
            None => {
                let trend = self.trends.iter().find(|trend| of_trend(self, trend, field).is_some());
                trend.map(FieldOrigin::Trend)
            }
        }
    }

    /// Returns the aggregation of a field of the upstream over time.
    pub fn over_time_of(&self, field: &str) -> OverTime {
        let configured = self.kind.over_time().into_iter().find(|(name, _)| **name == *field);
        let unit = || field_type(self, field).and_then(FieldType::unit);
        configured.map_or_else(|| OverTime::of(field, unit()), |(_, over_time)| over_time)
    }

    /// Returns the trend of the content of a tank, if the source has one.
    pub fn tank_trend(&self) -> Option<&TrendSettings> {
        tank_of(self)
    }
}

/// Returns the trend of the content of a tank, if the source has one.
pub(super) fn tank_of(source: &Source) -> Option<&TrendSettings> {
    source.trends.iter().find(|trend| trend.tank.is_some())
}

fn in_shown_unit(source: &Source, field: &str, own: FieldType) -> FieldType {
    match own {
        FieldType::Number(Some(unit)) => {
            FieldType::Number(Some(source.units.unit_for(field, unit)))
        }
        other => other,
    }
}

/// Returns the type of a field that a trend adds.
fn of_trend(source: &Source, trend: &TrendSettings, field: &str) -> Option<FieldType> {
    let type_of = |base: &str| match source.kind.field_type(base) {
        Some(own) => in_shown_unit(source, base, own),
        None => FieldType::Unknown,
    };
    for base in &trend.fields {
        let Some(suffix) = field.strip_prefix(&**base).and_then(|rest| rest.strip_prefix('_'))
        else {
            continue;
        };
        if suffix == "rate" {
            let rate = type_of(base).unit().and_then(Unit::per_hour);
            return Some(rate.map_or(FieldType::Unknown, |rate| FieldType::Number(Some(rate))));
        }
        let is_change =
            |over: &std::time::Duration| suffix == format!("change_{}", span_suffix(*over));
        if trend.changes.iter().any(is_change) {
            return Some(type_of(base));
        }
    }
    trend.tank?;
    Some(match field {
        "time_to_full" | "time_to_empty" => FieldType::Number(Some(Unit::Hour)),
        "last_refill" | "last_refill_began" => FieldType::Text,
        "last_refill_amount" => trend
            .fields
            .iter()
            .find(|base| source.kind.field_type(base).is_some())
            .map_or(FieldType::Unknown, |base| type_of(base)),
        _ => return None,
    })
}
