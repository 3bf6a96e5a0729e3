//! The dashboard: a card for each source, and the latest events.

use jiff::Timestamp;
use maud::{Markup, html};

use super::card::{Placement, Shape};
use super::firing::Firing;
use super::layout::LivePage;
use super::source_card::{shape, source_card};
use super::view::View;
use super::{charts, events, grid, notice, status, tank};
use crate::board::{SourceView, SourceViews};

/// Number of events that the dashboard shows.
const EVENTS: usize = 6;

/// Renders the dashboard.
pub(in crate::site) fn dashboard(view: &View<'_>) -> String {
    let View { layout, snapshot, history, now, .. } = *view;
    let (clock, sources) = (view.clock(), &snapshot.sources);
    let recent = history.recent_events();
    let fields: Vec<Option<String>> = sources.iter().map(charts::leading_field).collect();
    let has_chart = |source: &SourceView, field: &Option<String>| {
        field.as_ref().is_some_and(|field| charts::is_drawn(view, source, field))
    };
    let shapes: Vec<Shape> = sources
        .iter()
        .zip(&fields)
        .map(|(source, field)| shape(source, has_chart(source, field)))
        .collect();
    let cards = sources.iter().zip(&fields).zip(grid::widths(&shapes));
    let firing = Firing::of(view.alerts, |_| true);
    let main = html! {
        div.between-parts {
            (status::summary(sources, now))
            @if !sources.is_empty() { (charts::ranges(view)) }
        }
        (notice::data(view))
        (notice::certificate(view.certificate, clock))
        (notice::channels(view.channels, clock))
        (firing.section(view))
        @if sources.is_empty() { (nothing_configured()) }
        div.cards {
            @for ((source, field), width) in cards {
                @let chart =
                    field.as_ref().map(|field| charts::titled_chart(view, source, field));
                @let placement = charts::placement(view, chart.unwrap_or_default());
                (source_card(source, clock, &Placement { width, ..placement }))
            }
        }
        (events::list(recent.iter(), EVENTS, sources, view.visitor.role, clock))
    };
    layout.live(&LivePage {
        title: &title(layout.title, &firing, sources, now),
        description: &description(sources),
        main: &main,
        by_session: view.visitor.by_session,
        alarms: firing.alarms(),
        has_alerts: !view.alerts.alerts.is_empty(),
        now,
    })
}

/// Returns the page's title: an alert, or else a failure and the level come first, because a row of tabs shows little more.
fn title(site: &str, firing: &Firing<'_>, sources: &SourceViews, now: Timestamp) -> String {
    let alarms = firing.title(sources);
    if !alarms.is_empty() {
        return alarms.into_iter().chain([site.to_owned()]).collect::<Vec<_>>().join(" · ");
    }
    let is_failing = sources.iter().any(|source| source.error.is_some());
    let failing = is_failing.then(|| "Failing".to_owned());
    let level = sources.iter().find_map(|source| tank::level_in_words(source, now));
    let parts: Vec<String> = failing.into_iter().chain(level).chain([site.to_owned()]).collect();
    parts.join(" · ")
}

/// Returns the page's description, which names the first sources.
fn description(sources: &SourceViews) -> String {
    const MAX_NAMED: usize = 3;
    let mut titles: Vec<&str> =
        sources.iter().take(MAX_NAMED).map(|source| &*source.title).collect();
    if sources.len() > MAX_NAMED {
        titles.push("others");
    }
    match titles.split_last() {
        None => "No source is configured.".to_owned(),
        Some((only, [])) => format!("Readings of {only}, their age and their history."),
        Some((last, first)) => {
            format!("Readings of {} and {last}, their age and their history.", first.join(", "))
        }
    }
}

fn nothing_configured() -> Markup {
    html! {
        section.nothing aria-labelledby="nothing" {
            (tank::empty_drawing())
            div {
                h2 #nothing { "Nothing to watch yet" }
                p {
                    "The server runs, and no source is configured. Add a "
                    code { "[[source]]" } " to " code { "pumphouse.toml" }
                    " and restart the server."
                }
            }
        }
    }
}
