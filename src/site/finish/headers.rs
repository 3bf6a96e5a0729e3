//! Headers that no handler adds: security, limits on caching, cookies, policies.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::access::ActiveRules;
use crate::engine::{Request, Response};
use crate::site::exchange::Exchange;
use crate::site::media_type::HTML;
use crate::site::{cors, login};

/// Policy for the contents of a page: it loads this site's own files only, its forms go to this
/// site's own addresses, and nothing is inline. Tests hold the pages to it.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Adds the headers that every response carries.
pub(in crate::site) fn add_security_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind == HTML) {
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    }
}

/// Keeps a response that depends on credentials out of shared caches, and a page of a signed-in visitor
/// out of the browser's history.
pub(super) fn restrict_caching(
    active_rules: &ActiveRules,
    exchange: &Exchange,
    response: &mut Response,
) {
    if exchange.pass.guarded {
        make_private(response.headers_mut());
    }
    if active_rules.signs_in() && is_page(exchange, response) {
        keep_from_history(exchange, response.headers_mut());
    }
}

/// Limits a response to the cache of its own client.
fn make_private(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("authorization, cookie"));
    let present = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let private = match present {
        Some(present) if present.contains("no-store") => return,
        Some(present) => HeaderValue::try_from(format!("private, {present}")).ok(),
        None => None,
    };
    let private = private.unwrap_or(const { HeaderValue::from_static("private") });
    headers.insert(CACHE_CONTROL, private);
}

/// Makes the Back button show no page of a session that has ended.
///
/// A page differs by session, public or not: it has a button to sign out.
fn keep_from_history(exchange: &Exchange, headers: &mut HeaderMap) {
    if !exchange.pass.guarded {
        headers.append(VARY, HeaderValue::from_static("cookie"));
    }
    if exchange.pass.by_session {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn is_page(exchange: &Exchange, response: &Response) -> bool {
    match response.status() {
        // A 304 has no type, and its headers replace those of the page that the browser has.
        StatusCode::NOT_MODIFIED => !exchange.route().starts_with("/api/"),
        _ => response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == HTML),
    }
}

/// Adds the cookie by which a browser or script that has sent a right password is recognized.
pub(super) fn add_device_cookie(
    active_rules: &ActiveRules,
    exchange: &Exchange,
    request: &Request,
    response: &mut Response,
) {
    if let Some(device) = &exchange.pass.device {
        login::remember_device(request, active_rules.site_url(), device, response);
    }
}

/// Adds what the rules require of the client's browser: to use TLS only, and which other sites'
/// pages may read the response.
pub(super) fn add_policy_headers(
    active_rules: &ActiveRules,
    request: &Request,
    response: &mut Response,
) {
    let headers = response.headers_mut();
    if let Some(value) = active_rules.strict_transport().filter(|_| request.peer.tls) {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
    cors::add_headers(active_rules, request, headers);
}
