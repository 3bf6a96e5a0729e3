//! The page of one source: all of its values, each with its chart.

use maud::{Markup, html};

use super::drawing::{PageRenderers, draw_for_page};
use super::plot::numbers;
use super::source_card::card_of;
use super::view::{View, content};
use super::{events, layout, plot};
use crate::board::{Rendered, Snapshot, SourceView};
use crate::history::StoredEvent;
use crate::site::answer::Answer;
use crate::site::content::{Content, render_for};
use crate::site::context::{Context, RouteRequest};
use crate::site::media_type::HTML;
use crate::site::problem::Problem;
use crate::site::sources::{find, unknown_source};

/// `/source/{source}`
///
/// The rendering of this second is sent at once. A new one is made under a permit, as it compresses
/// up to a megabyte: a client that requests many pages has one of them rendered at a time.
pub(in crate::site) fn source(
    context: &Context,
    request: &RouteRequest<'_>,
) -> Result<Answer, Problem> {
    let snapshot = context.snapshot();
    let view = View::new(context, &snapshot, request);
    let source = named(&snapshot, request)?;
    if let Some(page) = context.source_pages.current(view.variant(), &source.name) {
        return Ok(Answer::Ready(content(page)));
    }
    if context.charts.is_stalled() {
        return source_uncompressed(context, request).map(Answer::Ready);
    }
    let outdated = view.outdated(charts_of(source));
    Ok(draw_for_page(
        outdated,
        view.range,
        PageRenderers { render: render_source, without_permit: source_uncompressed },
    ))
}

pub(super) fn render_source(
    context: &Context,
    request: &RouteRequest<'_>,
) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let view = View::new(context, &snapshot, request);
    let source = named(&snapshot, request)?;
    if let Some(page) = context.source_pages.current(view.variant(), &source.name) {
        return Ok(content(page));
    }
    if !view.outdated(charts_of(source)).is_empty() {
        // A later request may draw the rest within this second.
        let html = source_html(&view, source);
        return Ok(content(render_for(request.headers(), HTML, html)));
    }
    let html = source_html(&view, source);
    Ok(content(context.source_pages.store(view.variant(), &source.name, html)))
}

fn charts_of(source: &SourceView) -> impl Iterator<Item = (&SourceView, String)> {
    plot::numbers(source).into_iter().map(move |field| (source, field))
}

/// Answers without a permit: compressing is most of the work, so this leaves it out. Charts may be
/// missing, so the page is not kept.
fn source_uncompressed(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let view = View::new(context, &snapshot, request);
    let html = source_html(&view, named(&snapshot, request)?);
    Ok(content(Rendered::uncompressed(HTML, html)))
}

fn source_html(view: &View<'_>, source: &SourceView) -> String {
    let title = format!("{} · {}", source.title, view.context.settings().title);
    let main = main(view, source);
    layout::live(view.context, &title, &main, view.by_session).into_string()
}

fn named<'s>(
    snapshot: &'s Snapshot,
    request: &RouteRequest<'_>,
) -> Result<&'s SourceView, Problem> {
    find(&snapshot.sources, request.parameter).ok_or_else(unknown_source)
}

/// Events of the source that its page shows.
const EVENTS: usize = 10;

fn main(view: &View<'_>, source: &SourceView) -> Markup {
    let path = format!("/source/{}", source.name);
    let recent = view.context.history.recent_events();
    let mine = |stored: &&StoredEvent| stored.event.source.as_ref() == Some(&source.name);
    html! {
        p.back { a href="/" { "All readings" } }
        div.cards.single { (card_of(source, view.now, &html! {})) }
        @let fields = numbers(source);
        @if view.context.history.is_enabled() && !fields.is_empty() {
            div.between-parts { h2 { "The last " (view.range.words()) } (view.ranges(&path)) }
            div.figures-of-past { @for field in &fields { (view.figure(source, field)) } }
        }
        (events::list(recent.iter().filter(mine).take(EVENTS), std::slice::from_ref(source), view.now))
        (for_scripts(source))
    }
}

/// Where the same is to be had without a browser.
fn for_scripts(source: &SourceView) -> Markup {
    let name = &source.name;
    let first = numbers(source).into_iter().next();
    html! {
        section.scripts aria-labelledby="scripts" {
            h2 #scripts { "For scripts" }
            ul {
                li { a href={ "/api/v1/sources/" (name) } { "/api/v1/sources/" (name) } }
                @if let Some(field) = first {
                    @let path = format!("/api/v1/values/{name}.{field}.txt");
                    li { a href=(path) { (path) } }
                    @let path = format!("/chart/{name}.{field}.svg?range=7d");
                    li { a href=(path) { (path) } }
                }
            }
        }
    }
}
