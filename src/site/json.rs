//! The JSON shapes of the API.

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::board::{Datum, FieldName, SourceView, Value};

use super::freshness::state_at;

/// A time as the API tells it: UTC, RFC 3339, whole seconds, `Z`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// `GET /api/v1/status`
#[derive(serde::Serialize)]
pub(super) struct Status<'a> {
    /// Who answers.
    pub(super) service: ServiceInfo,
    /// By name, in the order of the configuration.
    pub(super) sources: ByName<'a>,
}

/// `service` in the status.
#[derive(serde::Serialize)]
pub(super) struct ServiceInfo {
    name: &'static str,
    version: &'static str,
    started_at: Time,
}

impl ServiceInfo {
    /// This program, started then.
    pub(super) fn started(at: Timestamp) -> ServiceInfo {
        ServiceInfo {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            started_at: Time(at),
        }
    }
}

/// Sources as an object, each under its name.
pub(super) struct ByName<'a>(pub(super) Vec<Source<'a>>);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|source| (&*source.view.name, source)))
    }
}

/// One source with all of its values, or some of them.
pub(super) struct Source<'a> {
    /// The source.
    pub(super) view: &'a SourceView,
    /// The values to tell.
    pub(super) values: Vec<&'a (FieldName, Value)>,
    /// Whether to tell the name as a member, where no key tells it.
    pub(super) named: bool,
    /// The moment that its state is told for.
    pub(super) now: Timestamp,
}

impl<'a> Source<'a> {
    /// The source with all of its values.
    pub(super) fn whole(view: &'a SourceView, named: bool, now: Timestamp) -> Source<'a> {
        Source { view, values: view.values().iter().collect(), named, now }
    }
}

impl Serialize for Source<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Source { view, values, named, now } = self;
        let reading = view.reading.as_ref();
        let mut map = serializer.serialize_map(None)?;
        if *named {
            map.serialize_entry("name", &*view.name)?;
        }
        map.serialize_entry("title", &*view.title)?;
        map.serialize_entry("kind", view.kind)?;
        map.serialize_entry("state", state_at(view, *now).as_str())?;
        map.serialize_entry("observed_at", &reading.map(|reading| Time(reading.observed.at)))?;
        if reading.is_some_and(|reading| reading.observed.inferred) {
            map.serialize_entry("observed_at_inferred", &true)?;
        }
        map.serialize_entry("fetched_at", &reading.map(|reading| Time(reading.fetched_at)))?;
        map.serialize_entry("stale_at", &reading.map(|reading| Time(reading.stale_at)))?;
        map.serialize_entry("next_poll_at", &view.next_poll_at.map(Time))?;
        map.serialize_entry("values", &Values(values))?;
        map.serialize_entry("error", &view.error.as_ref().map(Failure::from))?;
        map.end()
    }
}

struct Values<'a>(&'a [&'a (FieldName, Value)]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.iter().map(|(name, value)| (&**name, ValueMembers::from(value)));
        serializer.collect_map(entries)
    }
}

/// The members of a value: `null` with a `note` where there is none.
#[derive(serde::Serialize)]
pub(super) struct ValueMembers<'a> {
    value: Option<DatumJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum DatumJson<'a> {
    Number(f64),
    Text(&'a str),
}

impl<'a> From<&'a Value> for ValueMembers<'a> {
    fn from(value: &'a Value) -> ValueMembers<'a> {
        ValueMembers {
            value: value.datum.as_ref().map(|datum| match datum {
                Datum::Number(number) => DatumJson::Number(number.get()),
                Datum::Text(text) => DatumJson::Text(text),
            }),
            unit: value.unit.map(|unit| unit.as_str()),
            note: value.note.as_deref(),
        }
    }
}

/// `GET /api/v1/values/{source}.{field}`: the value, and how far it can be trusted.
#[derive(serde::Serialize)]
pub(super) struct OneValue<'a> {
    /// The source's name.
    pub(super) source: &'a str,
    /// The field's name.
    pub(super) field: &'a str,
    /// `value`, `unit`, `note`.
    #[serde(flatten)]
    pub(super) members: ValueMembers<'a>,
    /// `fresh` or `stale`.
    pub(super) state: &'static str,
    /// The sensor's clock.
    pub(super) observed_at: Time,
    /// Our clock.
    pub(super) fetched_at: Time,
}

#[derive(serde::Serialize)]
struct Failure<'a> {
    kind: &'static str,
    message: &'a str,
    since: Time,
    failures: u32,
}

impl<'a> From<&'a crate::board::Failure> for Failure<'a> {
    fn from(failure: &'a crate::board::Failure) -> Failure<'a> {
        Failure {
            kind: failure.kind.as_str(),
            message: &failure.message,
            since: Time(failure.since),
            failures: failure.failures,
        }
    }
}
