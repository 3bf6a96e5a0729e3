//! The routes of the admin listener.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;

use super::shared_page::{Busy, Rendered, SharedPage};
use crate::access::names_this_machine;
use crate::admin::health::Health;
use crate::admin::metrics::Metrics;
use crate::admin::scoreboard::Scoreboard;
use crate::engine::{Activity, Body, Refusal, Reply, Request, RequestHead, Response, Service};
use crate::site::{Site, is_known, problem};

/// Sources of the pages of the admin listener.
pub struct AdminSite {
    /// Source of `/healthz`.
    pub health: Arc<Health>,
    /// Source of `/metrics`.
    pub metrics: Metrics,
    /// Source of `/scoreboard`.
    pub scoreboard: Arc<Scoreboard>,
    /// Source of `/readyz`, which is the public one.
    pub site: Arc<Site>,
}

/// `/metrics` and `/scoreboard`.
pub(super) const RENDERED_PAGES: usize = 2;

/// The site behind the admin engine, with the pages that its clients share.
pub(super) struct AdminService {
    site: AdminSite,
    metrics: SharedPage,
    scoreboard: SharedPage,
}

impl From<AdminSite> for AdminService {
    fn from(site: AdminSite) -> AdminService {
        AdminService { site, metrics: SharedPage::default(), scoreboard: SharedPage::default() }
    }
}

/// A path of the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Health,
    Readiness,
    Metrics,
    Scoreboard,
}

impl Route {
    fn of(path: &str) -> Option<(Route, &'static str)> {
        Some(match path {
            "/healthz" => (Route::Health, "/healthz"),
            "/readyz" => (Route::Readiness, "/readyz"),
            "/metrics" => (Route::Metrics, "/metrics"),
            "/scoreboard" => (Route::Scoreboard, "/scoreboard"),
            _ => return None,
        })
    }
}

impl AdminService {
    fn answer(&self, request: &Request, activity: &Activity) -> Response {
        let path = request.target.path();
        // A page elsewhere may have let a name of its own point here (DNS rebinding). Browsers
        // cannot reach a unix socket, and the name means nothing there.
        if request.peer.address.is_some() && !names_this_machine(request) {
            let detail = "The admin listener is asked for by localhost or a loopback address only.";
            return problem(StatusCode::MISDIRECTED_REQUEST, detail, path);
        }
        if !is_known(&request.method) {
            return problem(StatusCode::NOT_IMPLEMENTED, "The method is not implemented.", path);
        }
        let Some((route, name)) = Route::of(path) else {
            return problem(StatusCode::NOT_FOUND, "There is nothing at this address.", path);
        };
        activity.set_route(name);
        if request.method != Method::GET && request.method != Method::HEAD {
            let detail = "This address can only be read.";
            let mut refused = problem(StatusCode::METHOD_NOT_ALLOWED, detail, path);
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match route {
            Route::Health => self.healthz(path),
            Route::Readiness => self.site.site.respond(request),
            Route::Metrics => {
                let page = self.metrics.get(|| self.site.metrics.render(Timestamp::now()).into());
                shared("text/plain; version=0.0.4; charset=utf-8", page, path)
            }
            Route::Scoreboard => {
                let page = self.scoreboard.get(|| self.site.scoreboard.render().into());
                shared("application/json", page, path)
            }
        }
    }

    /// Reads atomics only: it waits for no rendering and takes no lock that one holds.
    fn healthz(&self, path: &str) -> Response {
        let stuck = self.site.health.stuck();
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
        self.answer(request, activity).into()
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

/// A page that was rendered for this request or for one just before it.
fn shared(content_type: &'static str, page: Result<Rendered, Busy>, path: &str) -> Response {
    match page {
        Ok(rendered) => {
            let mut response = plain(content_type, rendered.body);
            let age = Instant::now().saturating_duration_since(rendered.begun).as_secs();
            response.headers_mut().insert(AGE, HeaderValue::from(age));
            response
        }
        Err(Busy) => {
            let detail = "Another request is rendering this page; ask again in a second.";
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
