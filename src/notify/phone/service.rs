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

    /// Returns what follows from the body of a response; `None`: what follows from its status.
    fn body_fault(&self, _status: u16, _document: &Value) -> Option<DeliveryFault> {
        None
    }
}
