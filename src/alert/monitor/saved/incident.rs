//! Incidents and evidence as JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::super::incident::{
    Acknowledgement, EndReason, Ended, Evidence, Incident, IncidentId, SubjectKey,
};
use super::text::{Number, Text, Time};
use crate::board::Datum;
use crate::config::Severity;
use crate::json::deserialize_members;
use crate::units::Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SavedDatum {
    Number(Number),
    Text(String),
}

impl Default for SavedDatum {
    fn default() -> SavedDatum {
        SavedDatum::Text(String::new())
    }
}

#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct SavedEvidence {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<SavedDatum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<Text<Unit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<(Number, Text<Unit>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

deserialize_members!(SavedEvidence { value, unit, threshold, rate, observed_at, detail });

#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct SavedIncident {
    id: Text<IncidentId>,
    alert: String,
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    title: String,
    field: Option<String>,
    severity: Text<Severity>,
    condition: String,
    since: Time,
    fired_at: Time,
    evidence: SavedEvidence,
    at_fire: SavedEvidence,
    acknowledged: Option<(String, Time)>,
    ended: Option<(Time, Text<EndReason>)>,
}

deserialize_members!(SavedIncident { id, alert, source, replica, title, field, severity, condition, since, fired_at, evidence, at_fire, acknowledged, ended } required { id, alert, title, severity, condition, since, fired_at });

impl SavedDatum {
    pub(super) fn of(datum: &Datum) -> SavedDatum {
        match datum {
            Datum::Number(number) => SavedDatum::Number(Text(*number)),
            Datum::Text(text) => SavedDatum::Text(text.to_string()),
        }
    }

    pub(super) fn into_datum(self) -> Datum {
        match self {
            SavedDatum::Number(number) => Datum::Number(number.0),
            SavedDatum::Text(text) => Datum::text(text),
        }
    }
}

impl SavedEvidence {
    pub(super) fn of(evidence: &Evidence) -> SavedEvidence {
        SavedEvidence {
            value: evidence.value.as_ref().map(SavedDatum::of),
            unit: evidence.unit.map(Text),
            threshold: evidence.threshold.map(Text),
            rate: evidence.rate.map(|(number, unit)| (Text(number), Text(unit))),
            observed_at: evidence.observed_at.map(Text),
            detail: evidence.detail.as_deref().map(str::to_owned),
        }
    }

    pub(super) fn into_evidence(self) -> Evidence {
        Evidence {
            value: self.value.map(SavedDatum::into_datum),
            unit: self.unit.map(|unit| unit.0),
            threshold: self.threshold.map(|number| number.0),
            rate: self.rate.map(|(number, unit)| (number.0, unit.0)),
            observed_at: self.observed_at.map(|at| at.0),
            detail: self.detail.map(Arc::from),
        }
    }
}

impl SavedIncident {
    pub(super) fn of(incident: &Incident) -> SavedIncident {
        let known = incident.acknowledged.as_ref();
        SavedIncident {
            id: Text(incident.id),
            alert: incident.subject.alert.to_string(),
            source: incident.subject.source.as_deref().map(str::to_owned),
            replica: incident.subject.replica.as_deref().map(str::to_owned),
            title: incident.title.to_string(),
            field: incident.field.as_deref().map(str::to_owned),
            severity: Text(incident.severity),
            condition: incident.condition.to_string(),
            since: Text(incident.since),
            fired_at: Text(incident.fired_at),
            evidence: SavedEvidence::of(&incident.evidence),
            at_fire: SavedEvidence::of(&incident.at_fire),
            acknowledged: known.map(|known| (known.by.to_string(), Text(known.at))),
            ended: incident.ended.map(|ended| (Text(ended.at), Text(ended.reason))),
        }
    }

    pub(super) fn into_incident(self) -> Incident {
        Incident {
            id: self.id.0,
            subject: SubjectKey {
                alert: self.alert.into(),
                source: self.source.map(Arc::from),
                replica: self.replica.map(Arc::from),
            },
            title: self.title.into(),
            field: self.field.map(Arc::from),
            severity: self.severity.0,
            condition: self.condition.into(),
            since: self.since.0,
            fired_at: self.fired_at.0,
            evidence: self.evidence.into_evidence(),
            at_fire: self.at_fire.into_evidence(),
            acknowledged: self
                .acknowledged
                .map(|(by, at)| Acknowledgement { by: by.into(), at: at.0 }),
            ended: self.ended.map(|(at, reason)| Ended { at: at.0, reason: reason.0 }),
        }
    }
}
