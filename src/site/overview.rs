//! `/` with many sources, and `/group/{group}`: an overview of them, the worst first.
//!
//! An overview is rendered once a second for all who request it. That of all sources takes no permit, as the
//! dashboard; those with a filter, of which a client could request thousands, do.

use std::sync::Arc;

use super::answer::Answer;
use super::content::Content;
use super::context::{Context, RouteRequest};
use super::freshness::max_lateness;
use super::media_type::HTML;
use super::page::{self, Moment, PageKey, View};
use super::pages::{alerts_version, content, visitor, with_view};
use super::problem::Problem;
use super::query::decoded_words;
use super::ranking::OverviewQuery;
use super::rendered::Rendered;
use super::source_filter::{SourceFilter, conditions, is_group};
use super::target;
use crate::board::Snapshot;
use crate::config::MAX_GROUP_BYTES;

/// Most characters of words. Longer ones are cut.
pub(super) const MAX_WORDS: usize = 100;

/// Answers `GET /`.
pub(super) fn all(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let query = parse(request);
    if query == OverviewQuery::default() {
        return render(context, request, &query).map(Answer::Ready);
    }
    Ok(answer(context, request, query))
}

/// Answers `GET /group/{group}`.
pub(super) fn group(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let group = request.parameter;
    if !is_group(&context.snapshot().sources, group) {
        return Err(Problem::not_found("There is no group of that name."));
    }
    let query = parse(request);
    let filter = SourceFilter { group: Some(group.to_owned()), ..query.filter };
    Ok(answer(context, request, OverviewQuery { filter, ..query }))
}

fn answer(context: &Context, request: &RouteRequest<'_>, query: OverviewQuery) -> Answer {
    if let Some(page) =
        context.pages.get(&key(&query, request), moment(context, &context.snapshot(), request))
    {
        return Answer::Ready(content(page));
    }
    let query = Arc::new(query);
    let fallback = Arc::clone(&query);
    Answer::unfinished_or(
        move |context, request| render(context, request, &query).map(Answer::Ready),
        move |context, request| {
            let html = html(context, &context.snapshot(), request, &fallback);
            Ok(Answer::Ready(content(Rendered::uncompressed(HTML, html))))
        },
    )
}

/// Renders the page, unless it was rendered this second.
fn render(
    context: &Context,
    request: &RouteRequest<'_>,
    query: &OverviewQuery,
) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let (key, moment) = (key(query, request), moment(context, &snapshot, request));
    let page = context.pages.get(&key, moment).unwrap_or_else(|| {
        context.pages.insert(key, moment, html(context, &snapshot, request, query))
    });
    Ok(content(page))
}

fn html(
    context: &Context,
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    query: &OverviewQuery,
) -> String {
    let render = |view: &View<'_>| page::overview(view, query);
    // The reference to the root depends on the depth of the page's address.
    let (root, path) = match request.parameter {
        "" => (target::ROOT.to_owned(), "/".to_owned()),
        group => (target::PARENT.repeat(1 + group.matches('/').count()), format!("/group/{group}")),
    };
    with_view(context, snapshot, request, (&root, &path), render)
}

fn key(query: &OverviewQuery, request: &RouteRequest<'_>) -> PageKey {
    PageKey::Overview { query: query.clone(), visitor: visitor(request) }
}

/// Returns the moment of an overview or of a page of alerts. Of many sources it is the same for all snapshots of a second. The time of the
/// start moves with the clock, so that the pages of a later time are not shown after the clock was set back.
pub(super) fn moment(context: &Context, snapshot: &Snapshot, request: &RouteRequest<'_>) -> Moment {
    let version = match max_lateness(snapshot.sources.len()).is_zero() {
        true => snapshot.version,
        false => snapshot.service.started_at.as_second().unsigned_abs(),
    };
    let alerts = alerts_version(context, snapshot);
    Moment { version, alerts, second: request.now.as_second() }
}

/// Returns what the address selects. Pages ignore what is invalid.
fn parse(request: &RouteRequest<'_>) -> OverviewQuery {
    let mut query = OverviewQuery::default();
    for pair in request.http.target.query().unwrap_or("").split('&') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let Some(value) = decoded_words(value) else { continue };
        match name {
            "state" => query.filter.conditions = conditions(&value).unwrap_or_default(),
            // No group is longer, and each query has a place in the cache of pages.
            "group" if (1..=MAX_GROUP_BYTES).contains(&value.len()) => {
                query.filter.group = Some(value);
            }
            "q" => query.words = words(&value),
            "page" => query.page = value.parse::<usize>().map_or(0, |page| page.saturating_sub(1)),
            _ => {}
        }
    }
    query
}

/// Returns words in lower case, separated by one space.
fn words(text: &str) -> String {
    let text: String = text.chars().take(MAX_WORDS).collect();
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
