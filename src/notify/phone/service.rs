//! Interface of a service.

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::notify::delivery::DeliveryFault;
use crate::notify::http::no_body_wait;
use crate::notify::message::Message;

/// Interface of a service.
pub(crate) trait Service: Send + Sync {
    /// Returns the URL to post to, which may be a credential.
    fn url(&self) -> String;

    /// Returns further credentials, which errors must not show.
    fn secrets(&self) -> Vec<&str>;

    /// Returns further header fields.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }

    /// Returns the document to post.
    fn document(&self, message: &Message) -> Value;

    /// Returns the seconds to wait that the body of a 429 has.
    fn body_wait(document: &Value) -> Option<f64>
    where
        Self: Sized,
    {
        no_body_wait(document)
    }

    /// Returns what follows from the body of a response, a JSON document or a text; `None`: what follows from its
    /// status. A 400 that is about the channel, such as its chat or its rights, is `Refused`.
    fn body_fault(&self, status: u16, body: &Value) -> Option<DeliveryFault>;
}

/// Returns true if a text contains one of these words, in any case.
pub(crate) fn has_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Returns the text of a member; an empty one if there is none.
pub(crate) fn member<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}
