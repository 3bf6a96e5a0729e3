//! `[source.trends.NAME]`: what to work out of a field's past.

use std::sync::Arc;
use std::time::Duration;

use super::kind::Kind;
use super::section::{At, Section};

/// What to work out of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendSettings {
    /// The field; the first of them that has a number.
    pub fields: Vec<Arc<str>>,
    /// The time over which the rate of change is taken.
    pub rate_over: Duration,
    /// The times over which the change is told.
    pub changes: Vec<Duration>,
    /// The content of a tank, that gets full, empty and refilled; `None`: it is none.
    pub tank: Option<Tank>,
}

/// What makes a field the content of a tank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tank {
    /// What a full one has, in the unit of the field; `None`: worked out from its `level`.
    pub full: Option<f64>,
    /// The rise that makes a refill, in per cent of a full tank.
    pub refill: f64,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Longer ones would need more of the past than is held in memory.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Above the error of a sensor that is good to some gallons.
const REFILL: f64 = 5.0;

impl TrendSettings {
    /// Those of the content of a tank.
    pub fn of_tank() -> TrendSettings {
        TrendSettings {
            tank: Some(Tank { full: None, refill: REFILL }),
            ..TrendSettings::of_fields(["volume", "level"].map(Arc::from).into())
        }
    }

    /// Those of the first of these fields that has a number.
    pub fn of_fields(fields: Vec<Arc<str>>) -> TrendSettings {
        TrendSettings { fields, rate_over: 2 * HOUR, changes: vec![HOUR, 24 * HOUR], tank: None }
    }
}

/// What is worked out where the configuration says nothing: for tanks.
pub(super) fn of_kind(kind: &Kind) -> Vec<TrendSettings> {
    let is_tank = match kind {
        Kind::PtLevel(_) | Kind::PtDevices(_) => true,
        Kind::Json(json) => {
            json.values.iter().any(|value| matches!(&*value.name, "level" | "volume"))
        }
        _ => false,
    };
    if is_tank { vec![TrendSettings::of_tank()] } else { Vec::new() }
}

/// `[source.trends]`
pub(super) fn read(mut section: Section<'_, '_>) -> Vec<TrendSettings> {
    let mut trends = Vec::new();
    for At { value: name, .. } in section.invented_keys() {
        let title = format!("[source.trends.{name}]");
        let Some(trend) = section.section(&name, title) else { continue };
        trends.push(trend_of(&name, trend));
    }
    section.finish();
    trends
}

fn trend_of(name: &str, mut section: Section<'_, '_>) -> TrendSettings {
    let default = TrendSettings::of_fields(vec![name.into()]);
    let rate_over = section.duration("rate_over").map_or(default.rate_over, |at| {
        within(&section, "rate_over", &at);
        at.value
    });
    let changes = section.durations("changes").map_or(default.changes, |changes| {
        for change in &changes {
            within(&section, "changes", change);
        }
        changes.into_iter().map(|at| at.value).collect()
    });
    let is_tank = matches!(name, "volume" | "level");
    let is_tank = section.boolean("tank").map_or(is_tank, |at| at.value);
    let full = section.number("full").map(|at| at.value);
    let refill = section.number("refill").map_or(REFILL, |at| at.value);
    section.finish();
    let tank = is_tank.then_some(Tank { full, refill });
    TrendSettings { fields: vec![name.into()], rate_over, changes, tank }
}

fn within(section: &Section<'_, '_>, key: &str, time: &At<Duration>) {
    if time.value.is_zero() || time.value > LONGEST {
        let message = format!("\"{key}\" must be longer than nothing and at most 31d");
        section.report(time.span, message);
    }
}
