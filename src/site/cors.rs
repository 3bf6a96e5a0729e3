//! Cross-origin resource sharing (the Fetch Standard, 3.2): the pages of which other sites may read
//! responses.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::access::ActiveRules;
use crate::engine::{Body, Request, Response};

/// Request headers that a page of another site may set.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, cache-control, content-type, if-match, if-modified-since, \
     if-none-match, if-unmodified-since",
);

/// Response headers that such a page may read, besides those that every page may.
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-disposition, etag, location, retry-after, www-authenticate");

/// Time for which a browser may reuse the response to a preflight, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// Answers a CORS preflight of a listed origin; `None` for any other request.
///
/// The response is the same for every target, so it does not reveal which targets exist.
pub(super) fn preflight(active_rules: &ActiveRules, request: &Request) -> Option<Response> {
    if request.method != Method::OPTIONS
        || !request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    active_rules.listed_origin(request)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
    Some(response)
}

/// Lets the pages of a listed origin read the response. Without listed origins it adds nothing.
pub(super) fn add_headers(active_rules: &ActiveRules, request: &Request, headers: &mut HeaderMap) {
    if active_rules.rules().cors_origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = active_rules.listed_origin(request) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}
