//! `/login` and `/logout`: browsers sign in on a page and get a session.
//!
//! A browser opens its own dialog for a Basic challenge, sends the password with every request
//! after that and cannot forget it. So pages answer 401 with this form and with a challenge for
//! which browsers open no dialog; the API goes on challenging for Basic.

mod cookie;
mod form;
mod next;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, VARY};
use http::header::{HeaderName, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};

use super::content::Content;
use super::context::{Context, RouteRequest};
use super::denial::{BUSY_RETRY, whole_seconds};
use super::media_type::HTML;
use super::page::{self, Form, Notice};
use super::problem::Problem;
use crate::access::{
    CookieValue, DEVICE_COOKIE, DEVICE_LIFETIME, Denial, SESSION_COOKIE, SignOut, SignedIn,
};
use crate::engine::{Body, Request, Response};

use self::cookie::{expired_cookie, set_cookie};
use self::form::Credentials;

/// Bytes of a `POST /login` body at most.
pub(super) const LOGIN_BODY_LIMIT: usize = 8 << 10;

/// Seconds after which a sign-out that is not on disk may be sent again.
const SAVE_RETRY: u64 = 1;

const NOT_SAVED: &str = "You are signed out, but this could not be written to disk yet: if the \
                         server crashes before it is, the session is good again until it expires. \
                         Send the form again to be sure that it was.";

const LOGIN: &str = "/login";
const HOME: &str = "/";

/// RFC 9110 15.5.2 requires a challenge with 401. No browser opens a dialog for this one.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"Pumphouse\"");

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const CACHE: HeaderValue = HeaderValue::from_static("\"cache\"");

/// `GET` and `POST /login`
pub(super) fn login(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let posted = context.gate.posted();
    let wanted = next::of_query(request.http.target.query().unwrap_or(""));
    if posted.is_open() {
        return Ok(see_other(&wanted).into());
    }
    if !posted.signs_in() {
        return Err(Problem::not_found("There is no account that could sign in here."));
    }
    if request.http.method == Method::POST {
        let sent = form::read(request.http)?;
        let outcome = context.gate.sign_in(&posted, request.http, &sent.username, &sent.password);
        return Ok(match outcome {
            Ok(signed_in) => welcome(request.http, &signed_in, &sent.next).into(),
            Err(denial) => again(context, &sent, &denial)?.into(),
        });
    }
    if context.gate.is_signed_in(&posted, request.http) {
        return Ok(see_other(&wanted).into());
    }
    let form = Form { notice: Notice::None, username: "", next: &wanted };
    Ok(show(context, StatusCode::OK, form).into())
}

/// `POST /logout`
///
/// The browser keeps the cookies of sessions that have ended in memory only. So the form sent again
/// names them again, and 303 always means that no crash undoes the sign-out.
pub(super) fn logout(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let (ended, outcome) = context.gate.sign_out(request.http);
    let is_open = context.gate.posted().is_open();
    // Browsers act on it over TLS only.
    match outcome {
        SignOut::Durable => {
            let mut response = see_other(if is_open { HOME } else { LOGIN });
            let own = cookie::name(SESSION_COOKIE, request.http);
            let others = ended.into_iter().filter(|name| *name != own);
            for name in others.chain([&*own]) {
                append(&mut response, SET_COOKIE, expired_cookie(name, request.http));
            }
            response.headers_mut().insert(CLEAR_SITE_DATA, CACHE);
            Ok(response.into())
        }
        SignOut::Unsaved => Err(Problem::unavailable(NOT_SAVED)
            .retry_after(SAVE_RETRY)
            .header(CLEAR_SITE_DATA, CACHE)),
    }
}

/// The answer to a browser that requests a page without good credentials: the form, in place of the
/// page.
pub(super) fn required(context: &Context, request: &Request) -> Response {
    let wanted = match request.method {
        Method::GET | Method::HEAD => request.target.path_and_query().map_or("", |it| it.as_str()),
        _ => "",
    };
    let form = Form { notice: Notice::None, username: "", next: next::checked(wanted) };
    show(context, StatusCode::UNAUTHORIZED, form)
}

/// Adds the cookie by which a browser or script that has sent a right password is known again.
pub(super) fn remember_device(request: &Request, device: &CookieValue, response: &mut Response) {
    let cookie = set_cookie(DEVICE_COOKIE, device, DEVICE_LIFETIME, request);
    append(response, SET_COOKIE, cookie);
}

fn welcome(request: &Request, signed_in: &SignedIn, next: &str) -> Response {
    let SignedIn { session, lifetime, device } = signed_in;
    let mut response = see_other(next);
    append(&mut response, SET_COOKIE, set_cookie(SESSION_COOKIE, session, *lifetime, request));
    if let Some(device) = device {
        remember_device(request, device, &mut response);
    }
    response
}

/// The form once more, with the reason.
fn again(context: &Context, sent: &Credentials, denial: &Denial) -> Result<Response, Problem> {
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
    let mut response = show(context, status, form);
    if let Some(seconds) = retry {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

fn show(context: &Context, status: StatusCode, form: Form<'_>) -> Response {
    let mut response = Response::new(Body::from(page::sign_in(context, form)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A browser gets the form in place of a page, and a program a problem.
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, BEARER);
    }
    response
}

/// 303: the browser goes on with a GET. `next` has been checked.
fn see_other(next: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let place = HeaderValue::from_str(next);
    headers.insert(LOCATION, place.unwrap_or(const { HeaderValue::from_static(HOME) }));
    response
}

fn append(response: &mut Response, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        response.headers_mut().append(name, value);
    }
}

#[cfg(test)]
mod tests;
