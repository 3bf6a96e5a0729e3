//! A replay as JSON.

use jiff::Timestamp;
use serde::Serialize;

use crate::alert::replay::{Extent, Replay, ReplayedAlert, ReplayedIncident};
use crate::board::Datum;
use crate::config::AlertRule;
use crate::timestamp::Rfc3339;

#[derive(Serialize)]
struct Body<'a> {
    from: Rfc3339,
    to: Rfc3339,
    alerts: Vec<Alert<'a>>,
}

#[derive(Serialize)]
struct Alert<'a> {
    name: &'a str,
    condition: &'a str,
    severity: &'a str,
    field: Option<&'a str>,
    /// Reason why the rule cannot be replayed; null if it can.
    cannot_replay: Option<String>,
    sources: Vec<Source<'a>>,
    count: usize,
    seconds: i64,
    longest_seconds: i64,
    flaps: usize,
    incidents: Vec<Incident<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    /// Number of recorded rows; null for a rule that follows events.
    rows: Option<u64>,
    quarters_before: Option<Rfc3339>,
    not_replayed_before: Option<Rfc3339>,
    fault: Option<String>,
}

#[derive(Serialize)]
struct Incident<'a> {
    source: &'a str,
    since: Rfc3339,
    fired_at: Rfc3339,
    ended_at: Option<Rfc3339>,
    reason: Option<&'static str>,
    seconds: i64,
    value: Option<Number<'a>>,
    unit: Option<&'static str>,
    threshold: Option<f64>,
    from_quarters: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Number<'a> {
    Number(f64),
    Text(&'a str),
}

/// Returns the JSON of a replay, with a line break at its end.
pub(super) fn render(replay: &Replay) -> String {
    let alerts = replay.alerts.iter().map(|alert| Alert::of(alert, replay)).collect();
    let body = Body { from: Rfc3339(replay.from), to: Rfc3339(replay.to), alerts };
    let json = serde_json::to_string(&body).expect("texts and finite numbers are valid JSON");
    json + "\n"
}

impl Alert<'_> {
    fn of<'a>(alert: &'a ReplayedAlert, replay: &Replay) -> Alert<'a> {
        let summary = alert.summary(replay.from, replay.to);
        let incidents = alert.incidents.iter();
        Alert {
            name: &alert.alert.name,
            condition: &alert.condition,
            severity: alert.alert.severity.as_str(),
            field: match &alert.alert.rule {
                AlertRule::Field { field, .. } => Some(field),
                AlertRule::Source { .. } | AlertRule::Server(_) => None,
            },
            cannot_replay: alert.unreplayable.map(|reason| reason.to_string()),
            sources: alert.extents.iter().map(Source::of).collect(),
            count: summary.count,
            seconds: summary.firing.as_secs(),
            longest_seconds: summary.longest.as_secs(),
            flaps: summary.flaps,
            incidents: incidents.map(|incident| Incident::of(incident, replay.to)).collect(),
        }
    }
}

impl Source<'_> {
    fn of(extent: &Extent) -> Source<'_> {
        Source {
            name: &extent.source,
            rows: extent.rows,
            quarters_before: extent.quarters_before.map(Rfc3339),
            not_replayed_before: extent.days_before.map(Rfc3339),
            fault: extent.fault.map(|fault| fault.to_string()),
        }
    }
}

impl Incident<'_> {
    fn of(incident: &ReplayedIncident, to: Timestamp) -> Incident<'_> {
        let evidence = &incident.at_fire;
        let end = incident.ended.map_or(to, |ended| ended.at);
        Incident {
            source: &incident.source,
            since: Rfc3339(incident.since),
            fired_at: Rfc3339(incident.fired_at),
            ended_at: incident.ended.map(|ended| Rfc3339(ended.at)),
            reason: incident.ended.map(|ended| ended.reason.as_str()),
            seconds: end.duration_since(incident.fired_at).as_secs(),
            value: evidence.value.as_ref().map(|value| match value {
                Datum::Number(number) => Number::Number(number.get()),
                Datum::Text(text) => Number::Text(text),
            }),
            unit: evidence.unit.map(|unit| unit.as_str()),
            threshold: evidence.threshold.map(|threshold| threshold.get()),
            from_quarters: incident.is_from_quarters,
        }
    }
}
