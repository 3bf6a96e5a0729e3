//! Discord: a webhook (<https://discord.com/developers/docs/resources/webhook#execute-webhook>).

use serde_json::{Value, json};

use super::service::Service;
use crate::config::Secret;
use crate::notify::cut::Measure;
use crate::notify::delivery::DeliveryFault;
use crate::notify::message::Message;

/// Longest text, characters.
const MAX_TEXT: usize = 2000;

/// Discord.
pub(crate) struct Discord(Secret);

impl Discord {
    pub(crate) fn new(url: &Secret) -> Discord {
        Discord(url.clone())
    }
}

impl Service for Discord {
    fn url(&self) -> String {
        self.0.expose().to_owned()
    }

    fn secrets(&self) -> Vec<&str> {
        Vec::new()
    }

    fn document(&self, message: &Message) -> Value {
        json!({
            "content": message.text(MAX_TEXT, Measure::Utf16, escaped),
            // No name in a title notifies a person or a channel.
            "allowed_mentions": { "parse": [] },
        })
    }

    fn body_wait(document: &Value) -> Option<f64> {
        document.get("retry_after")?.as_f64()
    }

    /// A webhook whose number or token cannot be one is a 400 that names it.
    fn body_fault(&self, status: u16, body: &Value) -> Option<DeliveryFault> {
        let names_webhook =
            ["/webhook_id", "/webhook_token", "/errors/webhook_id", "/errors/webhook_token"]
                .iter()
                .any(|name| body.pointer(name).is_some());
        (status == 400 && names_webhook).then_some(DeliveryFault::Refused)
    }
}

/// Escapes the characters of Discord's Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '#' | '[' | ']' | '<') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
