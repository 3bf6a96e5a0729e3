//! Turns content into a response: selects the content coding, evaluates the preconditions, and adds
//! the headers of both.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::engine::{Body, Response};
use crate::site::conditional::{self, Evaluation};
use crate::site::content::{Content, Representation};
use crate::site::negotiate::{self, Coding};
use crate::site::problem::Problem;

/// Returns the response that the request's headers select: the body in a coding that the client
/// accepts, or a 304.
///
/// Copies handles to the bytes, never the bytes.
///
/// # Errors
/// A precondition fails: 412.
pub(super) fn respond(requested: &HeaderMap, content: Content) -> Result<Response, Problem> {
    let Representation { rendered, policy, disposition } = match content {
        Content::Response(response) => return Ok(response),
        Content::Representation(representation) => representation,
    };
    let (form, coding) = match &rendered.gzip {
        Some(gzip) if negotiate::coding(requested) == Coding::Gzip => (gzip, Coding::Gzip),
        _ => (&rendered.identity, Coding::Identity),
    };
    let (status, body) = match conditional::evaluate(requested, &form.etag, policy.dates) {
        Evaluation::Send => (StatusCode::OK, Body::Full(form.body.clone())),
        Evaluation::NotModified => (StatusCode::NOT_MODIFIED, Body::empty()),
        Evaluation::Failed => return Err(Problem::precondition_failed()),
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
    // A 304 carries the headers that caches need and none that describes a body (RFC 9110 15.4.5).
    if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
        if coding == Coding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(disposition) = disposition {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
    }
    Ok(response)
}
