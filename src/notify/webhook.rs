//! Webhooks: Alertmanager's body or a template of the configuration, and Home Assistant.

use std::sync::Arc;
use std::time::Instant;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use super::alertmanager;
use super::context::ChannelContext;
use super::delivery::{Deliver, Delivery, DeliveryError, Progress};
use super::document::document;
use super::http::{HttpClient, idempotency_key, secret_value};
use super::message::Item;
use super::taken::Taken;
use crate::alert::Notice;
use crate::alert::text::render_escaped;
use crate::config::{self, Channel, Secret, Template};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Any HTTP endpoint.
pub(super) struct Webhook {
    /// Name of the channel.
    receiver: Arc<str>,
    client: HttpClient,
    headers: Vec<(HeaderName, HeaderValue)>,
    template: Option<BodyTemplate>,
    taken: Taken,
    context: ChannelContext,
}

/// Body that the configuration writes.
struct BodyTemplate {
    template: Template,
    content_type: HeaderValue,
    is_json: bool,
}

impl Webhook {
    pub(super) fn new(
        webhook: &config::Webhook,
        config: &Channel,
        context: &ChannelContext,
    ) -> Webhook {
        let secrets: Vec<&str> = webhook
            .headers
            .iter()
            // The token of credentials with a scheme may be echoed without it.
            .flat_map(|(_, value)| [Some(value.expose()), value.expose().split_whitespace().last()])
            .flatten()
            .collect();
        let tls = context.tls_of(config);
        let client = HttpClient::new(webhook.url.expose(), &secrets, config.timeout, tls, context);
        let headers = webhook
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), secret_value(value.expose())?)));
        let template = webhook
            .template
            .as_ref()
            .map(|template| BodyTemplate::new(template, webhook.content_type.as_ref()));
        Webhook {
            receiver: Arc::clone(&config.name),
            client,
            headers: headers.collect(),
            template,
            taken: Taken::default(),
            context: context.clone(),
        }
    }

    /// Posts the body of a part: all notices of an incident, or of an alert.
    fn post_part(&self, part: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let Some(template) = &self.template else {
            let body = alertmanager::body(part, &self.context, &self.receiver)?.to_string();
            return self.post(&body, &JSON, &part.key, deadline);
        };
        let texts = self.context.text(part.now);
        let items = Item::of(part);
        items.iter().try_for_each(|item| {
            let body = render_escaped(&template.template, item.incident(), &texts, |value| {
                if template.is_json { json_escaped(value) } else { value.to_owned() }
            });
            self.post(&body, &template.content_type, &part.key, deadline)
        })
    }

    fn post(
        &self,
        body: &str,
        content_type: &HeaderValue,
        key: &Arc<str>,
        deadline: Instant,
    ) -> Result<(), DeliveryError> {
        let mut headers = self.headers.clone();
        headers.push((CONTENT_TYPE, content_type.clone()));
        headers.extend(idempotency_key(key));
        self.client.exchange(Some(body.as_bytes()), &headers, deadline)
    }
}

impl Deliver for Webhook {
    /// Posts a body for each alert, or with a template for each incident, in order, until one fails. The next attempt
    /// begins with that one. Each has the key of its own notices.
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let are_of_a_body: fn(&Notice, &Notice) -> bool = match self.template {
            Some(_) => |a, b| a.key.incident == b.key.incident,
            None => |a, b| a.incident.subject.alert == b.incident.subject.alert,
        };
        let rest = delivery.with_notices(self.taken.rest(&self.receiver, delivery));
        let mut progress = Progress::Nothing;
        for part in rest.divided(are_of_a_body) {
            let posted = self.post_part(&part, deadline);
            posted.map_err(|error| DeliveryError { progress, ..error })?;
            self.taken.add(&self.receiver, &part);
            progress = Progress::Part;
        }
        self.taken.forget(&self.receiver, delivery);
        Ok(())
    }
}

impl BodyTemplate {
    fn new(template: &Template, content_type: Option<&HeaderValue>) -> BodyTemplate {
        let content_type = content_type.cloned().unwrap_or(TEXT);
        let is_json = content_type.to_str().is_ok_and(is_json);
        BodyTemplate { template: template.clone(), content_type, is_json }
    }
}

/// Returns true for the media type of a JSON document (RFC 6838 4.2.8).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Escapes a text as within a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Home Assistant: a webhook of an automation
/// (<https://www.home-assistant.io/docs/automation/trigger/#webhook-trigger>).
pub(super) struct HomeAssistant {
    client: HttpClient,
    context: ChannelContext,
}

impl HomeAssistant {
    pub(super) fn new(url: &Secret, config: &Channel, context: &ChannelContext) -> HomeAssistant {
        let tls = context.tls_of(config);
        let client = HttpClient::new(url.expose(), &[], config.timeout, tls, context);
        HomeAssistant { client, context: context.clone() }
    }
}

impl Deliver for HomeAssistant {
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let body = document(delivery, &self.context).to_string();
        self.client.exchange(Some(body.as_bytes()), &[(CONTENT_TYPE, JSON)], deadline)
    }
}

#[cfg(test)]
mod tests;
