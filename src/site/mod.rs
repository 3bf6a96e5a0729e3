//! What visitors see: routes, JSON, pages, problems, assets.
//!
//! [`Site`] is the [`Service`] behind the engine. Current readings come from the latest snapshot,
//! in memory, and never block. History comes from a file: requests that read it are expensive, and
//! run piece by piece under the engine's concurrency limits.

mod access;
mod age;
mod answer;
mod api;
mod assets;
mod chart;
mod conditional;
mod deliver;
mod export;
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

use arc_swap::ArcSwap;
use http::StatusCode;
use jiff::Timestamp;

use crate::access::{Demand, Gate, Pass, Posted};
use crate::board::{ServiceInfo, Snapshot};
use crate::engine::{Activity, Refusal, Reply, Request, RequestHead, Response, Service};
use crate::history::History;
use crate::upstream::Asked;

use self::answer::{Answer, Exchange};
use self::api::OfSnapshot;
use self::assets::Assets;
use self::chart::Charts;
use self::observe::{NO_METHOD, method_label};
use self::page::{PageCache, SourcePages};
use self::problem::Problem;
use self::request_id::RequestId;
use self::request_log::RequestLog;
use self::routes::{NO_ROUTE, Router};

pub use self::export::{ExportError, export};
pub use self::observe::RequestObserver;
pub(crate) use self::observe::is_known;
pub use self::redirect::Redirect;
pub use self::series::Format;

/// Longest wait for expensive work that an answer can do without: a page goes without charts then.
const FALLBACK_AFTER: Duration = Duration::from_millis(250);

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
    source_pages: SourcePages,
    source_list: OfSnapshot,
    shell_status: OfSnapshot,
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
            source_pages: SourcePages::default(),
            source_list: OfSnapshot::default(),
            shell_status: OfSnapshot::default(),
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
        self.source_pages.clear();
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The answer to a request that does not count among the visitors', and needs no account.
    pub fn respond(&self, request: &Request) -> Response {
        let (exchange, outcome) = self.route(request, Timestamp::now(), &Activity::default(), None);
        let outcome = exchange.complete(self, request, outcome);
        self.settle(request, outcome)
    }

    /// Decides about access, and makes the answer as of `now` as far as that takes no expensive
    /// work.
    fn begin(
        &self,
        request: &Request,
        now: Timestamp,
        activity: &Activity,
        posted: &Posted,
    ) -> (Exchange, Result<Answer, Problem>) {
        let nowhere = |outcome: Result<Response, Problem>| {
            (Exchange::new(now, NO_ROUTE), outcome.map(Answer::Ready))
        };
        match self.gate.check_host(posted, request) {
            Err(denial) => nowhere(Err(denial.into())),
            Ok(()) => match access::preflight(posted, request) {
                Some(answer) => nowhere(Ok(answer)),
                None => self.route(request, now, activity, Some(posted)),
            },
        }
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

    /// The final response of an exchange, with the headers that access requires.
    fn finish(
        &self,
        exchange: &Exchange,
        posted: &Posted,
        request: &Request,
        outcome: Result<Response, Problem>,
    ) -> Response {
        let mut response = self.settle(request, outcome);
        if exchange.pass.guarded {
            access::keep_private(&mut response);
        }
        if posted.signs_in() {
            access::keep_from_history(&exchange.pass, exchange.route, &mut response);
        }
        if let Some(device) = &exchange.pass.device {
            login::remember_device(request, device, &mut response);
        }
        access::steer(posted, request, &mut response);
        response
    }

    /// The same, counted, logged, and named by the request's id. Called once for each exchange.
    fn conclude(
        &self,
        exchange: &Exchange,
        posted: &Posted,
        request: &Request,
        outcome: Result<Response, Problem>,
    ) -> Response {
        let mut response = self.finish(exchange, posted, request, outcome);
        let (method, code) = (method_label(&request.method), response.status().as_u16());
        let elapsed = exchange.begun.elapsed();
        self.observer.observe(exchange.route, method, code, elapsed);
        let id = RequestId::of(request);
        self.log.answered(&id, request.client, method, exchange.route, code, elapsed);
        id.put_on(&mut response);
        response
    }

    /// Finds the route, and calls its handler if the posted rules let the request through.
    fn route(
        &self,
        request: &Request,
        now: Timestamp,
        activity: &Activity,
        posted: Option<&Posted>,
    ) -> (Exchange, Result<Answer, Problem>) {
        // 405 is for methods that other resources may allow (RFC 9110 15.5.6); no resource here
        // implements an unknown method, so the answer is 501 (15.6.2).
        if !is_known(&request.method) {
            return (Exchange::new(now, NO_ROUTE), Err(Problem::method_unknown()));
        }
        // What cannot be decoded matches nothing, and whoever may not look does not learn why.
        let (path, astray) = match target::decoded_path(&request.target) {
            Ok(path) => (path, Problem::not_found("There is nothing at this address.")),
            Err(problem) => ("".into(), problem),
        };
        let matched = self.router.at(&path);
        let pattern = matched.as_ref().map_or(NO_ROUTE, |matched| matched.pattern);
        let demand = matched.as_ref().map_or(Demand::Account, |matched| matched.demand);
        let mut exchange = Exchange::new(now, pattern);
        if matched.is_some() {
            activity.set_route(pattern);
        }
        if let Some(posted) = posted {
            match self.gate.admit(posted, request, pattern, demand) {
                Ok(pass) => exchange.pass = pass,
                Err(denial) => {
                    exchange.pass = GUARDED;
                    let outcome = access::refused(self, request, &path, denial);
                    return (exchange, outcome.map(Answer::Ready));
                }
            }
        }
        let outcome = match matched {
            Some(matched) => match matched.methods.admit(&request.method) {
                Some(outcome) => outcome.map(Answer::Ready),
                None => {
                    exchange.parameter = matched.parameter.into();
                    matched.handler.begin(self, &mut exchange, request)
                }
            },
            None if path == "*" => routes::answer_asterisk(&request.method).map(Answer::Ready),
            None => Err(astray),
        };
        (exchange, outcome)
    }
}

/// Pass of a request that took no credentials.
const OPEN: Pass = Pass { guarded: false, by_session: false, device: None };

/// Pass by which a refusal for lack of good credentials is answered.
const GUARDED: Pass = Pass { guarded: true, by_session: false, device: None };

/// An error as `application/problem+json` (RFC 9457); `instance` is the path that was asked for.
pub fn problem(status: StatusCode, detail: &str, instance: &str) -> Response {
    let mut response = Problem::new(status, detail.to_owned()).respond_json(Some(instance));
    deliver::secure(&mut response);
    response
}

/// Shared, as work that is left for later turns keeps a handle to its site.
impl Service for Arc<Site> {
    fn call(&self, request: &Request, activity: &Activity) -> Reply {
        let posted = self.gate.posted();
        let (exchange, outcome) = self.begin(request, Timestamp::now(), activity, &posted);
        answer::reply(self, exchange, &posted, request, outcome)
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
