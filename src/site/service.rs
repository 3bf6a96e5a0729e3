//! The site as the engine's [`Service`]: from a request's head to the engine's reply.
//!
//! 1. [`Gate::check_host`](crate::access::Gate::check_host) rejects a foreign `Host`; a CORS
//!    preflight is answered.
//! 2. The router finds the route, and the gate admits the request to it.
//! 3. The handler returns its content, or work to do later.
//! 4. `finish` turns the outcome into the response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{HeaderMap, HeaderName, ORIGIN};

use super::answer::{Answer, Piece, Work};
use super::content::Content;
use super::context::{
    CertificateReader, ChannelReader, Context, PollRequester, Settings, SnapshotReader, StoreReader,
};
use super::exchange::{Exchange, GUARDED};
use super::finish::{self, Finisher};
use super::methods::is_known;
use super::observer::RequestObserver;
use super::problem::Problem;
use super::router::{Location, Matched, Router, respond_by_method, respond_to_asterisk};
use super::target::{self, Below};
use super::{cors, login, negotiate, next, redirect};
use crate::access::{ActiveRules, Denial, Gate, RouteAccess, SiteUrl};
use crate::alert::AlertsHandle;
use crate::engine::{
    Activity, Continuation, Refusal, Reply, Request, RequestHead, Response, Service,
};
use crate::history::History;
use crate::route_pattern::RoutePattern;
use crate::wall_clock;

/// Longest wait for a permit of work that has a fallback: after it, a page is sent without its charts.
const FALLBACK_AFTER: Duration = Duration::from_millis(250);

/// The public site.
pub struct Site {
    pub(super) context: Context,
    router: Router,
    finisher: Finisher,
}

impl Site {
    /// Returns a site that serves these snapshots and this history to the requests that `gate` admits.
    /// `observer` counts its responses; `polls` requests polls of sources.
    pub fn new(
        settings: Settings,
        snapshots: SnapshotReader,
        polls: PollRequester,
        history: History,
        observer: Arc<dyn RequestObserver>,
        gate: Arc<Gate>,
    ) -> Site {
        Site {
            context: Context::new(settings, snapshots, polls, history, gate),
            router: Router::new(),
            finisher: Finisher::new(observer),
        }
    }

    /// Sets the source of the certificates' state, of whose problems pages warn.
    pub fn with_certificates(mut self, certificates: CertificateReader) -> Site {
        self.context.set_certificates(certificates);
        self
    }

    /// Sets the source of the state of the database that replicas share, of whose outages pages warn.
    pub fn with_store(mut self, store: StoreReader) -> Site {
        self.context.set_store(store);
        self
    }

    /// Sets the alerts that the site shows and takes commands for, and the source of the states of the channels
    /// that carry their messages.
    pub fn with_alerts(mut self, alerts: AlertsHandle, channels: ChannelReader) -> Site {
        self.context.set_alerts(alerts, channels);
        self
    }

    /// Sets the duration from which a request is logged as slow.
    pub fn set_slow_request(&self, slow_request: Duration) {
        self.finisher.set_slow_request(slow_request);
    }

    /// Replaces the title of the pages.
    pub fn rename(&self, title: &str) {
        self.context.set_title(title);
    }

    /// Returns the response to a request of the admin listener, which needs no account and is not
    /// counted with those of visitors. Does all of the work on the calling thread.
    pub fn respond(&self, request: &Request) -> Response {
        self.respond_within(Exchange::of_machine(None), request)
    }

    /// Returns the response as [`Site::respond`] does, to a request that may change something. `account` is the name
    /// of its sender, which the admin listener has checked.
    pub fn respond_as(&self, request: &Request, account: &str) -> Response {
        self.respond_within(Exchange::of_machine(Some(account)), request)
    }

    fn respond_within(&self, mut exchange: Exchange, request: &Request) -> Response {
        let answer = self.dispatch(None, &mut exchange, request, &Activity::default());
        let outcome = self.complete(&exchange, request, answer);
        finish::respond(&self.context, &exchange, request, outcome)
    }

    /// Checks the host, answers a preflight, or dispatches the request.
    pub(super) fn begin(
        &self,
        active_rules: &ActiveRules,
        exchange: &mut Exchange,
        request: &Request,
        activity: &Activity,
    ) -> Result<Answer, Problem> {
        exchange.below = Below::of_target(&request.target, active_rules.site_url());
        self.context.gate.check_host(active_rules, request)?;
        match cors::preflight(active_rules, request) {
            Some(response) => Ok(Answer::ready(response)),
            None => self.dispatch(Some(active_rules), exchange, request, activity),
        }
    }

    /// Finds the route, and calls its handler if the active rules admit the request. Without rules
    /// every request is admitted.
    fn dispatch(
        &self,
        active_rules: Option<&ActiveRules>,
        exchange: &mut Exchange,
        request: &Request,
        activity: &Activity,
    ) -> Result<Answer, Problem> {
        // 405 is for methods that other resources may allow (RFC 9110 15.5.6); no resource here
        // implements an unknown method, so the answer is 501 (15.6.2).
        if !is_known(&request.method) {
            return Err(Problem::method_unknown());
        }
        let site_url = active_rules.and_then(ActiveRules::site_url);
        // A target that cannot be decoded matches no route. Its problem is returned only after the
        // gate has admitted the request.
        let (path, unmatched) = match target::decoded_path(&request.target) {
            Ok(path) => (path, Problem::unmatched()),
            Err(problem) => ("".into(), problem),
        };
        let location = self.router.locate(&path, site_url.map(SiteUrl::decoded_path));
        let (matched, path) = match location {
            Location::Found { matched, path, below } => {
                // Only a route decides between the two forms of a path that could be either.
                if matched.is_some() {
                    exchange.below = below;
                }
                (matched, path)
            }
            Location::WithoutSlash => {
                return redirect::add_slash(&request.target).map(Answer::ready);
            }
        };
        if let Some(matched) = &matched {
            exchange.pattern = Some(matched.pattern);
            activity.set_route(matched.pattern.as_str());
        }
        if let Some(active_rules) = active_rules
            && let Err(denial) = self.admit(active_rules, exchange, request, matched.as_ref())
        {
            let is_certain =
                matched.is_some() || exchange.below.is_certain(&request.target, site_url);
            return self.deny(active_rules, exchange, request, (path, is_certain), denial);
        }
        let Some(matched) = matched else {
            return match path {
                "*" => respond_to_asterisk(&request.method).map(Answer::ready),
                _ => Err(unmatched),
            };
        };
        if let Some(outcome) = respond_by_method(matched.route.methods, &request.method) {
            return outcome.map(Answer::ready);
        }
        let handler = matched.route.handler;
        exchange.parameter = matched.parameter.into();
        exchange.lane = handler.lane();
        handler.call(&self.context, &exchange.route_request(request))
    }

    /// Asks the gate whether it admits the request to its route. An address without one requires an account.
    fn admit(
        &self,
        active_rules: &ActiveRules,
        exchange: &mut Exchange,
        request: &Request,
        matched: Option<&Matched<'_>>,
    ) -> Result<(), Denial> {
        let access = matched.map_or(RouteAccess::Account, |matched| matched.route.access);
        let admitted = self.context.gate.admit(active_rules, request, exchange.route(), access);
        let (pass, outcome) = match admitted {
            Ok(pass) => (pass, Ok(())),
            Err(denial) => (GUARDED, Err(denial)),
        };
        exchange.pass = pass;
        outcome
    }

    /// Answers a request that the gate denied. A browser that requests a page without valid
    /// credentials gets the sign-in form, and so does one that sends the form of an alert, which leads back to the page
    /// of that form. The API challenges for Basic, whether the client is a browser or a script, but not a page that
    /// sends a command: the browser would open its own dialog.
    ///
    /// Where the root of the site is not certain, the page has no form: its relative action could send a
    /// password to another program below the same host.
    fn deny(
        &self,
        active_rules: &ActiveRules,
        exchange: &Exchange,
        request: &Request,
        (path, is_certain): (&str, bool),
        denial: Denial,
    ) -> Result<Answer, Problem> {
        let is_command = exchange.pattern.is_some_and(RoutePattern::is_alert_command);
        let is_of_page = is_command && is_of_page(&request.headers);
        let is_page =
            (is_of_page || !path.starts_with("/api/")) && negotiate::prefers_html(&request.headers);
        let is_form =
            is_page && matches!(denial, Denial::Unauthorized(_)) && active_rules.signs_in();
        if is_form && !is_certain {
            return Err(login::required_elsewhere());
        }
        match exchange.below.root(&request.target).filter(|_| is_form) {
            Some(root) => {
                let query = request.target.query().unwrap_or_default();
                let wanted = match request.method {
                    Method::GET | Method::HEAD => exchange.below.path_and_query(&request.target),
                    _ if is_of_page => &next::of_query(query, active_rules.site_url()),
                    _ => "",
                };
                Ok(Answer::ready(login::required(&self.context, &root, wanted)))
            }
            None if is_of_page && matches!(denial, Denial::Unauthorized(_)) => {
                Err(login::required_for_command())
            }
            None => Err(denial.into()),
        }
    }

    /// Does all of the work on the calling thread.
    pub(super) fn complete(
        &self,
        exchange: &Exchange,
        request: &Request,
        mut answer: Result<Answer, Problem>,
    ) -> Result<Content, Problem> {
        loop {
            match answer? {
                Answer::Ready(content) => return Ok(content),
                Answer::Unfinished(Work { next, .. }) | Answer::AfterBody(_, next) => {
                    answer = next(&self.context, &exchange.route_request(request));
                }
            }
        }
    }

    /// Makes the response of an exchange.
    pub(super) fn finish(
        &self,
        active_rules: &ActiveRules,
        exchange: &Exchange,
        request: &Request,
        outcome: Result<Content, Problem>,
    ) -> Response {
        self.finisher.finish(&self.context, active_rules, exchange, request, outcome)
    }
}

/// The site as the service of an engine. Work that is left for later turns keeps a handle to the site.
pub struct SiteService(pub Arc<Site>);

impl Service for SiteService {
    fn call(&self, request: &Request, activity: &Activity) -> Reply {
        let active_rules = self.0.context.gate.active_rules();
        let mut exchange = Exchange::start(wall_clock::now());
        let answer = self.0.begin(&active_rules, &mut exchange, request, activity);
        let pending = |exchange| {
            Arc::new(Pending {
                site: Arc::clone(&self.0),
                exchange,
                active_rules: Arc::clone(&active_rules),
            })
        };
        let outcome = match answer {
            Ok(Answer::Unfinished(work)) => return pending(exchange).reply_with(work),
            Ok(Answer::AfterBody(limit, next)) => {
                return pending(exchange).reply_after(limit, next);
            }
            Ok(Answer::Ready(content)) => Ok(content),
            Err(problem) => Err(problem),
        };
        Reply::Respond(self.0.finish(&active_rules, &exchange, request, outcome))
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        self.0.finisher.finish_refusal(&self.0.context, refusal, head)
    }
}

/// An exchange with work left to do, which outlives the call of the service.
struct Pending {
    site: Arc<Site>,
    exchange: Exchange,
    /// Rules of access under which the request was admitted.
    active_rules: Arc<ActiveRules>,
}

impl Pending {
    fn reply_with(self: Arc<Pending>, work: Work) -> Reply {
        let Work { next, fallback } = work;
        let lane = self.exchange.lane;
        match fallback {
            None => Reply::Heavy { lane, work: self.continued(next) },
            Some(fallback) => Reply::HeavyOr {
                lane,
                max_wait: FALLBACK_AFTER,
                work: Arc::clone(&self).continued(next),
                fallback: self.continued(fallback),
            },
        }
    }

    fn reply_after(self: Arc<Pending>, limit: usize, next: Piece) -> Reply {
        Reply::ReadBody { limit, then: self.continued(next) }
    }

    fn continued(self: Arc<Pending>, piece: Piece) -> Continuation {
        Box::new(move |request, activity| {
            let Pending { site, exchange, active_rules } = &*self;
            activity.set_route(exchange.route());
            activity.progress();
            let outcome = match piece(&site.context, &exchange.route_request(request)) {
                Ok(Answer::Unfinished(work)) => return self.reply_with(work),
                Ok(Answer::AfterBody(limit, next)) => return self.reply_after(limit, next),
                Ok(Answer::Ready(content)) => Ok(content),
                Err(problem) => Err(problem),
            };
            Reply::Respond(site.finish(active_rules, exchange, request, outcome))
        })
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns true if a browser sent a POST for a page: it adds its origin.
fn is_of_page(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(ORIGIN)
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("settings", &self.context.settings()).finish_non_exhaustive()
    }
}
