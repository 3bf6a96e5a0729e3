//! Notices above the cards, about the server itself.

use maud::{Markup, html};

use super::icon::Icon;
use super::time::{AgeFormat, Clock, time};
use crate::history::Health;
use crate::site::context::CertificateState;

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

/// Renders notices if the site's certificate expires soon, and if a renewed one cannot be loaded.
///
/// They contain neither the certificate's names nor the files and the error: visitors need not know them.
pub(super) fn certificate(state: CertificateState, clock: Clock<'_>) -> Markup {
    let CertificateState { days, renewal_failed_since } = state;
    html! {
        @if let Some(since) = renewal_failed_since {
            p.notice role="status" {
                (Icon::Failing.render())
                span {
                    "This site's renewed certificate has not been loaded for "
                    (time(since, clock, AgeFormat::Span))
                    "; the earlier one stays in use until it expires. The server's operator has to correct its files."
                }
            }
        }
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
