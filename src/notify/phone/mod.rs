//! Services that show a text on a phone or in a chat: ntfy, Pushover, Telegram, Discord, Slack.
//!
//! Each is a function from a message to a JSON document, and the meaning of its responses. The rest is the same.

mod discord;
mod ntfy;
mod pushover;
mod slack;
mod telegram;

use std::time::Instant;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::channel::ChannelContext;
use super::delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};
use super::http::{HttpClient, no_body_wait};
use super::message::Message;
use crate::config::Channel;

pub(super) use discord::Discord;
pub(super) use ntfy::Ntfy;
pub(super) use pushover::Pushover;
pub(super) use slack::Slack;
pub(super) use telegram::Telegram;

/// Interface of a service.
pub(super) trait Service: Send + Sync {
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

/// Channel to a service.
pub(super) struct Phone<S> {
    service: S,
    client: HttpClient,
    context: ChannelContext,
}

impl<S: Service> Phone<S> {
    pub(super) fn new(service: S, config: &Channel, context: &ChannelContext) -> Phone<S> {
        let tls = context.tls_of(config);
        let client =
            HttpClient::new(&service.url(), &service.secrets(), config.timeout, tls, context);
        Phone { service, client, context: context.clone() }
    }
}

impl<S: Service> Deliver for Phone<S> {
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let document = self.service.document(&Message::of(delivery, &self.context));
        let body = Some(document.to_string().into_bytes());
        let json = HeaderValue::from_static("application/json");
        let mut headers = self.service.headers();
        headers.push((http::header::CONTENT_TYPE, json));
        let response = self.client.request(body.as_deref(), &headers, deadline)?;
        let document: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let fault = self.service.body_fault(response.status, &document);
        match fault.or_else(|| super::http::fault(response.status)) {
            None => Ok(()),
            Some(fault) => Err(self.client.refused(fault, &response, S::body_wait)),
        }
    }
}

#[cfg(test)]
mod tests;
