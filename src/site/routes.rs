//! The table of routes, and what they have in common.

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;

use crate::engine::{Body, Lane, Request, Response};

use super::answer::{Answer, Exchange};
use super::login::LOGIN_BODY_LIMIT;
use super::problem::Problem;
use super::{Site, api, assets, chart, health, history, login, openapi, page, poll, values};
use crate::access::{Demand, Scope};

/// The route label of requests that matched none.
pub(super) const NO_ROUTE: &str = "-";

/// What may be done at a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Methods {
    /// GET and HEAD.
    Read,
    /// POST.
    Post,
    /// GET and HEAD of a form, and POST of what was filled in.
    Form,
}

impl Methods {
    /// As `Allow` tells it.
    pub(super) const fn allow(self) -> HeaderValue {
        match self {
            Methods::Read => HeaderValue::from_static("GET, HEAD, OPTIONS"),
            Methods::Post => HeaderValue::from_static("POST, OPTIONS"),
            Methods::Form => HeaderValue::from_static("GET, HEAD, POST, OPTIONS"),
        }
    }

    /// The answer that the method alone decides: `None` where the handler is to be called.
    pub(super) fn admit(self, method: &Method) -> Option<Result<Response, Problem>> {
        match (self, method) {
            (Methods::Read | Methods::Form, &Method::GET | &Method::HEAD)
            | (Methods::Post | Methods::Form, &Method::POST) => None,
            (_, &Method::OPTIONS) => Some(Ok(options(self))),
            _ => Some(Err(Problem::method_not_allowed(self))),
        }
    }
}

/// A request on its way into a handler.
pub(super) struct Ask<'a> {
    /// The request.
    pub(super) request: &'a Request,
    /// The pattern's parameter, percent-decoded; empty where it has none.
    pub(super) parameter: &'a str,
    /// The moment the answer is for.
    pub(super) now: Timestamp,
    /// True if the visitor has signed in on the page.
    pub(super) by_session: bool,
}

/// Answers a GET; the engine makes HEAD of it by leaving out the body.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Answers at once, from memory.
    Light(fn(&Site, &Ask<'_>) -> Result<Response, Problem>),
    /// Answers at once, or by expensive work, such as reading from a disk, that counts against
    /// the lane's limit.
    Heavy(Lane, fn(&Site, &Ask<'_>) -> Result<Answer, Problem>),
    /// Answers a POST once its body is read, of so many bytes at most; all else at once.
    Form(usize, fn(&Site, &Ask<'_>) -> Result<Response, Problem>),
}

use Handler::{Form, Heavy, Light};

impl Handler {
    /// Calls the handler, or returns what it takes before that.
    pub(super) fn begin(
        self,
        site: &Site,
        exchange: &mut Exchange,
        request: &Request,
    ) -> Result<Answer, Problem> {
        match self {
            Light(handler) => handler(site, &exchange.ask(request)).map(Answer::Ready),
            Heavy(lane, handler) => {
                exchange.lane = lane;
                handler(site, &exchange.ask(request))
            }
            Form(limit, handler) if request.method == Method::POST => {
                Ok(Answer::after_body(limit, move |site, ask| {
                    handler(site, ask).map(Answer::Ready)
                }))
            }
            Form(_, handler) => handler(site, &exchange.ask(request)).map(Answer::Ready),
        }
    }
}

const READ: Demand = Demand::Scope(Scope::Read);
const POLL: Demand = Demand::Scope(Scope::Poll);

/// A pattern, which is also the route's name in the metrics, what may be
/// done there, what it asks of visitors while access is restricted, and its handler.
pub(super) const ROUTES: [Route; 19] = [
    ("/", Methods::Read, READ, Heavy(Lane::Interactive, page::dashboard)),
    ("/source/{source}", Methods::Read, READ, Heavy(Lane::Interactive, page::source)),
    ("/chart/{chart}", Methods::Read, READ, Heavy(Lane::Interactive, chart::picture)),
    ("/api/v1/status", Methods::Read, READ, Light(api::status)),
    ("/api/v1/sources", Methods::Read, READ, Light(api::sources)),
    ("/api/v1/sources/{source}", Methods::Read, READ, Light(api::source)),
    ("/api/v1/sources/{source}/poll", Methods::Post, POLL, Light(poll::poll)),
    ("/api/v1/values/{value}", Methods::Read, READ, Light(values::value)),
    ("/api/v1/history", Methods::Read, READ, Heavy(Lane::Bulk, history::history)),
    ("/api/v1/events", Methods::Read, READ, Heavy(Lane::Bulk, history::events)),
    ("/openapi.json", Methods::Read, READ, Light(openapi::openapi)),
    ("/ping", Methods::Read, READ, Light(health::ping)),
    ("/healthz", Methods::Read, READ, Light(health::healthz)),
    ("/readyz", Methods::Read, READ, Light(health::readyz)),
    ("/login", Methods::Form, Demand::Nothing, Form(LOGIN_BODY_LIMIT, login::login)),
    ("/logout", Methods::Post, Demand::Nothing, Light(login::logout)),
    ("/assets/{name}", Methods::Read, Demand::Nothing, Light(assets::asset)),
    ("/favicon.ico", Methods::Read, Demand::Nothing, Light(assets::favicon)),
    ("/robots.txt", Methods::Read, Demand::Nothing, Light(assets::robots)),
];

type Route = (&'static str, Methods, Demand, Handler);

/// The table, ready to be searched.
pub(super) struct Router(matchit::Router<Route>);

/// What a path led to.
pub(super) struct Matched<'p> {
    /// The route's pattern.
    pub(super) pattern: &'static str,
    /// What may be done there.
    pub(super) methods: Methods,
    /// What it asks of visitors.
    pub(super) demand: Demand,
    /// Its handler.
    pub(super) handler: Handler,
    /// The pattern's parameter, if it has one.
    pub(super) parameter: &'p str,
}

impl Router {
    /// Builds the search tree.
    pub(super) fn new() -> Router {
        let mut router = matchit::Router::new();
        for route in ROUTES {
            router
                .insert(route.0, route)
                .expect("the patterns are constants that a test has inserted before");
        }
        Router(router)
    }

    /// The route of a percent-decoded path.
    pub(super) fn at<'p>(&self, path: &'p str) -> Option<Matched<'p>> {
        let found = self.0.at(path).ok()?;
        let (pattern, methods, demand, handler) = *found.value;
        let parameter = found.params.iter().next().map_or("", |(_, value)| value);
        Some(Matched { pattern, methods, demand, handler, parameter })
    }
}

/// `*` stands for the server as a whole and goes with OPTIONS only (RFC 9112 3.2.4).
pub(super) fn answer_asterisk(method: &Method) -> Result<Response, Problem> {
    match *method {
        Method::OPTIONS => Ok(options(Methods::Read)),
        _ => Err(Problem::bad_request("The target * goes with OPTIONS only.")),
    }
}

fn options(methods: Methods) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, methods.allow());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_knows_the_routes() {
        assert_eq!(ROUTES.map(|(pattern, ..)| pattern), crate::config::ROUTES);
    }
}
