//! Renders problems: as `application/problem+json` (RFC 9457), or as a page for browsers.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::headers::add_security_headers;
use crate::engine::{Body, RequestHead, Response};
use crate::site::context::Context;
use crate::site::media_type::{HTML, PROBLEM_JSON};
use crate::site::problem::{AffectedSource, Problem};
use crate::site::target::Below;
use crate::site::{negotiate, page, target};

/// Members of RFC 9457 3.1, and `sources` as an extension.
///
/// Our problems mean no more than their status, so `type` is `about:blank` and `title` the
/// status's phrase.
#[derive(Serialize)]
struct Members<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sources: &'a [AffectedSource],
}

/// Returns the response in the form that the client prefers. `below` is the position of the request's
/// path, from which the links of a page start.
pub(super) fn respond(
    context: &Context,
    below: Below,
    head: RequestHead<'_>,
    problem: &Problem,
) -> Response {
    let root = || below.root(head.target);
    match negotiate::prefers_html(head.headers).then(root).flatten() {
        Some(root) => {
            let (status, title) = (problem.status.as_u16(), title(problem.status));
            let settings = context.settings();
            let layout = context.layout(&settings, &root);
            response(problem, page::error_page(layout, status, title, &problem.detail), HTML)
        }
        None => respond_json(problem, target::instance(head)),
    }
}

/// Returns the response for clients other than browsers. `instance` is the path as sent.
pub(in crate::site) fn respond_json(problem: &Problem, instance: Option<&str>) -> Response {
    let members = Members {
        r#type: "about:blank",
        title: title(problem.status),
        status: problem.status.as_u16(),
        detail: &problem.detail,
        instance,
        sources: &problem.sources,
    };
    let json = serde_json::to_string(&members).expect("strings and numbers are always JSON");
    response(problem, json, PROBLEM_JSON)
}

/// Returns an error as `application/problem+json`, with the headers that every response carries.
/// `instance` is the path of the request.
pub fn problem(status: StatusCode, detail: &str, instance: &str) -> Response {
    let mut response = respond_json(&Problem::new(status, detail.to_owned()), Some(instance));
    add_security_headers(&mut response);
    response
}

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

fn response(problem: &Problem, body: String, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::Full(body.into()));
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    for (name, value) in &problem.headers {
        headers.append(name, value.clone());
    }
    response
}
