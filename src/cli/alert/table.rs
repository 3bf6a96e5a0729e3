//! The alerts as a table for people.

use jiff::Timestamp;
use serde_json::Value;

use super::columns;
use crate::board::{Datum, Finite};
use crate::cli::outcome::Failure;
use crate::format::{coarse_duration, datum, suffix};
use crate::json::deserialize_members;
use crate::text::clean;
use crate::units::Unit;

/// Body of `/api/v1/alerts`, as far as it is shown.
#[derive(Default)]
struct Body {
    alerts: Vec<Alert>,
}

deserialize_members!(Body { alerts } required { alerts });

/// An alert on one of its sources.
#[derive(Default)]
struct Alert {
    name: String,
    state: String,
    severity: String,
    source: Option<String>,
    value: Value,
    condition: String,
    unit: Option<String>,
    since: Option<String>,
    acknowledged_by: Option<String>,
    silenced_until: Option<String>,
    fault: Option<String>,
    incident: Option<String>,
}

deserialize_members!(Alert {
    name,
    state,
    severity,
    source,
    value,
    condition,
    unit,
    since,
    acknowledged_by,
    silenced_until,
    fault,
    incident
});

const HEADER: [&str; 9] = [
    "STATE",
    "ALERT",
    "SEVERITY",
    "SOURCE",
    "VALUE",
    "CONDITION",
    "SINCE",
    "SILENCED UNTIL",
    "INCIDENT",
];

/// Text of a cell without a value.
const NONE: &str = "-";

/// Returns the table of a body, and a line for each rule that cannot be applied.
pub(super) fn render(body: &str, now: Timestamp) -> Result<String, Failure> {
    let alerts = parse(body)?;
    if alerts.is_empty() {
        return Ok("No alerts are configured.\n".to_owned());
    }
    let rows = alerts.iter().map(|alert| row(alert, now).into()).collect();
    let mut text = columns::table("", &HEADER, rows);
    for alert in &alerts {
        if let Some(fault) = &alert.fault {
            let line = format!("{} cannot be applied: {fault}", alert.name);
            text.push_str(&format!("\n{}\n", clean(&line)));
        }
    }
    Ok(text)
}

/// Returns the end of the silence of the alert that a body is about.
pub(super) fn silenced_until(body: &str) -> Result<Option<String>, Failure> {
    let alerts = parse(body)?;
    Ok(alerts.into_iter().find_map(|alert| alert.silenced_until))
}

fn parse(body: &str) -> Result<Vec<Alert>, Failure> {
    let body: Body = crate::json::from_text(body)
        .map_err(|error| format!("the response of the server is not as expected: {error}"))?;
    Ok(body.alerts)
}

fn row(alert: &Alert, now: Timestamp) -> [String; HEADER.len()] {
    let or_none = |text: Option<&str>| clean(text.unwrap_or(NONE)).into_owned();
    let unit: Option<Unit> = alert.unit.as_deref().and_then(|unit| unit.parse().ok());
    let state = match &alert.acknowledged_by {
        Some(by) => format!("{} by {by}", alert.state),
        None => alert.state.clone(),
    };
    [
        or_none(Some(&state)),
        or_none(Some(&alert.name)),
        or_none(Some(&alert.severity)),
        or_none(alert.source.as_deref()),
        or_none(value(&alert.value, unit).as_deref()),
        or_none(Some(&alert.condition)),
        or_none(alert.since.as_deref().map(|since| with_age(since, now)).as_deref()),
        or_none(alert.silenced_until.as_deref()),
        or_none(alert.incident.as_deref()),
    ]
}

/// Returns a value with its unit.
fn value(value: &Value, unit: Option<Unit>) -> Option<String> {
    let value = match value {
        Value::Null => return None,
        Value::String(text) => Datum::Text(text.as_str().into()),
        Value::Number(number) => Datum::Number(Finite::new(number.as_f64()?)?),
        other => return Some(other.to_string()),
    };
    let text = datum(&value, unit);
    Some(if matches!(value, Datum::Text(_)) { text } else { text + &suffix(unit) })
}

/// Returns a time with its age: `2026-01-31T16:40:00Z (40 minutes)`.
fn with_age(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => format!("{time} ({})", coarse_duration(now.duration_since(at))),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-31T17:20:00Z".parse().unwrap()
    }

    #[test]
    fn alerts_are_aligned_in_the_order_of_the_server() {
        let body = r#"{"alerts": [
            {"name": "tank_low", "state": "firing", "severity": "critical", "source": "tank",
             "value": 284.64, "unit": "gal", "condition": "below 300 gal",
             "since": "2026-01-31T16:40:00Z",
             "incident": "00abcdef01234567", "later": {"a": 1}},
            {"name": "pump", "state": "acknowledged", "severity": "warning", "source": "pump",
             "value": "off\u001b[31m", "condition": "is off", "since": "2026-01-30T16:40:00Z", "acknowledged_by": "anna",
             "silenced_until": "2026-02-01T00:00:00Z", "incident": "00abcdef01234568"},
            {"name": "leak", "state": "inactive", "severity": "info", "value": null,
             "condition": "falls 20 gal within 4h",
             "fault": "tank.level is a pressure"}],
            "incidents": []}"#;
        let expected = "\
STATE                 ALERT     SEVERITY  SOURCE  VALUE      CONDITION               SINCE                              SILENCED UNTIL        INCIDENT
firing                tank_low  critical  tank    284.6 gal  below 300 gal           2026-01-31T16:40:00Z (40 minutes)  -                     00abcdef01234567
acknowledged by anna  pump      warning   pump    off [31m   is off                  2026-01-30T16:40:00Z (1 day)       2026-02-01T00:00:00Z  00abcdef01234568
inactive              leak      info      -       -          falls 20 gal within 4h  -                                  -                     -

leak cannot be applied: tank.level is a pressure
";
        assert_eq!(render(body, now()).unwrap(), expected);
        assert_eq!(silenced_until(body).unwrap().as_deref(), Some("2026-02-01T00:00:00Z"));
    }

    #[test]
    fn server_without_alerts_and_one_with_another_body_are_told_apart() {
        let empty = render(r#"{"alerts":[],"incidents":[]}"#, now()).unwrap();
        assert_eq!(empty, "No alerts are configured.\n");
        assert!(render("<html>", now()).is_err());
    }
}
