//! Slack: an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use serde_json::{Value, json};

use super::service::Service;
use crate::config::Secret;
use crate::notify::cut::Measure;
use crate::notify::delivery::DeliveryFault;
use crate::notify::message::Message;

/// Longest text before it is escaped, characters. Slack takes 40,000, and shows some 4,000 of them.
const MAX_TEXT: usize = 3000;

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

    /// Servers that take the same messages say by a member that they did not.
    fn body_fault(&self, status: u16, document: &Value) -> Option<DeliveryFault> {
        let has_failed =
            ["ok", "success"].iter().any(|name| document.get(*name) == Some(&Value::Bool(false)));
        ((200..300).contains(&status) && has_failed).then_some(DeliveryFault::Undeliverable)
    }
}

/// Escapes the characters of Slack's markup
/// (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
