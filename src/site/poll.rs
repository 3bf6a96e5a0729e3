//! `POST /api/v1/sources/{source}/poll`: requests a poll now.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::content::{Content, uncached};
use super::context::{Context, RouteRequest};
use super::media_type::JSON;
use super::problem::Problem;
use super::query::Pairs;
use super::sources::unknown_source;
use crate::upstream::PollRequest;

/// Responds with 202 when the poll begins. The result of the poll is in the source's `fetched_at` or `error`.
pub(super) fn poll(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    Pairs::of(&request.http.target)?.finish()?;
    let source = request.parameter;
    match context.request_poll(source).ok_or_else(unknown_source)? {
        PollRequest::TooSoon(wait) => {
            let seconds = wait.as_secs() + 1;
            let detail =
                format!("{source} was polled a moment ago, or its rate limit allows no poll yet.");
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds))
        }
        PollRequest::Granted | PollRequest::Elsewhere => {
            let mut response =
                uncached(format!("{{\"source\":\"{source}\",\"poll\":\"begun\"}}\n"), JSON);
            *response.status_mut() = StatusCode::ACCEPTED;
            // The source, from its `/poll`. Its name is made of letters, digits and underscores.
            if let Ok(place) = HeaderValue::try_from(format!("../{source}")) {
                response.headers_mut().insert(LOCATION, place);
            }
            Ok(response.into())
        }
    }
}
