//! The routes of the admin listener: `/healthz`, `/readyz`, `/metrics` and `/scoreboard`.
//!
//! Access is open, so a request over TCP must name this machine in its Host field. Otherwise a
//! web page could have a domain of its own resolve to a loopback address (DNS rebinding) and read
//! the pages from a visitor's browser.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr};

use super::health::Health;
use super::metrics::Metrics;
use super::scoreboard::{Pages, Scoreboard};
use super::shared_page::{Busy, Rendered, SharedPage};
use crate::access::names_this_machine;
use crate::engine::{Activity, Body, Refusal, Reply, Request, RequestHead, Response, Service};
use crate::site::{Site, is_known, problem};

/// Sources of the admin listener's pages.
pub struct AdminPages {
    /// Source of `/healthz`.
    pub health: Arc<Health>,
    /// Source of `/metrics`.
    pub metrics: Metrics,
    /// Source of `/scoreboard`.
    pub scoreboard: Arc<Scoreboard>,
    /// Source of `/readyz`, which is the public site's.
    pub site: Arc<Site>,
}

/// Number of pages that are rendered: `/metrics` and `/scoreboard`.
pub(super) const RENDERED_PAGES: usize = 2;

/// Query that selects the brief scoreboard.
const BRIEF: &str = "brief";

/// Service of the admin engine.
pub(super) struct AdminService {
    pages: AdminPages,
    metrics: SharedPage<Bytes>,
    scoreboard: SharedPage<Pages>,
}

impl From<AdminPages> for AdminService {
    fn from(pages: AdminPages) -> AdminService {
        AdminService { pages, metrics: SharedPage::default(), scoreboard: SharedPage::default() }
    }
}

/// A path of the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
enum Route {
    #[strum(serialize = "/healthz")]
    Health,
    #[strum(serialize = "/readyz")]
    Readiness,
    #[strum(serialize = "/metrics")]
    Metrics,
    #[strum(serialize = "/scoreboard")]
    Scoreboard,
}

impl AdminService {
    fn respond(&self, request: &Request, activity: &Activity) -> Response {
        let path = request.target.path();
        // Browsers cannot reach a unix socket, and the Host field means nothing there.
        if request.peer.address.is_some() && !names_this_machine(request) {
            let detail =
                "The admin listener answers requests for localhost or a loopback address only.";
            return problem(StatusCode::MISDIRECTED_REQUEST, detail, path);
        }
        if !is_known(&request.method) {
            return problem(StatusCode::NOT_IMPLEMENTED, "The method is not implemented.", path);
        }
        let Ok(route) = path.parse::<Route>() else {
            return problem(StatusCode::NOT_FOUND, "There is nothing at this address.", path);
        };
        activity.set_route(route.into());
        if request.method != Method::GET && request.method != Method::HEAD {
            let detail = "This address supports GET and HEAD only.";
            let mut refused = problem(StatusCode::METHOD_NOT_ALLOWED, detail, path);
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match route {
            Route::Health => self.healthz(path),
            Route::Readiness => self.pages.site.respond(request),
            Route::Metrics => {
                let page = self.metrics.get(|| self.pages.metrics.render(Timestamp::now()).into());
                shared("text/plain; version=0.0.4; charset=utf-8", page, path)
            }
            Route::Scoreboard => {
                let is_brief = request.target.query() == Some(BRIEF);
                let pages = self.scoreboard.get(|| self.pages.scoreboard.render());
                let page = pages.map(|Rendered { body: Pages { all, brief }, begun }| Rendered {
                    body: if is_brief { brief } else { all },
                    begun,
                });
                shared("application/json", page, path)
            }
        }
    }

    /// Responds from atomics alone, and takes no lock that a rendering holds.
    fn healthz(&self, path: &str) -> Response {
        let stuck = self.pages.health.stuck();
        if stuck.is_empty() {
            return plain("text/plain; charset=utf-8", "ok\n");
        }
        let stuck: Vec<String> = stuck.iter().map(ToString::to_string).collect();
        let detail = format!("Stuck: {}.", stuck.join(", "));
        problem(StatusCode::SERVICE_UNAVAILABLE, &detail, path)
    }
}

impl Service for AdminService {
    fn call(&self, request: &Request, activity: &Activity) -> Reply {
        self.respond(request, activity).into()
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        let path = head.map_or("/", |head| head.target.path());
        let mut refused = problem(refusal.status(), refusal.detail(), path);
        if refusal == Refusal::Overloaded {
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        refused
    }
}

/// Returns a shared page, or 503 if it is being rendered.
fn shared(content_type: &'static str, page: Result<Rendered<Bytes>, Busy>, path: &str) -> Response {
    match page {
        Ok(rendered) => {
            let mut response = plain(content_type, rendered.body);
            let age = Instant::now().saturating_duration_since(rendered.begun).as_secs();
            response.headers_mut().insert(AGE, HeaderValue::from(age));
            response
        }
        Err(Busy) => {
            let detail = "Another request is rendering this page; retry in a second.";
            let mut refused = problem(StatusCode::SERVICE_UNAVAILABLE, detail, path);
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            refused
        }
    }
}

fn plain(content_type: &'static str, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::Full(text.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
