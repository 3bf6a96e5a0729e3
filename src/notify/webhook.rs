//! Webhooks: Alertmanager's body or a template of the configuration, and Home Assistant.

use std::sync::Arc;
use std::time::Instant;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use super::alertmanager;
use super::channel::ChannelContext;
use super::delivery::{Deliver, Delivery, DeliveryError};
use super::document::document;
use super::http::{HttpClient, idempotency_key, secret_value};
use super::message::Item;
use crate::alert::text::render_escaped;
use crate::config::{self, Channel, Secret, Template, TemplatePart};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Any HTTP endpoint.
pub(super) struct Webhook {
    receiver: Arc<str>,
    client: HttpClient,
    headers: Vec<(HeaderName, HeaderValue)>,
    template: Option<BodyTemplate>,
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
            context: context.clone(),
        }
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
    /// Posts one body, or with a template one for each incident, in order, until one fails. The attempts that follow
    /// repeat those before it, with the same idempotency keys.
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let Some(template) = &self.template else {
            let body = alertmanager::body(delivery, &self.context, &self.receiver).to_string();
            return self.post(&body, &JSON, &delivery.key, deadline);
        };
        let texts = self.context.text(delivery.now);
        let items = Item::of(delivery);
        for (number, item) in items.iter().enumerate() {
            let body = render_escaped(&template.template, item.incident(), &texts, |value| {
                if template.is_json { json_escaped(value) } else { value.to_owned() }
            });
            let key = match items.len() {
                1 => Arc::clone(&delivery.key),
                _ => format!("{}-{}", delivery.key, number + 1).into(),
            };
            self.post(&body, &template.content_type, &key, deadline)?;
        }
        Ok(())
    }
}

impl BodyTemplate {
    /// Without a media type, a template that begins as JSON does is JSON.
    fn new(template: &Template, content_type: Option<&HeaderValue>) -> BodyTemplate {
        let begins_as_json = matches!(
            template.parts().first(),
            Some(TemplatePart::Text(text)) if text.trim_start().starts_with(['{', '['])
        );
        let content_type = content_type.cloned().unwrap_or(match begins_as_json {
            true => JSON,
            false => HeaderValue::from_static("text/plain; charset=utf-8"),
        });
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
