//! Webhooks: Alertmanager's body or a template of the configuration, and Home Assistant.

use std::sync::Arc;
use std::time::Instant;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use super::alertmanager;
use super::context::ChannelContext;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::NoticeKind;
    use crate::config::{ChannelKind, Severity};
    use crate::notify::channel;
    use crate::notify::delivery::DeliveryFault;
    use crate::notify::fake::{Reply, Server};
    use crate::notify::fixture::{config, context, delivery, fired, notice, of_source};

    /// Bound that a slow machine does not reach.
    const AMPLE: Duration = Duration::from_secs(20);

    fn webhook(
        url: String,
        template: Option<&str>,
        content_type: Option<&'static str>,
    ) -> config::Webhook {
        config::Webhook {
            url: Secret::new(url),
            headers: vec![(
                http::header::AUTHORIZATION,
                Secret::new("Bearer s3crettoken".to_owned()),
            )],
            template: template.map(|text| text.parse().unwrap()),
            content_type: content_type.map(HeaderValue::from_static),
        }
    }

    fn deliver(webhook: config::Webhook, delivery: &Delivery) -> Result<(), DeliveryError> {
        let channel = channel(&config(ChannelKind::Webhook(webhook)), &context());
        channel.deliver(delivery, Instant::now() + AMPLE)
    }

    #[test]
    fn body_is_that_of_alertmanager_with_the_fields_of_the_configuration() {
        let server = Server::new(Reply::ok(""));
        deliver(webhook(server.url("/hook"), None, None), &delivery([fired()])).unwrap();
        let request = server.requests().remove(0);
        assert_eq!(request.json(), alertmanager::body(&delivery([fired()]), &context(), "phone"));
        for field in [
            "authorization: Bearer s3crettoken\r\n",
            "content-type: application/json\r\n",
            "idempotency-key: phone-17\r\n",
        ] {
            assert!(request.head.contains(field), "{}", request.head);
        }
    }

    #[test]
    fn template_is_posted_for_each_incident_until_one_fails() {
        let hostile = || {
            let mut incident = of_source("barn", Severity::Warning);
            incident.title = "\"Barn\"\\ {x}".into();
            notice(NoticeKind::Fired, incident)
        };
        let json = "{{\"text\": \"{title}: {value}\", \"state\": \"{state}\"}}";
        let server = Server::new(Reply::ok(""));
        let two = delivery([fired(), hostile()]);
        deliver(webhook(server.url("/"), Some(json), None), &two).unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].body, "{\"text\": \"Cistern: 280 gal\", \"state\": \"firing\"}");
        assert_eq!(requests[1].json()["text"], "\"Barn\"\\ {x}: 280 gal");
        for (number, request) in requests.iter().enumerate() {
            let key = format!("idempotency-key: phone-17-{}\r\n", number + 1);
            assert!(request.head.contains(&key), "{}", request.head);
            assert!(request.head.contains("content-type: application/json\r\n"));
        }
        let plain = webhook(server.url("/"), Some("{title}"), None);
        deliver(plain, &delivery([hostile()])).unwrap();
        let last = server.requests().pop().unwrap();
        assert_eq!(last.body, "\"Barn\"\\ {x}");
        assert!(last.head.contains("content-type: text/plain; charset=utf-8\r\n"), "{}", last.head);
        let typed = webhook(server.url("/"), Some("\"{title}\""), Some("application/x+json"));
        deliver(typed, &delivery([hostile()])).unwrap();
        assert_eq!(server.requests().pop().unwrap().json(), "\"Barn\"\\ {x}");

        let failing = Server::new(Reply::with("401 Unauthorized", "", "no such token s3crettoken"));
        let error = deliver(webhook(failing.url("/"), Some(json), None), &two).unwrap_err();
        assert_eq!((error.fault, failing.requests().len()), (DeliveryFault::Refused, 1));
        assert_eq!(&*error.message, "the response was 401 Unauthorized: no such token [secret]");
    }
}
