//! Thresholds of alerts, as lines across a chart.

use std::sync::Arc;

use crate::alert::AlertsView;
use crate::board::SourceView;
use crate::config::{AlertRule, FieldCondition, Limit};
use crate::format::{compact, suffix};
use crate::order;
use crate::units::Unit;

/// Most thresholds of a chart.
const MAX_THRESHOLDS: usize = 6;

/// Share of the span of the data by which a threshold may be outside of it and still extend the axis. A threshold
/// farther away would flatten the curve.
const MAX_DISTANCE: f64 = 0.5;

/// Side of a threshold on which its alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::site) enum Side {
    Below,
    Above,
}

/// Threshold of an alert on a field.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::site) struct Threshold {
    alert: Arc<str>,
    side: Side,
    limit: Limit,
}

/// Returns the thresholds of the alerts on a field of a source.
pub(in crate::site) fn thresholds(
    alerts: &AlertsView,
    source: &SourceView,
    field: &str,
) -> Vec<Threshold> {
    let mut found = Vec::new();
    for alert in &alerts.alerts {
        let AlertRule::Field { sources, field: own, condition } = &alert.rule.rule else {
            continue;
        };
        if **own != *field || !sources.selects(&source.name, source.group.as_deref()) {
            continue;
        }
        let mut add =
            |side, limit| found.push(Threshold { alert: alert.name.clone(), side, limit });
        match condition {
            FieldCondition::Below { threshold, .. } => add(Side::Below, *threshold),
            FieldCondition::Above { threshold, .. } => add(Side::Above, *threshold),
            FieldCondition::Outside { low, high, .. } => {
                add(Side::Below, *low);
                add(Side::Above, *high);
            }
            _ => {}
        }
    }
    found.truncate(MAX_THRESHOLDS);
    found
}

/// A threshold in the unit of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    pub(super) value: f64,
    /// `below 300 gal`
    pub(super) text: String,
    /// Name of the alert.
    pub(super) alert: Arc<str>,
}

/// Returns the thresholds that can be shown in a unit, from the lowest to the highest. Several alerts with the same
/// one share a line.
pub(super) fn levels(thresholds: &[Threshold], unit: Option<Unit>) -> Vec<Level> {
    let level = |threshold: &Threshold| {
        let value = threshold.limit.level_in(unit).filter(|value| value.is_finite())?;
        let side = match threshold.side {
            Side::Below => "below",
            Side::Above => "above",
        };
        let text = format!("{side} {}{}", compact(value), suffix(unit));
        Some(Level { value, text, alert: threshold.alert.clone() })
    };
    let mut levels: Vec<Level> = thresholds.iter().filter_map(level).collect();
    order::sort_by(&mut levels, |one, other| one.value.total_cmp(&other.value));
    levels.dedup_by(|next, first| next.text == first.text);
    levels
}

/// Returns the extremes of an axis: those of the data, extended to the thresholds near it.
pub(super) fn extended((least, most): (f64, f64), levels: &[Level]) -> (f64, f64) {
    let span = if most > least { most - least } else { most.abs() / 2.0 };
    let room = span * MAX_DISTANCE;
    let near = levels.iter().map(|level| level.value);
    let near = near.filter(|value| (least - room..=most + room).contains(value));
    near.fold((least, most), |(least, most), value| (least.min(value), most.max(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertState;
    use crate::config::{Severity, SourceSelection};
    use crate::site::alert_fixture::{low, on, view};
    use crate::site::fixture::{tank, weather};

    #[test]
    fn thresholds_are_those_of_the_rules_on_the_field_in_the_unit_of_the_chart() {
        let one = |name: &str| low(name, SourceSelection::One("tank".into()), Severity::Info);
        let group = low("group", SourceSelection::Group("north".into()), Severity::Info);
        let all =
            on(low("all", SourceSelection::All, Severity::Info), &["tank"], AlertState::Firing);
        let alerts = view(vec![one("one"), group, all]);
        let names = |source: &SourceView, field: &str| {
            let found = thresholds(&alerts, source, field);
            found.iter().map(|threshold| threshold.alert.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&tank(), "volume"), ["one", "all"]);
        assert_eq!(names(&weather(), "volume"), ["all"]);
        let grouped = SourceView { group: Some("north/ridge".into()), ..weather() };
        assert_eq!(names(&grouped, "volume"), ["group", "all"]);
        assert_eq!(names(&tank(), "level"), [""; 0]);
        let found = thresholds(&alerts, &tank(), "volume");
        let shown = levels(&found, Some(Unit::Litre));
        assert_eq!(shown.len(), 1, "two alerts with the same threshold share a line");
        assert!((shown[0].value - 1135.6).abs() < 0.1, "{shown:?}");
        assert_eq!(shown[0].text, "below 1,136 L");
        assert_eq!(levels(&found, Some(Unit::Percent)), [], "another quantity");
    }

    #[test]
    fn axis_is_extended_to_a_near_threshold_only() {
        let level = |value| Level { value, text: String::new(), alert: "a".into() };
        for (data, value, expected) in [
            ((100.0, 200.0), 150.0, (100.0, 200.0)),
            ((100.0, 200.0), 60.0, (60.0, 200.0)),
            ((100.0, 200.0), 250.0, (100.0, 250.0)),
            ((100.0, 200.0), 49.0, (100.0, 200.0)),
            ((100.0, 200.0), 251.0, (100.0, 200.0)),
            ((100.0, 100.0), 80.0, (80.0, 100.0)),
            ((100.0, 100.0), 20.0, (100.0, 100.0)),
            ((0.0, 0.0), 5.0, (0.0, 0.0)),
        ] {
            assert_eq!(extended(data, &[level(value)]), expected, "{data:?} {value}");
        }
    }
}
