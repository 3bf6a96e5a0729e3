//! Incidents and notices for tests.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    EndReason, Ended, Evidence, Incident, IncidentId, Notice, NoticeKey, NoticeKind, SubjectKey,
};
use crate::board::{Finite, Value};
use crate::config::Severity;
use crate::units::Unit;

/// Returns a time by its seconds after the beginning of 2026.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    begin + SignedDuration::from_secs(seconds)
}

/// Returns an incident of `tank_low` that fired at a time, and has ended at another one.
pub(crate) fn incident(id: u64, fired: i64, ended: Option<i64>) -> Incident {
    Incident {
        id: IncidentId(id),
        subject: SubjectKey {
            alert: "tank_low".into(),
            source: Some("tank".into()),
            replica: None,
        },
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

/// Returns a time of the third of February 2026, such as `05:57`.
pub(crate) fn of_morning(time: &str) -> Timestamp {
    format!("2026-02-03T{time}:00Z").parse().unwrap()
}

/// Returns a critical incident with a value, a threshold and a rate.
pub(crate) fn low_cistern() -> Incident {
    let evidence = Evidence {
        value: Value::number(280.0, Unit::UsGallon).datum,
        unit: Some(Unit::UsGallon),
        threshold: Finite::new(300.0),
        rate: Finite::new(-12.0).map(|rate| (rate, Unit::UsGallon.per_hour().unwrap())),
        observed_at: Some(of_morning("05:57")),
        detail: None,
    };
    Incident {
        id: IncidentId(0x1234),
        subject: SubjectKey {
            alert: "tank_low".into(),
            source: Some("cistern".into()),
            replica: None,
        },
        title: "Cistern".into(),
        field: Some("volume".into()),
        severity: Severity::Critical,
        condition: "below 300 gal".into(),
        since: of_morning("02:10"),
        fired_at: of_morning("02:20"),
        at_fire: evidence.clone(),
        evidence,
        acknowledged: None,
        ended: None,
    }
}
