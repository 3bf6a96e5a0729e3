//! Telegram: `sendMessage` of the Bot API (<https://core.telegram.org/bots/api#sendmessage>).

use serde_json::{Value, json};

use super::service::{Service, has_any, member};
use crate::config;
use crate::notify::cut::Measure;
use crate::notify::delivery::DeliveryFault;
use crate::notify::http::fault;
use crate::notify::message::Message;

/// Longest text, code units of UTF-16.
const MAX_TEXT: usize = 4096;

/// Parts of the reasons that are about the chat or the bot, not the message. The API does not list its reasons.
const REFUSALS: &[&str] = &[
    "not found",
    "rights",
    "administrator",
    "bot was",
    "bot is",
    "bot can't",
    "blocked",
    "kicked",
    "deactivated",
    "forbidden",
    "restricted",
    "upgraded",
    "chat_id",
    "chat id",
    "peer_id",
    "user_id",
    "channel_",
    "chat_",
    "topic_",
];

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

    /// A chat that the bot cannot write to is a 400, as a wrong message is. An error of the API may have the status
    /// 200.
    fn body_fault(&self, status: u16, body: &Value) -> Option<DeliveryFault> {
        let is_error = body.get("ok") == Some(&Value::Bool(false));
        let code = body.get("error_code").and_then(Value::as_u64);
        let code = code.and_then(|code| u16::try_from(code).ok());
        let in_body = code.filter(|_| is_error && (200..300).contains(&status));
        let has_moved = body.pointer("/parameters/migrate_to_chat_id").is_some();
        match in_body.unwrap_or(status) {
            400 if has_moved || has_any(member(body, "description"), REFUSALS) => {
                Some(DeliveryFault::Refused)
            }
            _ => in_body.map(|code| fault(code).unwrap_or(DeliveryFault::Transient)),
        }
    }
}
