//! Notices above the cards, about the server itself.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::alert_words::clock_mark;
use super::icon::Icon;
use super::time::{AgeFormat, Clock, time};
use super::view::View;
use crate::access::Role;
use crate::format::whole;
use crate::history::{FaultKind, Health};
use crate::notify::{ChannelFailure, ChannelStatus, DeliveryFault};
use crate::site::context::{CertificateState, StoreOutage};
use crate::store::FaultScope;

/// Most channels of which a page warns.
const MAX_CHANNELS: usize = 5;

/// Time for which the database is away before a page says so: a connection that is closed is made again meanwhile.
const SHORT_OUTAGE: SignedDuration = SignedDuration::from_secs(5);

/// Renders a notice if the database that replicas share is away, or else if the history cannot be written.
pub(super) fn data(view: &View<'_>) -> Markup {
    let is_away =
        view.store.as_ref().is_some_and(|outage| outage.fault.scope == FaultScope::Database);
    html! {
        (store(view))
        @if !is_away {
            (history(&view.history.health(), view.history.dropped(), view.clock()))
        }
    }
}

/// Renders a notice if the database that replicas share is away, or refuses what they share. Guests need not know the
/// reason.
pub(super) fn store(view: &View<'_>) -> Markup {
    let is_long = |it: &&StoreOutage| view.now.duration_since(it.fault.since) >= SHORT_OUTAGE;
    let Some(outage) = view.store.as_ref().filter(is_long) else { return html! {} };
    let StoreOutage { fault, polled } = outage;
    let since = time(fault.since, view.clock(), AgeFormat::Span);
    html! {
        p.notice role="status" {
            (Icon::Failing.render())
            span {
                @if fault.scope == FaultScope::Sharing {
                    "Some readings may be old: the servers of this site have not exchanged all of them for " (since)
                    @if view.visitor.role != Role::Guest { ": the database answers, but " (fault.message) }
                    "."
                } @else if view.visitor.role == Role::Guest {
                    "Some readings may be old: this server has not reached its database for " (since)
                    ". Charts and earlier events are missing meanwhile; nothing is lost."
                } @else {
                    "The database that the replicas share has been away for " (since) ": " (fault.message)
                    ". "
                    @match polled {
                        0 => { "This replica polls no source meanwhile, so its readings grow old. " }
                        1 => { "This replica polls 1 source on; the readings of the others grow old. " }
                        _ => {
                            "This replica polls " (polled) " sources on; the readings of the others grow old. "
                        }
                    }
                    (waiting(view.history.spooled()))
                }
            }
        }
    }
}

/// Returns a sentence on the records that wait for the database.
fn waiting(records: u64) -> Markup {
    html! {
        @match records {
            0 => { "New observations wait on its disk." }
            1 => { "1 observation or event waits on its disk." }
            _ => { (whole(records as f64)) " observations and events wait on its disk." }
        }
    }
}

/// Renders a notice if the history cannot be written; `dropped` is the number of values lost.
fn history(health: &Health, dropped: u64, clock: Clock<'_>) -> Markup {
    html! {
        @if let Some(error) = &health.error {
            p.notice role="status" {
                (Icon::Failing.render())
                span {
                    @if error.kind == FaultKind::Store { "The history waits on this server's disk, for " }
                    @else { "History is not being written, for " }
                    (time(error.since, clock, AgeFormat::Span))
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

/// Renders a notice for each channel that does not take its messages, or has lost some.
///
/// Messages that wait for the end of quiet hours, or to be sent together, are no reason for a notice.
pub(super) fn channels(channels: &[ChannelStatus], clock: Clock<'_>) -> Markup {
    let texts = channels.iter().flat_map(|channel| [waits(channel, clock), losses(channel, clock)]);
    html! {
        @for text in texts.flatten().take(MAX_CHANNELS) {
            p.notice role="status" {
                (Icon::Failing.render())
                span { (text) }
            }
        }
    }
}

fn waits(channel: &ChannelStatus, clock: Clock<'_>) -> Option<Markup> {
    let ChannelStatus { name, waiting, oldest, stall, failure, .. } = channel;
    let refused = failure.as_ref().filter(|failure| failure.fault == DeliveryFault::Refused);
    // While messages wait, there is an oldest one.
    let since = (*oldest).or(refused.map(|failure| failure.since))?;
    let reason = failure.as_ref().map(|failure| &failure.message).or(stall.as_ref())?;
    Some(html! {
        @match waiting {
            0 => { "Messages are refused since " (clock_mark(since, clock)) }
            1 => { "1 message waiting since " (clock_mark(since, clock)) }
            _ => { (waiting) " messages waiting since " (clock_mark(since, clock)) }
        }
        " (" (name) ": " (reason) ")"
        @if refused.is_some() {
            ". The server's operator has to correct the settings of this channel."
        }
    })
}

fn losses(channel: &ChannelStatus, clock: Clock<'_>) -> Option<Markup> {
    let ChannelStatus { name, dropped, loss, .. } = channel;
    let ChannelFailure { since, message, .. } = loss.as_ref()?;
    Some(html! {
        @match dropped {
            1 => { "1 message was dropped at " }
            _ => { (dropped) " messages were dropped, the latest at " }
        }
        (clock_mark(*since, clock)) " (" (name) ": " (message) ")"
    })
}
