//! Services that show a text on a phone or in a chat: ntfy, Pushover, Telegram, Discord, Slack.
//!
//! Each is a function from a message to a JSON document, and the meaning of its responses. The rest is the same.

mod discord;
mod ntfy;
mod pushover;
mod service;
mod slack;
mod telegram;

use std::time::Instant;

use http::HeaderValue;
use serde_json::Value;

use super::context::ChannelContext;
use super::delivery::{Deliver, Delivery, DeliveryError};
use super::http::HttpClient;
use super::message::Message;
use crate::config::Channel;

use service::Service;

pub(super) use discord::Discord;
pub(super) use ntfy::Ntfy;
pub(super) use pushover::Pushover;
pub(super) use slack::Slack;
pub(super) use telegram::Telegram;

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
        let text = || String::from_utf8_lossy(&response.body).into();
        let document: Value = serde_json::from_slice(&response.body).unwrap_or_else(|_| text());
        let fault = self.service.body_fault(response.status, &document);
        match fault.or_else(|| super::http::fault(response.status)) {
            None => Ok(()),
            Some(fault) => Err(self.client.refused(fault, &response, S::body_wait)),
        }
    }
}

#[cfg(test)]
mod tests;
