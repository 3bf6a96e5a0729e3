//! `/alerts` and `/alert/{alert}`: pages of alerts.
//!
//! Each is rendered once a second for all who request it, under a permit: the page of an alert waits for its incidents
//! from the disk. Where a request would wait too long for a permit, or the disk does not answer, it gets what is in
//! memory.

use std::sync::Arc;

use super::alert_json::Incidents;
use super::alerts::{self, DEFAULT_INCIDENTS, unknown_alert};
use super::answer::Answer;
use super::content::Content;
use super::context::{Context, RouteRequest};
use super::media_type::HTML;
use super::overview::moment;
use super::page::{self, AlertPage, PageKey, View};
use super::pages::{content, visitor, with_view};
use super::problem::Problem;
use super::rendered::Rendered;
use super::target;

/// Answers `GET /alerts`.
pub(super) fn all(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let key = PageKey::Alerts { visitor: visitor(request) };
    if let Some(page) = context.pages.get(&key, moment(context, &context.snapshot(), request)) {
        return Ok(Answer::Ready(content(page)));
    }
    Ok(Answer::unfinished_or(
        move |context, request| {
            // Before the rendering: a page of a later view is never kept for an earlier one.
            let moment = moment(context, &context.snapshot(), request);
            let page = context
                .pages
                .get(&key, moment)
                .unwrap_or_else(|| context.pages.insert(key, moment, list(context, request)));
            Ok(Answer::Ready(content(page)))
        },
        |context, request| {
            let html = list(context, request);
            Ok(Answer::Ready(content(Rendered::uncompressed(HTML, html))))
        },
    ))
}

fn list(context: &Context, request: &RouteRequest<'_>) -> String {
    with_view(context, &context.snapshot(), request, (target::ROOT, "/alerts"), page::alert_list)
}

/// Answers `GET /alert/{alert}`.
pub(super) fn one(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let view = context.alerts.view();
    let name = Arc::clone(&view.alert(request.parameter).ok_or_else(unknown_alert)?.name);
    let key = PageKey::Alert { name, visitor: visitor(request) };
    if let Some(page) = context.pages.get(&key, moment(context, &context.snapshot(), request)) {
        return Ok(Answer::Ready(content(page)));
    }
    Ok(Answer::unfinished_or(
        move |context, request| with_past(context, request, key).map(Answer::Ready),
        |context, request| {
            let incidents = Incidents::of(&context.alerts.view(), Some(request.parameter));
            let html = html(context, request, &incidents.without_past(DEFAULT_INCIDENTS))?;
            Ok(Answer::Ready(content(Rendered::uncompressed(HTML, html))))
        },
    ))
}

/// Renders the page with the incidents of the past, unless it was rendered this second.
fn with_past(
    context: &Context,
    request: &RouteRequest<'_>,
    key: PageKey,
) -> Result<Content, Problem> {
    let moment = moment(context, &context.snapshot(), request);
    if let Some(page) = context.pages.get(&key, moment) {
        return Ok(content(page));
    }
    let view = context.alerts.view();
    let incidents = alerts::incidents(context, &view, request.parameter, DEFAULT_INCIDENTS);
    let html = html(context, request, &incidents)?;
    Ok(content(context.pages.insert(key, moment, html)))
}

fn html(
    context: &Context,
    request: &RouteRequest<'_>,
    incidents: &Incidents,
) -> Result<String, Problem> {
    let path = format!("/alert/{}", request.parameter);
    let render = |view: &View<'_>| {
        // A reload may have removed it since.
        let alert = view.alerts.alert(request.parameter)?;
        Some(page::alert_page(view, &AlertPage { alert, incidents }))
    };
    with_view(context, &context.snapshot(), request, (target::PARENT, &path), render)
        .ok_or_else(unknown_alert)
}
