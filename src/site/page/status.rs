//! Freshness of the readings: the summary, and the badge, failure, band and foot of a card.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use super::time::{AgeFormat, Clock, time};
use crate::board::{ErrorKind, SourceView, SourceViews, State};
use crate::site::freshness::{is_later, state_at};
use crate::site::ranking::Counts;

/// Renders the line above the cards: the number of failing, stale, waiting and fresh sources, the worst
/// first.
pub(super) fn summary(sources: &SourceViews, now: Timestamp) -> Markup {
    counted(&Counts::of(sources, now))
}

/// Renders the summary of counted sources.
pub(super) fn counted(counts: &Counts) -> Markup {
    let Counts { total, failing, stale, fresh, unanswered: waiting, .. } = *counts;
    if total == 0 {
        return html! {};
    }
    let fresh_words = match (fresh == total, total, failing) {
        (true, 1, 0) => Some("The reading is fresh".to_owned()),
        (true, _, 0) => Some(format!("All {total} readings are fresh")),
        (true, 1, _) => Some("The reading is still fresh".to_owned()),
        (true, _, _) => Some(format!("All {total} readings are still fresh")),
        _ => None,
    };
    let parts = [
        ("failing", Icon::Failing, failing, format!("{failing} of {total} failing to update")),
        ("stale", Icon::Stale, stale, format!("{stale} of {total} stale")),
        ("waiting", Icon::Waiting, waiting, without_reading(waiting, total)),
        ("fresh", Icon::Fresh, usize::from(fresh_words.is_some()), fresh_words.unwrap_or_default()),
    ];
    let mut parts = parts.into_iter().filter(|(_, _, count, _)| *count > 0).peekable();
    let worst = parts.peek().map(|(state, ..)| *state);
    html! {
        p.summary #summary data-total=(total) data-stale=(stale) data-state=[worst] {
            @for (index, (state, icon, _, words)) in parts.enumerate() {
                @if index > 0 { " " }
                span.part data-state=(state) { (icon.render()) span { (words) } }
            }
        }
    }
}

/// Returns `1 of 3 has no reading yet`.
fn without_reading(count: usize, total: usize) -> String {
    let have = if count == 1 { "has" } else { "have" };
    format!("{count} of {total} {have} no reading yet")
}

/// Renders the state of a source, for the corner of its card.
///
/// While the values of a failing source are fresh, they say so; the failure is a notice below.
pub(super) fn badge(source: &SourceView, now: Timestamp) -> Markup {
    let (icon, word) = match state_at(source, now) {
        State::Fresh => (Icon::Fresh, "Fresh"),
        _ if source.error.is_some() => (Icon::Failing, "Failing"),
        State::Stale => (Icon::Stale, "Stale"),
        State::Waiting => (Icon::Waiting, "Waiting"),
    };
    html! { p.badge { (icon.render()) span { (word) } } }
}

/// Renders the band across a stale card, and nothing on other cards.
pub(super) fn stale_band(source: &SourceView, clock: Clock<'_>) -> Markup {
    html! {
        @if let Some(reading) = &source.reading && state_at(source, clock.now) == State::Stale {
            p.band {
                span {
                    strong { "STALE" } " — "
                    @if is_later(reading.observed.at, clock.now) {
                        "observed " (time(reading.observed.at, clock, AgeFormat::Ago))
                    } @else { (time(reading.observed.at, clock, AgeFormat::Rough)) " old" }
                }
            }
        }
    }
}

/// Renders the foot of a card: the times of observation and fetch.
pub(super) fn foot(source: &SourceView, clock: Clock<'_>) -> Markup {
    html! {
        footer {
            @if let Some(reading) = &source.reading {
                p.clocks {
                    span {
                        "Observed " (time(reading.observed.at, clock, AgeFormat::Ago))
                        @if reading.observed.inferred { " (time estimated)" }
                    }
                    span { "Fetched " (time(reading.fetched_at, clock, AgeFormat::Ago)) }
                }
            } @else if source.error.is_none() {
                p.clocks { span { "Waiting for the first answer." } }
            } @else {
                p.clocks { span { "It has not answered since the start." } }
            }
        }
    }
}

/// Renders the failure of a source, and nothing if its polls succeed.
pub(super) fn failure_notice(source: &SourceView, clock: Clock<'_>) -> Markup {
    html! {
        @if let Some(failure) = &source.error {
            div.failure {
                (Icon::Failing.render())
                div {
                    p { strong { (in_words(failure.kind)) } }
                    p.reason { code { (failure.kind) } " " (failure.message) }
                    p {
                        "Failing for " (time(failure.since, clock, AgeFormat::Span))
                        @if failure.failures > 1 { ", " (failure.failures) " tries in a row" }
                        "."
                        @if source.reading.is_some() { " The values are the last good ones." }
                    }
                }
            }
        }
    }
}

/// Returns a kind of failure in words for visitors, who do not know the protocols.
pub(super) const fn in_words(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Timeout => "No answer in time",
        ErrorKind::Dns => "The address cannot be found",
        ErrorKind::Connect => "No connection",
        ErrorKind::Tls => "No secure connection",
        ErrorKind::Http => "The service answers with an error",
        ErrorKind::TooLarge => "The answer is too large",
        ErrorKind::Decode => "The answer cannot be understood",
        ErrorKind::RateLimited => "The service limits requests",
        ErrorKind::Resources => "This server is short of resources",
        ErrorKind::Panic => "A defect in this program",
    }
}
