//! The pages: the dashboard, and the small one that tells a browser of an error.
//!
//! A page is rendered for a moment, since it tells ages in words, and kept for that
//! second, so that a flood of visitors costs copies of a handle.

mod card;
mod figure;
mod icon;
mod layout;
mod state;
mod tank;
mod weather;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::board::{Rendered, Snapshot, SourceView, State};
use crate::http::Response;

use super::Site;
use super::deliver::{HTML, Policy, deliver};
use super::freshness::state_at;
use super::problem::Problem;
use super::routes::Ask;

/// A browser may keep the page but asks before it shows it again: its words age.
const REVALIDATE: &str = "no-cache";

/// The latest rendering of the dashboard. Workers that find it out of date at the
/// same time each render it; none waits for another.
#[derive(Default)]
pub(super) struct PageCache(ArcSwapOption<Kept>);

struct Kept {
    version: u64,
    second: i64,
    page: Rendered,
}

impl PageCache {
    fn page(&self, site: &Site, snapshot: &Snapshot, now: Timestamp) -> Arc<Kept> {
        let (version, second) = (snapshot.version, now.as_second());
        let kept = self.0.load_full();
        if let Some(kept) = &kept
            && (kept.version, kept.second) == (version, second)
        {
            return Arc::clone(kept);
        }
        let html = dashboard_html(site, snapshot, now);
        let page = match kept {
            // Most seconds change no word, and then there is nothing to compress.
            Some(kept) if kept.page.identity.body == html => kept.page.clone(),
            _ => Rendered::new(HTML, html),
        };
        let fresh = Arc::new(Kept { version, second, page });
        self.0.store(Some(Arc::clone(&fresh)));
        fresh
    }
}

/// `/`
pub(super) fn dashboard(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let snapshot = (site.snapshots)();
    let kept = site.page.page(site, &snapshot, ask.now);
    deliver(&ask.request.headers, &kept.page, Policy::undated(REVALIDATE))
}

fn dashboard_html(site: &Site, snapshot: &Snapshot, now: Timestamp) -> String {
    let title = title(&site.settings.title, &snapshot.sources, now);
    let main = html! {
        (state::summary(&snapshot.sources, now))
        @if snapshot.sources.is_empty() { (nothing_configured()) }
        div.cards { @for source in &snapshot.sources { (card_of(source, now)) } }
    };
    layout::live(site, &title, &main).into_string()
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
fn card_of(source: &SourceView, now: Timestamp) -> Markup {
    let has = |field: &str| source.value(field).is_some();
    match source.kind {
        "ptlevel" | "ptdevices" => tank::card(source, now),
        "open-meteo" | "nws" | "ambient" => weather::card(source, now),
        _ if has("level") => tank::card(source, now),
        _ if has("conditions") || has("weather_code") => weather::card(source, now),
        _ => card::generic(source, now),
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
                    " and send the process a " code { "HUP" } "."
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
    layout::still(site, &format!("{title} · {}", site.settings.title), &main).into_string()
}
