//! JSON of sources and values, shared by all responses that contain them.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::board::{Datum, Failure, ServiceInfo, SourceView, Value};
use crate::timestamp::Rfc3339;

/// `service` in the status. The start of the process is on the scoreboard: replicas with equal readings answer with
/// equal bodies and tags.
impl Serialize for ServiceInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry("version", self.version)?;
        map.end()
    }
}

/// Members of a source in `/api/v1/status`. Its name is its key.
impl Serialize for SourceView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reading = self.reading.as_ref();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("title", &*self.title)?;
        if let Some(group) = &self.group {
            map.serialize_entry("group", &**group)?;
        }
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("state", self.state.as_str())?;
        map.serialize_entry("observed_at", &reading.map(|last| Rfc3339(last.observed.at)))?;
        if reading.is_some_and(|last| last.observed.inferred) {
            map.serialize_entry("observed_at_inferred", &true)?;
        }
        map.serialize_entry("fetched_at", &reading.map(|last| Rfc3339(last.fetched_at)))?;
        map.serialize_entry("stale_at", &reading.map(|last| Rfc3339(last.stale_at)))?;
        map.serialize_entry("next_poll_at", &self.next_poll_at.map(Rfc3339))?;
        map.serialize_entry("values", &Values(self))?;
        map.serialize_entry("error", &self.error)?;
        map.end()
    }
}

struct Values<'a>(&'a SourceView);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.values().map(|(name, value)| (&**name, value)))
    }
}

/// `value`, `unit` (null for a text), `period` in seconds for an amount of some time, `observed_at` if the value
/// has a time of its own, and `note` if there is one.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &self.datum)?;
        map.serialize_entry("unit", &self.unit.map(|unit| unit.as_str()))?;
        if let Some(period) = self.period {
            map.serialize_entry("period", &period.as_secs())?;
        }
        if let Some(observed) = &self.observed {
            map.serialize_entry("observed_at", &Rfc3339(observed.at))?;
            if observed.inferred {
                map.serialize_entry("observed_at_inferred", &true)?;
            }
        }
        if let Some(note) = &self.note {
            map.serialize_entry("note", &**note)?;
        }
        map.end()
    }
}

/// JSON number or string.
impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Datum::Number(number) => serializer.serialize_f64(number.get()),
            Datum::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", self.kind.as_str())?;
        map.serialize_entry("message", &*self.message)?;
        map.serialize_entry("since", &Rfc3339(self.since))?;
        map.serialize_entry("failures", &self.failures)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::board::{ErrorKind, LastReading, Observed, Reading, State};
    use crate::units::Unit;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn tank() -> SourceView {
        SourceView {
            name: "tank".into(),
            title: "Cistern".into(),
            group: None,
            kind: "ptlevel",
            show: [].into(),
            state: State::Fresh,
            reading: Some(LastReading::new(
                Reading {
                    observed: Observed::absolute(at("2026-01-31T17:16:00Z")),
                    values: vec![
                        ("level".into(), Value::number(84.6, Unit::Percent)),
                        ("depth".into(), Value::number(49.09, Unit::Inch)),
                        ("volume".into(), Value::number(1185.0, Unit::UsGallon)),
                    ],
                },
                at("2026-01-31T17:20:01Z"),
                std::time::Duration::from_secs(20 * 60),
            )),
            interval: std::time::Duration::from_secs(300),
            next_poll_at: Some(at("2026-01-31T17:25:01.9Z")),
            error: None,
            configuration: 0,
            version: 1,
            is_held: true,
            is_stale_announced: false,
            changed_at: at("2026-01-31T17:16:00Z"),
        }
    }

    #[test]
    fn source_and_service_have_the_members_of_the_contract() {
        let service = ServiceInfo {
            name: "pumphouse-web",
            version: "0.1.0",
            started_at: at("2026-01-31T16:00:00.75Z"),
        };
        assert_eq!(
            serde_json::to_string(&service).unwrap(),
            r#"{"name":"pumphouse-web","version":"0.1.0"}"#
        );
        assert_eq!(
            serde_json::to_string(&tank()).unwrap(),
            concat!(
                r#"{"title":"Cistern","#,
                r#""kind":"ptlevel","state":"fresh","observed_at":"2026-01-31T17:16:00Z","#,
                r#""fetched_at":"2026-01-31T17:20:01Z","stale_at":"2026-01-31T17:36:00Z","#,
                r#""next_poll_at":"2026-01-31T17:25:01Z","values":{"#,
                r#""level":{"value":84.6,"unit":"%"},"depth":{"value":49.09,"unit":"in"},"#,
                r#""volume":{"value":1185.0,"unit":"gal"}},"error":null}"#
            )
        );
        let grouped = SourceView { group: Some("north/ridge".into()), ..tank() };
        let json = serde_json::to_string(&grouped).unwrap();
        assert!(json.starts_with(r#"{"title":"Cistern","group":"north/ridge","kind":"#), "{json}");
    }

    #[test]
    fn waiting_source_has_nulls_and_no_values() {
        let waiting =
            SourceView { state: State::Waiting, reading: None, next_poll_at: None, ..tank() };
        assert_eq!(
            serde_json::to_string(&waiting).unwrap(),
            concat!(
                r#"{"title":"Cistern","kind":"ptlevel","state":"waiting","observed_at":null,"#,
                r#""fetched_at":null,"stale_at":null,"next_poll_at":null,"values":{},"error":null}"#
            )
        );
    }

    #[test]
    fn inferred_time_and_failure_are_members_of_the_source() {
        let mut view = tank();
        view.reading.as_mut().unwrap().observed.inferred = true;
        view.error = Some(Failure {
            kind: ErrorKind::TooLarge,
            message: "more than 1 MiB".into(),
            since: at("2026-01-31T17:10:00Z"),
            failures: 3,
        });
        let json = serde_json::to_string(&view).unwrap();
        assert!(
            json.contains(r#""observed_at":"2026-01-31T17:16:00Z","observed_at_inferred":true"#)
        );
        assert!(json.ends_with(concat!(
            r#""error":{"kind":"too_large","message":"more than 1 MiB","#,
            r#""since":"2026-01-31T17:10:00Z","failures":3}}"#
        )));
    }

    #[test]
    fn value_is_serialised_by_its_kind() {
        let own = Observed { inferred: true, ..Observed::absolute(at("2026-01-31T17:16:00Z")) };
        for (value, json) in [
            (
                Value { observed: Some(own), ..Value::number(1.0, Unit::Volt) },
                concat!(
                    r#"{"value":1.0,"unit":"V","observed_at":"2026-01-31T17:16:00Z","#,
                    r#""observed_at_inferred":true}"#
                ),
            ),
            (Value::number(-40.0, Unit::Celsius), r#"{"value":-40.0,"unit":"degC"}"#),
            (Value::text("Clear \"sky\""), r#"{"value":"Clear \"sky\"","unit":null}"#),
            (
                Value::missing(Some(Unit::Inch), "sent as null"),
                r#"{"value":null,"unit":"in","note":"sent as null"}"#,
            ),
            (
                Value::number(0.2, Unit::Millimetre).over(std::time::Duration::from_secs(3600)),
                r#"{"value":0.2,"unit":"mm","period":3600}"#,
            ),
            (
                Value::number(f64::NAN, Unit::Volt),
                r#"{"value":null,"unit":"V","note":"not a finite number"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
    }
}
