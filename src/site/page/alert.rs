//! The page of one alert: its sources, buttons to answer it, and its incidents.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::alert_list::rule_in_words;
use super::alert_words::{
    acknowledgement, clock_mark, detail, measured, severity_mark, state_name, subject_title,
};
use super::answers::{ALL, Answerable, answers};
use super::firing::{Firing, is_open};
use super::icon::Icon;
use super::layout::LivePage;
use super::time::{AgeFormat, time};
use super::view::View;
use super::{incidents, notice};
use crate::alert::{AlertView, AlertsView, SubjectView};
use crate::format::{duration, whole};
use crate::site::alert_json::Incidents;

/// Most sources on the page.
const MAX_SUBJECTS: usize = 100;

/// Content of the page.
pub(in crate::site) struct AlertPage<'a> {
    pub(in crate::site) alert: &'a AlertView,
    pub(in crate::site) incidents: &'a Incidents,
}

/// Renders the page of an alert.
pub(in crate::site) fn alert_page(view: &View<'_>, page: &AlertPage<'_>) -> String {
    let AlertPage { alert, incidents } = *page;
    let own = AlertsView {
        alerts: view.alerts.alert(&alert.name).cloned().into_iter().collect(),
        ..AlertsView::default()
    };
    let firing = Firing::of(&own, |_| true);
    let is_open = alert.subjects.iter().any(is_open);
    let everything = Answerable { alert, source: None, is_open, about: &alert.name, lengths: &ALL };
    let main = html! {
        p.back { a href={ (view.layout.root) "alerts" } { "All alerts" } }
        (notice::channels(view.channels, view.clock()))
        section.rule aria-labelledby="alert" {
            h2 #alert { (alert.name) }
            p { (severity_mark(alert.severity)) " " (rule_in_words(view, alert)) (hold(alert)) }
            @if let Some(fault) = &alert.fault {
                p.notice { (Icon::Failing.render()) span { "The rule cannot be applied: " (fault) } }
            }
            p { (in_words(alert))
                @if let Some(until) = alert.silenced_until {
                    " Silenced until " (clock_mark(until, view.clock())) "."
                }
            }
            (answers(view, &everything))
        }
        (subjects(view, alert))
        section aria-labelledby="incidents" {
            h2 #incidents { "Incidents" }
            @if !incidents.is_complete {
                p.notice role="status" {
                    (Icon::Failing.render())
                    span { "The earlier incidents cannot be read at the moment." }
                }
            }
            @if !incidents.listed.is_empty() {
                (incidents::table(view, incidents.listed.iter().map(|one| &**one), false))
            } @else if incidents.is_complete {
                p.quiet { "It has not fired yet." }
            }
        }
    };
    let mut parts = firing.title(&view.snapshot.sources);
    if parts.is_empty() {
        parts.push(alert.name.to_string());
    }
    parts.push(view.layout.title.to_owned());
    view.layout.live(&LivePage {
        title: &parts.join(" · "),
        description: &format!("State of the alert {} and its incidents.", alert.name),
        main: &main,
        by_session: view.visitor.by_session,
        alarms: firing.alarms(),
        has_alerts: true,
        now: view.now,
    })
}

/// Renders the time for which the condition must hold, and the hours of the rule.
fn hold(alert: &AlertView) -> Markup {
    let hold = alert.rule.hold;
    html! {
        @if !hold.is_zero() {
            ", for " (duration(SignedDuration::try_from(hold).unwrap_or(SignedDuration::MAX)))
        }
        @if let Some(span) = alert.rule.between { ", between " (span) }
    }
}

/// Returns the number of sources on which the alert fires or is pending.
fn in_words(alert: &AlertView) -> String {
    let firing = alert.subjects.iter().filter(|subject| subject.state.is_firing()).count();
    let pending = alert.subjects.len() - firing;
    let is_one = firing + pending + alert.inactive == 1;
    match (firing, pending) {
        (0, 0) => "It does not fire.".to_owned(),
        (1, _) if is_one => "It fires.".to_owned(),
        (_, 1) if is_one => "The condition holds, and not yet for long enough.".to_owned(),
        (firing, 0) => format!("It fires on {}.", whole(firing as f64)),
        (firing, pending) => {
            format!(
                "It fires on {}, and {} are pending.",
                whole(firing as f64),
                whole(pending as f64)
            )
        }
    }
}

/// Renders the sources on which the alert is not inactive, the worst first.
fn subjects(view: &View<'_>, alert: &AlertView) -> Markup {
    let hidden = alert.subjects.len().saturating_sub(MAX_SUBJECTS);
    html! {
        @if !alert.subjects.is_empty() {
            div.scroll.records role="region" tabindex="0" aria-label="Sources" {
                table {
                    caption.unseen { "Sources on which the condition holds, the worst first" }
                    thead {
                        tr {
                            th scope="col" { "Source" }
                            th scope="col" { "State" }
                            th scope="col" { "Value" }
                            th scope="col" { "Since" }
                            @if alert.subjects.len() > 1 { th scope="col" { "Answer" } }
                        }
                    }
                    tbody {
                        @for subject in alert.subjects.iter().take(MAX_SUBJECTS) {
                            (row(view, alert, subject))
                        }
                    }
                }
            }
            @if hidden > 0 { p.quiet { "And " (whole(hidden as f64)) " other sources, none of them worse." } }
        }
    }
}

fn row(view: &View<'_>, alert: &AlertView, subject: &SubjectView) -> Markup {
    let (source, evidence) = (subject.key.source.as_deref(), &subject.evidence);
    let title = subject_title(subject, &view.snapshot.sources);
    let about = format!("{}, {}", alert.name, title.unwrap_or("this server"));
    // The only source is answered by the buttons of the alert.
    let is_open = is_open(subject) && alert.subjects.len() > 1;
    html! {
        tr data-key={ (source.or(subject.key.replica.as_deref()).unwrap_or("-")) } data-state=(subject.state.as_str()) {
            th scope="row" {
                @match (source, title) {
                    (Some(source), Some(title)) if view.snapshot.sources.get(source).is_some() => {
                        a href={ (view.layout.root) "source/" (source) } { (title) }
                    }
                    (_, title) => { (title.unwrap_or("This server")) }
                }
            }
            td {
                (state_name(subject.state))
                @if let Some(incident) = &subject.incident && incident.acknowledged.is_some() {
                    small { (acknowledgement(incident, view.visitor.role, view.clock())) }
                }
            }
            td {
                (measured(evidence).unwrap_or_default())
                @if let Some(at) = evidence.observed_at {
                    small { (time(at, view.clock(), AgeFormat::Ago)) }
                }
                @if let Some(detail) = detail(subject, view.visitor.role) { small { (detail) } }
            }
            td { (time(subject.since, view.clock(), AgeFormat::Span)) }
            @if alert.subjects.len() > 1 {
                td {
                    (answers(view, &Answerable { alert, source, is_open, about: &about, lengths: &[] }))
                }
            }
        }
    }
}
