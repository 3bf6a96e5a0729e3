//! Alerts and incidents as JSON.
//!
//! A rule on thousands of sources may fire on all of them, so a body is written in pieces.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde::Serialize;

use super::content::to_json;
use super::media_type::JSON;
use super::rendered::{Rendered, RenderedBuilder};
use crate::access::Role;
use crate::alert::{
    Acknowledgement, AlertState, AlertView, AlertsView, Evidence, Incident, SubjectView,
};
use crate::board::Datum;
use crate::config::{AlertRule, FieldCondition, Limit};
use crate::order;
use crate::timestamp::Rfc3339;

/// Most alerts and incidents of one piece of a body.
const PIECE: usize = 500;

/// Remark in a body whose incidents are incomplete.
const UNREADABLE: &str =
    "The file with the earlier incidents cannot be read now; these are the latest ones.";

/// A rule on one of its subjects; on none if the rule has no subject in a state other than `inactive`.
#[derive(Serialize)]
struct JsonAlert<'a> {
    name: &'a str,
    state: &'static str,
    severity: &'static str,
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<&'a str>,
    field: Option<&'a str>,
    condition: &'a str,
    since: Option<Rfc3339>,
    value: Option<&'a Datum>,
    threshold: Option<f64>,
    unit: Option<&'static str>,
    observed_at: Option<Rfc3339>,
    detail: Option<&'a str>,
    acknowledged_by: Option<&'a str>,
    acknowledged_at: Option<Rfc3339>,
    silenced_until: Option<Rfc3339>,
    fault: Option<&'a str>,
    incident: Option<String>,
}

impl<'a> JsonAlert<'a> {
    fn new(alert: &'a AlertView, subject: Option<&'a SubjectView>, role: Role) -> JsonAlert<'a> {
        let evidence = subject.map(|subject| &subject.evidence);
        let incident = subject.and_then(|subject| subject.incident.as_ref());
        let acknowledged = incident.and_then(|incident| incident.acknowledged.as_ref());
        let source = match subject {
            Some(subject) => subject.key.source.as_deref(),
            None => alert.source.as_deref(),
        };
        let limit = limit(alert).filter(|_| subject.is_none());
        let state = subject.map_or(AlertState::Inactive, |subject| subject.state);
        JsonAlert {
            name: &alert.name,
            state: state.as_str(),
            severity: alert.severity.as_str(),
            source,
            replica: subject.and_then(|subject| subject.key.replica.as_deref()),
            field: alert.field.as_deref(),
            condition: &alert.condition,
            since: subject.map(|subject| Rfc3339(subject.since)),
            value: evidence.and_then(|evidence| evidence.value.as_ref()),
            threshold: match evidence {
                Some(evidence) => evidence.threshold.map(|threshold| threshold.get()),
                None => limit.map(|limit| limit.number),
            },
            unit: match evidence {
                Some(evidence) => evidence.unit,
                None => limit.and_then(|limit| limit.unit),
            }
            .map(|unit| unit.as_str()),
            observed_at: evidence.and_then(|evidence| evidence.observed_at).map(Rfc3339),
            detail: evidence.and_then(|evidence| detail(evidence, source, role)),
            acknowledged_by: acknowledged.and_then(|acknowledged| author(acknowledged, role)),
            acknowledged_at: acknowledged.map(|acknowledged| Rfc3339(acknowledged.at)),
            silenced_until: alert.silenced_until.map(Rfc3339),
            fault: alert.fault.as_deref(),
            incident: incident.map(|incident| incident.id.to_string()),
        }
    }
}

/// Returns the detail of a rule on a source or on the server itself. Guests do not see those about the server, such as
/// the errors of its channels.
fn detail<'e>(evidence: &'e Evidence, source: Option<&str>, role: Role) -> Option<&'e str> {
    evidence.detail.as_deref().filter(|_| role != Role::Guest || source.is_some())
}

/// Returns the author of an acknowledgement. Guests do not see names of accounts.
fn author(acknowledged: &Acknowledgement, role: Role) -> Option<&str> {
    Some(&*acknowledged.by).filter(|_| role != Role::Guest)
}

/// Returns the threshold of a rule that has one.
fn limit(alert: &AlertView) -> Option<Limit> {
    match &alert.rule.rule {
        AlertRule::Field {
            condition:
                FieldCondition::Below { threshold, .. } | FieldCondition::Above { threshold, .. },
            ..
        } => Some(*threshold),
        _ => None,
    }
}

#[derive(Serialize)]
struct JsonIncident<'a> {
    id: String,
    name: &'a str,
    source: Option<&'a str>,
    /// Name of the replica that an alert of the server itself is about, if several servers share a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<&'a str>,
    title: &'a str,
    field: Option<&'a str>,
    severity: &'static str,
    condition: &'a str,
    since: Rfc3339,
    fired_at: Rfc3339,
    ended_at: Option<Rfc3339>,
    end_reason: Option<&'static str>,
    value_at_fire: Option<&'a Datum>,
    value: Option<&'a Datum>,
    threshold: Option<f64>,
    unit: Option<&'static str>,
    observed_at: Option<Rfc3339>,
    detail: Option<&'a str>,
    acknowledged_by: Option<&'a str>,
    acknowledged_at: Option<Rfc3339>,
}

impl<'a> JsonIncident<'a> {
    fn new(incident: &'a Incident, role: Role) -> JsonIncident<'a> {
        let (evidence, ended) = (&incident.evidence, incident.ended);
        let acknowledged = incident.acknowledged.as_ref();
        JsonIncident {
            id: incident.id.to_string(),
            name: &incident.subject.alert,
            source: incident.subject.source.as_deref(),
            replica: incident.subject.replica.as_deref(),
            title: &incident.title,
            field: incident.field.as_deref(),
            severity: incident.severity.as_str(),
            condition: &incident.condition,
            since: Rfc3339(incident.since),
            fired_at: Rfc3339(incident.fired_at),
            ended_at: ended.map(|ended| Rfc3339(ended.at)),
            end_reason: ended.map(|ended| ended.reason.as_str()),
            value_at_fire: incident.at_fire.value.as_ref(),
            value: evidence.value.as_ref(),
            threshold: evidence.threshold.map(|threshold| threshold.get()),
            unit: evidence.unit.map(|unit| unit.as_str()),
            observed_at: evidence.observed_at.map(Rfc3339),
            detail: detail(evidence, incident.subject.source.as_deref(), role),
            acknowledged_by: acknowledged.and_then(|acknowledged| author(acknowledged, role)),
            acknowledged_at: acknowledged.map(|acknowledged| Rfc3339(acknowledged.at)),
        }
    }
}

/// Incidents of a body.
pub(super) struct Incidents {
    /// Those that fire first, then those that have ended, each the newest first.
    pub(super) listed: Vec<Arc<Incident>>,
    /// False if the file with those of the past could not be read.
    pub(super) is_complete: bool,
}

impl Incidents {
    /// Returns none, for a body without incidents.
    pub(super) fn none() -> Incidents {
        Incidents { listed: Vec::new(), is_complete: true }
    }

    /// Returns the incidents of a view, of one alert or of all: those that fire, and the latest that have ended.
    pub(super) fn of(view: &AlertsView, alert: Option<&str>) -> Incidents {
        let is_meant = |name: &str| alert.is_none_or(|alert| *alert == *name);
        let alerts = view.alerts.iter().filter(|alert| is_meant(&alert.name));
        let subjects = alerts.flat_map(|alert| &alert.subjects);
        let mut listed: Vec<Arc<Incident>> =
            subjects.filter_map(|subject| subject.incident.clone()).collect();
        order::sort_by_key(&mut listed, |incident| Reverse((incident.fired_at, incident.id)));
        let ended = view.recent.iter().filter(|incident| is_meant(&incident.subject.alert));
        listed.extend(ended.cloned());
        Incidents { listed, is_complete: true }
    }

    /// Keeps the first `limit` ones.
    pub(super) fn first(mut self, limit: usize) -> Incidents {
        self.listed.truncate(limit);
        self
    }

    /// Keeps the first `limit` ones, and marks them as incomplete: those of the past are missing.
    pub(super) fn without_past(self, limit: usize) -> Incidents {
        Incidents { is_complete: false, ..self.first(limit) }
    }

    /// Adds incidents of the past that are not there yet, and keeps the first `limit` ones.
    pub(super) fn with_past(mut self, past: Vec<Arc<Incident>>, limit: usize) -> Incidents {
        let known: std::collections::HashSet<_> =
            self.listed.iter().map(|incident| incident.id).collect();
        self.listed.extend(past.into_iter().filter(|incident| !known.contains(&incident.id)));
        self.first(limit)
    }
}

/// Place of an alert in a view, and of one of its subjects.
type Place = (usize, Option<usize>);

/// Returns the entries of a view, of one alert or of all: those that fire, as [`AlertsView::firing`] orders them,
/// then those that are pending, then the alerts without either, in the order of the configuration.
fn entries(view: &AlertsView, alert: Option<&str>) -> Vec<Place> {
    let (mut firing, mut others, mut inactive) = (Vec::new(), Vec::new(), Vec::new());
    for (at, listed) in view.alerts.iter().enumerate() {
        if alert.is_some_and(|alert| *alert != *listed.name) {
            continue;
        }
        if listed.subjects.is_empty() {
            inactive.push((at, None));
        }
        for (place, subject) in listed.subjects.iter().enumerate() {
            match subject.state.is_firing() {
                true => firing.push((at, Some(place))),
                false => others.push((at, Some(place))),
            }
        }
    }
    order::sort_by_key(&mut firing, |&(at, place)| {
        let alert = &view.alerts[at];
        let subject = place.map(|place| &alert.subjects[place]);
        Reverse(subject.map(|subject| (subject.state, alert.severity, subject.since)))
    });
    firing.into_iter().chain(others).chain(inactive).collect()
}

/// A body that is being written.
pub(super) struct Writing {
    view: Arc<AlertsView>,
    entries: Vec<Place>,
    incidents: Incidents,
    role: Role,
    /// Entries and incidents written so far.
    written: usize,
    body: RenderedBuilder,
}

impl Writing {
    /// Begins a body with one alert or all of them, for a visitor with these rights.
    pub(super) fn new(
        view: Arc<AlertsView>,
        alert: Option<&str>,
        incidents: Incidents,
        role: Role,
        is_compressed: bool,
    ) -> Writing {
        let entries = entries(&view, alert);
        let mut body = RenderedBuilder::new(JSON, is_compressed);
        body.push(b"{\"alerts\":[");
        Writing { view, entries, incidents, role, written: 0, body }
    }

    /// Writes a piece; returns the body once it is complete.
    pub(super) fn advance(mut self) -> ControlFlow<Rendered, Writing> {
        let Writing { view, entries, incidents, role, written, body } = &mut self;
        let total = entries.len() + incidents.listed.len();
        let end = total.min(*written + PIECE);
        let mut piece = Vec::new();
        for at in *written..end {
            let (is_first, json) = match entries.get(at) {
                Some(&(alert, subject)) => {
                    let alert = &view.alerts[alert];
                    let subject = subject.map(|subject| &alert.subjects[subject]);
                    (at == 0, to_json(&JsonAlert::new(alert, subject, *role)))
                }
                None => {
                    let at = at - entries.len();
                    (at == 0, to_json(&JsonIncident::new(&incidents.listed[at], *role)))
                }
            };
            if at == entries.len() {
                piece.extend_from_slice(INCIDENTS);
            }
            if !is_first {
                piece.push(b',');
            }
            piece.extend_from_slice(&json);
        }
        *written = end;
        if end == total {
            if incidents.listed.is_empty() {
                piece.extend_from_slice(INCIDENTS);
            }
            let remark = (!incidents.is_complete).then_some(UNREADABLE);
            piece.extend_from_slice(b"],\"incidents_error\":");
            piece.extend_from_slice(&to_json(&remark));
            piece.extend_from_slice(b"}\n");
        }
        body.push(&piece);
        match end == total {
            true => ControlFlow::Break(self.body.finish()),
            false => ControlFlow::Continue(self),
        }
    }

    /// Writes all of the body.
    pub(super) fn finish(mut self) -> Rendered {
        loop {
            match self.advance() {
                ControlFlow::Break(rendered) => return rendered,
                ControlFlow::Continue(rest) => self = rest,
            }
        }
    }
}

/// End of the alerts, and begin of the incidents.
const INCIDENTS: &[u8] = b"],\"incidents\":[";

/// The latest bodies with all alerts, with the views that they were written from: that for guests, and that for others.
#[derive(Default)]
pub(super) struct AlertsBody([ArcSwapOption<(Arc<AlertsView>, Rendered)>; 2]);

impl AlertsBody {
    /// Returns the body of a view, if it is the latest one.
    pub(super) fn get(&self, view: &Arc<AlertsView>, role: Role) -> Option<Rendered> {
        let latest = self.of(role).load();
        latest.as_ref().filter(|latest| Arc::ptr_eq(&latest.0, view)).map(|latest| latest.1.clone())
    }

    /// Keeps the body of a view.
    pub(super) fn insert(&self, view: Arc<AlertsView>, role: Role, body: Rendered) {
        self.of(role).store(Some(Arc::new((view, body))));
    }

    fn of(&self, role: Role) -> &ArcSwapOption<(Arc<AlertsView>, Rendered)> {
        &self.0[usize::from(role == Role::Guest)]
    }
}
