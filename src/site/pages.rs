//! `/` with few sources, and `/source/{source}`.
//!
//! 1. A rendering of this second in the cache is sent at once.
//! 2. If charts of the page are outdated, they are drawn first: see
//!    [`page_charts`](super::page_charts).
//! 3. The page is rendered, compressed and kept.
//!
//! The dashboard is rendered without a permit if its charts are current. The page of a source takes
//! one in any case, because compressing up to a megabyte is most of the work: a client that requests
//! many pages has one of them rendered at a time.

use std::sync::Arc;

use http::Uri;

use super::answer::Answer;
use super::chart::Range;
use super::content::{CachePolicy, Content, Representation, render_for};
use super::context::{Context, RouteRequest};
use super::freshness::max_lateness;
use super::media_type::HTML;
use super::overview;
use super::page::{self, Moment, PageKey, Variant, View, Visitor};
use super::page_charts::{PageRenderers, draw_and_render, outdated};
use super::problem::Problem;
use super::rendered::Rendered;
use super::sources::unknown_source;
use super::target;
use crate::access::Role;
use crate::board::{Snapshot, SourceView};

/// Browsers may store a page, but revalidate it before each use: its ages change.
const REVALIDATE: &str = "no-cache";

/// Most sources of a dashboard. With more, `/` is an overview.
const MAX_CARDS: usize = 12;

/// Answers `GET /`: the dashboard, or the overview of more than [`MAX_CARDS`] sources.
pub(super) fn root(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    match context.snapshot().sources.len() > MAX_CARDS {
        true => overview::all(context, request),
        false => dashboard(context, request),
    }
}

fn dashboard(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let snapshot = context.snapshot();
    let variant = variant(request);
    if let Some(cached) = context.dashboards.get(variant, moment(context, &snapshot, request)) {
        return Ok(Answer::Ready(content(cached.page.clone())));
    }
    let charts =
        snapshot.sources.iter().filter_map(|source| Some((source, page::leading_field(source)?)));
    let outdated = outdated(context, charts, variant.range, request.now);
    if outdated.is_empty() || context.charts.is_stalled() {
        return render_dashboard(context, request).map(Answer::Ready);
    }
    let renderers = PageRenderers { render: render_dashboard, without_permit: render_dashboard };
    Ok(draw_and_render(outdated, variant.range, renderers))
}

/// Renders the dashboard, at the root of the site.
fn render_dashboard(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let (variant, moment) = (variant(request), moment(context, &snapshot, request));
    let cached = context.dashboards.get(variant, moment).unwrap_or_else(|| {
        let html = with_view(context, &snapshot, request, (target::ROOT, "/"), page::dashboard);
        context.dashboards.insert(variant, moment, html)
    });
    Ok(content(cached.page.clone()))
}

/// Answers `GET /source/{source}`.
pub(super) fn source(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let snapshot = context.snapshot();
    let variant = variant(request);
    let source = named(&snapshot, request)?;
    let moment = source_moment(context, &snapshot, source, request);
    if let Some(page) = context.pages.get(&key(source, variant), moment) {
        return Ok(Answer::Ready(content(page)));
    }
    if context.charts.is_stalled() {
        return source_uncompressed(context, request).map(Answer::Ready);
    }
    let outdated = outdated(context, charts_of(source), variant.range, request.now);
    let renderers = PageRenderers { render: render_source, without_permit: source_uncompressed };
    Ok(draw_and_render(outdated, variant.range, renderers))
}

fn render_source(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let source = named(&snapshot, request)?;
    let (variant, moment) = (variant(request), source_moment(context, &snapshot, source, request));
    if let Some(page) = context.pages.get(&key(source, variant), moment) {
        return Ok(content(page));
    }
    // Before the rendering: a chart that is drawn meanwhile would be missing in the page.
    let is_complete = outdated(context, charts_of(source), variant.range, request.now).is_empty();
    let html = render_page(context, &snapshot, request, source);
    if !is_complete {
        // A later request may draw the missing charts within this second, so the page is not kept.
        return Ok(content(render_for(request.headers(), HTML, html)));
    }
    Ok(content(context.pages.insert(key(source, variant), moment, html)))
}

/// Renders the page of a source without compressing or keeping it: charts may be missing.
fn source_uncompressed(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let source = named(&snapshot, request)?;
    let html = render_page(context, &snapshot, request, source);
    Ok(content(Rendered::uncompressed(HTML, html)))
}

/// Renders the page of a source, at `/source/{source}`.
fn render_page(
    context: &Context,
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    source: &SourceView,
) -> String {
    let render = |view: &View<'_>| page::source_page(view, source);
    let path = format!("/source/{}", source.name);
    with_view(context, snapshot, request, (target::PARENT, &path), render)
}

fn key(source: &SourceView, variant: Variant) -> PageKey {
    PageKey::Source { name: Arc::clone(&source.name), variant }
}

/// Returns the moment of the page of a source, which other sources do not change.
fn source_moment(
    context: &Context,
    snapshot: &Snapshot,
    source: &SourceView,
    request: &RouteRequest<'_>,
) -> Moment {
    let alerts = alerts_version(context, snapshot);
    Moment { version: source.version, alerts, second: request.now.as_second() }
}

fn charts_of(source: &SourceView) -> impl Iterator<Item = (&SourceView, String)> {
    page::chart_fields(source).into_iter().map(move |field| (source, field))
}

fn named<'s>(
    snapshot: &'s Snapshot,
    request: &RouteRequest<'_>,
) -> Result<&'s SourceView, Problem> {
    snapshot.sources.get(request.parameter).ok_or_else(unknown_source)
}

pub(super) fn variant(request: &RouteRequest<'_>) -> Variant {
    Variant { range: range_of(&request.http.target), visitor: visitor(request) }
}

pub(super) fn visitor(request: &RouteRequest<'_>) -> Visitor {
    Visitor { by_session: request.by_session, role: request.role }
}

fn moment(context: &Context, snapshot: &Snapshot, request: &RouteRequest<'_>) -> Moment {
    let alerts = alerts_version(context, snapshot);
    Moment { version: snapshot.version, alerts, second: request.now.as_second() }
}

/// Returns the version of the alerts for which a page is rendered. With many sources they change every few
/// milliseconds, so a page is the same for all views of a second, unless a command was carried out since.
pub(super) fn alerts_version(context: &Context, snapshot: &Snapshot) -> u64 {
    match max_lateness(snapshot.sources.len()).is_zero() {
        true => context.alerts.view().version,
        false => 0,
    }
}

/// Returns the range that a page's address selects. Pages ignore an invalid one.
fn range_of(target: &Uri) -> Range {
    let mut pairs = target.query().unwrap_or("").split('&');
    let name = pairs.find_map(|pair| pair.strip_prefix("range="));
    name.and_then(|name| name.parse().ok()).unwrap_or(Range::Day)
}

/// Renders from the state of the site at the moment of the request. `root` is the reference to the root of
/// the site, and `path` that of the page within it. Both depend on the route and not on the request, so that all
/// requests share a rendering.
pub(super) fn with_view<T>(
    context: &Context,
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    (root, path): (&str, &str),
    render: impl FnOnce(&View<'_>) -> T,
) -> T {
    let (settings, alerts) = (context.settings(), context.alerts.view());
    let Variant { range, visitor } = variant(request);
    let channels = match visitor.role {
        Role::Guest => [].into(),
        Role::Reader | Role::Responder => context.channels(),
    };
    render(&View {
        layout: context.layout(&settings, root),
        snapshot,
        history: &context.history,
        charts: &context.charts,
        certificate: context.certificate(request.now),
        store: context.store_outage(),
        now: request.now,
        range,
        visitor,
        alerts: &alerts,
        channels: &channels,
        path,
    })
}

pub(super) fn content(page: Rendered) -> Content {
    Representation::new(page, CachePolicy::undated(REVALIDATE)).into()
}

#[cfg(test)]
mod tests;
