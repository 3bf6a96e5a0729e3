//! `/login` and `/logout`: browsers sign in on a page and get a session.
//!
//! A browser opens its own dialog for a Basic challenge, then sends the password with every request,
//! and has no way to sign out. So a page responds with 401, this form and a Bearer challenge, for which
//! browsers open no dialog; the API challenges for Basic, but not a page that sends a command on an alert.
//!
//! 1. `GET /login`, or any page without valid credentials, sends the form.
//! 2. `POST /login` parses the form ([`form`]) and verifies the password under the same limits as
//!    Basic. It redirects to the checked `next` path ([`next`](super::next)) with the cookie of a new session and,
//!    for a browser without one, a device cookie ([`cookie`]).
//! 3. `POST /logout` ends the sessions of the request's cookies. It responds with 303 only once the end
//!    is on disk, and with 503 before that.

mod cookie;
mod form;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, VARY};
use http::header::{HeaderName, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};

use super::content::Content;
use super::context::{Context, RouteRequest};
use super::denial::{BUSY_RETRY, whole_seconds};
use super::media_type::HTML;
use super::next::{self, HOME};
use super::page::{self, Form, Notice};
use super::problem::Problem;
use super::target;
use crate::access::{
    CookieValue, DEVICE_COOKIE, DEVICE_LIFETIME, Denial, SESSION_COOKIE, SignOut, SignedIn, SiteUrl,
};
use crate::engine::{Body, Request, Response};

use self::cookie::{expired_cookie, set_cookie};
use self::form::Credentials;

pub(super) use self::form::LOGIN_BODY_LIMIT;

/// `Retry-After` of a sign-out that is not on disk yet, in seconds.
const SAVE_RETRY: u64 = 1;

const NOT_SAVED: &str = "You are signed out, but the sign-out is not on disk yet: if the server \
                         crashes before it is, the session becomes valid again until it expires. \
                         Send the form again to make sure.";

const LOGIN: &str = "/login";

/// RFC 9110 15.5.2 requires a challenge with 401. No browser opens a dialog for this one.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"Pumphouse\"");

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const CACHE: HeaderValue = HeaderValue::from_static("\"cache\"");

/// Answers `GET /login` with the form, and `POST /login` with a session or the form again.
pub(super) fn login(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let active_rules = context.gate.active_rules();
    let site_url = active_rules.site_url();
    let wanted = next::of_query(request.http.target.query().unwrap_or(""), site_url);
    if active_rules.is_open() {
        return Ok(see_other(&wanted).into());
    }
    if !active_rules.signs_in() {
        return Err(Problem::not_found("There is no account that could sign in here."));
    }
    if request.http.method == Method::POST {
        let sent = form::read(request.http, site_url)?;
        let outcome =
            context.gate.sign_in(&active_rules, request.http, &sent.username, &sent.password);
        return Ok(match outcome {
            Ok(signed_in) => {
                signed_in_response(request.http, site_url, &signed_in, &sent.next).into()
            }
            Err(denial) => rejected(context, &sent, &denial)?.into(),
        });
    }
    if context.gate.is_signed_in(&active_rules, request.http) {
        return Ok(see_other(&wanted).into());
    }
    let form = Form { notice: Notice::None, username: "", next: &wanted };
    Ok(form_response(context, target::ROOT, StatusCode::OK, form).into())
}

/// Answers `POST /logout`: ends the sessions of the request's cookies.
///
/// A browser keeps its cookies until the end of their sessions is on disk. The form sent again thus
/// contains them again, and a 303 means that no crash undoes the sign-out.
pub(super) fn logout(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let active_rules = context.gate.active_rules();
    let (site_url, is_open) = (active_rules.site_url(), active_rules.is_open());
    let (ended, outcome) = context.gate.sign_out(&active_rules, request.http);
    // Browsers honour Clear-Site-Data over TLS only.
    match outcome {
        SignOut::Durable => {
            let mut response = see_other(if is_open { HOME } else { LOGIN });
            let own = cookie::name(SESSION_COOKIE, request.http, site_url);
            let others = ended.into_iter().filter(|name| *name != own);
            for name in others.chain([&*own]) {
                append(&mut response, SET_COOKIE, expired_cookie(name, request.http, site_url));
            }
            response.headers_mut().insert(CLEAR_SITE_DATA, CACHE);
            Ok(response.into())
        }
        SignOut::Unsaved => Err(Problem::unavailable(NOT_SAVED)
            .retry_after(SAVE_RETRY)
            .header(CLEAR_SITE_DATA, CACHE)),
    }
}

/// Returns the response to a browser that requests a page without valid credentials: the form, with
/// 401. `wanted` is the path and query within the site of the page to show then, and `root` the relative reference
/// from the request's path to the root of the site.
pub(super) fn required(context: &Context, root: &str, wanted: &str) -> Response {
    let form = Form { notice: Notice::None, username: "", next: next::checked(wanted, None) };
    form_response(context, root, StatusCode::UNAUTHORIZED, form)
}

/// Returns the problem of a browser that requests a page without valid credentials at an address without a
/// form. It has the form's challenge, for which browsers open no dialog.
pub(super) fn required_elsewhere() -> Problem {
    let detail = "This address requires an account, and it is not written as the addresses of this site are: \
                  sign in at the dashboard.";
    Problem::new(StatusCode::UNAUTHORIZED, detail).challenges(vec![BEARER])
}

/// Returns the problem of a page that sends a command without valid credentials. It has the form's challenge, for which
/// browsers open no dialog.
pub(super) fn required_for_command() -> Problem {
    let detail = "The command requires an account: sign in again.";
    Problem::new(StatusCode::UNAUTHORIZED, detail).challenges(vec![BEARER])
}

/// Adds the cookie that identifies a device from which the right password was sent.
pub(super) fn remember_device(
    request: &Request,
    site_url: Option<&SiteUrl>,
    device: &CookieValue,
    response: &mut Response,
) {
    let cookie = set_cookie(DEVICE_COOKIE, device, DEVICE_LIFETIME, request, site_url);
    append(response, SET_COOKIE, cookie);
}

fn signed_in_response(
    request: &Request,
    site_url: Option<&SiteUrl>,
    signed_in: &SignedIn,
    next: &str,
) -> Response {
    let SignedIn { session, lifetime, device } = signed_in;
    let mut response = see_other(next);
    let cookie = set_cookie(SESSION_COOKIE, session, *lifetime, request, site_url);
    append(&mut response, SET_COOKIE, cookie);
    if let Some(device) = device {
        remember_device(request, site_url, device, &mut response);
    }
    response
}

/// Returns the form with the reason why the attempt failed.
fn rejected(context: &Context, sent: &Credentials, denial: &Denial) -> Result<Response, Problem> {
    let (status, notice, retry) = match denial {
        Denial::Unauthorized(_) => (StatusCode::UNAUTHORIZED, Notice::Wrong, None),
        Denial::Throttled(wait) => {
            let seconds = whole_seconds(*wait);
            (StatusCode::TOO_MANY_REQUESTS, Notice::Throttled(seconds), Some(seconds))
        }
        Denial::Busy => (StatusCode::SERVICE_UNAVAILABLE, Notice::Busy, Some(BUSY_RETRY)),
        other => return Err(other.clone().into()),
    };
    let form = Form { notice, username: &sent.username, next: &sent.next };
    let mut response = form_response(context, target::ROOT, status, form);
    if let Some(seconds) = retry {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

fn form_response(context: &Context, root: &str, status: StatusCode, form: Form<'_>) -> Response {
    let settings = context.settings();
    let mut response = Response::new(page::sign_in(context.layout(&settings, root), form).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Other clients get a problem in place of the form.
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, BEARER);
    }
    response
}

/// Returns a redirect with 303, which browsers follow with a GET, from `/login` or `/logout` to a path of the
/// site. `next` is checked already.
fn see_other(next: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let location = HeaderValue::try_from(target::from_root(next));
    headers.insert(LOCATION, location.unwrap_or(const { HeaderValue::from_static(target::ROOT) }));
    response
}

fn append(response: &mut Response, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        response.headers_mut().append(name, value);
    }
}

#[cfg(test)]
mod tests;
