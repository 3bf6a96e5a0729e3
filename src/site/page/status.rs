//! Freshness of the readings: the summary, and the badge, band and foot of a card.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use super::time::{AgeFormat, time};
use crate::board::{ErrorKind, Failure, SourceView, State};
use crate::site::freshness::state_at;

/// Renders the line above the cards: the number of fresh, stale and failing sources.
pub(super) fn summary(sources: &[SourceView], now: Timestamp) -> Markup {
    let count =
        |state: State| sources.iter().filter(|source| state_at(source, now) == state).count();
    let (fresh, stale, waiting) = (count(State::Fresh), count(State::Stale), count(State::Waiting));
    let total = sources.len();
    if total == 0 {
        return html! {};
    }
    let (state, icon, words) = if fresh == total {
        let words = if total == 1 {
            "The reading is fresh".to_owned()
        } else {
            format!("All {total} readings are fresh")
        };
        (State::Fresh, Icon::Fresh, words)
    } else if stale > 0 {
        (State::Stale, Icon::Stale, format!("{stale} of {total} stale"))
    } else {
        (State::Waiting, Icon::Waiting, format!("Waiting for {waiting} of {total}"))
    };
    let failing = sources.iter().filter(|source| source.error.is_some()).count();
    html! {
        p.summary #summary data-state=(state.as_str()) {
            (icon.render()) span { (words) }
            @if failing > 0 { " " span.failing { (Icon::Failing.render()) (failing) " failing to update" } }
        }
    }
}

/// Renders the state of a source, for the corner of its card.
pub(super) fn badge(source: &SourceView, now: Timestamp) -> Markup {
    let (icon, word) = match state_at(source, now) {
        State::Fresh => (Icon::Fresh, "Fresh"),
        State::Stale => (Icon::Stale, "Stale"),
        State::Waiting => (Icon::Waiting, "Waiting"),
    };
    html! { p.badge { (icon.render()) span { (word) } } }
}

/// Renders the band across a stale card, and nothing on other cards.
pub(super) fn stale_band(source: &SourceView, now: Timestamp) -> Markup {
    html! {
        @if let Some(reading) = &source.reading && state_at(source, now) == State::Stale {
            p.band {
                span {
                    strong { "STALE" } " — "
                    (time(reading.observed.at, now, AgeFormat::Rough)) " old"
                }
            }
        }
    }
}

/// Renders the foot of a card: the failure, if polls fail, and the times of observation and fetch.
pub(super) fn foot(source: &SourceView, now: Timestamp) -> Markup {
    html! {
        footer {
            @if let Some(failure) = &source.error { (failure_notice(source, failure, now)) }
            @if let Some(reading) = &source.reading {
                p.clocks {
                    span {
                        "Observed " (time(reading.observed.at, now, AgeFormat::Ago))
                        @if reading.observed.inferred { " (time estimated)" }
                    }
                    span { "Fetched " (time(reading.fetched_at, now, AgeFormat::Ago)) }
                }
            } @else if source.error.is_none() {
                p.clocks { span { "Waiting for the first answer." } }
            }
        }
    }
}

fn failure_notice(source: &SourceView, failure: &Failure, now: Timestamp) -> Markup {
    html! {
        div.failure {
            (Icon::Failing.render())
            div {
                p { strong { (in_words(failure.kind)) } }
                p.reason { code { (failure.kind) } " " (failure.message) }
                p {
                    "Failing for " (time(failure.since, now, AgeFormat::Span))
                    @if failure.failures > 1 { ", " (failure.failures) " tries in a row" }
                    "."
                    @if source.reading.is_some() { " The values are the last good ones." }
                }
            }
        }
    }
}

/// Returns a kind of failure in words for visitors, who do not know the protocols.
const fn in_words(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Timeout => "No answer in time",
        ErrorKind::Dns => "The address cannot be found",
        ErrorKind::Connect => "No connection",
        ErrorKind::Tls => "No secure connection",
        ErrorKind::Http => "The service answers with an error",
        ErrorKind::TooLarge => "The answer is too large",
        ErrorKind::Decode => "The answer cannot be understood",
        ErrorKind::RateLimited => "The service limits requests",
        ErrorKind::Panic => "A defect in this program",
    }
}
