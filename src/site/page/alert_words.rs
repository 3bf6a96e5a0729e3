//! Texts and icons of alerts.

use maud::{Markup, html};

use super::icon::Icon;
use super::time::Clock;
use crate::access::Role;
use crate::alert::{AlertState, Evidence, Incident, SubjectView};
use crate::board::{Datum, SourceViews};
use crate::config::Severity;
use crate::format::{clock_time, datum, local_time, suffix};
use crate::timestamp::Rfc3339;

/// Seconds for which a time of day names a time.
const A_DAY: i64 = 24 * 60 * 60;

/// Returns the name of a severity.
pub(super) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Critical => "Critical",
    }
}

/// Returns the icon of a severity. Each has another shape.
pub(super) const fn severity_icon(severity: Severity) -> Icon {
    match severity {
        Severity::Info => Icon::Info,
        Severity::Warning => Icon::Failing,
        Severity::Critical => Icon::Critical,
    }
}

/// Renders a severity, for the begin of a line.
pub(super) fn severity_mark(severity: Severity) -> Markup {
    html! {
        span.severity data-severity=(severity.as_str()) {
            (severity_icon(severity).render()) (severity_name(severity))
        }
    }
}

/// Returns the name of a state.
pub(super) const fn state_name(state: AlertState) -> &'static str {
    match state {
        AlertState::Inactive => "Inactive",
        AlertState::Pending => "Pending",
        AlertState::Silenced => "Silenced",
        AlertState::Acknowledged => "Acknowledged",
        AlertState::Firing => "Firing",
    }
}

/// Returns what a rule has measured: `280 gal`; `None` for a rule without a value.
pub(super) fn measured(evidence: &Evidence) -> Option<String> {
    const MAX_TEXT: usize = 40;
    let value = match evidence.value.as_ref()? {
        Datum::Text(text) if text.chars().count() > MAX_TEXT => {
            text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
        }
        other => datum(other, evidence.unit),
    };
    Some(format!("{value}{}", suffix(evidence.unit)))
}

/// Returns the title of the source of a subject, or the name of the replica; `None` for the only server.
pub(super) fn subject_title<'a>(
    subject: &'a SubjectView,
    sources: &'a SourceViews,
) -> Option<&'a str> {
    let Some(name) = subject.key.source.as_deref() else { return subject.key.replica.as_deref() };
    Some(sources.get(name).map_or(name, |source| &*source.title))
}

/// Renders a time by the site's clock: `02:10`, or with its date if it is a day away.
pub(super) fn clock_mark(at: jiff::Timestamp, clock: Clock<'_>) -> Markup {
    let second = at.as_second();
    let is_near = (second - clock.now.as_second()).abs() < A_DAY;
    let words = match is_near {
        true => clock_time(second, clock.zone),
        false => local_time(second, clock.zone),
    };
    html! { time datetime=(Rfc3339(at)) { (words) } }
}

/// Renders who acknowledged an incident and when, if it is. Guests do not see names of accounts.
pub(super) fn acknowledgement(incident: &Incident, role: Role, clock: Clock<'_>) -> Markup {
    html! {
        @if let Some(acknowledged) = &incident.acknowledged {
            "acknowledged"
            @if role != Role::Guest { " by " (acknowledged.by) }
            " at " (clock_mark(acknowledged.at, clock))
        }
    }
}

/// Returns the detail of a subject's evidence. Guests do not see those about the server itself, such as the errors
/// of its channels.
pub(super) fn detail(subject: &SubjectView, role: Role) -> Option<&str> {
    let is_shown = role != Role::Guest || subject.key.source.is_some();
    subject.evidence.detail.as_deref().filter(|_| is_shown)
}
