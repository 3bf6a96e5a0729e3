//! Slack: an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use serde_json::{Value, json};

use super::service::{Service, has_any, member};
use crate::config::Secret;
use crate::notify::cut::Measure;
use crate::notify::delivery::DeliveryFault;
use crate::notify::message::Message;

/// Longest text before it is escaped, characters. Slack takes 40,000, and shows some 4,000 of them.
const MAX_TEXT: usize = 3000;

/// Parts of the reasons that are about the webhook, not the message
/// (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>).
const REFUSALS: &[&str] = &[
    "not_found",
    "archived",
    "prohibited",
    "denied",
    "disabled",
    "no_service",
    "no_team",
    "token",
    "auth",
];

/// Slack.
pub(crate) struct Slack(Secret);

impl Slack {
    pub(crate) fn new(url: &Secret) -> Slack {
        Slack(url.clone())
    }
}

impl Service for Slack {
    fn url(&self) -> String {
        self.0.expose().to_owned()
    }

    fn secrets(&self) -> Vec<&str> {
        Vec::new()
    }

    fn document(&self, message: &Message) -> Value {
        // Escaped after it is cut, so that no entity is cut in two.
        json!({ "text": escaped(&message.text(MAX_TEXT, Measure::Characters, str::to_owned)) })
    }

    /// The body is a word. Servers that take the same messages say by a member that they did not.
    fn body_fault(&self, status: u16, body: &Value) -> Option<DeliveryFault> {
        let has_failed =
            ["ok", "success"].iter().any(|name| body.get(*name) == Some(&Value::Bool(false)));
        let reason = body.as_str().unwrap_or_else(|| member(body, "error"));
        match status {
            400 if has_any(reason, REFUSALS) => Some(DeliveryFault::Refused),
            200..300 if has_failed && has_any(reason, REFUSALS) => Some(DeliveryFault::Refused),
            200..300 if has_failed => Some(DeliveryFault::Undeliverable),
            _ => None,
        }
    }
}

/// Escapes the characters of Slack's markup
/// (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
