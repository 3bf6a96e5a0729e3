//! `POST /api/v1/sources/{source}/poll`: asks for a poll now.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::Site;
use super::deliver::{JSON, plain_as};
use super::problem::Problem;
use super::query::Pairs;
use super::routes::Ask;
use crate::engine::Response;
use crate::upstream::Asked;

/// 202 when the poll begins; the source tells when it is done, by its `fetched_at` or `error`.
pub(super) fn poll(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    Pairs::of(&ask.request.target)?.finish()?;
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
