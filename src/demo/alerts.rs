//! Rules of the demo. One fires and ends within minutes, the others within days.
//!
//! There is no channel: the page shows what fires.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Alert, AlertRule, FieldCondition, Limit, Severity, SourceCondition, SourceSelection,
};
use crate::units::Unit;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Returns the rules.
pub(super) fn alerts() -> Vec<Arc<Alert>> {
    let limit = |number, unit| Limit { number, unit: Some(unit) };
    let gallons = |number| limit(number, Unit::UsGallon);
    let (mph, volt) = (Unit::MilePerHour, Unit::Volt);
    let gusts =
        FieldCondition::Above { threshold: limit(30.0, mph), clear: Some(limit(27.0, mph)) };
    let battery =
        FieldCondition::Below { threshold: limit(12.1, volt), clear: Some(limit(12.3, volt)) };
    let low = FieldCondition::Below { threshold: gallons(560.0), clear: Some(gallons(700.0)) };
    let no_refill = FieldCondition::NoRise { by: gallons(140.0), within: 36 * HOUR };
    // The sensor errs by 2 gallons: the difference of two values by 4.
    let clear = Some(gallons(45.0));
    let draw = FieldCondition::Falls { by: gallons(60.0), within: 4 * HOUR, clear };
    let silent =
        AlertRule::Source { sources: SourceSelection::All, condition: SourceCondition::Stale };
    let alerts = [
        Alert {
            hold: Duration::from_secs(60),
            ..alert("tank_low", Severity::Critical, on("tank", "volume", low))
        },
        Alert {
            hold: Duration::from_secs(5),
            ..alert("gusts", Severity::Warning, on("weather", "wind_gust", gusts))
        },
        alert("battery_low", Severity::Warning, on("pump", "battery", battery)),
        alert("no_refill", Severity::Warning, on("tank", "volume", no_refill)),
        Alert {
            between: "00:00-05:00".parse().ok(),
            ..alert("night_draw", Severity::Info, on("tank", "volume", draw))
        },
        alert("silent", Severity::Warning, silent),
    ];
    alerts.into_iter().map(Arc::new).collect()
}

/// Returns a rule on a field of one source.
fn on(source: &str, field: &str, condition: FieldCondition) -> AlertRule {
    let sources = SourceSelection::One(source.into());
    AlertRule::Field { sources, field: field.into(), condition }
}

fn alert(name: &str, severity: Severity, rule: AlertRule) -> Alert {
    Alert::new(name, severity, rule)
}

#[cfg(test)]
mod tests;
