//! Pushover: JSON to `/1/messages.json` (<https://pushover.net/api>).

use serde_json::{Value, json};

use super::service::Service;
use crate::config::{self, Severity};
use crate::notify::cut::{Measure, cut_title};
use crate::notify::delivery::DeliveryFault;
use crate::notify::message::Message;

/// Longest message, characters.
const MAX_MESSAGE: usize = 1024;

/// Longest title, characters.
const MAX_TITLE: usize = 250;

/// Longest link, characters. A longer one is left out.
const MAX_LINK: usize = 512;

/// Pushover.
pub(crate) struct Pushover(config::Pushover);

impl Pushover {
    pub(crate) fn new(config: &config::Pushover) -> Pushover {
        Pushover(config.clone())
    }
}

impl Service for Pushover {
    fn url(&self) -> String {
        format!("{}/1/messages.json", self.0.url.expose().trim_end_matches('/'))
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.0.token.expose(), self.0.user.expose()]
    }

    fn document(&self, message: &Message) -> Value {
        // 1 passes the quiet hours of the phone, -1 makes no sound.
        let priority = match (message.is_over, message.severity) {
            (false, Severity::Critical) => 1,
            (_, Severity::Info) => -1,
            _ => 0,
        };
        let mut document = json!({
            "token": self.0.token.expose(),
            "user": self.0.user.expose(),
            "title": cut_title(&message.title, MAX_TITLE, Measure::Characters),
            "message": message.body(MAX_MESSAGE, Measure::Characters),
            "priority": priority,
            "timestamp": message.at.as_second(),
        });
        if let Some(link) = message.link.as_ref().filter(|link| link.len() <= MAX_LINK) {
            document["url"] = link.as_str().into();
            document["url_title"] = "Open the page".into();
        }
        document
    }

    /// A wrong token or user is a 400, as a wrong message is, and is named by a member.
    fn body_fault(&self, status: u16, body: &Value) -> Option<DeliveryFault> {
        let has_failed = body.get("status").is_some_and(|status| *status != json!(1));
        let names_channel = ["token", "user", "device"].iter().any(|name| body.get(name).is_some());
        match status {
            400 if names_channel => Some(DeliveryFault::Refused),
            200..300 if has_failed && names_channel => Some(DeliveryFault::Refused),
            200..300 if has_failed => Some(DeliveryFault::Undeliverable),
            _ => None,
        }
    }
}
