//! Fields that an earlier version gave another name or a wrong unit.
//!
//! Recorded series move to the new name once for each history file, and configurations that use the old
//! name go on working with a warning.

use std::sync::Arc;

use super::kind::Kind;
use super::source::DesiredUnits;
use super::trends::TrendSettings;
use crate::units::Unit;

/// A field of one kind of source under its earlier and its present name.
#[derive(Debug, PartialEq, Eq)]
pub struct RenamedField {
    /// Kind of the source, as `kind` of the configuration names it.
    pub kind: &'static str,
    /// Name in earlier versions.
    pub old: &'static str,
    /// Name now.
    pub new: &'static str,
    /// True if `old` now names another field of the same kind: rows recorded since the move stay.
    pub reused: bool,
    /// True if the recorded numbers are rates per hour, although their unit was that of an amount.
    pub is_rate: bool,
}

/// All renamed fields.
pub const RENAMED_FIELDS: [RenamedField; 3] = [
    // `hourlyrainin` is the rate of rain (in/h), and was taken for the amount of an hour.
    RenamedField { kind: "ambient", old: "rain", new: "rain_rate", reused: false, is_rate: true },
    RenamedField {
        kind: "ambient",
        old: "rain_daily",
        new: "rain_today",
        reused: false,
        is_rate: false,
    },
    // `pressure` is the pressure at sea level now, as it is for the other kinds.
    RenamedField {
        kind: "open-meteo",
        old: "pressure",
        new: "station_pressure",
        reused: true,
        is_rate: false,
    },
];

impl RenamedField {
    /// Returns the unit of a series under the new name that was recorded in `unit`.
    pub fn unit(&self, unit: Unit) -> Unit {
        if self.is_rate { unit.per_hour().unwrap_or(unit) } else { unit }
    }

    /// Returns true if the old name with this suffix named the field or one of its trends.
    fn has(&self, suffix: &str) -> bool {
        // The new name of a rate is that of the old field's own trend.
        suffix.is_empty() || suffix.starts_with("_change_") || (suffix == "_rate" && !self.is_rate)
    }
}

/// Returns the renamed fields of a kind.
pub fn renamed_fields(kind: &str) -> impl Iterator<Item = &'static RenamedField> {
    RENAMED_FIELDS.iter().filter(move |field| field.kind == kind)
}

/// Settings of a source that name fields.
pub(super) struct FieldSettings<'a> {
    pub(super) show: &'a mut [Arc<str>],
    pub(super) units: &'a mut DesiredUnits,
    pub(super) trends: &'a mut [TrendSettings],
}

/// Replaces the old names of fields in the settings of a source. `source` is its name, for the warnings.
///
/// A name that is in use again keeps its place. A unit configured for it is also that of the renamed
/// field, whose recorded series would otherwise go on in another unit.
pub(super) fn rename(
    kind: &Kind,
    source: &str,
    settings: &mut FieldSettings<'_>,
    warnings: &mut Vec<String>,
) {
    for field in renamed_fields(kind.as_str()) {
        let RenamedField { old, new, .. } = *field;
        let mut places = Vec::new();
        let units = &mut settings.units.fields;
        let configured = units.iter().find(|(name, _)| **name == *old).map(|(_, unit)| *unit);
        if let Some(unit) = configured {
            if units.iter().all(|(name, _)| **name != *new) {
                units.push((new.into(), field.unit(unit)));
            }
            if !field.reused {
                units.retain(|(name, _)| **name != *old);
                places.push(format!("[source.fields.{old}]"));
            }
        }
        if !field.reused {
            for name in settings.show.iter_mut() {
                if let Some(suffix) = name.strip_prefix(old).filter(|suffix| field.has(suffix)) {
                    *name = format!("{new}{suffix}").into();
                    places.push("\"show\"".to_owned());
                }
            }
            let trends = settings.trends.iter_mut().flat_map(|trend| &mut trend.fields);
            for name in trends.filter(|name| ***name == *old) {
                *name = new.into();
                places.push(format!("[source.trends.{old}]"));
            }
        }
        if !places.is_empty() {
            let rate = if field.is_rate { ", a rate per hour" } else { "" };
            warnings.push(format!(
                "[[source]] \"{source}\": the field \"{old}\" is now named \"{new}\"{rate}: rename \
                 it in {}",
                places.join(" and ")
            ));
        }
    }
}
