//! The table of routes, and what they have in common.

use ::http::header::ALLOW;
use ::http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;

use crate::http::{Body, Request, Response};

use super::problem::Problem;
use super::{Site, api, assets, health, page, values};

/// The route label of requests that matched none.
pub(super) const NO_ROUTE: &str = "-";

/// Every route only reads, so one list of methods serves all of them.
pub(super) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// A request on its way into a handler.
pub(super) struct Ask<'a> {
    /// The request.
    pub(super) request: &'a Request,
    /// The pattern's parameter, percent-decoded; empty where it has none.
    pub(super) parameter: &'a str,
    /// The moment the answer is for.
    pub(super) now: Timestamp,
}

/// Answers a GET; the engine makes HEAD of it by leaving out the body.
pub(super) type Handler = fn(&Site, &Ask<'_>) -> Result<Response, Problem>;

/// A pattern, which is also the route's name in the metrics, and its handler.
const ROUTES: [(&str, Handler); 11] = [
    ("/", page::dashboard),
    ("/api/v1/status", api::status),
    ("/api/v1/sources", api::sources),
    ("/api/v1/sources/{source}", api::source),
    ("/api/v1/values/{value}", values::value),
    ("/ping", health::ping),
    ("/healthz", health::healthz),
    ("/readyz", health::readyz),
    ("/assets/{name}", assets::asset),
    ("/favicon.ico", assets::favicon),
    ("/robots.txt", assets::robots),
];

/// The table, ready to be searched.
pub(super) struct Router(matchit::Router<(&'static str, Handler)>);

/// What a path led to.
pub(super) struct Matched<'p> {
    /// The route's pattern.
    pub(super) pattern: &'static str,
    /// Its handler.
    pub(super) handler: Handler,
    /// The pattern's parameter, if it has one.
    pub(super) parameter: &'p str,
}

impl Router {
    /// Builds the search tree.
    pub(super) fn new() -> Router {
        let mut router = matchit::Router::new();
        for (pattern, handler) in ROUTES {
            router
                .insert(pattern, (pattern, handler))
                .expect("the patterns are constants that a test has inserted before");
        }
        Router(router)
    }

    /// The route of a percent-decoded path.
    pub(super) fn at<'p>(&self, path: &'p str) -> Option<Matched<'p>> {
        let found = self.0.at(path).ok()?;
        let (pattern, handler) = *found.value;
        let parameter = found.params.iter().next().map_or("", |(_, value)| value);
        Some(Matched { pattern, handler, parameter })
    }
}

/// The answer that the method alone decides: `None` for GET and HEAD.
pub(super) fn admit(method: &Method) -> Option<Result<Response, Problem>> {
    match *method {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(Ok(options())),
        _ => Some(Err(Problem::method_not_allowed())),
    }
}

/// `*` stands for the server as a whole and goes with OPTIONS only (RFC 9112 3.2.4).
pub(super) fn answer_asterisk(method: &Method) -> Result<Response, Problem> {
    match *method {
        Method::OPTIONS => Ok(options()),
        _ => Err(Problem::bad_request("The target * goes with OPTIONS only.")),
    }
}

fn options() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}
