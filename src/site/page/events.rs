//! What happened, as a list for people.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use super::state::{Form, time};
use crate::board::{Event, EventKind, SourceView};
use crate::history::StoredEvent;

/// The events, the latest first.
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
    let (icon, class, words) = told(event.kind);
    let source = event.source.as_deref().map(|name| {
        // One that is not configured any more is known by its name only.
        let known = sources.iter().find(|source| *source.name == *name);
        known.map_or(name, |source| &source.title)
    });
    html! {
        li.(class) {
            (icon.show())
            div {
                p { @if let Some(source) = source { strong { (source) } " " } (words) }
                @if !event.detail.is_empty() && event.kind != EventKind::Started {
                    p.detail { (event.detail) }
                }
            }
            p.when { (time(event.at, now, Form::Ago)) }
        }
    }
}

const fn told(kind: EventKind) -> (Icon, &'static str, &'static str) {
    match kind {
        EventKind::Started => (Icon::Waiting, "plain", "The server started"),
        EventKind::Stopped => (Icon::Waiting, "plain", "The server stopped"),
        EventKind::Reloaded => (Icon::Waiting, "plain", "The configuration was read anew"),
        EventKind::Stale => (Icon::Stale, "bad", "turned stale"),
        EventKind::Fresh => (Icon::Fresh, "good", "is fresh again"),
        EventKind::ErrorBegan => (Icon::Failing, "bad", "cannot be reached"),
        EventKind::ErrorEnded => (Icon::Fresh, "good", "answers again"),
        EventKind::HistorySetAside => {
            (Icon::Failing, "bad", "The file of the history was damaged and set aside")
        }
    }
}
