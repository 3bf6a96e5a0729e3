//! JSON form of a reading with its first sights, as it is saved over a restart and shared with other replicas.
//!
//! Unknown members are ignored, and members that later versions added may be absent.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::held::Received;
use super::identity::Sighting;
use super::reading::{Datum, FieldName, Finite, Observed, Stamp, Value};
use super::report::SavedReading;
use super::snapshot::{Snapshot, SourceView};
use crate::config;
use crate::json::deserialize_members;
use crate::text::clean_shared;
use crate::units::Unit;

#[derive(Debug, Default, Serialize)]
pub(super) struct SavedSource {
    source: String,
    kind: String,
    // The members of its sighting.
    observed_at: i64,
    inferred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<SavedStamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<i64>,
    #[serde(skip_serializing_if = "is_false")]
    earlier: bool,
    fetched_at: i64,
    /// True if it was announced that the source is stale. Absent in files of earlier versions.
    stale: bool,
    /// Absent in files of earlier versions.
    configuration: Option<u32>,
    values: Vec<SavedValue>,
}

deserialize_members!(SavedSource { source, kind, observed_at, inferred, stamp, first_seen, earlier, fetched_at, stale, configuration, values } required { source, kind, observed_at, inferred, fetched_at, values });

/// Time of a reading or of a value, and when it was seen first.
#[derive(Debug, Default, Serialize)]
pub(super) struct SavedSighting {
    observed_at: i64,
    inferred: bool,
    /// Absent in files of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<SavedStamp>,
    /// Absent in files of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<i64>,
    /// True if a process before the one that wrote this saw it first.
    #[serde(skip_serializing_if = "is_false")]
    earlier: bool,
}

deserialize_members!(SavedSighting { observed_at, inferred, stamp, first_seen, earlier } required { observed_at, inferred });

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedStamp {
    /// Nanoseconds since 1970, as text: JSON has no such large numbers.
    Absolute(String),
    /// Resolution of an age, in seconds.
    Age(u64),
    Fetched,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct SavedValue {
    name: String,
    datum: Option<SavedDatum>,
    unit: Option<String>,
    note: Option<String>,
    /// Seconds that an amount covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
    /// Time of the value, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<SavedSighting>,
}

deserialize_members!(SavedValue { name, datum, unit, note, period, own } required { name });

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedDatum {
    /// With all of its digits: a parser of `f64` may read the neighbour of a number with 17.
    Number(serde_json::Number),
    Text(String),
}

/// Returns the readings of a snapshot as JSON.
pub fn saved_readings(snapshot: &Snapshot) -> Vec<u8> {
    let sources: Vec<SavedSource> = snapshot.sources.iter().filter_map(SavedSource::of).collect();
    serde_json::to_vec(&sources).expect("texts and finite numbers are always JSON")
}

/// Reads the readings of a snapshot. Those with a time out of range are left out.
///
/// # Errors
/// The text is not JSON of this form.
pub fn restored_readings(json: &[u8]) -> serde_json::Result<Vec<SavedReading>> {
    let sources: Vec<SavedSource> = serde_json::from_slice(json)?;
    Ok(sources.into_iter().filter_map(SavedSource::reading).collect())
}

impl SavedSource {
    /// Returns the form of a source's reading; `None` without one.
    pub(super) fn of(source: &SourceView) -> Option<SavedSource> {
        let reading = source.reading.as_ref()?;
        let Received { sighting, values, own } = &*reading.received;
        let own = |field: &FieldName| own.iter().find(|(name, _)| name == field);
        // Derived values are not saved: the trends derive them again.
        let values = values.iter().map(|(name, value)| {
            let own = value.observed.and_then(|_| own(name));
            SavedValue::new(name, value, own.map(|(_, own)| saved_sighting(own)))
        });
        let SavedSighting { observed_at, inferred, stamp, first_seen, earlier } =
            saved_sighting(sighting);
        Some(SavedSource {
            source: source.name.to_string(),
            kind: source.kind.to_owned(),
            observed_at,
            inferred,
            stamp,
            first_seen,
            earlier,
            fetched_at: reading.fetched_at.as_second(),
            stale: source.is_stale_announced,
            configuration: Some(source.configuration),
            values: values.collect(),
        })
    }

    /// Returns the reading; `None` if a time is out of range.
    pub(super) fn reading(self) -> Option<SavedReading> {
        let fetched_at = Timestamp::from_second(self.fetched_at).ok()?;
        let mut own = Vec::new();
        let mut values = Vec::new();
        for saved in self.values {
            let (name, value, sighting) = saved.value(fetched_at);
            own.extend(sighting.map(|sighting| (name.clone(), sighting)));
            values.push((name, value));
        }
        rename(&self.kind, &mut values);
        let of_source = SavedSighting {
            observed_at: self.observed_at,
            inferred: self.inferred,
            stamp: self.stamp,
            first_seen: self.first_seen,
            earlier: self.earlier,
        };
        Some(SavedReading {
            source: self.source.into(),
            kind: self.kind,
            fetched_at,
            stale: self.stale,
            configuration: self.configuration,
            received: Received { sighting: sighting(of_source, fetched_at)?, values, own },
        })
    }
}

impl SavedValue {
    /// Returns the form of a value, with the first sight of its own time if it has one.
    pub(super) fn new(name: &FieldName, value: &Value, own: Option<SavedSighting>) -> SavedValue {
        SavedValue {
            name: name.to_string(),
            datum: value.datum.as_ref().map(|datum| match datum {
                Datum::Number(number) => SavedDatum::Number(
                    serde_json::Number::from_f64(number.get()).expect("it is finite"),
                ),
                Datum::Text(text) => SavedDatum::Text(text.to_string()),
            }),
            unit: value.unit.map(|unit| unit.as_str().to_owned()),
            note: value.note.as_deref().map(str::to_owned),
            period: value.period.map(|period| period.as_secs()),
            own,
        }
    }

    /// Returns the value, with the first sight of its own time.
    pub(super) fn value(self, fetched_at: Timestamp) -> (FieldName, Value, Option<Sighting>) {
        let datum = self.datum.and_then(|datum| match datum {
            SavedDatum::Number(number) => number.as_f64().and_then(Finite::new).map(Datum::Number),
            SavedDatum::Text(text) => Some(Datum::text(text)),
        });
        let unit = self.unit.and_then(|name| Unit::from_recorded(&name));
        let note = self.note.map(|note| clean_shared(note.into()));
        let period = self.period.map(Duration::from_secs);
        let sighting = self.own.and_then(|own| sighting(own, fetched_at));
        let observed = sighting.map(|sighting| sighting.observed);
        (self.name.into(), Value { datum, unit, note, observed, period }, sighting)
    }
}

/// Renames the fields of a reading that an earlier version saved.
fn rename(kind: &str, values: &mut [(FieldName, Value)]) {
    for field in config::renamed_fields(kind) {
        // This version saves the new name, and may save another field by the old one.
        if values.iter().any(|(name, _)| **name == *field.new) {
            continue;
        }
        for (name, value) in values.iter_mut().filter(|(name, _)| **name == *field.old) {
            *name = field.new.into();
            value.unit = value.unit.map(|unit| field.unit(unit));
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

pub(super) fn saved_sighting(sighting: &Sighting) -> SavedSighting {
    let Sighting { observed, first_seen, is_own } = sighting;
    SavedSighting {
        observed_at: observed.at.as_second(),
        inferred: observed.inferred,
        stamp: Some(match observed.stamp {
            Stamp::Absolute(stamp) => SavedStamp::Absolute(stamp.as_nanosecond().to_string()),
            Stamp::Age { resolution } => SavedStamp::Age(resolution.as_secs()),
            Stamp::Fetched => SavedStamp::Fetched,
        }),
        first_seen: Some(first_seen.as_second()),
        earlier: !is_own,
    }
}

/// Returns the first sight of a saved time; `None` if it is out of range.
fn sighting(saved: SavedSighting, fetched_at: Timestamp) -> Option<Sighting> {
    let SavedSighting { observed_at, inferred, stamp, first_seen, earlier } = saved;
    let at = Timestamp::from_second(observed_at).ok()?;
    let stamp = match stamp {
        Some(SavedStamp::Absolute(stamp)) => {
            Stamp::Absolute(Timestamp::from_nanosecond(stamp.parse().ok()?).ok()?)
        }
        Some(SavedStamp::Age(seconds)) => Stamp::Age { resolution: Duration::from_secs(seconds) },
        // Earlier versions marked a time that they had corrected.
        None if !inferred => Stamp::Absolute(at),
        Some(SavedStamp::Fetched) | None => Stamp::Fetched,
    };
    let first_seen = first_seen.map_or(Some(fetched_at), |at| Timestamp::from_second(at).ok())?;
    let observed = Observed { at, stamp, inferred };
    Some(Sighting { observed, first_seen, is_own: !earlier })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_in_a_file_are_replaced() {
        let json = r#"[{"source":"a","kind":"json","observed_at":1,"inferred":false,"fetched_at":2,
            "values":[{"name":"v","datum":{"text":"1.02\u202e"},"unit":null,"note":"a\u001bb"}]}]"#;
        let saved = restored_readings(json.as_bytes()).unwrap();
        let value = Value { note: Some("a b".into()), ..Value::text("1.02\u{fffd}") };
        assert_eq!(saved[0].received.values, [("v".into(), value)]);
    }

    #[test]
    fn field_that_has_another_name_now_is_renamed() {
        let value = |name: &str, number: &str, unit: &str| {
            format!(
                r#"{{"name":"{name}","datum":{{"number":{number}}},"unit":"{unit}","note":null}}"#
            )
        };
        let read = |kind: &str, values: &[String]| {
            let json = format!(
                r#"[{{"source":"a","kind":"{kind}","observed_at":1,"inferred":false,"fetched_at":2,
                "values":[{}]}}]"#,
                values.join(",")
            );
            restored_readings(json.as_bytes()).unwrap().remove(0).received.values
        };
        let station = value("pressure", "27.58", "inHg");
        let station_pressure =
            ("station_pressure".into(), Value::number(27.58, Unit::InchOfMercury));
        assert_eq!(read("open-meteo", &[station]), std::slice::from_ref(&station_pressure));
        // Saved by this version.
        let both = [value("pressure", "30", "inHg"), value("station_pressure", "27.58", "inHg")];
        let pressure = ("pressure".into(), Value::number(30.0, Unit::InchOfMercury));
        assert_eq!(read("open-meteo", &both), [pressure, station_pressure]);
        let rain = [value("rain", "0.75", "in"), value("rain_daily", "0.02", "in")];
        let renamed = [
            ("rain_rate".into(), Value::number(0.75, Unit::InchPerHour)),
            ("rain_today".into(), Value::number(0.02, Unit::Inch)),
        ];
        assert_eq!(read("ambient", &rain), renamed);
        let rain = [value("rain", "0.75", "in")];
        assert_eq!(read("nws", &rain), [("rain".into(), Value::number(0.75, Unit::Inch))]);
    }

    #[test]
    fn stamps_and_first_sights_are_kept() {
        let t = |seconds: i64| Timestamp::from_second(1_770_000_000 + seconds).unwrap();
        let fraction = t(90) + Duration::from_millis(123);
        let age = Stamp::Age { resolution: Duration::from_secs(60) };
        for stamp in
            [Stamp::Absolute(fraction), Stamp::Absolute(t(9_000_000_000)), age, Stamp::Fetched]
        {
            let observed = Observed { at: t(90), stamp, inferred: stamp == Stamp::Fetched };
            let restored = Sighting::restored(observed, t(100));
            assert_eq!(sighting(saved_sighting(&restored), t(400)), Some(restored));
        }
    }

    #[test]
    fn file_of_an_earlier_version_is_read() {
        // A time in the future was corrected and marked, so it is the guess that it is.
        for (inferred, stamp) in
            [(false, Stamp::Absolute(Timestamp::UNIX_EPOCH)), (true, Stamp::Fetched)]
        {
            let json = format!(
                r#"[{{"source":"a","kind":"json","observed_at":0,"inferred":{inferred},"fetched_at":2,
                "values":[{{"name":"v","datum":{{"number":1.5}},"unit":"V","note":null}}]}}]"#
            );
            let saved = restored_readings(json.as_bytes()).unwrap().remove(0);
            let Received { sighting, values, own } = saved.received;
            assert_eq!((sighting.observed.stamp, sighting.first_seen.as_second()), (stamp, 2));
            assert_eq!(values, [("v".into(), Value::number(1.5, Unit::Volt))]);
            assert!(own.is_empty() && !saved.stale);
        }
    }

    #[test]
    fn number_keeps_all_of_its_digits() {
        let mut random = fastrand::Rng::with_seed(17);
        for turn in 0..4000 {
            let number = match turn % 2 {
                0 => random.f64() * 1000.0,
                _ => f64::from_bits(random.u64(..)),
            };
            if !number.is_finite() {
                continue;
            }
            let value = Value::number(number, Unit::Volt);
            let saved = SavedValue::new(&"v".into(), &value, None);
            let json = serde_json::to_string(&saved).unwrap();
            let saved: SavedValue = serde_json::from_str(&json).unwrap();
            assert_eq!(saved.value(Timestamp::UNIX_EPOCH).1, value, "{json}");
        }
    }
}
