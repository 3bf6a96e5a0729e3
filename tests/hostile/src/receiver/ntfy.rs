//! A server like ntfy: JSON to the root (<https://docs.ntfy.sh/publish/#publish-as-json>).

use std::ops::Deref;

use serde_json::{Value, json};

use super::Identity;
use super::http::{HttpReceiver, Received};

/// A server like ntfy.
pub struct NtfyReceiver(HttpReceiver);

/// A message that was published.
#[derive(Debug, Clone)]
pub struct NtfyMessage {
    /// Title.
    pub title: String,
    /// Text.
    pub message: String,
    /// True for the end of an alert, by its tag.
    pub is_over: bool,
}

impl NtfyReceiver {
    /// Starts a server.
    pub fn start(identity: Option<&Identity>) -> NtfyReceiver {
        NtfyReceiver(HttpReceiver::start(check, identity))
    }

    /// Returns the messages that were published, in their order.
    pub fn messages(&self) -> Vec<NtfyMessage> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let message = |received: &Received| {
            let body = received.json().unwrap_or_default();
            let is_over = body["tags"] == json!(["white_check_mark"]);
            NtfyMessage { title: text(&body["title"]), message: text(&body["message"]), is_over }
        };
        self.taken().iter().map(message).collect()
    }
}

impl Deref for NtfyReceiver {
    type Target = HttpReceiver;

    fn deref(&self) -> &HttpReceiver {
        &self.0
    }
}

/// Checks a request as ntfy does.
fn check(request: &Received) -> Result<String, String> {
    if request.line != "POST /" {
        return Err(format!("{} is not POST /", request.line));
    }
    let body = request.json()?;
    let allowed = ["topic", "title", "message", "priority", "tags", "click"];
    if let Some(member) =
        body.as_object().and_then(|it| it.keys().find(|it| !allowed.contains(&it.as_str())))
    {
        return Err(format!("{member} is not expected"));
    }
    let is_topic = |topic: &str| (1..=64).contains(&topic.len());
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    for (is_valid, member) in [
        (body["topic"].as_str().is_some_and(is_topic), "topic"),
        (is_text(&body["title"]), "title"),
        (is_text(&body["message"]), "message"),
        (body["priority"].as_u64().is_some_and(|it| (1..=5).contains(&it)), "priority"),
        (body["tags"].as_array().is_some_and(|tags| tags.iter().all(Value::is_string)), "tags"),
    ] {
        if !is_valid {
            return Err(format!("{member} is invalid: {body}"));
        }
    }
    Ok(json!({ "id": "sPs71M8A2T", "event": "message" }).to_string())
}
