//! A receiver of Alertmanager's webhooks, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).

use std::ops::Deref;

use jiff::Timestamp;
use serde_json::Value;

use super::Identity;
use super::http::{HttpReceiver, Received};

/// A receiver of Alertmanager's webhooks.
pub struct AlertmanagerReceiver(HttpReceiver);

/// An alert of a body that was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Name of the alert.
    pub alert: String,
    /// Source; empty if there is none.
    pub source: String,
    /// Identity of the incident.
    pub incident: String,
    /// True if it is resolved.
    pub is_resolved: bool,
    /// Number of the body, from 0 on.
    pub body: usize,
    /// Idempotency key of the body.
    pub key: String,
}

impl AlertmanagerReceiver {
    /// Starts a server.
    pub fn start(identity: Option<&Identity>) -> AlertmanagerReceiver {
        AlertmanagerReceiver(HttpReceiver::start(check, identity))
    }

    /// Returns the alerts of all bodies, in their order.
    pub fn posted(&self) -> Vec<Posted> {
        let mut posted = Vec::new();
        for (body, received) in self.taken().iter().enumerate() {
            let json = received.json().unwrap_or_default();
            let key = received.header("idempotency-key").unwrap_or_default().to_owned();
            for alert in json["alerts"].as_array().into_iter().flatten() {
                let label =
                    |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
                posted.push(Posted {
                    alert: label("alertname"),
                    source: label("source"),
                    incident: label("incident"),
                    is_resolved: alert["status"] == "resolved",
                    body,
                    key: key.clone(),
                });
            }
        }
        posted
    }
}

impl Deref for AlertmanagerReceiver {
    type Target = HttpReceiver;

    fn deref(&self) -> &HttpReceiver {
        &self.0
    }
}

/// Checks a body as a receiver does whose language has types.
fn check(request: &Received) -> Result<String, String> {
    if !request.line.starts_with("POST ") {
        return Err(format!("{} is not a POST", request.line));
    }
    if request.header("content-type") != Some("application/json") {
        return Err(format!("the media type is {:?}", request.header("content-type")));
    }
    let body = request.json()?;
    let is_status = |value: &Value| ["firing", "resolved"].iter().any(|status| value == status);
    let are_texts =
        |value: &Value| value.as_object().is_some_and(|texts| texts.values().all(Value::is_string));
    let is_time = |value: &Value| value.as_str().is_some_and(|at| at.parse::<Timestamp>().is_ok());
    let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
    let is_alert = |alert: &Value| {
        is_status(&alert["status"])
            && are_texts(&alert["labels"])
            && are_texts(&alert["annotations"])
            && is_time(&alert["startsAt"])
            && is_time(&alert["endsAt"])
            && alert["generatorURL"].is_string()
            && alert["fingerprint"].is_string()
    };
    for (is_valid, member) in [
        (body["version"] == "4", "version"),
        (body["groupKey"].is_string(), "groupKey"),
        (body["truncatedAlerts"].is_u64(), "truncatedAlerts"),
        (is_status(&body["status"]), "status"),
        (body["receiver"].is_string(), "receiver"),
        (are_texts(&body["groupLabels"]), "groupLabels"),
        (are_texts(&body["commonLabels"]), "commonLabels"),
        (are_texts(&body["commonAnnotations"]), "commonAnnotations"),
        (body["externalURL"].is_string(), "externalURL"),
        (!alerts.is_empty() && alerts.iter().all(is_alert), "alerts"),
    ] {
        if !is_valid {
            return Err(format!("{member} is invalid: {body}"));
        }
    }
    Ok(String::new())
}
