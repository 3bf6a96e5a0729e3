//! Errors as plain data: RFC 9457 problem details, before they are rendered.
//!
//! A [`Problem`] holds a status, a sentence for people, the headers that the status calls for and
//! the sources that it concerns. It depends on no request and no page: `finish::problem` renders
//! it, as JSON or as a page.

use std::borrow::Cow;

use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::methods::Methods;
use crate::engine::Refusal;
use crate::timestamp::Rfc3339;

/// `Retry-After` of a request that was shed, in seconds.
const OVERLOADED_RETRY: u64 = 2;

/// Largest `Retry-After`, in seconds. Neither a wrong clock nor an upstream keeps a client away for
/// longer. A client that returns too early gets the rest of its wait.
pub(super) const MAX_RETRY_AFTER: u64 = 3600;

/// An error on its way to the client.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// One sentence: what failed, the limit, what to do.
    pub(super) detail: Cow<'static, str>,
    /// Headers besides those that every problem has, in this order.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Sources that it concerns.
    pub(super) sources: Vec<AffectedSource>,
}

/// A source that a problem concerns.
#[derive(Debug, Serialize)]
pub(super) struct AffectedSource {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) observed_at: Option<Rfc3339>,
}

impl Problem {
    /// Returns a problem of any status.
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { status, detail: detail.into(), headers: Vec::new(), sources: Vec::new() }
    }

    /// Returns a 400.
    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Returns a 404.
    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// Returns the 404 of a target that matches no route.
    pub(super) fn unmatched() -> Problem {
        Problem::not_found("There is nothing at this address.")
    }

    /// Returns a 405 with `Allow`.
    pub(super) fn method_not_allowed(allowed: Methods) -> Problem {
        let detail = match allowed {
            Methods::Read => "This address allows GET and HEAD only.",
            Methods::Post => "This address allows POST only.",
            Methods::Form => "This address allows GET, HEAD and POST only.",
        };
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).header(ALLOW, allowed.allow())
    }

    /// Returns a 501 for a method that no route implements.
    pub(super) fn method_unknown() -> Problem {
        Problem::new(StatusCode::NOT_IMPLEMENTED, "The method is not implemented.")
    }

    /// Returns a 412.
    pub(super) fn precondition_failed() -> Problem {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "The current data does not match the precondition.",
        )
    }

    /// Returns a 503.
    pub(super) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, of at most [`MAX_RETRY_AFTER`] seconds.
    pub(super) fn retry_after(self, seconds: u64) -> Problem {
        self.header(RETRY_AFTER, seconds.min(MAX_RETRY_AFTER).into())
    }

    /// Adds a `WWW-Authenticate` for each challenge.
    pub(super) fn challenges(self, challenges: Vec<HeaderValue>) -> Problem {
        challenges
            .into_iter()
            .fold(self, |problem, challenge| problem.header(WWW_AUTHENTICATE, challenge))
    }

    /// Names the sources that it concerns.
    pub(super) fn concerning(self, sources: Vec<AffectedSource>) -> Problem {
        Problem { sources, ..self }
    }
}

/// A request that the engine refused.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let problem = Problem::new(refusal.status(), refusal.detail());
        match refusal {
            Refusal::Overloaded | Refusal::HeavyOverload => problem.retry_after(OVERLOADED_RETRY),
            _ => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_beyond_the_maximum_is_cut() {
        for (seconds, sent) in
            [(1, "1"), (3600, "3600"), (3601, "3600"), (31_536_000, "3600"), (u64::MAX, "3600")]
        {
            let problem = Problem::unavailable("No.").retry_after(seconds);
            assert_eq!(problem.headers, [(RETRY_AFTER, HeaderValue::from_static(sent))]);
        }
    }
}
