//! From a rendered body to a response: the conditions, the coding, the headers.

use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::board::Rendered;
use crate::engine::{Body, Response};

use super::conditional::{self, Dates, Verdict};
use super::negotiate::{self, Coding};
use super::problem::Problem;

/// How a body may be cached, and by what dates it is known.
pub(super) struct Policy {
    /// `Cache-Control`.
    pub(super) cache_control: HeaderValue,
    /// `Last-Modified`, where the body has a date.
    pub(super) last_modified: Option<HeaderValue>,
    /// Times that conditions on dates are compared with. The change is later than `last_modified`
    /// if the body has changed otherwise: a source turned stale, or began to fail.
    pub(super) dates: Option<Dates>,
}

impl Policy {
    /// A body without a date.
    pub(super) fn undated(cache_control: &'static str) -> Policy {
        Policy {
            cache_control: HeaderValue::from_static(cache_control),
            last_modified: None,
            dates: None,
        }
    }
}

/// Sends what the client asks for of a body: all of it in its coding, or 304, or 412.
/// Copies handles to the bytes, never the bytes.
pub(super) fn deliver(
    asked: &HeaderMap,
    rendered: &Rendered,
    policy: Policy,
) -> Result<Response, Problem> {
    let (form, coding) = match &rendered.gzip {
        Some(gzip) if negotiate::coding(asked) == Coding::Gzip => (gzip, Coding::Gzip),
        _ => (&rendered.identity, Coding::Identity),
    };
    let (status, body) = match conditional::evaluate(asked, &form.etag, policy.dates) {
        Verdict::Send => (StatusCode::OK, Body::Full(form.body.clone())),
        Verdict::NotModified => (StatusCode::NOT_MODIFIED, Body::empty()),
        Verdict::Failed => return Err(Problem::precondition_failed()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(ETAG, form.etag.clone());
    headers.insert(CACHE_CONTROL, policy.cache_control);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(date) = policy.last_modified {
        headers.insert(LAST_MODIFIED, date);
    }
    // A 304 carries what steers caches and nothing that describes a body (RFC 9110 15.4.5).
    if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
        if coding == Coding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    Ok(response)
}

/// A short plain text that nobody should keep.
pub(super) fn plain(text: &'static str) -> Response {
    plain_as(text, PLAIN)
}

/// A short text of that media type that nobody should keep.
pub(super) fn plain_as(text: impl Into<Body>, media_type: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The media type of the API.
pub(super) const JSON: &str = "application/json";

/// The media type of plain text.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

/// The media type of pages.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Policy for the contents of a page: it loads our own files only, its forms go to our own
/// addresses, and nothing is inline. Tests hold the pages to it.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Adds the headers that every response carries.
pub(super) fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind == HTML) {
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    }
}
