//! What the gate says, as HTTP: refusals, and the headers that steer browsers and caches.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY, VARY,
};
use http::{HeaderValue, Method, StatusCode};

use super::deliver::HTML;
use super::problem::Problem;
use super::{Site, login, negotiate};
use crate::access::{Denial, Pass, Posted};
use crate::engine::{Body, Request, Response};

/// How soon whoever found all verifications taken may come again, in seconds.
pub(super) const BUSY_RETRY: u64 = 1;

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Problem {
        match denial {
            Denial::Host => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "This server does not go by the name that the request asks for.",
            ),
            Denial::Unauthorized(challenges) => Problem::new(
                StatusCode::UNAUTHORIZED,
                "This is for those with an account, and the request has no credentials that are \
                 good here.",
            )
            .challenge(challenges),
            Denial::Scope(scope, challenges) => Problem::new(
                StatusCode::FORBIDDEN,
                format!("These credentials do not allow \"{}\".", scope.as_str()),
            )
            .challenge(challenges),
            Denial::CrossSite => Problem::new(
                StatusCode::FORBIDDEN,
                "Another site's page may change nothing here, unless it sends a token.",
            ),
            Denial::Throttled(wait) => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong credentials have come before this; wait as long as Retry-After \
                 says.",
            )
            .retry_after(whole_seconds(wait)),
            Denial::Busy => Problem::unavailable("Too many logins are in progress; retry in 1 s.")
                .retry_after(BUSY_RETRY),
            Denial::NoRandomness => {
                Problem::unavailable("The system gives no random numbers, so no session can begin.")
                    .retry_after(BUSY_RETRY)
            }
        }
    }
}

/// The answer to a refused request. A browser that requests a page without good credentials gets
/// the form to sign in. The API challenges for Basic, whether the client is a browser or a script.
pub(super) fn refused(
    site: &Site,
    request: &Request,
    path: &str,
    denial: Denial,
) -> Result<Response, Problem> {
    let is_page = !path.starts_with("/api/") && negotiate::prefers_html(&request.headers);
    match denial {
        Denial::Unauthorized(_) if is_page && site.gate.posted().signs_in() => {
            Ok(login::required(site, request))
        }
        denial => Err(denial.into()),
    }
}

/// Rounded up, so that whoever comes on time is not too early.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The fields of a request that a page of another site may set.
const ALLOWED_FIELDS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, cache-control, content-type, if-match, if-modified-since, \
     if-none-match, if-unmodified-since",
);

/// The fields of a response that it may read, beside those that it always may.
const EXPOSED_FIELDS: HeaderValue =
    HeaderValue::from_static("content-disposition, etag, location, retry-after, www-authenticate");

/// Seconds for which a browser need not ask again.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// The answer to a browser that asks on behalf of a listed origin what its page may send (CORS
/// preflight). It is the same for every target, so it tells nothing of what is here.
pub(super) fn preflight(posted: &Posted, request: &Request) -> Option<Response> {
    if request.method != Method::OPTIONS
        || !request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    posted.listed_origin(request)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_FIELDS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
    Some(response)
}

/// Adds what the rules say about the sender's browser: that it keep to TLS, and which other
/// site's pages may read the answer.
pub(super) fn steer(posted: &Posted, request: &Request, response: &mut Response) {
    let headers = response.headers_mut();
    if let Some(value) = posted.strict_transport().filter(|_| request.peer.tls) {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
    if posted.rules().cors_origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = posted.listed_origin(request) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_FIELDS);
    }
}

/// Keeps an answer that took credentials out of caches that serve others.
pub(super) fn keep_private(response: &mut Response) {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("authorization, cookie"));
    let told = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let private = match told {
        Some(told) if told.contains("no-store") => return,
        Some(told) => HeaderValue::try_from(format!("private, {told}")).ok(),
        None => None,
    };
    let private = private.unwrap_or(const { HeaderValue::from_static("private") });
    headers.insert(CACHE_CONTROL, private);
}

/// Keeps a page of a signed-in visitor out of the browser's history and caches, so that after
/// sign-out the Back button does not show it. A page differs by session, public or not: it has a
/// button to sign out.
pub(super) fn keep_from_history(pass: &Pass, route: &str, response: &mut Response) {
    let is_page = match response.status() {
        // It has no type, and its fields replace those of the page that the browser has.
        StatusCode::NOT_MODIFIED => !route.starts_with("/api/"),
        _ => response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == HTML),
    };
    if !is_page {
        return;
    }
    let headers = response.headers_mut();
    if !pass.guarded {
        headers.append(VARY, HeaderValue::from_static("cookie"));
    }
    if pass.by_session {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests;
