//! The alerts that fire, on top of pages, and the title and icon of a page while they do.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::alert_words::{
    acknowledgement, clock_mark, detail, measured, severity_mark, subject_title,
};
use super::answers::{Answerable, SHORT, answers};
use super::time::{AgeFormat, Clock, time};
use super::view::View;
use crate::alert::{AlertState, AlertView, AlertsView, SubjectView};
use crate::board::SourceViews;
use crate::config::Severity;
use crate::format::{field_label, whole};
use crate::order;

/// Most lines on top of a page.
const MAX_LINES: usize = 5;

/// Most sources of one alert that have a line each; more of them share one.
const MAX_APART: usize = 3;

/// Most sources that a shared line names.
const MAX_NAMED: usize = 3;

/// The alerts of a page that fire.
pub(super) struct Firing<'a> {
    /// The most severe first.
    lines: Vec<Line<'a>>,
}

/// An alert, and the subjects on which it fires, at least one.
struct Line<'a> {
    alert: &'a AlertView,
    /// The worst first.
    subjects: Vec<&'a SubjectView>,
}

impl<'a> Firing<'a> {
    /// Returns the alerts that fire on the subjects of a page: on sources of some names, or on the server (`None`).
    pub(super) fn of(
        alerts: &'a AlertsView,
        is_meant: impl Fn(Option<&str>) -> bool,
    ) -> Firing<'a> {
        let mut lines = Vec::new();
        for alert in &alerts.alerts {
            let is_firing = |subject: &&SubjectView| {
                subject.state.is_firing() && is_meant(subject.key.source.as_deref())
            };
            let subjects: Vec<&SubjectView> = alert.subjects.iter().filter(is_firing).collect();
            match subjects.len() {
                0 => {}
                1..=MAX_APART => lines.extend(
                    subjects.into_iter().map(|subject| Line { alert, subjects: vec![subject] }),
                ),
                _ => lines.push(Line { alert, subjects }),
            }
        }
        order::sort_by_key(&mut lines, |line| {
            Reverse(
                line.subjects.first().map(|worst| (worst.state, line.alert.severity, worst.since)),
            )
        });
        Firing { lines }
    }

    /// Returns true if an alert fires that is neither acknowledged nor silenced.
    pub(super) fn alarms(&self) -> bool {
        self.lines.iter().any(Line::alarms)
    }

    /// Returns the parts of a page's title that come first: `⚠ tank_low` and `Cistern 280 gal`; none unless an
    /// alert fires unanswered.
    pub(super) fn title(&self, sources: &SourceViews) -> Vec<String> {
        let mut open = self.lines.iter().filter(|line| line.alarms());
        match (open.next(), open.count()) {
            (None, _) => Vec::new(),
            (Some(line), 0) => vec![format!("⚠ {}", line.alert.name), line.in_title(sources)]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect(),
            (Some(_), others) => vec![format!("⚠ {} alerts", others + 1)],
        }
    }

    /// Renders the alerts, the first of them each on a line; nothing if none fires.
    pub(super) fn section(&self, view: &View<'_>) -> Markup {
        let (count, hidden) = (self.lines.len(), self.lines.len().saturating_sub(MAX_LINES));
        html! {
            @if count > 0 {
                section.alerts aria-labelledby="alerts" {
                    h2 #alerts {
                        @if count == 1 { "1 alert fires" } @else { (whole(count as f64)) " alerts fire" }
                    }
                    ul {
                        @for line in self.lines.iter().take(MAX_LINES) { (line.render(view)) }
                        @if hidden > 0 {
                            li.more data-key="more" {
                                a href={ (view.layout.root) "alerts" } {
                                    "and " (whole(hidden as f64)) " more"
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Line<'_> {
    fn alarms(&self) -> bool {
        self.subjects.iter().any(|subject| subject.state == AlertState::Firing)
    }

    /// Returns the subject that the line is about, unless it is about several.
    fn only(&self) -> Option<&SubjectView> {
        match &*self.subjects {
            [only] => Some(only),
            _ => None,
        }
    }

    fn in_title(&self, sources: &SourceViews) -> String {
        let Some(subject) = self.only() else { return self.count() };
        let parts =
            [subject_title(subject, sources).map(str::to_owned), measured(&subject.evidence)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Returns `37 sources`.
    fn count(&self) -> String {
        format!("{} sources", whole(self.subjects.len() as f64))
    }

    /// Returns the subject in a few words: the title of its source, or the number of sources.
    fn about(&self, sources: &SourceViews) -> String {
        match self.only() {
            Some(subject) => subject_title(subject, sources).unwrap_or("this server").to_owned(),
            None => self.count(),
        }
    }

    fn render(&self, view: &View<'_>) -> Markup {
        let (alert, sources, clock) = (self.alert, &view.snapshot.sources, view.clock());
        let source = self.only().and_then(|subject| subject.key.source.as_deref());
        let key =
            source.map_or(alert.name.to_string(), |source| format!("{}.{source}", alert.name));
        let is_open = self.subjects.iter().any(|subject| is_open(subject));
        let about = format!("{}, {}", alert.name, self.about(sources));
        let state = if self.alarms() { AlertState::Firing } else { self.subjects[0].state };
        html! {
            li.alert data-key=(key) data-severity=(alert.severity.as_str()) data-state=(state.as_str())
                data-announce=[self.announcement(sources)] {
                div {
                    p.what {
                        (severity_mark(alert.severity)) " "
                        a href={ (view.layout.root) "alert/" (alert.name) } { (alert.name) } " · "
                        @match self.only() {
                            Some(subject) => { (about_one(view, alert, subject)) }
                            None => { (self.about_many(view)) }
                        }
                    }
                    p.since { (self.since(view, clock)) }
                }
                (answers(view, &Answerable { alert, source, is_open, about: &about, lengths: &SHORT }))
            }
        }
    }

    /// Renders the sources of a line about several.
    fn about_many(&self, view: &View<'_>) -> Markup {
        let sources = &view.snapshot.sources;
        let named: Vec<&str> = self
            .subjects
            .iter()
            .take(MAX_NAMED)
            .filter_map(|subject| subject_title(subject, sources))
            .collect();
        let others = self.subjects.len() - named.len();
        html! {
            strong { (self.count()) } " " (self.alert.condition) ": " (named.join(", "))
            @if others > 0 { " and " (whole(others as f64)) " more" }
        }
    }

    /// Renders the time since which the alert fires, and the answers to it.
    fn since(&self, view: &View<'_>, clock: Clock<'_>) -> Markup {
        let since = self.subjects.iter().map(|subject| subject.since).min();
        let only = self.only().and_then(|subject| subject.incident.as_ref());
        let answered = self.subjects.iter().filter(|subject| !is_open(subject)).count();
        html! {
            @if let Some(since) = since { "For " (time(since, clock, AgeFormat::Span)) }
            @match only {
                Some(incident) if incident.acknowledged.is_some() => {
                    "; " (acknowledgement(incident, view.visitor.role, clock))
                }
                None if answered > 0 => { "; " (whole(answered as f64)) " acknowledged" }
                _ => {}
            }
            @if let Some(until) = self.alert.silenced_until {
                "; silenced until " (clock_mark(until, clock))
            }
        }
    }

    /// Returns the sentence that screen readers speak when a critical alert has fired.
    fn announcement(&self, sources: &SourceViews) -> Option<String> {
        let alert = self.alert;
        if alert.severity != Severity::Critical || !self.alarms() {
            return None;
        }
        let value = self.only().and_then(|subject| measured(&subject.evidence));
        let value = value.map_or_else(String::new, |value| format!(", {value}"));
        let about = self.about(sources);
        Some(format!("Critical alert {}: {about}{value}, {}", alert.name, alert.condition))
    }
}

/// Returns true if the incident of a subject is not acknowledged.
pub(super) fn is_open(subject: &SubjectView) -> bool {
    subject.incident.as_ref().is_some_and(|incident| incident.acknowledged.is_none())
}

/// Renders the source of an alert, its value with its age, and the condition.
fn about_one(view: &View<'_>, alert: &AlertView, subject: &SubjectView) -> Markup {
    let evidence = &subject.evidence;
    let title = subject_title(subject, &view.snapshot.sources);
    html! {
        @if let (Some(title), Some(source)) = (title, &subject.key.source) {
            strong {
                @match view.snapshot.sources.get(source) {
                    Some(_) => a href={ (view.layout.root) "source/" (source) } { (title) },
                    None => { (title) }
                }
            }
            " · "
        }
        @if let Some(value) = measured(evidence) {
            @if let Some(field) = &alert.field { (field_label(field)) " " }
            b { (value) }
            @if let Some(at) = evidence.observed_at {
                " (" (time(at, view.clock(), AgeFormat::Ago)) ")"
            }
            ", "
        }
        (alert.condition)
        @if let Some(detail) = detail(subject, view.visitor.role) { ": " (detail) }
    }
}
