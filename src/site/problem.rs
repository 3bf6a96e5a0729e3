//! Errors as `application/problem+json` (RFC 9457), or as a page for browsers.

use std::borrow::Cow;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use crate::board::SourceView;
use crate::engine::{Body, Refusal, Response};
use crate::timestamp::Rfc3339;

use super::deliver::HTML;
use super::freshness::state_at;
use super::routes::Methods;
use super::{Site, negotiate, page};

/// How soon a client that was shed may come again, in seconds.
const OVERLOADED_RETRY: u64 = 2;

/// Seconds in `Retry-After` at most, so that no wrong clock and no upstream keeps a client away for
/// longer. A client that returns too early gets the rest of its wait.
pub(super) const MAX_RETRY_AFTER: u64 = 3600;

/// An error on its way to the client.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    retry_after: Option<u64>,
    allowed: Option<Methods>,
    challenges: Vec<HeaderValue>,
    sources: Vec<Concerned>,
}

/// A source that a problem is about.
#[derive(Debug, Serialize)]
struct Concerned {
    name: String,
    state: &'static str,
    observed_at: Option<Rfc3339>,
}

/// The members of RFC 9457 3.1, and `sources` as an extension. Our problems say no
/// more than their status, so `type` is `about:blank` and `title` the status's phrase.
#[derive(Serialize)]
struct Members<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sources: &'a [Concerned],
}

impl Problem {
    /// Any status.
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            retry_after: None,
            allowed: None,
            challenges: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// 400
    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404
    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// 405, with `Allow`.
    pub(super) fn method_not_allowed(allowed: Methods) -> Problem {
        let detail = match allowed {
            Methods::Read => "This address can only be read.",
            Methods::Post => "This address takes POST only.",
            Methods::Form => "This address takes GET and POST only.",
        };
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
        Problem { allowed: Some(allowed), ..problem }
    }

    /// 501
    pub(super) fn method_unknown() -> Problem {
        Problem::new(StatusCode::NOT_IMPLEMENTED, "The method is not implemented.")
    }

    /// 412
    pub(super) fn precondition_failed() -> Problem {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "The data is not, or no longer, what the precondition names.",
        )
    }

    /// 503
    pub(super) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// What the engine refused.
    pub(super) fn refusal(refusal: Refusal) -> Problem {
        let problem = Problem::new(refusal.status(), refusal.detail());
        match refusal {
            Refusal::Overloaded | Refusal::HeavyOverload => problem.retry_after(OVERLOADED_RETRY),
            _ => problem,
        }
    }

    /// Adds `Retry-After`, of at most [`MAX_RETRY_AFTER`] seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds.min(MAX_RETRY_AFTER));
        self
    }

    /// Says which credentials would help.
    pub(super) fn challenge(mut self, challenges: Vec<HeaderValue>) -> Problem {
        self.challenges = challenges;
        self
    }

    /// Names the sources that it is about.
    pub(super) fn about(mut self, sources: &[&SourceView], now: Timestamp) -> Problem {
        self.sources = sources
            .iter()
            .map(|source| Concerned {
                name: source.name.to_string(),
                state: state_at(source, now).as_str(),
                observed_at: source.reading.as_ref().map(|reading| Rfc3339(reading.observed.at)),
            })
            .collect();
        self
    }

    /// What it tells.
    #[cfg(test)]
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    /// The response, in the form that `asked` prefers; `instance` is the path as sent.
    pub(super) fn respond(
        &self,
        site: &Site,
        asked: &HeaderMap,
        instance: Option<&str>,
    ) -> Response {
        if negotiate::prefers_html(asked) {
            let page = page::error(site, self.status.as_u16(), self.title(), &self.detail);
            self.response(page, HTML)
        } else {
            self.respond_json(instance)
        }
    }

    fn response(&self, body: String, content_type: &'static str) -> Response {
        let mut response = Response::new(Body::Full(body.into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
        if let Some(allowed) = self.allowed {
            headers.insert(ALLOW, allowed.allow());
        }
        for challenge in &self.challenges {
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The response for those who are no browser.
    pub(super) fn respond_json(&self, instance: Option<&str>) -> Response {
        self.response(self.json(instance), "application/problem+json")
    }

    fn json(&self, instance: Option<&str>) -> String {
        let members = Members {
            r#type: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            sources: &self.sources,
        };
        serde_json::to_string(&members).expect("strings and numbers are always JSON")
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
            let response = Problem::unavailable("No.").retry_after(seconds).respond_json(None);
            assert_eq!(response.headers()[RETRY_AFTER], sent);
        }
    }
}
