//! ntfy: JSON to the root of the server (<https://docs.ntfy.sh/publish/#publish-as-json>).

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::service::{Service, has_any, member};
use crate::config::{self, Severity};
use crate::notify::cut::{Measure, cut_title};
use crate::notify::delivery::DeliveryFault;
use crate::notify::http::secret_value;
use crate::notify::message::Message;

/// Longest message, bytes. The server makes a longer one a file that is attached.
const MAX_MESSAGE: usize = 4096;

/// Longest title, bytes.
const MAX_TITLE: usize = 250;

/// ntfy.
pub(crate) struct Ntfy(config::Ntfy);

impl Ntfy {
    pub(crate) fn new(config: &config::Ntfy) -> Ntfy {
        Ntfy(config.clone())
    }
}

impl Service for Ntfy {
    fn url(&self) -> String {
        self.0.url.expose().to_owned()
    }

    fn secrets(&self) -> Vec<&str> {
        let token = self.0.token.as_ref().map(|token| token.expose());
        [self.0.topic.expose()].into_iter().chain(token).collect()
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let token = self.0.token.as_ref();
        let value = token.and_then(|token| secret_value(&format!("Bearer {}", token.expose())));
        value.map(|value| (AUTHORIZATION, value)).into_iter().collect()
    }

    fn document(&self, message: &Message) -> Value {
        // 3 is the default, 4 and 5 sound and vibrate longer, 2 makes no sound.
        let (priority, tag) = match (message.is_over, message.severity) {
            (true, Severity::Info) => (2, "white_check_mark"),
            (true, _) => (3, "white_check_mark"),
            (false, Severity::Info) => (3, "information_source"),
            (false, Severity::Warning) => (4, "warning"),
            (false, Severity::Critical) => (5, "rotating_light"),
        };
        let mut document = json!({
            "topic": self.0.topic.expose(),
            "title": cut_title(&message.title, MAX_TITLE, Measure::Bytes),
            "message": message.body(MAX_MESSAGE, Measure::Bytes),
            "priority": priority,
            "tags": [tag],
        });
        if let Some(link) = &message.link {
            document["click"] = link.as_str().into();
        }
        document
    }

    /// A topic that the server does not have is a 400.
    fn body_fault(&self, status: u16, body: &Value) -> Option<DeliveryFault> {
        let is_refused = status == 400 && has_any(member(body, "error"), &["topic"]);
        is_refused.then_some(DeliveryFault::Refused)
    }
}
