//! Requests of channels over HTTP, and what follows from each response.
//!
//! | response | fault |
//! | --- | --- |
//! | 2xx | none |
//! | 408, 425, 429, 5xx, and an exchange that failed | `Transient` |
//! | 400, 413, 414, 422 | `Undeliverable`: it may be for the content of the message |
//! | others | `Refused` |
//!
//! Services also have responses of status 400 that are about the channel; those are `Refused`.
//!
//! Redirects are not followed: the URL, the header or the body is a credential, which another server must not get.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde_json::Value;

use super::context::ChannelContext;
use super::delivery::{DeliveryError, DeliveryFault};
use crate::outbound::tls::ClientTls;
use crate::outbound::{
    CUT, Cause, Client, Endpoint, Failure, FailureKind, Redactor, Request, Response,
};
use crate::text::one_line;

/// Most bytes of a response that are read.
const MAX_RESPONSE: u64 = 8 * 1024;

/// Most characters of a server's reason that are shown.
const MAX_REASON: usize = 200;

/// Fewest bytes of a part of a URL that is redacted for itself.
const MIN_SECRET_PART: usize = 8;

/// Longest wait that a body can request: that of the header field.
const MAX_RETRY_AFTER: f64 = 3600.0;

/// HTTP client of one URL. It has no `Debug`, since the URL may be a credential.
pub(super) struct HttpClient {
    /// `None`: the URL cannot be used.
    client: Option<Client>,
    path: String,
    user_agent: HeaderValue,
    redactor: Redactor,
}

/// Returns the seconds to wait that the body of a 429 has.
pub(super) type BodyWait = fn(&Value) -> Option<f64>;

impl HttpClient {
    /// Returns a client of `url`, which redacts it and `secrets` from every error.
    pub(super) fn new(
        url: &str,
        secrets: &[&str],
        timeout: Duration,
        tls: ClientTls,
        context: &ChannelContext,
    ) -> HttpClient {
        let uri: Option<Uri> = url.parse().ok();
        let client = uri
            .as_ref()
            .and_then(base)
            .map(|base| Client::new(Endpoint::Web(base), timeout, tls, context.resolver.clone()));
        let path = uri.as_ref().and_then(Uri::path_and_query);
        let path = path.map_or_else(|| "/".to_owned(), ToString::to_string);
        let parts = path.split(['/', '?', '&', '=', ':']);
        let parts = parts.filter(|part| part.len() >= MIN_SECRET_PART);
        let whole = [url].into_iter().chain((path.len() > 1).then_some(&*path));
        let redactor = Redactor::of(whole.chain(parts).chain(secrets.iter().copied()));
        let user_agent = HeaderValue::from_str(&context.user_agent)
            .unwrap_or(HeaderValue::from_static(env!("CARGO_PKG_NAME")));
        HttpClient { client, path, user_agent, redactor }
    }

    /// Posts a body, or requests the URL without one, and returns the response of any status. Of header fields
    /// with the same name, the first is sent.
    ///
    /// # Errors
    /// There was no response.
    pub(super) fn request(
        &self,
        body: Option<&[u8]>,
        headers: &[(HeaderName, HeaderValue)],
        deadline: Instant,
    ) -> Result<Response, DeliveryError> {
        let Some(client) = &self.client else {
            let message = "the URL cannot be parsed; check \"url\"";
            return Err(DeliveryError::new(DeliveryFault::Refused, message));
        };
        let own = [(USER_AGENT, self.user_agent.clone())];
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::new();
        for (name, value) in headers.iter().chain(&own) {
            if !fields.iter().any(|(sent, _)| sent == name) {
                fields.push((name.clone(), value.clone()));
            }
        }
        let request =
            Request { path: &self.path, headers: &fields, body, deadline, limit: MAX_RESPONSE };
        client.send(&request).map_err(|failure| self.failed(&failure))
    }

    /// Sends a request whose result is that of its status.
    pub(super) fn exchange(
        &self,
        body: Option<&[u8]>,
        headers: &[(HeaderName, HeaderValue)],
        deadline: Instant,
    ) -> Result<(), DeliveryError> {
        let response = self.request(body, headers, deadline)?;
        match fault(response.status) {
            None => Ok(()),
            Some(fault) => Err(self.refused(fault, &response, no_body_wait)),
        }
    }

    /// Returns the error of a response by which the server says that it did not take the message.
    pub(super) fn refused(
        &self,
        fault: DeliveryFault,
        response: &Response,
        body_wait: BodyWait,
    ) -> DeliveryError {
        let status = StatusCode::from_u16(response.status);
        let status =
            status.map_or_else(|_| response.status.to_string(), |status| status.to_string());
        let mut message = format!("the response was {status}");
        if (300..400).contains(&response.status) {
            let to = response.location.as_deref().and_then(|location| location.parse().ok());
            match to.as_ref().and_then(origin) {
                Some(origin) => message.push_str(&format!(
                    ", a redirect to {origin}, which is not followed; configure that URL if it is right"
                )),
                None => message.push_str(", a redirect, which is not followed; check \"url\""),
            }
        } else if let Some(reason) = self.reason(&response.body) {
            message.push_str(": ");
            message.push_str(&reason);
        }
        let body = serde_json::from_slice::<Value>(&response.body).ok();
        let in_body = body.as_ref().and_then(body_wait).filter(|seconds| *seconds >= 0.0);
        let in_body = in_body.map(|seconds| Duration::from_secs_f64(seconds.min(MAX_RETRY_AFTER)));
        let retry_after = response.retry_after.max(in_body);
        DeliveryError { retry_after, ..DeliveryError::new(fault, self.redactor.redact(message)) }
    }

    fn failed(&self, failure: &Failure) -> DeliveryError {
        // A request that cannot be made is as wrong the next time.
        let fault = match failure.cause {
            Cause::Request => DeliveryFault::Refused,
            _ => DeliveryFault::Transient,
        };
        let message = match failure.kind {
            FailureKind::TooLarge => "the head of the response is too large".to_owned(),
            _ => failure.message.clone(),
        };
        DeliveryError::new(fault, self.redactor.redact(message))
    }

    /// Returns the reason in the body of a response: the text of the member that services have for it, or the first
    /// characters of another text.
    fn reason(&self, body: &[u8]) -> Option<String> {
        let mut text = match serde_json::from_slice::<Value>(body) {
            Ok(document) => reason_of(&document)?,
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        if body.len() as u64 >= MAX_RESPONSE {
            text.push(CUT);
        }
        // Redacted before it is shortened, which might cut a secret in two.
        let text = one_line(self.redactor.redact(text).as_bytes(), MAX_REASON);
        let words: Vec<&str> = text.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// Returns scheme and authority.
fn base(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    Some(format!("{scheme}://{}", uri.authority()?))
}

/// Returns scheme, host and port, without a user.
fn origin(uri: &Uri) -> Option<String> {
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    let origin = format!("{}://{}{port}", uri.scheme_str()?, uri.host()?);
    Some(crate::text::clean(&origin).into_owned())
}

/// Returns what follows from a status; `None`: the message was taken.
pub(super) fn fault(status: u16) -> Option<DeliveryFault> {
    match status {
        200..300 => None,
        400 | 413 | 414 | 422 => Some(DeliveryFault::Undeliverable),
        408 | 425 | 429 | 500.. => Some(DeliveryFault::Transient),
        _ => Some(DeliveryFault::Refused),
    }
}

/// Returns the text of an error in a JSON document.
fn reason_of(document: &Value) -> Option<String> {
    let Value::Object(members) = document else {
        return document.as_str().map(str::to_owned);
    };
    let names = ["description", "message", "error", "errors", "detail", "title"];
    names.iter().find_map(|name| match members.get(*name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(texts) => {
            let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        _ => None,
    })
}

/// Returns the value of a header field that holds a credential.
pub(super) fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns no wait: the service has none in its bodies.
pub(super) fn no_body_wait(_: &Value) -> Option<f64> {
    None
}

/// Returns the idempotency key of a message as a header field.
pub(super) fn idempotency_key(key: &Arc<str>) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(key).ok()?;
    Some((HeaderName::from_static("idempotency-key"), value))
}

#[cfg(test)]
mod tests;
