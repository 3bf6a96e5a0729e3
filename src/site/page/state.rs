//! How far the readings can be trusted: badges, ages, failures.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Icon;
use crate::board::{ErrorKind, Failure, SourceView, State};
use crate::history::Health;
use crate::site::age;
use crate::site::freshness::state_at;
use crate::timestamp::Rfc3339;

/// The line above the cards: how many sources can be trusted.
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
            (icon.show()) span { (words) }
            @if failing > 0 { " " span.failing { (Icon::Failing.show()) (failing) " failing to update" } }
        }
    }
}

/// What the page has to say of a history that is not written.
pub(super) fn history(health: &Health, dropped: u64, now: Timestamp) -> Markup {
    html! {
        @if let Some(error) = &health.error {
            p.notice role="status" {
                (Icon::Failing.show())
                span {
                    "History is not being written, for " (time(error.since, now, Form::Span))
                    @if dropped > 0 { "; " (dropped) " values were given up" }
                    ". The readings below are not affected; the log tells why."
                }
            }
        }
    }
}

/// What the page has to say of a certificate that expires in so many days, if it is soon.
pub(super) fn expiry(days: Option<i64>) -> Markup {
    html! {
        @if let Some(days) = days {
            p.notice role="status" {
                (Icon::Failing.show())
                span {
                    @match days {
                        ..0 => "This site's certificate has expired",
                        0 => "This site's certificate expires within a day",
                        1 => "This site's certificate expires in 1 day",
                        _ => { "This site's certificate expires in " (days) " days" }
                    }
                    "; browsers refuse an expired one. Whoever keeps the server is to renew it."
                }
            }
        }
    }
}

/// The badge in a card's corner.
pub(super) fn badge(source: &SourceView, now: Timestamp) -> Markup {
    let (icon, word) = match state_at(source, now) {
        State::Fresh => (Icon::Fresh, "Fresh"),
        State::Stale => (Icon::Stale, "Stale"),
        State::Waiting => (Icon::Waiting, "Waiting"),
    };
    html! { p.badge { (icon.show()) span { (word) } } }
}

/// The band across a stale card.
pub(super) fn band(source: &SourceView, now: Timestamp) -> Markup {
    html! {
        @if let Some(reading) = &source.reading && state_at(source, now) == State::Stale {
            p.band {
                span {
                    strong { "STALE" } " — "
                    (time(reading.observed.at, now, Form::Rough)) " old"
                }
            }
        }
    }
}

/// Both clocks, and why the polls fail if they do.
pub(super) fn foot(source: &SourceView, now: Timestamp) -> Markup {
    html! {
        footer {
            @if let Some(failure) = &source.error { (trouble(source, failure, now)) }
            @if let Some(reading) = &source.reading {
                p.clocks {
                    span {
                        "Observed " (time(reading.observed.at, now, Form::Ago))
                        @if reading.observed.inferred { " (time estimated)" }
                    }
                    span { "Fetched " (time(reading.fetched_at, now, Form::Ago)) }
                }
            } @else if source.error.is_none() {
                p.clocks { span { "Asked, and waiting for the first answer." } }
            }
        }
    }
}

fn trouble(source: &SourceView, failure: &Failure, now: Timestamp) -> Markup {
    html! {
        div.failure {
            (Icon::Failing.show())
            div {
                p { strong { (meaning(failure.kind)) } }
                p.reason { code { (failure.kind) } " " (failure.message) }
                p {
                    "Failing for " (time(failure.since, now, Form::Span))
                    @if failure.failures > 1 { ", " (failure.failures) " tries in a row" }
                    "."
                    @if source.reading.is_some() { " The values are the last good ones." }
                }
            }
        }
    }
}

/// What a kind of failure means to someone who wants to know about the water.
const fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Timeout => "No answer in time",
        ErrorKind::Dns => "The address cannot be found",
        ErrorKind::Connect => "No connection",
        ErrorKind::Tls => "No secure connection",
        ErrorKind::Http => "The service answers with an error",
        ErrorKind::TooLarge => "The answer is too large",
        ErrorKind::Decode => "The answer makes no sense",
        ErrorKind::RateLimited => "The service asks for patience",
        ErrorKind::Panic => "A defect in this program",
    }
}

/// How a time is told; the script knows these names.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// `4 minutes ago`
    Ago,
    /// `3 hours 5 minutes`
    Span,
    /// `3 hours`
    Rough,
}

/// An age in words with the time itself behind it.
pub(super) fn time(at: Timestamp, now: Timestamp, form: Form) -> Markup {
    let elapsed = age::since(at, now);
    let (name, words) = match form {
        Form::Ago => ("ago", age::words(elapsed)),
        Form::Span => ("span", age::span(elapsed)),
        Form::Rough => ("rough", age::rough(elapsed)),
    };
    html! {
        time datetime=(Rfc3339(at)) data-age=(name)
            title=(at.strftime("%A, %-d %B %Y, %H:%M:%S UTC")) { (words) }
    }
}
