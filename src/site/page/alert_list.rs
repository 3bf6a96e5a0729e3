//! The page of all alerts: their states, the latest incidents, and the channels that carry messages.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::alert_words::{clock_mark, measured, severity_mark, state_name, subject_title};
use super::firing::Firing;
use super::layout::LivePage;
use super::time::{AgeFormat, time};
use super::view::View;
use super::{incidents, notice};
use crate::alert::{AlertState, AlertView};
use crate::format::{field_label, whole};
use crate::notify::ChannelStatus;
use crate::order;

/// Most alerts on the page.
const MAX_ROWS: usize = 200;

/// Most incidents on the page.
const MAX_INCIDENTS: usize = 20;

/// Renders the page of all alerts.
pub(in crate::site) fn alert_list(view: &View<'_>) -> String {
    let firing = Firing::of(view.alerts, |_| true);
    let mut alerts: Vec<&AlertView> = view.alerts.alerts.iter().map(|alert| &**alert).collect();
    order::sort_by_key(&mut alerts, |alert| {
        let worst = alert.subjects.first().map(|subject| subject.state);
        Reverse(worst.map(|state| (state, alert.severity)))
    });
    let hidden = alerts.len().saturating_sub(MAX_ROWS);
    let recent = &view.alerts.recent;
    let main = html! {
        p.back { a href=(view.layout.root) { "All readings" } }
        h2 { "Alerts" }
        (notice::store(view))
        (notice::channels(view.channels, view.clock()))
        (firing.section(view))
        @if alerts.is_empty() {
            p.quiet {
                "No alert is configured. Add an " code { "[[alert]]" } " to " code { "pumphouse.toml" } "."
            }
        } @else {
            (table(view, &alerts[..alerts.len() - hidden]))
            @if hidden > 0 { p.quiet { "And " (whole(hidden as f64)) " other alerts, none of them worse." } }
        }
        @if !recent.is_empty() {
            section aria-labelledby="incidents" {
                h2 #incidents { "Latest incidents that have ended" }
                (incidents::table(view, recent.iter().take(MAX_INCIDENTS).map(|one| &**one), true))
            }
        }
        (channels(view))
    };
    let parts = firing.title(&view.snapshot.sources).into_iter();
    let parts = parts.chain(["Alerts".to_owned(), view.layout.title.to_owned()]);
    view.layout.live(&LivePage {
        title: &parts.collect::<Vec<_>>().join(" · "),
        description: "Alerts, their states and their latest incidents.",
        main: &main,
        by_session: view.visitor.by_session,
        alarms: firing.alarms(),
        has_alerts: true,
        now: view.now,
    })
}

fn table(view: &View<'_>, alerts: &[&AlertView]) -> Markup {
    html! {
        div.scroll.records role="region" tabindex="0" aria-label="Table of alerts" {
            table {
                caption.unseen { "Alerts, the worst first" }
                thead {
                    tr {
                        th scope="col" { "Alert" }
                        th scope="col" { "State" }
                        th scope="col" { "Condition" }
                        th scope="col" { "Value" }
                        th scope="col" { "Since" }
                    }
                }
                tbody { @for alert in alerts { (row(view, alert)) } }
            }
        }
    }
}

fn row(view: &View<'_>, alert: &AlertView) -> Markup {
    let worst = alert.subjects.first();
    let state = worst.map_or(AlertState::Inactive, |worst| worst.state);
    let since = alert.subjects.iter().map(|subject| subject.since).min();
    html! {
        tr data-key=(alert.name) data-state=(state.as_str()) {
            th scope="row" {
                a href={ (view.layout.root) "alert/" (alert.name) } { (alert.name) }
                small { (severity_mark(alert.severity)) }
            }
            td {
                (state_name(state))
                @if alert.subjects.len() > 1 {
                    small { "on " (whole(alert.subjects.len() as f64)) " sources" }
                }
                @if let Some(until) = alert.silenced_until {
                    small { "silenced until " (clock_mark(until, view.clock())) }
                }
                @if let Some(fault) = &alert.fault { small { "cannot be applied: " (fault) } }
            }
            td { (rule_in_words(view, alert)) }
            td {
                @match &*alert.subjects {
                    [only] => { (measured(&only.evidence).unwrap_or_default()) }
                    [] => {}
                    [worst, ..] => {
                        (subject_title(worst, &view.snapshot.sources).unwrap_or_default()) " "
                        (measured(&worst.evidence).unwrap_or_default())
                    }
                }
            }
            td { @if let Some(since) = since { (time(since, view.clock(), AgeFormat::Span)) } }
        }
    }
}

/// Renders the subject and the condition of a rule: `Cistern: volume below 300 gal`.
pub(super) fn rule_in_words(view: &View<'_>, alert: &AlertView) -> Markup {
    let source = alert.source.as_deref();
    let title =
        source.and_then(|name| view.snapshot.sources.get(name)).map(|source| &*source.title);
    html! {
        @if let Some(title) = title.or(source) { (title) ": " }
        @if let Some(field) = &alert.field { (field_label(field)) " " }
        (alert.condition)
    }
}

/// Renders the channels, with what waits for them.
fn channels(view: &View<'_>) -> Markup {
    html! {
        @if !view.channels.is_empty() {
            section.scripts aria-labelledby="channels" {
                h2 #channels { "Channels" }
                ul { @for channel in view.channels { li data-key=(channel.name) { (channel_in_words(channel)) } } }
            }
        }
    }
}

fn channel_in_words(channel: &ChannelStatus) -> Markup {
    let ChannelStatus { name, kind, waiting, stall, sent, failure, dropped, .. } = channel;
    html! {
        strong { (name) } " (" (kind) "): " (whole(*sent as f64)) " sent since the start"
        @if *waiting > 0 { ", " (whole(*waiting as f64)) " waiting" }
        @if *dropped > 0 { ", " (whole(*dropped as f64)) " dropped" }
        @if let Some(failure) = failure { "; the latest attempt failed: " (failure.message) }
        @else if let Some(stall) = stall { ": " (stall) }
    }
}
