//! Content: the result of a handler, before the request's headers are applied to it.
//!
//! A handler returns a [`Representation`] wherever a body can be cached or compressed. It does not
//! look at `Accept-Encoding`, `If-None-Match` and the like itself: `finish::content` selects the
//! content coding and evaluates the preconditions, the same way for every route.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;

use super::conditional::Dates;
use super::media_type::JSON;
use super::negotiate::{self, Coding};
use super::rendered::Rendered;
use crate::engine::{Body, Response};

/// Result of a handler: a body that `finish` turns into a response, or a complete response.
pub(super) enum Content {
    /// A body with an entity tag: `finish` may turn it into a 304 or a 412.
    Representation(Representation),
    /// A response that is sent as it is, with the headers that every response has.
    Response(Response),
}

impl From<Response> for Content {
    fn from(response: Response) -> Content {
        Content::Response(response)
    }
}

impl From<Representation> for Content {
    fn from(representation: Representation) -> Content {
        Content::Representation(representation)
    }
}

/// A rendered body, and how clients may cache it (RFC 9110 3.2).
pub(super) struct Representation {
    pub(super) rendered: Rendered,
    pub(super) policy: CachePolicy,
    /// `Content-Disposition`, where a browser saves the body as a file.
    pub(super) disposition: Option<HeaderValue>,
}

impl Representation {
    /// Returns a representation that browsers show rather than save.
    pub(super) fn new(rendered: Rendered, policy: CachePolicy) -> Representation {
        Representation { rendered, policy, disposition: None }
    }
}

/// Caching headers of a body, and the dates with which preconditions are compared.
#[derive(Debug, Clone)]
pub(super) struct CachePolicy {
    /// `Cache-Control`.
    pub(super) cache_control: HeaderValue,
    /// `Last-Modified`, where the body has a date.
    pub(super) last_modified: Option<HeaderValue>,
    /// Times with which conditions on dates are compared. The change is later than `last_modified`
    /// if the body has changed otherwise: a source turned stale, or began to fail.
    pub(super) dates: Option<Dates>,
}

impl CachePolicy {
    /// Returns the policy of a body that has no date.
    pub(super) fn undated(cache_control: &'static str) -> CachePolicy {
        CachePolicy {
            cache_control: HeaderValue::from_static(cache_control),
            last_modified: None,
            dates: None,
        }
    }

    /// Removes the dates: they are those of the latest reading, and the body is about a window of
    /// the past.
    pub(super) fn without_dates(self) -> CachePolicy {
        CachePolicy { last_modified: None, dates: None, ..self }
    }
}

/// Renders a body for one request: compresses it only if its client accepts gzip.
pub(super) fn render_for(
    headers: &HeaderMap,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Rendered {
    match negotiate::coding(headers) {
        Coding::Gzip => Rendered::new(media_type, body),
        Coding::Identity => Rendered::uncompressed(media_type, body),
    }
}

/// Renders JSON for one request.
pub(super) fn render_json_for(headers: &HeaderMap, value: &impl Serialize) -> Rendered {
    render_for(headers, JSON, json(value))
}

/// Serializes a value and adds a newline, for terminals.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    let mut json = to_json(value);
    json.push(b'\n');
    json
}

/// Serializes a value.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("names, texts and finite numbers are always JSON")
}

/// Returns a short response that no cache may store.
pub(super) fn uncached(text: impl Into<Body>, media_type: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
