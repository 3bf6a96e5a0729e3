//! The router, which finds the route of a request's path.

use http::header::ALLOW;
use http::{Method, StatusCode};
use strum::VariantArray as _;

use super::methods::Methods;
use super::problem::Problem;
use super::routes::{Route, route};
use super::target::Below;
use crate::engine::{Body, Response};
use crate::route_pattern::RoutePattern;

/// Search tree over the patterns of all routes.
pub(super) struct Router(matchit::Router<(RoutePattern, Route)>);

/// Result of a search.
pub(super) struct Matched<'p> {
    pub(super) pattern: RoutePattern,
    pub(super) route: Route,
    /// The pattern's parameter; empty where it has none.
    pub(super) parameter: &'p str,
}

/// Place of a path within the site.
pub(super) enum Location<'p> {
    /// A path of the site.
    Found {
        /// The route; `None` if there is none.
        matched: Option<Matched<'p>>,
        /// The path within the site.
        path: &'p str,
        below: Below,
    },
    /// The path of the public address without its last slash, where every relative link would be wrong.
    WithoutSlash,
}

impl Router {
    /// Builds the search tree.
    pub(super) fn new() -> Router {
        let mut router = matchit::Router::new();
        for pattern in RoutePattern::VARIANTS {
            router
                .insert(pattern.for_router(), (*pattern, route(*pattern)))
                .expect("the patterns are constants, and every test of the site inserts them");
        }
        Router(router)
    }

    /// Returns the location of a percent-decoded path. `site_path` is the path of the site's public
    /// address, if that is configured.
    ///
    /// A proxy may remove `site_path` from requests or leave it, so both forms are served. A path that is
    /// a route in either form, since `site_path` begins like one, is read as the form that matches.
    pub(super) fn locate<'p>(&self, path: &'p str, site_path: Option<&str>) -> Location<'p> {
        let at_top = |matched| Location::Found { matched, path, below: Below::default() };
        let folder = site_path.and_then(|path| path.strip_suffix('/')).unwrap_or_default();
        if folder.is_empty() {
            return at_top(self.find(path));
        }
        let inner =
            path.strip_prefix(folder).filter(|inner| matches!(inner.as_bytes(), [] | [b'/', ..]));
        let within = inner.and_then(|inner| self.find(inner));
        match (inner, self.find(path)) {
            (Some(""), None) => Location::WithoutSlash,
            (Some(path), at_top) if within.is_some() || at_top.is_none() => {
                Location::Found { matched: within, path, below: Below::folder(folder) }
            }
            (_, matched) => at_top(matched),
        }
    }

    /// Returns the route of a percent-decoded path below the site.
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<Matched<'p>> {
        let found = self.0.at(path).ok()?;
        let (pattern, route) = *found.value;
        let parameter = found.params.iter().next().map_or("", |(_, value)| value);
        Some(Matched { pattern, route, parameter })
    }
}

/// Responds to a request whose method alone decides the response; `None` if the handler is to be called.
pub(super) fn respond_by_method(
    methods: Methods,
    method: &Method,
) -> Option<Result<Response, Problem>> {
    match *method {
        Method::OPTIONS => Some(Ok(options(methods))),
        _ if methods.reach_handler(method) => None,
        _ => Some(Err(Problem::method_not_allowed(methods))),
    }
}

/// Responds to a request for `*`, which stands for the server as a whole and is valid with OPTIONS only
/// (RFC 9112 3.2.4).
pub(super) fn respond_to_asterisk(method: &Method) -> Result<Response, Problem> {
    match *method {
        Method::OPTIONS => Ok(options(Methods::Read)),
        _ => Err(Problem::bad_request("The target * is valid with OPTIONS only.")),
    }
}

fn options(methods: Methods) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, methods.allow());
    response
}
