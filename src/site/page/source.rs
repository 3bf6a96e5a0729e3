//! A page for one source: all of its values, each with its past.

use maud::{Markup, html};

use super::plot::numbers;
use super::{View, card_of, events};
use crate::board::SourceView;
use crate::history::StoredEvent;

/// Events of the source that its page shows.
const EVENTS: usize = 10;

pub(super) fn main(view: &View<'_>, source: &SourceView) -> Markup {
    let path = format!("/source/{}", source.name);
    let recent = view.site.history.recent_events();
    let mine = |stored: &&StoredEvent| stored.event.source.as_ref() == Some(&source.name);
    html! {
        p.back { a href="/" { "All readings" } }
        div.cards.single { (card_of(source, view.now, &html! {})) }
        @let fields = numbers(source);
        @if view.site.history.is_enabled() && !fields.is_empty() {
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
