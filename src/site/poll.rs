//! `POST /api/v1/sources/{source}/poll`: asks for a poll now.

use ::http::header::{HOST, HeaderName, LOCATION, ORIGIN};
use ::http::{HeaderMap, HeaderValue, StatusCode};

use super::Site;
use super::deliver::{JSON, plain_as};
use super::problem::Problem;
use super::query::Pairs;
use super::routes::Ask;
use crate::http::Response;
use crate::upstream::Asked;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// 202 when the poll begins; the source tells when it is done, by its `fetched_at` or `error`.
pub(super) fn poll(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    Pairs::of(&ask.request.target)?.finish()?;
    if is_cross_site(&ask.request.headers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Another site's page may not ask for a poll.",
        ));
    }
    let source = ask.parameter;
    match (site.polls)(source) {
        None => Err(Problem::not_found("There is no source of that name.")),
        Some(Asked::TooSoon(wait)) => {
            let seconds = wait.as_secs() + 1;
            let detail =
                format!("{source} was polled just now, or wants to be left alone for a while.");
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds))
        }
        Some(Asked::Granted) => {
            let mut response =
                plain_as(format!("{{\"source\":\"{source}\",\"poll\":\"begun\"}}\n"), JSON);
            *response.status_mut() = StatusCode::ACCEPTED;
            // A source's name is made of letters, digits and underscores.
            if let Ok(place) = HeaderValue::try_from(format!("/api/v1/sources/{source}")) {
                response.headers_mut().insert(LOCATION, place);
            }
            Ok(response)
        }
    }
}

/// Whether a browser sends it for a page of another site (Fetch Metadata; RFC 6454 7 for older
/// ones). Programs send neither field.
fn is_cross_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    !matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}
