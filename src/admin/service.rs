//! The routes of the admin listener: `/healthz`, `/readyz`, `/metrics`, `/scoreboard`, and those of the alerts.
//!
//! Reading is open, so a request over TCP must name this machine in its Host field. Otherwise a
//! web page could have a domain of its own resolve to a loopback address (DNS rebinding) and read
//! the pages from a visitor's browser. `writes` checks the requests that change something.
//!
//! The site answers the requests for alerts, as it does on the public listeners. They may read a disk, and so run
//! under the permit of a lane; the test of a channel has the other lane.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use strum::{EnumString, IntoStaticStr};

use super::alert_routes::AlertRoute;
use super::alerting::Alerting;
use super::channel_test::{self, ChannelTester};
use super::channels;
use super::health::Health;
use super::metrics::Metrics;
use super::scoreboard::{Pages, Scoreboard};
use super::shared_page::{Busy, Rendered, SharedPage};
use super::writes::{self, BODY_LIMIT};
use crate::access::{AdminWriter, Gate, names_this_machine};
use crate::engine::{
    Activity, Body, Continuation, Lane, Refusal, Reply, Request, RequestHead, Response, Service,
};
use crate::notify::TestFailure;
use crate::site::{Site, is_known, problem};
use crate::text;
use crate::wall_clock;

/// Sources of the admin listener's pages.
pub struct AdminPages {
    /// Source of `/healthz`.
    pub health: Arc<Health>,
    /// Source of `/metrics`.
    pub metrics: Metrics,
    /// Source of `/scoreboard`.
    pub scoreboard: Arc<Scoreboard>,
    /// Source of `/readyz` and of the alerts, which are the public site's.
    pub site: Arc<Site>,
    /// Tokens that allow commands over TCP.
    pub gate: Arc<Gate>,
    /// Source of `/api/v1/channels`.
    pub alerting: Alerting,
    /// Sends test messages.
    pub test_channel: ChannelTester,
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
    fn respond(&self, request: &Request, activity: &Activity) -> Reply {
        let path = request.target.path();
        // Browsers cannot reach a unix socket, and the Host field means nothing there.
        if request.peer.address.is_some() && !names_this_machine(request) {
            let detail =
                "The admin listener answers requests for localhost or a loopback address only.";
            return problem(StatusCode::MISDIRECTED_REQUEST, detail, path).into();
        }
        if !is_known(&request.method) {
            let detail = "The method is not implemented.";
            return problem(StatusCode::NOT_IMPLEMENTED, detail, path).into();
        }
        if let Some(route) = AlertRoute::of(path) {
            activity.set_route(route.pattern());
            return self.respond_about_alerts(route, request);
        }
        let Ok(route) = path.parse::<Route>() else {
            return problem(StatusCode::NOT_FOUND, "There is nothing at this address.", path)
                .into();
        };
        activity.set_route(route.into());
        match require_read(request) {
            Ok(()) => self.page(route, request).into(),
            Err(refused) => (*refused).into(),
        }
    }

    fn page(&self, route: Route, request: &Request) -> Response {
        let path = request.target.path();
        match route {
            Route::Health => self.healthz(path),
            Route::Readiness => self.pages.site.respond(request),
            Route::Metrics => {
                let page = self.metrics.get(|| self.pages.metrics.render(wall_clock::now()).into());
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

    fn respond_about_alerts(&self, route: AlertRoute<'_>, request: &Request) -> Reply {
        let outcome = match route {
            AlertRoute::Channels | AlertRoute::Read(_) => require_read(request).map(|()| None),
            AlertRoute::Command(_) | AlertRoute::Test(_) => {
                writes::admit(&self.pages.gate, request).map(Some)
            }
        };
        let writer = match outcome {
            Ok(writer) => writer,
            Err(refused) => return (*refused).into(),
        };
        let site = Arc::clone(&self.pages.site);
        match (route, writer) {
            (AlertRoute::Channels, _) => {
                let channels = (self.pages.alerting.channels)();
                plain("application/json", channels::json(&channels)).into()
            }
            (AlertRoute::Test(channel), Some(writer)) => {
                let (channel, tester) = (channel.to_owned(), Arc::clone(&self.pages.test_channel));
                after_body(Lane::Bulk, route.pattern(), move |request| {
                    test(&tester, &channel, &writer, request)
                })
            }
            (_, Some(writer)) => after_body(Lane::Interactive, route.pattern(), move |request| {
                command(&site, &writer, request)
            }),
            (_, None) => {
                let work = move |request: &Request| site.respond(request);
                Reply::Heavy { lane: Lane::Interactive, work: continuation(route.pattern(), work) }
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
        self.respond(request, activity)
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        let path = head.map_or("/", |head| head.target.path());
        let mut refused = problem(refusal.status(), refusal.detail(), path);
        if matches!(refusal, Refusal::Overloaded | Refusal::HeavyOverload) {
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        refused
    }
}

/// Refuses a method that changes something.
fn require_read(request: &Request) -> Result<(), Box<Response>> {
    if matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let detail = "This address supports GET and HEAD only.";
    let mut refused = problem(StatusCode::METHOD_NOT_ALLOWED, detail, request.target.path());
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Err(Box::new(refused))
}

/// Returns work on a request, which runs in a turn of its own.
fn continuation(
    route: &'static str,
    work: impl FnOnce(&Request) -> Response + Send + 'static,
) -> Continuation {
    Box::new(move |request, activity| {
        activity.set_route(route);
        work(request).into()
    })
}

/// Returns work that follows once the body is read and checked, under a permit of the lane.
fn after_body(
    lane: Lane,
    route: &'static str,
    work: impl FnOnce(&Request) -> Response + Send + 'static,
) -> Reply {
    let then: Continuation = Box::new(move |request, activity| {
        activity.set_route(route);
        match writes::check_body(request) {
            Ok(()) => Reply::Heavy { lane, work: continuation(route, work) },
            Err(refused) => (*refused).into(),
        }
    });
    Reply::ReadBody { limit: BODY_LIMIT, then }
}

/// Passes a command on an alert to the site, which answers programs in JSON.
fn command(site: &Site, writer: &AdminWriter, request: &Request) -> Response {
    let mut request = request.clone();
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let writer = writer.to_string();
    site.respond_as(&request, &writer)
}

/// Sends a test message, and waits for its delivery.
fn test(
    tester: &ChannelTester,
    channel: &str,
    writer: &AdminWriter,
    request: &Request,
) -> Response {
    let path = request.target.path();
    let Err(failure) = tester(channel) else {
        let writer = writer.to_string();
        log::info!("test message over channel {channel} sent for {}", text::clean(&writer));
        let body = serde_json::json!({"channel": channel, "test": "sent"});
        return plain("application/json", format!("{body}\n"));
    };
    let (status, retry) = match &failure {
        TestFailure::UnknownChannel => {
            return problem(StatusCode::NOT_FOUND, "There is no channel of that name.", path);
        }
        TestFailure::Delivery(_) => (StatusCode::BAD_GATEWAY, None),
        TestFailure::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some(TEST_RETRY)),
    };
    let mut response = problem(status, &channel_test::detail(&failure), path);
    if let Some(retry) = retry {
        response.headers_mut().insert(RETRY_AFTER, retry);
    }
    response
}

/// `Retry-After` of a test of a channel that is busy, in seconds.
const TEST_RETRY: HeaderValue = HeaderValue::from_static("60");

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
