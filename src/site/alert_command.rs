//! `POST /api/v1/alerts/{alert}/acknowledge`, `/silence` and `/unsilence`.
//!
//! Scripts get the alert as JSON. The forms of pages, whose browsers prefer HTML, are redirected to the page that
//! they were on, so that they work without scripts. A GET changes nothing, as mail scanners follow links.
//!
//! The thread of the alerts carries a command out within microseconds. It is waited for under a permit, so that a
//! thread that hangs cannot hold all workers. If other work holds the permit, such as a chart whose disk hangs, the
//! command does without while no other one waits for the thread. The response comes from memory: no disk delays it.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, LOCATION, VARY};
use http::{HeaderValue, StatusCode};

use super::alert_json::{Incidents, Writing};
use super::alerts::{self, DEFAULT_INCIDENTS, unknown_alert};
use super::answer::Answer;
use super::content::uncached;
use super::context::{Context, RouteRequest};
use super::media_type::JSON;
use super::negotiate::prefers_html;
use super::next;
use super::problem::Problem;
use super::query::Pairs;
use super::target::PARENT;
use crate::alert::{Command, CommandError, MAX_SILENCE};
use crate::config::{is_name, parse_duration};
use crate::engine::{Body, Response};

/// `by` of a command of a visitor without an account.
const ANONYMOUS: &str = "anonymous";

/// Directories of the path of a command.
const DEPTH: usize = 4;

/// Seconds after which to send a command again that the thread of the alerts did not take.
const RETRY: u64 = 1;

/// Seconds after which to send a command again that another process takes.
const STANDBY_RETRY: u64 = 30;

/// Answers `POST /api/v1/alerts/{alert}/acknowledge`.
pub(super) fn acknowledge(
    context: &Context,
    request: &RouteRequest<'_>,
) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&request.http.target)?;
    let (source, next) = (pairs.take("source"), pairs.take("next"));
    pairs.finish()?;
    if source.as_deref().is_some_and(|name| !is_name(name)) {
        return Err(Problem::bad_request("source is the name of a source, such as source=tank."));
    }
    let command = Command::Acknowledge {
        alert: request.parameter.into(),
        source: source.map(Arc::from),
        by: author(request),
    };
    carry_out(context, request, command, next)
}

/// Answers `POST /api/v1/alerts/{alert}/silence`.
pub(super) fn silence(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&request.http.target)?;
    let (length, next) = (pairs.take("for"), pairs.take("next"));
    pairs.finish()?;
    let length = length.as_deref().and_then(parse_duration);
    let is_allowed = |length: &Duration| (Duration::from_secs(1)..=MAX_SILENCE).contains(length);
    let length = length.filter(is_allowed).ok_or_else(|| {
        let days = MAX_SILENCE.as_secs() / 86_400;
        Problem::bad_request(format!(
            "for is the length of the silence, such as for=8h or for=1d12h, from 1s to {days}d."
        ))
    })?;
    let command = Command::Silence { alert: request.parameter.into(), length, by: author(request) };
    carry_out(context, request, command, next)
}

/// Answers `POST /api/v1/alerts/{alert}/unsilence`.
pub(super) fn unsilence(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&request.http.target)?;
    let next = pairs.take("next");
    pairs.finish()?;
    let command = Command::Unsilence { alert: request.parameter.into(), by: author(request) };
    carry_out(context, request, command, next)
}

/// Returns the name of the sender of a command.
fn author(request: &RouteRequest<'_>) -> Arc<str> {
    request.account.unwrap_or(ANONYMOUS).into()
}

/// Carries a command out under a permit, if there is one. `next` is the page to redirect a form to.
fn carry_out(
    context: &Context,
    request: &RouteRequest<'_>,
    command: Command,
    next: Option<String>,
) -> Result<Answer, Problem> {
    alerts::require(&context.alerts.view(), request.parameter)?;
    let (other, other_next) = (command.clone(), next.clone());
    Ok(Answer::unfinished_or(
        move |context, request| respond(context, request, command, next),
        move |context, request| match context.alerts.is_idle() {
            true => respond(context, request, other, other_next),
            false => Err(problem(CommandError::Unavailable)),
        },
    ))
}

/// Carries a command out.
fn respond(
    context: &Context,
    request: &RouteRequest<'_>,
    command: Command,
    next: Option<String>,
) -> Result<Answer, Problem> {
    let name = request.parameter;
    let is_form = prefers_html(request.headers());
    let outcome = context.alerts.command(command);
    // A page of this second may show the state before.
    context.drop_pages();
    let view = match outcome {
        // The page shows that the alert does not fire.
        Err(CommandError::NotFiring) if is_form => context.alerts.view(),
        outcome => outcome.map_err(problem)?,
    };
    if is_form {
        let active_rules = context.gate.active_rules();
        let next = next::checked(next.as_deref().unwrap_or_default(), active_rules.site_url());
        return Ok(Answer::ready(see_other(next)));
    }
    alerts::require(&view, name)?;
    let incidents = Incidents::of(&view, Some(name)).first(DEFAULT_INCIDENTS);
    let body = Writing::new(view, Some(name), incidents, request.role, false).finish();
    let mut response = uncached(body.identity.body.clone(), JSON);
    response.headers_mut().insert(VARY, ACCEPT);
    Ok(Answer::ready(response))
}

const ACCEPT: HeaderValue = HeaderValue::from_static("accept");

/// Returns a redirect to a path of the site, which is checked already. Browsers follow it with a GET.
fn see_other(next: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, ACCEPT);
    let location = format!("{}{}", PARENT.repeat(DEPTH), next.trim_start_matches('/'));
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(LOCATION, location);
    }
    response
}

fn problem(error: CommandError) -> Problem {
    match error {
        CommandError::UnknownAlert => unknown_alert(),
        CommandError::NotFiring => Problem::new(
            StatusCode::CONFLICT,
            "The alert does not fire, or not for that source, so there is nothing to acknowledge.",
        ),
        CommandError::Standby => Problem::unavailable(
            "Another process of this server holds the alerts: send the command to it.",
        )
        .retry_after(STANDBY_RETRY),
        CommandError::Unavailable => Problem::unavailable(
            "The server cannot take the command now, so nothing was changed; retry in 1 s.",
        )
        .retry_after(RETRY),
    }
}
