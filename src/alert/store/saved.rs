//! Incidents and notices as JSON. Members that a later version adds are ignored, and absent ones have defaults
//! where that is possible.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::alert::{
    Acknowledgement, Ended, Evidence, Incident, IncidentId, Notice, NoticeKey, SubjectKey,
};
use crate::board::{Datum, Finite};
use crate::json::deserialize_members;
use crate::units::Unit;

/// An incident without its id, which is a column.
#[derive(Debug, Default, Serialize)]
struct SavedIncident {
    alert: String,
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    title: String,
    field: Option<String>,
    severity: String,
    condition: String,
    since: String,
    fired_at: String,
    evidence: SavedEvidence,
    at_fire: SavedEvidence,
    acknowledged: Option<SavedAcknowledgement>,
    ended: Option<SavedEnd>,
}

deserialize_members!(SavedIncident { alert, source, replica, title, field, severity, condition, since, fired_at, evidence, at_fire, acknowledged, ended } required { alert, title, severity, condition, since, fired_at });

/// Numbers keep their digits.
#[derive(Debug, Default, Serialize)]
struct SavedEvidence {
    value: Option<SavedDatum>,
    unit: Option<String>,
    threshold: Option<Number>,
    rate: Option<(Number, String)>,
    observed_at: Option<String>,
    detail: Option<String>,
}

deserialize_members!(SavedEvidence { value, unit, threshold, rate, observed_at, detail });

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedDatum {
    Number(Number),
    Text(String),
}

#[derive(Debug, Default, Serialize)]
struct SavedAcknowledgement {
    by: String,
    at: String,
}

deserialize_members!(SavedAcknowledgement { by, at } required { by, at });

#[derive(Debug, Default, Serialize)]
struct SavedEnd {
    at: String,
    reason: String,
}

deserialize_members!(SavedEnd { at, reason } required { at, reason });

/// A notice without its key, which is columns.
#[derive(Debug, Default, Serialize)]
struct SavedNotice {
    incident: SavedIncident,
    message: Option<String>,
    at: String,
    due: String,
}

deserialize_members!(SavedNotice { incident, message, at, due } required { incident, at, due });

/// Returns the JSON of an incident.
pub(super) fn encode_incident(incident: &Incident) -> String {
    json(&saved_incident(incident))
}

/// Returns the JSON of a notice.
pub(super) fn encode_notice(notice: &Notice) -> String {
    json(&SavedNotice {
        incident: saved_incident(&notice.incident),
        message: owned(notice.message.as_ref()),
        at: notice.at.to_string(),
        due: notice.due.to_string(),
    })
}

fn json(saved: &impl Serialize) -> String {
    serde_json::to_string(saved).expect("texts and finite numbers are always JSON")
}

/// Returns the incident of a row; otherwise the reason why it cannot be read.
pub(super) fn decode_incident(id: IncidentId, content: &str) -> Result<Incident, String> {
    let saved: SavedIncident =
        crate::json::from_text(content).map_err(|error| error.to_string())?;
    incident_of(id, saved)
}

/// Returns the notice of a row; otherwise the reason why it cannot be read.
pub(super) fn decode_notice(key: NoticeKey, content: &str) -> Result<Notice, String> {
    let saved: SavedNotice = crate::json::from_text(content).map_err(|error| error.to_string())?;
    Ok(Notice {
        incident: Arc::new(incident_of(key.incident, saved.incident)?),
        message: saved.message.map(Into::into),
        at: time(&saved.at)?,
        due: time(&saved.due)?,
        key,
    })
}

fn saved_incident(incident: &Incident) -> SavedIncident {
    SavedIncident {
        alert: incident.subject.alert.to_string(),
        source: owned(incident.subject.source.as_ref()),
        replica: owned(incident.subject.replica.as_ref()),
        title: incident.title.to_string(),
        field: owned(incident.field.as_ref()),
        severity: incident.severity.as_str().to_owned(),
        condition: incident.condition.to_string(),
        since: incident.since.to_string(),
        fired_at: incident.fired_at.to_string(),
        evidence: saved_evidence(&incident.evidence),
        at_fire: saved_evidence(&incident.at_fire),
        acknowledged: incident.acknowledged.as_ref().map(|acknowledged| SavedAcknowledgement {
            by: acknowledged.by.to_string(),
            at: acknowledged.at.to_string(),
        }),
        ended: incident.ended.map(|ended| SavedEnd {
            at: ended.at.to_string(),
            reason: ended.reason.as_str().to_owned(),
        }),
    }
}

fn incident_of(id: IncidentId, saved: SavedIncident) -> Result<Incident, String> {
    let acknowledgement = |SavedAcknowledgement { by, at }| {
        Ok::<_, String>(Acknowledgement { by: by.into(), at: time(&at)? })
    };
    let end = |SavedEnd { at, reason }| {
        let reason = reason.parse().map_err(|_| format!("{reason:?} is not a reason of an end"))?;
        Ok::<_, String>(Ended { at: time(&at)?, reason })
    };
    Ok(Incident {
        id,
        subject: SubjectKey {
            alert: saved.alert.into(),
            source: saved.source.map(Into::into),
            replica: saved.replica.map(Into::into),
        },
        title: saved.title.into(),
        field: saved.field.map(Into::into),
        severity: saved
            .severity
            .parse()
            .map_err(|_| format!("{:?} is not a severity", saved.severity))?,
        condition: saved.condition.into(),
        since: time(&saved.since)?,
        fired_at: time(&saved.fired_at)?,
        evidence: evidence_of(saved.evidence)?,
        at_fire: evidence_of(saved.at_fire)?,
        acknowledged: saved.acknowledged.map(acknowledgement).transpose()?,
        ended: saved.ended.map(end).transpose()?,
    })
}

fn saved_evidence(evidence: &Evidence) -> SavedEvidence {
    let unit = |unit: Unit| unit.as_str().to_owned();
    SavedEvidence {
        value: evidence.value.as_ref().and_then(|value| match value {
            Datum::Number(value) => number(*value).map(SavedDatum::Number),
            Datum::Text(text) => Some(SavedDatum::Text(text.to_string())),
        }),
        unit: evidence.unit.map(unit),
        threshold: evidence.threshold.and_then(number),
        rate: evidence.rate.and_then(|(rate, of)| Some((number(rate)?, unit(of)))),
        observed_at: evidence.observed_at.map(|at| at.to_string()),
        detail: owned(evidence.detail.as_ref()),
    }
}

fn evidence_of(saved: SavedEvidence) -> Result<Evidence, String> {
    let datum = |datum| match datum {
        SavedDatum::Number(number) => finite(&number).map(Datum::Number),
        SavedDatum::Text(text) => Some(Datum::text(text)),
    };
    Ok(Evidence {
        value: saved.value.and_then(datum),
        unit: saved.unit.and_then(|name| Unit::from_recorded(&name)),
        threshold: saved.threshold.as_ref().and_then(finite),
        rate: saved
            .rate
            .and_then(|(rate, unit)| Some((finite(&rate)?, Unit::from_recorded(&unit)?))),
        observed_at: saved.observed_at.as_deref().map(time).transpose()?,
        detail: saved.detail.map(Into::into),
    })
}

fn owned(text: Option<&Arc<str>>) -> Option<String> {
    text.map(ToString::to_string)
}

fn number(number: Finite) -> Option<Number> {
    Number::from_f64(number.get())
}

fn finite(number: &Number) -> Option<Finite> {
    number.as_f64().and_then(Finite::new)
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is not a time"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::VariantArray as _;

    use super::*;
    use crate::alert::test_notices::notice;
    use crate::alert::{EndReason, NoticeKind};
    use crate::config::Severity;

    fn any_time() -> impl Strategy<Value = Timestamp> {
        let nanoseconds = Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond();
        nanoseconds.prop_map(|at| Timestamp::from_nanosecond(at).unwrap())
    }

    fn any_finite() -> impl Strategy<Value = Finite> {
        any::<f64>().prop_filter_map("finite", Finite::new)
    }

    fn any_text() -> impl Strategy<Value = Arc<str>> {
        any::<String>().prop_map(Arc::from)
    }

    fn any_unit() -> impl Strategy<Value = Unit> {
        prop_oneof![
            Just(Unit::UsGallon),
            Just(Unit::Celsius),
            Just(Unit::PercentPerHour),
            Just(Unit::from_recorded("bales").unwrap()),
        ]
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let datum = prop_oneof![
            any_finite().prop_map(Datum::Number),
            any::<String>().prop_map(Datum::text)
        ];
        let optional = prop::option::of::<BoxedStrategy<Datum>>;
        (
            optional(datum.boxed()),
            prop::option::of(any_unit()),
            prop::option::of(any_finite()),
            prop::option::of((any_finite(), any_unit())),
            prop::option::of(any_time()),
            prop::option::of(any_text()),
        )
            .prop_map(|(value, unit, threshold, rate, observed_at, detail)| Evidence {
                value,
                unit,
                threshold,
                rate,
                observed_at,
                detail,
            })
    }

    fn any_incident() -> impl Strategy<Value = Incident> {
        let texts = (any_text(), prop::option::of(any_text()), any_text(), any_text());
        let reasons = vec![
            EndReason::Resolved,
            EndReason::OutsideHours,
            EndReason::Withdrawn,
            EndReason::Duplicate,
        ];
        let ended = (any_time(), prop::sample::select(reasons))
            .prop_map(|(at, reason)| Ended { at, reason });
        let acknowledged = (any_text(), any_time()).prop_map(|(by, at)| Acknowledgement { by, at });
        (
            any::<u64>().prop_map(IncidentId),
            texts,
            prop::option::of(any_text()),
            prop::sample::select(Severity::VARIANTS),
            (any_time(), any_time()),
            (any_evidence(), any_evidence()),
            prop::option::of(acknowledged),
            prop::option::of(ended),
        )
            .prop_map(
                |(id, texts, field, severity, times, evidence, acknowledged, ended)| {
                    let (alert, source, title, condition) = texts;
                    Incident {
                        id,
                        subject: SubjectKey { alert, source, replica: None },
                        title,
                        field,
                        severity,
                        condition,
                        since: times.0,
                        fired_at: times.1,
                        evidence: evidence.0,
                        at_fire: evidence.1,
                        acknowledged,
                        ended,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn any_incident_is_read_as_it_was_written(incident in any_incident(), at in any_time()) {
            let content = encode_incident(&incident);
            prop_assert_eq!(decode_incident(incident.id, &content), Ok(incident.clone()));
            let mut notice = notice(incident.id.0, NoticeKind::Reminder, 3, 0);
            notice.message = Some(Arc::clone(&incident.title));
            (notice.at, notice.due) = (at, incident.since);
            notice.incident = Arc::new(incident);
            let content = encode_notice(&notice);
            prop_assert_eq!(decode_notice(notice.key.clone(), &content), Ok(notice));
        }
    }

    #[test]
    fn unknown_members_are_ignored_and_absent_ones_have_defaults() {
        let content = r#"{"alert":"a","title":"A","severity":"info","condition":"below 1",
            "since":"2026-01-01T00:00:00Z","fired_at":"2026-01-01T00:00:01Z","mood":["new"],
            "evidence":{"unit":"no such\u001bunit","later":{}}}"#;
        let incident = decode_incident(IncidentId(1), content).unwrap();
        assert_eq!((incident.evidence.unit, incident.subject.source), (None, None));
        for (from, to) in
            [("\"info\"", "\"dire\""), ("\"a\"", "7"), ("2026-01-01T00:00:01Z", "now")]
        {
            let broken = content.replace(from, to);
            assert!(decode_incident(IncidentId(1), &broken).is_err(), "{to}");
        }
    }
}
