//! Notices above the cards, about the server itself.

use maud::{Markup, html};

use super::alert_words::clock_mark;
use super::icon::Icon;
use super::time::{AgeFormat, Clock, time};
use crate::history::Health;
use crate::notify::{ChannelFailure, ChannelStatus, DeliveryFault};
use crate::site::context::CertificateState;

/// Most channels of which a page warns.
const MAX_CHANNELS: usize = 5;

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

/// Renders a notice for each channel that does not take its messages.
///
/// Messages that wait for the end of quiet hours, or to be sent together, are no reason for a notice.
pub(super) fn channels(channels: &[ChannelStatus], clock: Clock<'_>) -> Markup {
    let failing = channels.iter().filter_map(|channel| Some((channel, channel.failure.as_ref()?)));
    let is_told = |(channel, failure): &(&ChannelStatus, &ChannelFailure)| {
        channel.waiting > 0 || failure.fault == DeliveryFault::Refused
    };
    html! {
        @for (channel, failure) in failing.filter(is_told).take(MAX_CHANNELS) {
            p.notice role="status" {
                (Icon::Failing.render())
                span { (channel_in_words(channel, failure, clock)) }
            }
        }
    }
}

fn channel_in_words(channel: &ChannelStatus, failure: &ChannelFailure, clock: Clock<'_>) -> Markup {
    let ChannelStatus { name, waiting, oldest, .. } = channel;
    html! {
        @match waiting {
            0 => { "Messages are refused since " (clock_mark(failure.since, clock)) }
            1 => { "1 message waiting since " (clock_mark(oldest.unwrap_or(failure.since), clock)) }
            _ => { (waiting) " messages waiting since " (clock_mark(oldest.unwrap_or(failure.since), clock)) }
        }
        " (" (name) ": " (failure.message) ")"
        @if failure.fault == DeliveryFault::Refused {
            ". The server's operator has to correct the settings of this channel."
        }
    }
}
