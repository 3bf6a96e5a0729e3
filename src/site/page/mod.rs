//! The pages: the dashboard, one for each source, and the small one that tells of an error.
//!
//! A page is rendered for a moment, since it tells ages in words, and kept for that
//! second, so that a flood of visitors costs copies of a handle.

mod cache;
mod card;
mod events;
mod figure;
mod icon;
mod layout;
mod plot;
mod sign_in;
mod source;
mod state;
mod tank;
mod trend;
mod weather;

#[cfg(test)]
mod tests;

use http::Uri;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::board::{Rendered, Snapshot, SourceView, State};
use crate::engine::Response;

use super::Site;
use super::answer::Answer;
use super::api::find;
use super::chart::{PageRenderers, Range, draw_for_page};
use super::deliver::{HTML, Policy, deliver};
use super::freshness::state_at;
use super::problem::Problem;
use super::render::render_for;
use super::routes::Ask;

pub(super) use self::cache::{PageCache, SourcePages};
pub(super) use self::figure::{grouped, label, short, symbol};
pub(super) use self::sign_in::sign_in;

/// A browser may keep the page but asks before it shows it again: its words age.
const REVALIDATE: &str = "no-cache";

/// What a page is made from.
struct View<'a> {
    site: &'a Site,
    snapshot: &'a Snapshot,
    now: Timestamp,
    range: Range,
    /// True if the visitor can sign out.
    by_session: bool,
}

impl<'a> View<'a> {
    fn new(site: &'a Site, snapshot: &'a Snapshot, ask: &Ask<'_>) -> View<'a> {
        let range = range_of(&ask.request.target);
        View { site, snapshot, now: ask.now, range, by_session: ask.by_session }
    }
}

/// The range that an address names; a day if it names none. On pages what is not understood is
/// ignored.
fn range_of(target: &Uri) -> Range {
    let mut pairs = target.query().unwrap_or("").split('&');
    let name = pairs.find_map(|pair| pair.strip_prefix("range="));
    name.and_then(Range::parse).unwrap_or(Range::Day)
}

/// `/`
pub(super) fn dashboard(site: &Site, ask: &Ask<'_>) -> Result<Answer, Problem> {
    let snapshot = (site.snapshots)();
    let view = View::new(site, &snapshot, ask);
    if let Some(kept) = site.page.current(&view) {
        return deliver_page(ask, &kept.page).map(Answer::Ready);
    }
    let charts = snapshot.sources.iter().filter_map(|it| Some((it, plot::leading(it)?)));
    let outdated = view.outdated(charts);
    if outdated.is_empty() || site.charts.is_stalled() {
        return render_dashboard(site, ask).map(Answer::Ready);
    }
    let renderers = PageRenderers { render: render_dashboard, without_permit: render_dashboard };
    Ok(draw_for_page(outdated, view.range, renderers))
}

fn render_dashboard(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let snapshot = (site.snapshots)();
    let view = View::new(site, &snapshot, ask);
    let kept = site.page.current(&view).unwrap_or_else(|| site.page.render(&view));
    deliver_page(ask, &kept.page)
}

/// `/source/{source}`
///
/// The rendering of this second is sent at once. A new one is made under a permit, as it compresses
/// up to a megabyte: a client that requests many pages has one of them rendered at a time.
pub(super) fn source(site: &Site, ask: &Ask<'_>) -> Result<Answer, Problem> {
    let snapshot = (site.snapshots)();
    let view = View::new(site, &snapshot, ask);
    let source = named(&snapshot, ask)?;
    if let Some(page) = site.source_pages.current(&view, source) {
        return deliver_page(ask, &page).map(Answer::Ready);
    }
    if site.charts.is_stalled() {
        return source_uncompressed(site, ask).map(Answer::Ready);
    }
    let outdated = view.outdated(charts_of(source));
    Ok(draw_for_page(
        outdated,
        view.range,
        PageRenderers { render: render_source, without_permit: source_uncompressed },
    ))
}

fn render_source(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let snapshot = (site.snapshots)();
    let view = View::new(site, &snapshot, ask);
    let source = named(&snapshot, ask)?;
    if let Some(page) = site.source_pages.current(&view, source) {
        return deliver_page(ask, &page);
    }
    if !view.outdated(charts_of(source)).is_empty() {
        // A later request may draw the rest within this second.
        let html = source_html(&view, source);
        return deliver_page(ask, &render_for(&ask.request.headers, HTML, html.into()));
    }
    deliver_page(ask, &site.source_pages.render(&view, source))
}

fn charts_of(source: &SourceView) -> impl Iterator<Item = (&SourceView, String)> {
    plot::numbers(source).into_iter().map(move |field| (source, field))
}

/// Answers without a permit: compressing is most of the work, so this leaves it out. Charts may be
/// missing, so the page is not kept.
fn source_uncompressed(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let snapshot = (site.snapshots)();
    let view = View::new(site, &snapshot, ask);
    let html = source_html(&view, named(&snapshot, ask)?);
    deliver_page(ask, &Rendered::uncompressed(HTML, html))
}

fn source_html(view: &View<'_>, source: &SourceView) -> String {
    let title = format!("{} · {}", source.title, view.site.settings().title);
    let main = source::main(view, source);
    layout::live(view.site, &title, &main, view.by_session).into_string()
}

fn named<'s>(snapshot: &'s Snapshot, ask: &Ask<'_>) -> Result<&'s SourceView, Problem> {
    find(&snapshot.sources, ask.parameter)
        .ok_or_else(|| Problem::not_found("There is no source of that name."))
}

fn deliver_page(ask: &Ask<'_>, page: &Rendered) -> Result<Response, Problem> {
    deliver(&ask.request.headers, page, Policy::undated(REVALIDATE))
}

/// Events that the dashboard shows.
const EVENTS: usize = 6;

fn dashboard_html(view: &View<'_>) -> String {
    let View { site, snapshot, now, .. } = *view;
    let sources = &snapshot.sources;
    let title = title(&site.settings().title, sources, now);
    let recent = site.history.recent_events();
    let main = html! {
        div.between-parts { (state::summary(sources, now)) (view.ranges("/")) }
        (state::history(&site.history.health(), site.history.dropped(), now))
        (state::expiry((site.expiry)(now)))
        @if sources.is_empty() { (nothing_configured()) }
        div.cards {
            @for source in sources {
                @let past = plot::leading(source).map(|field| view.titled(source, &field));
                (card_of(source, now, &past.unwrap_or_default()))
            }
        }
        (events::list(recent.iter().take(EVENTS), sources, now))
    };
    layout::live(site, &title, &main, view.by_session).into_string()
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

/// The card that suits what a source measures. One that has not answered yet is
/// known by its kind only.
fn card_of(source: &SourceView, now: Timestamp, past: &Markup) -> Markup {
    let has = |field: &str| source.value(field).is_some();
    match source.kind {
        "ptlevel" | "ptdevices" => tank::card(source, now, past),
        "open-meteo" | "nws" | "ambient" => weather::card(source, now, past),
        _ if has("level") => tank::card(source, now, past),
        _ if has("conditions") || has("weather_code") => weather::card(source, now, past),
        _ => card::generic(source, now, past),
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

/// The page for an error.
pub(super) fn error(site: &Site, status: u16, title: &str, detail: &str) -> String {
    let main = html! {
        section.trouble {
            p.code { (status) }
            h2 { (title) }
            p { (detail) }
            p { a href="/" { "Back to the readings" } }
        }
    };
    layout::still(site, &format!("{title} · {}", site.settings().title), &main).into_string()
}
