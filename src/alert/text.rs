//! Texts about an incident for people: the first line of a message, and the values of placeholders.
//!
//! A phone shows the begin of a message, so a line leads with the number and its age. Texts of upstreams are cleaned
//! of hidden characters, and every text is one line.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::incident::{EndReason, Incident};
use super::notice::{Notice, NoticeKind};
use crate::access::SiteUrl;
use crate::access::percent::percent_encoded;
use crate::config::{Placeholder, Template, TemplatePart};
use crate::format;
use crate::text::clean;

/// Inputs of texts beside the incident.
#[derive(Debug, Clone, Copy)]
pub struct TextContext<'a> {
    /// Present, by which ages are computed.
    pub now: Timestamp,
    /// Zone of times.
    pub zone: &'a TimeZone,
    /// Public address of the site, for links.
    pub site_url: Option<&'a SiteUrl>,
}

/// Statement of a line about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It has begun.
    Fired,
    /// It lasts.
    Reminder,
    /// It has ended, after its begin was reported.
    Ended,
    /// It has begun and ended.
    FiredAndEnded,
}

impl From<NoticeKind> for Report {
    fn from(kind: NoticeKind) -> Report {
        match kind {
            NoticeKind::Fired => Report::Fired,
            NoticeKind::Reminder => Report::Reminder,
            NoticeKind::Ended => Report::Ended,
        }
    }
}

/// Returns the first line about a notice: by the template of its rule, or the default.
pub fn first_line(notice: &Notice, report: Report, context: &TextContext<'_>) -> String {
    let Some(message) = &notice.message else { return line(report, &notice.incident, context) };
    match message.parse::<Template>() {
        Ok(template) => render(&template, &notice.incident, context),
        // A later version may know other placeholders.
        Err(_) => clean(message).into_owned(),
    }
}

/// Returns a text of the configuration with the values of its placeholders, in one line.
pub fn render(template: &Template, incident: &Incident, context: &TextContext<'_>) -> String {
    clean(&render_escaped(template, incident, context, str::to_owned)).into_owned()
}

/// Returns a text of the configuration with the values of its placeholders, each of which passes through `escape`.
pub fn render_escaped(
    template: &Template,
    incident: &Incident,
    context: &TextContext<'_>,
    escape: impl Fn(&str) -> String,
) -> String {
    let parts = template.parts().iter().map(|part| match part {
        TemplatePart::Text(text) => text.clone(),
        TemplatePart::Placeholder(placeholder) => {
            escape(&clean(&value_of(*placeholder, incident, context)))
        }
    });
    parts.collect()
}

/// Returns the value of a placeholder; empty if the incident has none.
fn value_of(placeholder: Placeholder, incident: &Incident, context: &TextContext<'_>) -> String {
    let evidence = &incident.evidence;
    match placeholder {
        Placeholder::Alert => incident.subject.alert.to_string(),
        Placeholder::Severity => incident.severity.as_str().to_owned(),
        Placeholder::State => state(incident).to_owned(),
        Placeholder::Title => incident.title.to_string(),
        Placeholder::Source => incident.subject.source.as_deref().unwrap_or_default().to_owned(),
        Placeholder::Field => {
            incident.field.as_deref().map(format::field_label).unwrap_or_default()
        }
        Placeholder::Value => value(incident).unwrap_or_else(|| "no value".to_owned()),
        Placeholder::Age => age(incident, context.now).unwrap_or_default(),
        Placeholder::Rate => rate(incident).unwrap_or_else(|| "no rate".to_owned()),
        Placeholder::Threshold => evidence
            .threshold
            .map(|threshold| {
                format!("{}{}", format::compact(threshold.get()), format::suffix(evidence.unit))
            })
            .unwrap_or_default(),
        Placeholder::Since => time(incident.since, context),
        Placeholder::Condition => incident.condition.to_string(),
        Placeholder::Incident => incident.id.to_string(),
        Placeholder::Url => link(incident, context.site_url).unwrap_or_default(),
    }
}

/// Returns the state of an incident: `firing`, `resolved` or `withdrawn`.
pub fn state(incident: &Incident) -> &'static str {
    match incident.ended.map(|ended| ended.reason) {
        None => "firing",
        Some(EndReason::Resolved | EndReason::OutsideHours) => "resolved",
        Some(EndReason::Withdrawn | EndReason::Duplicate) => "withdrawn",
    }
}

/// Returns the latest value with its unit: `280 gal`.
pub fn value(incident: &Incident) -> Option<String> {
    let (datum, unit) = (incident.evidence.value.as_ref()?, incident.evidence.unit);
    Some(clean(&format!("{}{}", format::datum(datum, unit), format::suffix(unit))).into_owned())
}

/// Returns the rate of change with its unit: `−12 gal/h`.
pub fn rate(incident: &Incident) -> Option<String> {
    let (rate, unit) = incident.evidence.rate?;
    Some(format!("{}{}", format::signed(rate.get()), format::suffix(Some(unit))))
}

/// Returns the age of the latest value: `3 min ago`.
fn age(incident: &Incident, now: Timestamp) -> Option<String> {
    Some(format::short_age(now.duration_since(incident.evidence.observed_at?)))
}

fn time(at: Timestamp, context: &TextContext<'_>) -> String {
    format::near_time(at.as_second(), context.now.as_second(), context.zone)
}

/// Returns the address of the page of the incident's source, or of the site.
pub fn link(incident: &Incident, site: Option<&SiteUrl>) -> Option<String> {
    let site = site?;
    Some(match &incident.subject.source {
        Some(source) => format!("{site}source/{}", percent_encoded(source)),
        None => site.to_string(),
    })
}

/// Returns what the incident is about: `Cistern volume`, or `Cistern` for a rule on a source.
pub fn subject(incident: &Incident) -> String {
    let title = clean(&incident.title).into_owned();
    match &incident.field {
        Some(field) => format!("{title} {}", clean(&field.replace('_', " "))),
        None => title,
    }
}

/// Returns the detail of the evidence in one line.
pub fn detail(incident: &Incident) -> Option<String> {
    let detail = incident.evidence.detail.as_deref()?;
    Some(clean(detail).into_owned()).filter(|detail| !detail.trim().is_empty())
}

/// Returns the first line of a message: `280 gal, 3 min ago: Cistern volume below 300 gal`.
pub fn line(report: Report, incident: &Incident, context: &TextContext<'_>) -> String {
    let said = statement(report, incident, context);
    let value = value(incident);
    let number = match (value, age(incident, context.now)) {
        (Some(value), Some(age)) => format!("{value}, {age}: "),
        (Some(value), None) => format!("{value}: "),
        (None, _) => String::new(),
    };
    format!("{number}{said}")
}

/// Returns what has happened, without the number.
fn statement(report: Report, incident: &Incident, context: &TextContext<'_>) -> String {
    let subject = subject(incident);
    let condition = clean(&incident.condition);
    let since = time(incident.since, context);
    let ended = match (report, incident.ended) {
        (Report::Fired, _) => return format!("{subject} {condition}"),
        (Report::Reminder, _) | (_, None) => {
            return format!("{subject} still {condition}, since {since}");
        }
        (_, Some(ended)) => ended,
    };
    let span = format!("from {since} to {}", time(ended.at, context));
    match (ended.reason, report, adjective(&condition)) {
        (EndReason::Resolved, Report::FiredAndEnded, Some(adjective)) => {
            format!("{subject} was {adjective} {span}")
        }
        (EndReason::Resolved, _, Some(adjective)) => {
            format!("{subject} is no longer {adjective}; it was {span}")
        }
        (EndReason::Resolved, _, None) => {
            format!("{subject} {condition}: over, it lasted {span}")
        }
        (EndReason::OutsideHours, _, _) => {
            format!("{subject} {condition} {span}, when the hours of the alert ended")
        }
        (EndReason::Withdrawn, _, _) => format!(
            "{subject} {condition} {span}: the alert is withdrawn, as its rule or source was changed or removed"
        ),
        (EndReason::Duplicate, _, _) => format!(
            "{subject} {condition} since before the restart: the earlier message about it holds, and this one is withdrawn"
        ),
    }
}

/// Returns what a condition says a value is, for sentences about the past: `below 300 gal`, and `off` of `is off`.
/// `None`: the condition is something that happens, such as `falls 40 gal within 1h`.
fn adjective(condition: &str) -> Option<&str> {
    const ADJECTIVES: [&str; 7] =
        ["below", "above", "outside", "flat", "empty", "stale", "failing"];
    let first = condition.split(' ').next().unwrap_or_default();
    let adjective = ADJECTIVES.contains(&first).then_some(condition);
    adjective.or_else(|| condition.strip_prefix("is "))
}

#[cfg(test)]
mod tests;
