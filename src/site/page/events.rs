//! The list of events.

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::icon::Icon;
use super::time::{AgeFormat, time};
use crate::board::{Event, EventKind, SourceView};
use crate::history::StoredEvent;
use crate::site::format::local_time;

/// Renders the latest `limit` events, latest first; nothing if there are none.
///
/// Events are stored in the order in which the program noticed them. A source that turned stale while
/// the program was stopped is noticed after the start, so the list is sorted by time.
pub(super) fn list<'e>(
    events: impl Iterator<Item = &'e StoredEvent>,
    limit: usize,
    sources: &[SourceView],
    zone: &TimeZone,
    now: Timestamp,
) -> Markup {
    let mut events: Vec<&StoredEvent> = events.collect();
    events.sort_by_key(|stored| Reverse((stored.event.at, stored.id)));
    events.truncate(limit);
    html! {
        @if !events.is_empty() {
            section.events aria-labelledby="events" {
                h2 #events { "Recent events" }
                ol { @for stored in events { (item(&stored.event, sources, zone, now)) } }
            }
        }
    }
}

fn item(event: &Event, sources: &[SourceView], zone: &TimeZone, now: Timestamp) -> Markup {
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
                    p.detail { (with_local_times(&event.detail, zone)) }
                }
            }
            p.when {
                (time(event.at, now, AgeFormat::Ago))
                span { (local_time(event.at.as_second(), zone)) }
            }
        }
    }
}

/// Returns a detail with its timestamps by the clocks of `zone`. Texts of events have timestamps of
/// RFC 3339 in UTC.
fn with_local_times(detail: &str, zone: &TimeZone) -> String {
    let local = |word: &str| {
        let at: Timestamp = word.parse().ok().filter(|_| word.ends_with('Z'))?;
        Some(local_time(at.as_second(), zone))
    };
    let words = detail.split(' ').map(|word| local(word).unwrap_or_else(|| word.to_owned()));
    words.collect::<Vec<_>>().join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an event at a time, stored under a number.
    fn stored(id: i64, at: &str, kind: EventKind, detail: &str) -> StoredEvent {
        let (at, detail) = (at.parse().unwrap(), detail.into());
        StoredEvent { id, event: Event { at, kind, source: None, detail } }
    }

    #[test]
    fn latest_events_are_sorted_by_time_and_shown_by_the_clocks_of_the_site() {
        let events = [
            stored(4, "2026-11-01T06:00:00Z", EventKind::Stopped, ""),
            stored(3, "2026-11-01T09:30:00Z", EventKind::Reloaded, ""),
            stored(
                2,
                "2026-11-01T08:30:00Z",
                EventKind::Stale,
                "the latest observation is of 2026-11-01T07:30:00Z",
            ),
            stored(1, "2026-11-01T10:30:00Z", EventKind::Started, ""),
        ];
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let now = "2026-11-01T12:00:00Z".parse().unwrap();
        let html = list(events.iter(), 3, &[], &zone, now).into_string();
        let shown: Vec<&str> = html
            .match_indices("<span>")
            .map(|(at, tag)| html[at + tag.len()..].split('<').next().unwrap())
            .collect();
        assert_eq!(
            shown,
            ["Sun 1 Nov 2026, 02:30", "Sun 1 Nov 2026, 01:30 PST", "Sun 1 Nov 2026, 01:30 PDT",]
        );
        assert!(html.contains("the latest observation is of Sun 1 Nov 2026, 00:30<"), "{html}");
    }
}
