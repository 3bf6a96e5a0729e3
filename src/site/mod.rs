//! What visitors see: routes, JSON, pages, problems, assets.
//!
//! [`Site`] is the [`Service`] behind the engine. What is comes from the latest
//! snapshot, in memory, and no handler waits for it. What was comes from the
//! history, on disk, and no more than half of the workers can wait for that.

mod access;
mod age;
mod api;
mod assets;
mod chart;
mod conditional;
mod deliver;
mod freshness;
mod health;
mod history;
mod json;
mod login;
mod negotiate;
mod observe;
mod openapi;
mod page;
mod poll;
mod problem;
mod query;
mod redirect;
mod render;
mod request_id;
mod request_log;
mod routes;
mod series;
mod shell;
mod target;
mod values;

#[cfg(test)]
mod fixture;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::StatusCode;
use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::access::{Demand, Gate, Pass, Posted};
use crate::board::{ServiceInfo, Snapshot};
use crate::history::History;
use crate::http::{Activity, Refusal, Request, RequestHead, Response, Service};
use crate::upstream::Asked;

use self::assets::Assets;
use self::chart::Charts;
use self::observe::{NO_METHOD, method_label};
use self::page::PageCache;
use self::problem::Problem;
use self::request_id::RequestId;
use self::request_log::RequestLog;
use self::routes::{Ask, NO_ROUTE, Router};

pub use self::observe::RequestObserver;
pub use self::redirect::Redirect;
pub use self::series::{Exporter, Format};

/// What the site needs to know besides the snapshots; replaceable at any time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The page's heading, `[site] title`.
    pub title: String,
    /// Who answers, as the status tells it.
    pub service: ServiceInfo,
}

/// Where the latest snapshot comes from; must not block.
pub type SnapshotReader = Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>;

/// Asks for a poll of the source of that name; `None` when there is none. Must not block.
pub type PollDesk = Box<dyn Fn(&str) -> Option<Asked> + Send + Sync>;

/// Whole days until a certificate expires, negative once it has, if that is soon enough to be
/// told. Must not block.
pub type ExpiryReader = Box<dyn Fn(Timestamp) -> Option<i64> + Send + Sync>;

/// The public site.
pub struct Site {
    settings: ArcSwap<Settings>,
    snapshots: SnapshotReader,
    polls: PollDesk,
    history: History,
    observer: Arc<dyn RequestObserver>,
    gate: Arc<Gate>,
    router: Router,
    assets: Assets,
    charts: Charts,
    page: PageCache,
    expiry: ExpiryReader,
    log: RequestLog,
}

impl Site {
    /// A site over those snapshots and that history, behind that gate, whose requests that
    /// observer counts, and which passes wishes for polls on to that desk.
    pub fn new(
        settings: Settings,
        snapshots: SnapshotReader,
        polls: PollDesk,
        history: History,
        observer: Arc<dyn RequestObserver>,
        gate: Arc<Gate>,
    ) -> Site {
        Site {
            settings: ArcSwap::from_pointee(settings),
            snapshots,
            polls,
            history,
            observer,
            gate,
            router: Router::new(),
            assets: Assets::new(),
            charts: Charts::default(),
            page: PageCache::default(),
            expiry: Box::new(|_| None),
            log: RequestLog::default(),
        }
    }

    /// Whose pages tell of a certificate that expires soon.
    pub fn with_expiry(self, expiry: ExpiryReader) -> Site {
        Site { expiry, ..self }
    }

    /// Warns of requests that take longer than this from now on.
    pub fn warn_of_slow(&self, slow_request: Duration) {
        self.log.set_slow(slow_request);
    }

    /// Goes on under that title.
    pub fn rename(&self, title: &str) {
        let before = self.settings();
        self.settings.store(Arc::new(Settings { title: title.to_owned(), ..(*before).clone() }));
        self.page.clear();
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The answer to a request that does not count among the visitors', and needs no account.
    pub fn respond(&self, request: &Request) -> Response {
        let routed = self.route(request, Timestamp::now(), &Activity::default(), None);
        self.settle(request, routed.outcome)
    }

    /// The answer as of `now`, and the route it came by.
    fn answer(
        &self,
        request: &Request,
        now: Timestamp,
        activity: &Activity,
    ) -> (&'static str, Response) {
        let posted = self.gate.posted();
        let routed = match self.gate.check_host(&posted, request) {
            Err(denial) => Routed::nowhere(Err(denial.into())),
            Ok(()) => match access::preflight(&posted, request) {
                Some(answer) => Routed::nowhere(Ok(answer)),
                None => self.route(request, now, activity, Some(&posted)),
            },
        };
        let mut response = self.settle(request, routed.outcome);
        if routed.pass.guarded {
            access::keep_private(&mut response);
        }
        if let Some(device) = &routed.pass.device {
            login::remember_device(request, device, &mut response);
        }
        access::steer(&posted, request, &mut response);
        (routed.pattern, response)
    }

    /// The response, be it an error's.
    fn settle(&self, request: &Request, outcome: Result<Response, Problem>) -> Response {
        let mut response = match outcome {
            Ok(response) => response,
            Err(problem) => problem.respond(self, &request.headers, target::instance(request)),
        };
        deliver::secure(&mut response);
        response
    }

    /// Finds the route, and calls its handler if the posted rules let the request through.
    fn route(
        &self,
        request: &Request,
        now: Timestamp,
        activity: &Activity,
        posted: Option<&Posted>,
    ) -> Routed {
        // What cannot be decoded matches nothing, and whoever may not look does not learn why.
        let (path, astray) = match target::decoded_path(&request.target) {
            Ok(path) => (path, Problem::not_found("There is nothing at this address.")),
            Err(problem) => ("".into(), problem),
        };
        let matched = self.router.at(&path);
        let pattern = matched.as_ref().map_or(NO_ROUTE, |matched| matched.pattern);
        let demand = matched.as_ref().map_or(Demand::Account, |matched| matched.demand);
        if matched.is_some() {
            activity.set_route(pattern);
        }
        let mut pass = OPEN;
        if let Some(posted) = posted {
            match self.gate.admit(posted, request, pattern, demand) {
                Ok(granted) => pass = granted,
                Err(denial) => {
                    let outcome = access::refused(self, request, &path, denial);
                    return Routed { pattern, pass: GUARDED, outcome };
                }
            }
        }
        let outcome = match matched {
            Some(matched) => matched.methods.admit(&request.method).unwrap_or_else(|| {
                let by_session = pass.by_session;
                (matched.handler)(
                    self,
                    &Ask { request, parameter: matched.parameter, now, by_session },
                )
            }),
            None if path == "*" => routes::answer_asterisk(&request.method),
            None => Err(astray),
        };
        Routed { pattern, pass, outcome }
    }
}

/// A pass that took no credentials.
const OPEN: Pass = Pass { guarded: false, by_session: false, device: None };

/// What a refusal for lack of good credentials is answered like.
const GUARDED: Pass = Pass { guarded: true, by_session: false, device: None };

/// What came of a request, by which route, and whether it took credentials.
struct Routed {
    pattern: &'static str,
    pass: Pass,
    outcome: Result<Response, Problem>,
}

impl Routed {
    fn nowhere(outcome: Result<Response, Problem>) -> Routed {
        Routed { pattern: NO_ROUTE, pass: OPEN, outcome }
    }
}

/// An error as `application/problem+json` (RFC 9457); `instance` is the path that was asked for.
pub fn problem(status: StatusCode, detail: &str, instance: &str) -> Response {
    let mut response = Problem::new(status, detail.to_owned()).respond_json(Some(instance));
    deliver::secure(&mut response);
    response
}

impl Service for Site {
    fn call(&self, request: &Request, activity: &Activity) -> Response {
        let begun = Instant::now();
        let (route, mut response) = self.answer(request, Timestamp::now(), activity);
        let (method, code) = (method_label(&request.method), response.status().as_u16());
        let elapsed = begun.elapsed();
        self.observer.observe(route, method, code, elapsed);
        let id = RequestId::of(request);
        self.log.answered(&id, request.client, method, route, code, elapsed);
        id.put_on(&mut response);
        response
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        let begun = Instant::now();
        let problem = Problem::refusal(refusal);
        let mut response = match head {
            Some(head) => problem.respond(self, head.headers, target::instance(head)),
            // The head was never understood, so there is no `Accept` to go by.
            None => problem.respond_json(None),
        };
        deliver::secure(&mut response);
        let method = head.map_or(NO_METHOD, |head| method_label(head.method));
        let code = response.status().as_u16();
        self.observer.observe(NO_ROUTE, method, code, begun.elapsed());
        let id = RequestId::new();
        self.log.refused(&id, code);
        id.put_on(&mut response);
        response
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
