//! Alerts for the tests.

use std::sync::Arc;

use super::fixture::{at, site_under};
use super::{ChannelReader, Site};
use crate::access::Rules;
use crate::alert::{
    Acknowledgement, AlertState, AlertView, AlertsHandle, AlertsView, Command, CommandError,
    EndReason, Ended, Evidence, Incident, IncidentId, PastIncidents, SubjectKey, SubjectView,
};
use crate::board::{Datum, Finite, SourceView};
use crate::config::{Alert, AlertRule, FieldCondition, Limit, Severity, SourceSelection};
use crate::notify::ChannelStatus;
use crate::units::Unit;

/// Returns a rule on the volume of sources, which is inactive on all of them: below 300 gal.
pub(super) fn low(name: &str, sources: SourceSelection, severity: Severity) -> AlertView {
    let threshold = Limit { number: 300.0, unit: Some(Unit::UsGallon) };
    let condition = FieldCondition::Below { threshold, clear: None };
    let source = match &sources {
        SourceSelection::One(source) => Some(source.clone()),
        _ => None,
    };
    let field: Arc<str> = "volume".into();
    let rule =
        Alert::new(name, severity, AlertRule::Field { sources, field: field.clone(), condition });
    AlertView {
        name: name.into(),
        rule: Arc::new(rule),
        severity,
        source,
        field: Some(field),
        condition: "below 300 gal".into(),
        silenced_until: None,
        fault: None,
        inactive: 1,
        subjects: Vec::new(),
    }
}

/// Returns the critical rule on the tank.
pub(super) fn tank_low() -> AlertView {
    low("tank_low", SourceSelection::One("tank".into()), Severity::Critical)
}

/// Returns an alert that is in a state on sources, which have the titles of their names, but for the tank.
pub(super) fn on(mut alert: AlertView, sources: &[&str], state: AlertState) -> AlertView {
    for source in sources {
        let key =
            SubjectKey { alert: alert.name.clone(), source: Some((*source).into()), replica: None };
        let incident = incident(&alert, key.clone(), alert.subjects.len());
        alert.subjects.push(SubjectView {
            key,
            state,
            since: incident.since,
            evidence: incident.evidence.clone(),
            incident: state.is_firing().then(|| Arc::new(incident)),
            announced: Vec::new(),
        });
    }
    alert.inactive = 0;
    alert
}

/// Returns the tank's alert while it fires.
pub(super) fn tank_is_low() -> AlertView {
    on(tank_low(), &["tank"], AlertState::Firing)
}

fn incident(alert: &AlertView, subject: SubjectKey, number: usize) -> Incident {
    let seconds = i64::try_from(number).unwrap();
    let evidence = Evidence {
        value: Some(Datum::Number(Finite::new(280.0).unwrap())),
        unit: Some(Unit::UsGallon),
        threshold: Finite::new(300.0),
        observed_at: Some(at(-240)),
        ..Evidence::default()
    };
    let title = match subject.source.as_deref() {
        Some("tank") => "Cistern",
        Some(source) => source,
        None => "Pumphouse",
    };
    Incident {
        id: IncidentId(0x1000 + number as u64),
        title: title.into(),
        subject,
        field: alert.field.clone(),
        severity: alert.severity,
        condition: alert.condition.clone(),
        since: at(-3600 - seconds),
        fired_at: at(-3000 - seconds),
        at_fire: Evidence {
            value: Some(Datum::Number(Finite::new(290.0).unwrap())),
            ..evidence.clone()
        },
        evidence,
        acknowledged: None,
        ended: None,
    }
}

/// Returns an incident of an alert that ended.
pub(super) fn ended(alert: &AlertView, id: u64, seconds: i64) -> Arc<Incident> {
    let subject =
        SubjectKey { alert: alert.name.clone(), source: alert.source.clone(), replica: None };
    let ended = Some(Ended { at: at(seconds), reason: EndReason::Resolved });
    let (since, fired_at) = (at(seconds - 900), at(seconds - 600));
    let incident = incident(alert, subject, 0);
    Arc::new(Incident { id: IncidentId(id), ended, since, fired_at, ..incident })
}

/// Returns a view of alerts.
pub(super) fn view(alerts: Vec<AlertView>) -> AlertsView {
    let alerts = alerts.into_iter().map(Arc::new).collect();
    AlertsView { version: 1, alerts, ..AlertsView::default() }
}

/// Returns a reader of the incidents of the past that has none.
pub(super) fn no_past() -> PastIncidents {
    Arc::new(|_, _| Ok(Vec::new()))
}

/// Returns alerts that carry out commands.
pub(super) fn handle(view: AlertsView, past: PastIncidents) -> AlertsHandle {
    AlertsHandle::answering(view, carry_out, past)
}

fn carry_out(command: Command, view: &mut AlertsView) -> Result<(), CommandError> {
    let name = match &command {
        Command::Acknowledge { alert, .. }
        | Command::Silence { alert, .. }
        | Command::Unsilence { alert, .. } => alert.clone(),
    };
    let alert = view.alerts.iter_mut().find(|alert| alert.name == name);
    let alert = Arc::make_mut(alert.ok_or(CommandError::UnknownAlert)?);
    match command {
        Command::Acknowledge { source, by, .. } => {
            let is_meant = |subject: &&mut SubjectView| {
                subject.state.is_firing() && (source.is_none() || subject.key.source == source)
            };
            let mut meant = alert.subjects.iter_mut().filter(is_meant).peekable();
            if meant.peek().is_none() {
                return Err(CommandError::NotFiring);
            }
            for subject in meant {
                subject.state = AlertState::Acknowledged;
                let incident = Arc::make_mut(subject.incident.as_mut().unwrap());
                incident.acknowledged = Some(Acknowledgement { by: by.clone(), at: at(0) });
            }
        }
        Command::Silence { length, .. } => {
            alert.silenced_until = Some(at(i64::try_from(length.as_secs()).unwrap()));
        }
        Command::Unsilence { .. } => alert.silenced_until = None,
    }
    Ok(())
}

/// Returns a site with these alerts, whose channels are idle.
pub(super) fn alerting_site(sources: Vec<SourceView>, alerts: AlertsHandle) -> Site {
    alerting_site_under(sources, Rules::default(), alerts, channels(Vec::new()))
}

/// Returns a site with these alerts and channels under rules of access.
pub(super) fn alerting_site_under(
    sources: Vec<SourceView>,
    rules: Rules,
    alerts: AlertsHandle,
    channels: ChannelReader,
) -> Site {
    site_under(sources, rules).with_alerts(alerts, channels)
}

/// Returns a reader of the states of these channels.
pub(super) fn channels(channels: Vec<ChannelStatus>) -> ChannelReader {
    let channels: Arc<[ChannelStatus]> = channels.into();
    Box::new(move || channels.clone())
}
