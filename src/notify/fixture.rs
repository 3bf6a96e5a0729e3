//! Incidents and deliveries of tests.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::context::{ChannelContext, LateAlerts};
use super::delivery::Delivery;
use crate::alert::{
    AlertState, AlertView, AlertsHandle, AlertsView, EndReason, Ended, Incident, IncidentId,
    Notice, NoticeKey, NoticeKind, SubjectView,
};
use crate::board::Value;
use crate::config::{Channel, ChannelKind, Severity};
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::trusting;
use crate::units::Unit;

pub(super) use crate::alert::test_notices::{low_cistern as incident, of_morning as at};

pub(super) fn ended(reason: EndReason) -> Incident {
    let mut incident = incident();
    incident.evidence.value = Value::number(340.0, Unit::UsGallon).datum;
    incident.evidence.observed_at = Some(at("05:59"));
    incident.ended = Some(Ended { at: at("05:40"), reason });
    incident
}

pub(super) fn of_source(name: &str, severity: Severity) -> Incident {
    let mut incident = incident();
    incident.id =
        IncidentId(0x10_0000 + name.bytes().fold(0, |hash, byte| hash * 131 + u64::from(byte)));
    incident.subject.source = Some(name.into());
    incident.title = name.into();
    incident.severity = severity;
    incident
}

pub(super) fn notice(kind: NoticeKind, incident: Incident) -> Arc<Notice> {
    let key = NoticeKey { channel: "phone".into(), incident: incident.id, kind, number: 0 };
    let at = at("05:58");
    Arc::new(Notice { key, incident: incident.into(), message: None, at, due: at })
}

pub(super) fn fired() -> Arc<Notice> {
    notice(NoticeKind::Fired, incident())
}

pub(super) fn delivery(notices: impl IntoIterator<Item = Arc<Notice>>) -> Delivery {
    Delivery {
        notices: notices.into_iter().collect(),
        key: "phone-17".into(),
        dropped: 0,
        unsaved: false,
        now: at("06:00"),
    }
}

pub(super) fn context() -> ChannelContext {
    ChannelContext {
        site_title: "Ridge water".into(),
        site_url: Some("https://tank.example/pumphouse".parse().unwrap()),
        zone: TimeZone::UTC,
        tls: trusting(&[]),
        resolver: ThreadedResolver::system(),
        user_agent: "pumphouse-web/test".into(),
        alerts: LateAlerts::default(),
    }
}

/// Returns a context whose alerts have one rule, with incidents that fire, each announced to a channel.
pub(super) fn knowing(
    alert: &str,
    incidents: Vec<(Incident, &str)>,
    is_active: bool,
) -> ChannelContext {
    let file = "[[source]]\nname = \"cistern\"\nkind = \"ptlevel\"\n\
                url = \"https://h/s/x\"\nheight = 58\ncapacity = 1400\n\
                [[alert]]\nname = \"tank_low\"\nsource = \"cistern\"\nstale = true\n";
    let parsed = crate::config::parse("p.toml".as_ref(), file, &|_| None).unwrap();
    let rule = parsed.alerts[0].clone();
    let subject = |(incident, channel): (Incident, &str)| SubjectView {
        key: incident.subject.clone(),
        state: AlertState::Firing,
        since: incident.since,
        evidence: incident.evidence.clone(),
        incident: Some(incident.into()),
        announced: vec![channel.into()],
    };
    let view = AlertView {
        name: alert.into(),
        rule,
        severity: Severity::Critical,
        source: None,
        field: None,
        condition: "below 300 gal".into(),
        silenced_until: None,
        fault: None,
        inactive: 0,
        subjects: incidents.into_iter().map(subject).collect(),
    };
    let view = AlertsView { alerts: vec![view.into()], is_active, ..AlertsView::default() };
    let alerts = LateAlerts::default();
    let _ = alerts.set(AlertsHandle::fixed(view));
    ChannelContext { alerts, ..context() }
}

pub(super) fn config(kind: ChannelKind) -> Channel {
    Channel {
        name: "phone".into(),
        kind,
        timeout: Duration::from_secs(30),
        group_wait: Duration::ZERO,
        max_per_hour: 60,
        ca_certs: None,
    }
}
