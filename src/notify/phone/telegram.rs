//! Telegram: `sendMessage` of the Bot API (<https://core.telegram.org/bots/api#sendmessage>).

use serde_json::{Value, json};

use super::service::Service;
use crate::config;
use crate::notify::cut::Measure;
use crate::notify::delivery::DeliveryFault;
use crate::notify::http::fault;
use crate::notify::message::Message;

/// Longest text, code units of UTF-16.
const MAX_TEXT: usize = 4096;

/// Telegram.
pub(crate) struct Telegram(config::Telegram);

impl Telegram {
    pub(crate) fn new(config: &config::Telegram) -> Telegram {
        Telegram(config.clone())
    }
}

impl Service for Telegram {
    fn url(&self) -> String {
        let root = self.0.url.expose().trim_end_matches('/');
        format!("{root}/bot{}/sendMessage", self.0.token.expose())
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.0.token.expose(), self.0.chat.expose()]
    }

    fn document(&self, message: &Message) -> Value {
        let chat = self.0.chat.expose().trim();
        let chat = chat.parse::<i64>().map_or_else(|_| json!(chat), |number| json!(number));
        json!({
            "chat_id": chat,
            // Without parse_mode, no character of the text has a meaning.
            "text": message.text(MAX_TEXT, Measure::Utf16, str::to_owned),
            "link_preview_options": { "is_disabled": true },
        })
    }

    fn body_wait(document: &Value) -> Option<f64> {
        document.pointer("/parameters/retry_after")?.as_f64()
    }

    /// A chat that does not exist is a 400, as a wrong message is. An error of the API may have the status 200.
    fn body_fault(&self, status: u16, document: &Value) -> Option<DeliveryFault> {
        let is_error = document.get("ok") == Some(&Value::Bool(false));
        let description = document.get("description").and_then(Value::as_str).unwrap_or_default();
        let has_moved = document.pointer("/parameters/migrate_to_chat_id").is_some();
        if status == 400 && (has_moved || description.contains("chat not found")) {
            return Some(DeliveryFault::Refused);
        }
        let code = document.get("error_code").and_then(Value::as_u64)?;
        let code = u16::try_from(code).ok().filter(|_| is_error && (200..300).contains(&status))?;
        Some(fault(code).unwrap_or(DeliveryFault::Transient))
    }
}
