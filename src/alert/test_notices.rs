//! Incidents and notices for tests.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    EndReason, Ended, Evidence, Incident, IncidentId, Notice, NoticeKey, NoticeKind, SubjectKey,
};
use crate::config::Severity;

/// Returns a time by its seconds after the beginning of 2026.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    begin + SignedDuration::from_secs(seconds)
}

/// Returns an incident of `tank_low` that fired at a time, and has ended at another one.
pub(crate) fn incident(id: u64, fired: i64, ended: Option<i64>) -> Incident {
    Incident {
        id: IncidentId(id),
        subject: SubjectKey { alert: "tank_low".into(), source: Some("tank".into()) },
        title: "Tank".into(),
        field: Some("tank.volume".into()),
        severity: Severity::Warning,
        condition: "below 300 gal".into(),
        since: at(fired),
        fired_at: at(fired),
        evidence: Evidence::default(),
        at_fire: Evidence::default(),
        acknowledged: None,
        ended: ended.map(|ended| Ended { at: at(ended), reason: EndReason::Resolved }),
    }
}

/// Returns a notice of the channel `phone` that is due at the time it is made.
pub(crate) fn notice(incident_id: u64, kind: NoticeKind, number: u32, made: i64) -> Notice {
    let ended = (kind == NoticeKind::Ended).then_some(made);
    Notice {
        key: NoticeKey { channel: "phone".into(), incident: IncidentId(incident_id), kind, number },
        incident: Arc::new(incident(incident_id, 0, ended)),
        message: None,
        at: at(made),
        due: at(made),
    }
}
