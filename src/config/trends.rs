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
    let mut tank = None;
    for At { value: name, .. } in section.invented_keys() {
        let title = format!("[source.trends.{name}]");
        let Some(trend) = section.section(&name, title) else { continue };
        trends.push(trend_of(&name, trend, &mut tank));
    }
    section.finish();
    // Without a word the content of a tank is its volume, else its level; but never both, since
    // what is told of a tank has one name.
    let default = ["volume", "level"].into_iter().find_map(|name| {
        trends.iter().position(|(trend, is_tank)| is_tank.is_none() && *trend.fields[0] == *name)
    });
    if let (None, Some(default)) = (tank, default) {
        trends[default].0.tank = Some(Tank { full: None, refill: REFILL });
    }
    trends.into_iter().map(|(trend, _)| trend).collect()
}

/// The trend of a field, and what it says of being a tank; `tank` is the field that said yes.
fn trend_of(
    name: &str,
    mut section: Section<'_, '_>,
    tank: &mut Option<Arc<str>>,
) -> (TrendSettings, Option<bool>) {
    let mut trend = TrendSettings::of_fields(vec![name.into()]);
    if let Some(at) = section.duration("rate_over") {
        within(&section, "rate_over", &at);
        trend.rate_over = at.value;
    }
    if let Some(changes) = section.durations("changes") {
        trend.changes.clear();
        for change in changes {
            within(&section, "changes", &change);
            // However often and in whatever unit: it has one name.
            if !trend.changes.contains(&change.value) {
                trend.changes.push(change.value);
            }
        }
    }
    let span = ["tank", "full", "refill"].iter().find_map(|key| section.span_of(key));
    let is_tank = section.boolean("tank");
    let (full, refill) = (section.positive("full"), section.positive("refill"));
    // Whoever tells what a full one holds means a tank.
    let implied = (full.is_some() || refill.is_some()).then_some(true);
    let is_tank = is_tank.map(|at| at.value).or(implied);
    if is_tank == Some(true) {
        match tank {
            None => *tank = Some(name.into()),
            Some(other) => section.report(
                span.unwrap_or_default(),
                format_args!(
                    "a source has one tank, which is \"{other}\" already: leave \"tank = true\", \
                     \"full\" and \"refill\" to one of them"
                ),
            ),
        }
        trend.tank = Some(Tank { full, refill: refill.unwrap_or(REFILL) });
    }
    section.finish();
    (trend, is_tank)
}

fn within(section: &Section<'_, '_>, key: &str, time: &At<Duration>) {
    if time.value.is_zero() || time.value > LONGEST {
        let message = format!("\"{key}\" must be longer than nothing and at most 31d");
        section.report(time.span, message);
    }
}
