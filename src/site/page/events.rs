//! The list of events.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use super::time::{AgeFormat, time};
use crate::board::{Event, EventKind, SourceView};
use crate::history::StoredEvent;

/// Renders events, latest first; nothing if there are none.
pub(super) fn list<'e>(
    events: impl Iterator<Item = &'e StoredEvent>,
    sources: &[SourceView],
    now: Timestamp,
) -> Markup {
    let mut events = events.peekable();
    html! {
        @if events.peek().is_some() {
            section.events aria-labelledby="events" {
                h2 #events { "What happened" }
                ol { @for stored in events { (item(&stored.event, sources, now)) } }
            }
        }
    }
}

fn item(event: &Event, sources: &[SourceView], now: Timestamp) -> Markup {
    let (icon, class, words) = description(event.kind);
    let source = event.source.as_deref().map(|name| {
        // A source that is no longer configured has no title any more.
        let configured = sources.iter().find(|source| *source.name == *name);
        configured.map_or(name, |source| &source.title)
    });
    html! {
        li.(class) {
            (icon.render())
            div {
                p { @if let Some(source) = source { strong { (source) } " " } (words) }
                @if !event.detail.is_empty() && event.kind != EventKind::Started {
                    p.detail { (event.detail) }
                }
            }
            p.when { (time(event.at, now, AgeFormat::Ago)) }
        }
    }
}

/// Returns the icon, the class and the words of an event; the words follow the source's title.
const fn description(kind: EventKind) -> (Icon, &'static str, &'static str) {
    match kind {
        EventKind::Started => (Icon::Waiting, "plain", "The server started"),
        EventKind::Stopped => (Icon::Waiting, "plain", "The server stopped"),
        EventKind::Reloaded => (Icon::Waiting, "plain", "The configuration was reloaded"),
        EventKind::Stale => (Icon::Stale, "bad", "turned stale"),
        EventKind::Fresh => (Icon::Fresh, "good", "is fresh again"),
        EventKind::ErrorBegan => (Icon::Failing, "bad", "cannot be reached"),
        EventKind::ErrorEnded => (Icon::Fresh, "good", "answers again"),
        EventKind::HistorySetAside => {
            (Icon::Failing, "bad", "The history file was damaged and set aside")
        }
        EventKind::ClockStepped => (Icon::Waiting, "plain", "The clock of this machine was set"),
    }
}
