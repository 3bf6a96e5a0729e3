//! `[source.trends.NAME]`: trends to compute from the past values of a field.

use std::sync::Arc;
use std::time::Duration;

use super::kind::Kind;
use super::section::{Section, Spanned};

/// Settings of the trends of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendSettings {
    /// Candidates for the field: the first of them with a number is used.
    pub fields: Vec<Arc<str>>,
    /// Window of the rate of change.
    pub rate_over: Duration,
    /// Windows of the changes.
    pub changes: Vec<Duration>,
    /// Set if the field is the content of a tank, which has a time to full, a time to empty and refills.
    pub tank: Option<Tank>,
}

/// Settings of a field that is the content of a tank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tank {
    /// Content of the full tank, in the unit of the field; `None`: computed from its `level`.
    pub full: Option<f64>,
    /// Least rise that counts as a refill, in per cent of the full tank.
    pub refill: f64,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Longest window, which bounds the observations that the board keeps in memory.
const MAX_WINDOW: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Default of `refill`: above the noise of a sensor that is accurate to a few gallons.
const REFILL: f64 = 5.0;

impl TrendSettings {
    /// Returns the defaults for the content of a tank.
    pub fn of_tank() -> TrendSettings {
        TrendSettings {
            tank: Some(Tank { full: None, refill: REFILL }),
            ..TrendSettings::of_fields(["volume", "level"].map(Arc::from).into())
        }
    }

    /// Returns the defaults for the first of these fields that has a number.
    pub fn of_fields(fields: Vec<Arc<str>>) -> TrendSettings {
        TrendSettings { fields, rate_over: 2 * HOUR, changes: vec![HOUR, 24 * HOUR], tank: None }
    }
}

/// Returns the trends of a source that configures none: those of a tank if it is one.
pub(super) fn defaults_of(kind: &Kind) -> Vec<TrendSettings> {
    let is_tank = match kind {
        Kind::PtLevel(_) | Kind::PtDevices(_) => true,
        Kind::Json(json) => {
            json.values.iter().any(|value| matches!(&*value.name, "level" | "volume"))
        }
        _ => false,
    };
    if is_tank { vec![TrendSettings::of_tank()] } else { Vec::new() }
}

/// Reads `[source.trends]`.
pub(super) fn read(mut section: Section<'_, '_>) -> Vec<TrendSettings> {
    let mut trends = Vec::new();
    let mut tank = None;
    for Spanned { value: name, .. } in section.dynamic_keys() {
        let title = format!("[source.trends.{name}]");
        let Some(trend) = section.section(&name, title) else { continue };
        trends.push(trend_of(&name, trend, &mut tank));
    }
    section.finish();
    // By default the content of a tank is its volume, else its level. It is never both, because the
    // trends of a tank, such as `time_to_empty`, have one name.
    let default = ["volume", "level"].into_iter().find_map(|name| {
        trends.iter().position(|(trend, is_tank)| is_tank.is_none() && *trend.fields[0] == *name)
    });
    if let (None, Some(default)) = (tank, default) {
        trends[default].0.tank = Some(Tank { full: None, refill: REFILL });
    }
    trends.into_iter().map(|(trend, _)| trend).collect()
}

/// Reads the trend of a field. Returns it with the value of its `tank` key, if that is present or implied.
/// `tank` is the field that an earlier trend has declared to be the tank.
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
            // Equal windows, such as 60m and 1h, give one trend.
            if !trend.changes.contains(&change.value) {
                trend.changes.push(change.value);
            }
        }
    }
    let span = ["tank", "full", "refill"].iter().find_map(|key| section.span_of(key));
    let is_tank = section.boolean("tank");
    let (full, refill) = (section.positive("full"), section.positive("refill"));
    // `full` and `refill` imply a tank.
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

/// Trends of the content of a tank.
const OF_TANK: [&str; 5] =
    ["time_to_full", "time_to_empty", "last_refill", "last_refill_began", "last_refill_amount"];

/// Returns the fields that trends add to a source.
pub(super) fn fields(trends: &[TrendSettings]) -> Vec<String> {
    let mut fields = Vec::new();
    for trend in trends {
        for field in &trend.fields {
            fields.push(format!("{field}_rate"));
            let changes = trend.changes.iter();
            fields.extend(changes.map(|over| format!("{field}_change_{}", span_suffix(*over))));
        }
        if trend.tank.is_some() {
            fields.extend(OF_TANK.map(str::to_owned));
        }
    }
    fields
}

/// Returns a time span as a suffix of a field's name: `30m`, `1h`, `24h`, `7d`.
pub fn span_suffix(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 => format!("{}d", seconds / 86_400),
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn within(section: &Section<'_, '_>, key: &str, time: &Spanned<Duration>) {
    if time.value.is_zero() || time.value > MAX_WINDOW {
        let message = format!("\"{key}\" must be longer than 0 and at most 31d");
        section.report(time.span, message);
    }
}
