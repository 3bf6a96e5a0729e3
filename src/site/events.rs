//! `/api/v1/events`: recorded events, the latest first, in pages.

use std::task::Poll;

use serde::Serialize;

use super::answer::Answer;
use super::content::{CachePolicy, Representation, render_json_for};
use super::context::{Context, RouteRequest};
use super::history_problem::unavailable;
use super::problem::Problem;
use super::query::{self, Pairs};
use crate::access::{Role, SiteUrl};
use crate::alert::without_author;
use crate::board::Event;
use crate::config::is_name;
use crate::history::{EventScan, StoredEvent};
use crate::timestamp::Rfc3339;

/// Events of a page, unless `limit=` names another number.
pub(super) const DEFAULT_EVENTS: usize = 50;

/// Most events of a page.
pub(super) const MAX_EVENTS: usize = 500;

/// Answers `GET /api/v1/events`.
pub(super) fn events(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&request.http.target)?;
    let limit = pairs.take("limit").map_or(Some(DEFAULT_EVENTS), |text| query::whole_number(&text));
    let limit = limit.filter(|limit| (1..=MAX_EVENTS).contains(limit)).ok_or_else(|| {
        Problem::bad_request(format!("limit is a number from 1 to {MAX_EVENTS}."))
    })?;
    let before: Option<i64> = match pairs.take("before") {
        None => None,
        Some(text) => Some(query::whole_number(&text).ok_or_else(|| {
            Problem::bad_request(
                "before is the id of an event; the page begins with the event before it.",
            )
        })?),
    };
    let source = pairs.take("source");
    // A valid name can also be part of the address of the next page as it is.
    if source.as_deref().is_some_and(|name| !is_name(name)) {
        return Err(Problem::bad_request("source is the name of a source, such as source=tank."));
    }
    pairs.finish()?;
    let scan = context.history.events(before, source.as_deref(), limit);
    let search = Search { scan, source, limit };
    if search.scan.needs_file() {
        return Ok(Answer::unfinished(move |context, request| search.run(context, request)));
    }
    search.run(context, request)
}

/// A search for one page of events.
struct Search {
    scan: EventScan,
    source: Option<String>,
    limit: usize,
}

impl Search {
    /// Does one piece of the search.
    fn run(mut self, context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
        let found = self.scan.poll().map_err(|error| unavailable(&error))?;
        let Poll::Ready(found) = found else {
            return Ok(Answer::unfinished(move |context, request| self.run(context, request)));
        };
        let Search { source, limit, .. } = self;
        let next =
            found.last().filter(|_| found.len() == limit).map(|StoredEvent { id, .. }| {
                let source = source.map_or_else(String::new, |source| format!("&source={source}"));
                let active_rules = context.gate.active_rules();
                let root = active_rules.site_url().map_or("/", SiteUrl::path);
                format!("{root}api/v1/events?limit={limit}{source}&before={id}")
            });
        let events = found.iter().map(|event| JsonEvent::new(event, request.role)).collect();
        let rendered = render_json_for(request.headers(), &Page { events, next });
        Ok(Answer::ready(Representation::new(rendered, CachePolicy::undated("no-cache"))))
    }
}

/// A page of events, and the path and query of the next one.
///
/// Scripts append that path to the address of the server. It begins with the path of the public address, if
/// one is configured, which a proxy may leave or remove: the server accepts both forms.
#[derive(Serialize)]
struct Page<'a> {
    events: Vec<JsonEvent<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct JsonEvent<'a> {
    id: i64,
    at: Rfc3339,
    kind: &'static str,
    source: Option<&'a str>,
    detail: &'a str,
}

impl<'a> JsonEvent<'a> {
    /// Guests do not see names of accounts.
    fn new(StoredEvent { id, event }: &'a StoredEvent, role: Role) -> JsonEvent<'a> {
        let Event { at, kind, source, detail } = event;
        let detail = if role == Role::Guest { without_author(*kind, detail) } else { detail };
        let (kind, source) = (kind.as_str(), source.as_deref());
        JsonEvent { id: *id, at: Rfc3339(*at), kind, source, detail }
    }
}
