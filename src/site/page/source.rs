//! The page of one source: its card, a chart for each of its numbers, its events, and links for
//! scripts.

use maud::{Markup, html};

use super::firing::Firing;
use super::layout::LivePage;
use super::source_card::source_card;
use super::view::View;
use super::{charts, events, notice};
use crate::board::SourceView;
use crate::history::StoredEvent;

/// Number of events that the page shows.
const EVENTS: usize = 10;

/// Renders the page of a source.
pub(in crate::site) fn source_page(view: &View<'_>, source: &SourceView) -> String {
    let recent = view.history.recent_events();
    let is_own = |stored: &&StoredEvent| stored.event.source.as_ref() == Some(&source.name);
    let fields = charts::chart_fields(source);
    let firing = Firing::of(view.alerts, |name| name == Some(&*source.name));
    let main = html! {
        p.back {
            a href={ (view.layout.root) (view.range.query()) } { "All readings" }
            @if let Some(group) = &source.group {
                " " a.group href={ (view.layout.root) "group/" (group) } { (group) }
            }
        }
        (notice::store(view))
        (notice::channels(view.channels, view.clock()))
        (firing.section(view))
        div.cards.single { (source_card(source, view.clock(), &charts::placement(view, html! {}))) }
        @if view.history.is_enabled() && !fields.is_empty() {
            div.between-parts {
                h2 { "The last " (view.range.in_words()) }
                (charts::ranges(view))
            }
            div.figures-of-past {
                @for field in &fields { (charts::figure(view, source, field)) }
            }
        }
        (events::list(
            recent.iter().filter(is_own),
            EVENTS,
            &view.snapshot.sources,
            view.visitor.role,
            view.clock(),
        ))
        (for_scripts(view.layout.root, source, fields.first()))
    };
    let mut parts = firing.title(&view.snapshot.sources);
    if parts.is_empty() {
        parts.push(source.title.to_string());
    }
    parts.push(view.layout.title.to_owned());
    let title = parts.join(" · ");
    view.layout.live(&LivePage {
        title: &title,
        description: &format!("Readings of {}, their age and their history.", source.title),
        main: &main,
        by_session: view.visitor.by_session,
        alarms: firing.alarms(),
        has_alerts: !view.alerts.alerts.is_empty(),
        now: view.now,
    })
}

/// Renders links to the same data for scripts.
fn for_scripts(root: &str, source: &SourceView, first_field: Option<&String>) -> Markup {
    let name = &source.name;
    let link = |path: &str| html! { li { a href={ (root) (path) } { "/" (path) } } };
    html! {
        section.scripts aria-labelledby="scripts" {
            h2 #scripts { "For scripts" }
            ul {
                (link(&format!("api/v1/sources/{name}")))
                @if let Some(field) = first_field {
                    (link(&format!("api/v1/values/{name}.{field}.txt")))
                    (link(&format!("chart/{name}.{field}.svg?range=7d")))
                }
            }
        }
    }
}
