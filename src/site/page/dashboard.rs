//! The dashboard: a card for each source, and the latest events.

use jiff::Timestamp;
use maud::{Markup, html};

use super::drawing::{PageRenderers, draw_for_page};
use super::source_card::card_of;
use super::view::{View, content};
use super::{events, figure, layout, plot, state, tank};
use crate::board::{SourceView, State};
use crate::site::answer::Answer;
use crate::site::content::Content;
use crate::site::context::{Context, RouteRequest};
use crate::site::freshness::state_at;
use crate::site::problem::Problem;

/// `/`
pub(in crate::site) fn dashboard(
    context: &Context,
    request: &RouteRequest<'_>,
) -> Result<Answer, Problem> {
    let snapshot = context.snapshot();
    let view = View::new(context, &snapshot, request);
    if let Some(kept) = context.dashboards.current(view.variant()) {
        return Ok(Answer::Ready(content(kept.page.clone())));
    }
    let charts = snapshot.sources.iter().filter_map(|it| Some((it, plot::leading(it)?)));
    let outdated = view.outdated(charts);
    if outdated.is_empty() || context.charts.is_stalled() {
        return render_dashboard(context, request).map(Answer::Ready);
    }
    let renderers = PageRenderers { render: render_dashboard, without_permit: render_dashboard };
    Ok(draw_for_page(outdated, view.range, renderers))
}

fn render_dashboard(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let snapshot = context.snapshot();
    let view = View::new(context, &snapshot, request);
    let kept = context
        .dashboards
        .current(view.variant())
        .unwrap_or_else(|| context.dashboards.store(view.variant(), dashboard_html(&view)));
    Ok(content(kept.page.clone()))
}

/// Events that the dashboard shows.
const EVENTS: usize = 6;

pub(super) fn dashboard_html(view: &View<'_>) -> String {
    let View { context, snapshot, now, .. } = *view;
    let sources = &snapshot.sources;
    let title = title(&context.settings().title, sources, now);
    let recent = context.history.recent_events();
    let main = html! {
        div.between-parts { (state::summary(sources, now)) (view.ranges("/")) }
        (state::history(&context.history.health(), context.history.dropped(), now))
        (state::expiry(context.certificate_expiry(now)))
        @if sources.is_empty() { (nothing_configured()) }
        div.cards {
            @for source in sources {
                @let past = plot::leading(source).map(|field| view.titled(source, &field));
                (card_of(source, now, &past.unwrap_or_default()))
            }
        }
        (events::list(recent.iter().take(EVENTS), sources, now))
    };
    layout::live(context, &title, &main, view.by_session).into_string()
}

/// The level first, for it is what a row of tabs has room for.
fn title(site: &str, sources: &[SourceView], now: Timestamp) -> String {
    let tank = sources.iter().find_map(|source| Some((source, tank::level(source)?)));
    match tank {
        Some((source, level)) if state_at(source, now) == State::Stale => {
            format!("{} % (stale) · {site}", figure::whole(level))
        }
        Some((_, level)) => format!("{} % · {site}", figure::whole(level)),
        None => site.to_owned(),
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
