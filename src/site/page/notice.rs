//! Notices above the cards, about the server itself.

use maud::{Markup, html};

use super::icon::Icon;
use super::time::{AgeFormat, Clock, time};
use crate::history::Health;

/// Renders a notice if the history cannot be written; `dropped` is the number of values lost.
pub(super) fn history(health: &Health, dropped: u64, clock: Clock<'_>) -> Markup {
    html! {
        @if let Some(error) = &health.error {
            p.notice role="status" {
                (Icon::Failing.render())
                span {
                    "History is not being written, for " (time(error.since, clock, AgeFormat::Span))
                    @if dropped > 0 { "; " (dropped) " values were dropped" }
                    ". The readings below are not affected; the log has the reason."
                }
            }
        }
    }
}

/// Renders a notice if the site's certificate expires soon.
///
/// It does not contain the certificate's names: visitors need not know them.
pub(super) fn certificate(days: Option<i64>) -> Markup {
    html! {
        @if let Some(days) = days {
            p.notice role="status" {
                (Icon::Failing.render())
                span {
                    @match days {
                        ..0 => "This site's certificate has expired",
                        0 => "This site's certificate expires within a day",
                        1 => "This site's certificate expires in 1 day",
                        _ => { "This site's certificate expires in " (days) " days" }
                    }
                    "; browsers refuse an expired one. The server's operator has to renew it."
                }
            }
        }
    }
}
