//! Incidents and deliveries of tests.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::context::ChannelContext;
use super::delivery::Delivery;
use crate::alert::{EndReason, Ended, Incident, IncidentId, Notice, NoticeKey, NoticeKind};
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
    }
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
