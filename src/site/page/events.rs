//! The list of events.

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use strum::VariantArray as _;

use super::icon::Icon;
use super::status::in_words;
use super::time::{AgeFormat, Clock, time};
use crate::access::Role;
use crate::alert::without_author;
use crate::board::{ErrorKind, Event, EventKind, SourceViews};
use crate::config::is_name;
use crate::format::local_time;
use crate::history::StoredEvent;
use crate::order;

/// Renders the latest `limit` events, latest first; nothing if there are none. Guests do not see names of accounts.
///
/// Events are stored in the order in which the program noticed them. A source that turned stale while
/// the program was stopped is noticed after the start, so the list is sorted by time.
pub(super) fn list<'e>(
    events: impl Iterator<Item = &'e StoredEvent>,
    limit: usize,
    sources: &SourceViews,
    role: Role,
    clock: Clock<'_>,
) -> Markup {
    let mut events: Vec<&StoredEvent> = events.collect();
    // Stored times are whole seconds; those of events that are not written yet may not be.
    order::sort_by_key(&mut events, |stored| Reverse((stored.event.at.as_second(), stored.id)));
    events.truncate(limit);
    html! {
        @if !events.is_empty() {
            section.events aria-labelledby="events" {
                h2 #events { "Recent events" }
                ol { @for stored in events { (item(&stored.event, sources, role, clock)) } }
            }
        }
    }
}

fn item(event: &Event, sources: &SourceViews, role: Role, clock: Clock<'_>) -> Markup {
    let (icon, class, mut words) = description(event.kind);
    let mut detail = event.detail.to_string();
    if event.kind == EventKind::ErrorBegan
        && let Some((kind, message)) = failure(&event.detail)
    {
        if is_answered(kind) {
            words = "stopped updating";
        }
        detail = format!("{}: {message}", in_words(kind));
    }
    let shown = match role {
        Role::Guest => without_author(event.kind, &event.detail),
        Role::Reader | Role::Responder => &event.detail,
    };
    let alert = alert_of(event.kind, shown);
    if let Some((_, condition)) = alert {
        detail = condition.to_owned();
    }
    let source = event.source.as_deref().map(|name| {
        // A source that is no longer configured has no title any more.
        let configured = sources.get(name);
        configured.map_or(name, |source| &source.title)
    });
    html! {
        li.(class) {
            (icon.render())
            div {
                p { @if let Some(source) = source { strong { (source) } " " }
                    @if let Some((name, _)) = alert {
                        @if source.is_some() { "alert " } @else { "Alert " }
                        b { (name) } " "
                    }
                    (words)
                }
                @if !detail.is_empty() && event.kind != EventKind::Started {
                    p.detail { (with_local_times(&detail, clock.zone)) }
                }
            }
            p.when {
                (time(event.at, clock, AgeFormat::Ago))
                span { (local_time(event.at.as_second(), clock.zone)) }
            }
        }
    }
}

/// Returns the name of the alert of an event, and the rest of its detail: `tank_low: 280 gal, below 300 gal`.
fn alert_of(kind: EventKind, detail: &str) -> Option<(&str, &str)> {
    match kind {
        EventKind::AlertFired
        | EventKind::AlertAcknowledged
        | EventKind::AlertSilenced
        | EventKind::AlertUnsilenced
        | EventKind::AlertEnded => detail.split_once(": ").filter(|(name, _)| is_name(name)),
        _ => None,
    }
}

/// Returns the kind and the message of the failure that a detail states: `decode: the response is not JSON`.
fn failure(detail: &str) -> Option<(ErrorKind, &str)> {
    let (name, message) = detail.split_once(": ")?;
    let kind = ErrorKind::VARIANTS.iter().find(|kind| kind.as_str() == name)?;
    Some((*kind, message))
}

/// Returns true if a response caused the failure, or no request was made.
const fn is_answered(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Timeout | ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Tls => false,
        ErrorKind::Http
        | ErrorKind::TooLarge
        | ErrorKind::Decode
        | ErrorKind::RateLimited
        | ErrorKind::Resources
        | ErrorKind::Panic => true,
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
        EventKind::AlertFired => (Icon::Failing, "bad", "fired"),
        EventKind::AlertAcknowledged => (Icon::Waiting, "plain", "was acknowledged"),
        EventKind::AlertSilenced => (Icon::Waiting, "plain", "was silenced"),
        EventKind::AlertUnsilenced => (Icon::Waiting, "plain", "is no longer silenced"),
        EventKind::AlertEnded => (Icon::Fresh, "good", "ended"),
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
        let html = list(
            events.iter(),
            3,
            &SourceViews::default(),
            Role::Reader,
            Clock { now, zone: &zone },
        )
        .into_string();
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
    #[test]
    fn events_of_one_second_are_in_the_order_of_their_numbers() {
        let events = [
            stored(1, "2026-11-01T10:30:00.9Z", EventKind::Started, ""),
            stored(2, "2026-11-01T10:30:00Z", EventKind::ErrorBegan, "connect: refused"),
            stored(3, "2026-11-01T10:30:00Z", EventKind::Stale, ""),
        ];
        let now = "2026-11-01T12:00:00Z".parse().unwrap();
        let html = list(
            events.iter(),
            3,
            &SourceViews::default(),
            Role::Reader,
            Clock { now, zone: &TimeZone::UTC },
        )
        .into_string();
        let places = ["turned stale", "cannot be reached", "The server started"]
            .map(|words| html.find(words).unwrap());
        assert!(places.is_sorted(), "{html}");
    }

    #[test]
    fn event_of_an_alert_has_its_name_and_its_condition() {
        let mut fired = stored(
            1,
            "2026-11-01T10:30:00Z",
            EventKind::AlertFired,
            "tank_low: 280 gal, below 300 gal",
        );
        let now = "2026-11-01T12:00:00Z".parse().unwrap();
        let html = |stored: &StoredEvent| {
            let clock = Clock { now, zone: &TimeZone::UTC };
            list([stored].into_iter(), 1, &SourceViews::default(), Role::Reader, clock)
                .into_string()
        };
        let of_server = html(&fired);
        assert!(of_server.contains("<p>Alert <b>tank_low</b> fired</p>"), "{of_server}");
        assert!(of_server.contains(">280 gal, below 300 gal</p>"), "{of_server}");
        fired.event.source = Some("tank".into());
        fired.event.detail = "<b>x</b>: y".into();
        let hostile = html(&fired);
        assert!(hostile.contains("<strong>tank</strong> fired</p>"), "{hostile}");
        assert!(hostile.contains("&lt;b&gt;x&lt;/b&gt;: y"), "{hostile}");
    }

    #[test]
    fn guests_do_not_see_who_silenced_an_alert() {
        let detail = "tank_low: until 2026-11-01T12:30:00Z by anna";
        let silenced = stored(1, "2026-11-01T10:30:00Z", EventKind::AlertSilenced, detail);
        for (role, words) in [
            (Role::Guest, ">until Sun 1 Nov 2026, 12:30</p>"),
            (Role::Reader, ">until Sun 1 Nov 2026, 12:30 by anna</p>"),
            (Role::Responder, ">until Sun 1 Nov 2026, 12:30 by anna</p>"),
        ] {
            let now = "2026-11-01T12:00:00Z".parse().unwrap();
            let clock = Clock { now, zone: &TimeZone::UTC };
            let sources = SourceViews::default();
            let html = list([&silenced].into_iter(), 1, &sources, role, clock).into_string();
            assert!(html.contains("<p>Alert <b>tank_low</b> was silenced</p>"), "{html}");
            assert!(html.contains(words), "{role:?}: {html}");
        }
    }

    #[test]
    fn failure_is_in_words_by_its_kind() {
        for &kind in ErrorKind::VARIANTS {
            let event = stored(
                1,
                "2026-11-01T10:30:00Z",
                EventKind::ErrorBegan,
                &format!("{kind}: the message: x"),
            );
            let now = "2026-11-01T12:00:00Z".parse().unwrap();
            let html = list(
                [&event].into_iter(),
                1,
                &SourceViews::default(),
                Role::Reader,
                Clock { now, zone: &TimeZone::UTC },
            )
            .into_string();
            let words = match kind {
                ErrorKind::Timeout | ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Tls => {
                    "cannot be reached"
                }
                _ => "stopped updating",
            };
            let detail = format!("<p class=\"detail\">{}: the message: x</p>", in_words(kind));
            assert!(html.contains(words) && html.contains(&detail), "{kind}: {html}");
        }
    }
}
