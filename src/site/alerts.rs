//! `GET /api/v1/alerts` and `GET /api/v1/alerts/{alert}`: alerts and their incidents.
//!
//! The list comes from memory, and all requests share its body, but guests get one of their own. One alert has its
//! incidents of the past, too, which a thread of the alerts reads from the disk: they are left out, with a remark, while
//! that does not answer.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::alert_json::{Incidents, Writing};
use super::answer::Answer;
use super::content::{CachePolicy, Representation};
use super::context::{Context, RouteRequest};
use super::negotiate::{self, Coding};
use super::problem::Problem;
use super::query::{self, Pairs};
use super::rendered::Rendered;
use crate::access::Role;
use crate::alert::AlertsView;

/// Incidents of an alert, unless `limit=` names another number.
pub(super) const DEFAULT_INCIDENTS: usize = 50;

/// Most incidents of an alert.
pub(super) const MAX_INCIDENTS: usize = 500;

/// Answers `GET /api/v1/alerts`.
pub(super) fn list(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&request.http.target)?;
    let incidents = pairs.take("incidents");
    pairs.finish()?;
    let (view, role) = (context.alerts.view(), request.role);
    match incidents.as_deref() {
        None => {}
        Some("0") => {
            let is_compressed = negotiate::coding(request.headers()) == Coding::Gzip;
            return write(Writing::new(view, None, Incidents::none(), role, is_compressed));
        }
        Some(_) => {
            return Err(Problem::bad_request("incidents is 0, for the alerts without incidents."));
        }
    }
    if let Some(body) = context.alerts_body.get(&view, role) {
        return Ok(answer(body));
    }
    let writing = Writing::new(Arc::clone(&view), None, Incidents::of(&view, None), role, true);
    Ok(write_list(context, view, role, writing))
}

/// Writes a piece of the list, and leaves the others for later turns.
fn write_list(context: &Context, view: Arc<AlertsView>, role: Role, writing: Writing) -> Answer {
    match writing.advance() {
        ControlFlow::Break(body) => {
            context.alerts_body.insert(view, role, body.clone());
            answer(body)
        }
        ControlFlow::Continue(rest) => {
            Answer::unfinished(move |context, _| Ok(write_list(context, view, role, rest)))
        }
    }
}

/// Answers `GET /api/v1/alerts/{alert}`.
pub(super) fn alert(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&request.http.target)?;
    let limit =
        pairs.take("limit").map_or(Some(DEFAULT_INCIDENTS), |text| query::whole_number(&text));
    let limit = limit.filter(|limit| (1..=MAX_INCIDENTS).contains(limit)).ok_or_else(|| {
        Problem::bad_request(format!("limit is a number from 1 to {MAX_INCIDENTS}."))
    })?;
    pairs.finish()?;
    require(&context.alerts.view(), request.parameter)?;
    Ok(Answer::unfinished(move |context, request| {
        let is_compressed = negotiate::coding(request.headers()) == Coding::Gzip;
        let (view, name) = (context.alerts.view(), request.parameter);
        require(&view, name)?;
        let incidents = incidents(context, &view, name, limit);
        write(Writing::new(view, Some(name), incidents, request.role, is_compressed))
    }))
}

fn write(writing: Writing) -> Result<Answer, Problem> {
    match writing.advance() {
        ControlFlow::Break(body) => Ok(answer(body)),
        ControlFlow::Continue(rest) => Ok(Answer::unfinished(move |_, _| write(rest))),
    }
}

/// Returns the latest incidents of an alert. Waits for the disk for a quarter of a second at most; while it cannot be
/// read, the view has the latest ones.
pub(super) fn incidents(
    context: &Context,
    view: &AlertsView,
    name: &str,
    limit: usize,
) -> Incidents {
    let incidents = Incidents::of(view, Some(name));
    match context.alerts.past(name, limit) {
        Ok(past) => incidents.with_past(past, limit),
        Err(_) => incidents.without_past(limit),
    }
}

/// Rejects the name of an alert that does not exist.
pub(super) fn require(view: &AlertsView, name: &str) -> Result<(), Problem> {
    match view.alert(name) {
        Some(_) => Ok(()),
        None => Err(unknown_alert()),
    }
}

/// Returns the problem of an unknown alert.
pub(super) fn unknown_alert() -> Problem {
    Problem::not_found("There is no alert of that name.")
}

fn answer(body: Rendered) -> Answer {
    Answer::ready(Representation::new(body, CachePolicy::undated("no-cache")))
}
