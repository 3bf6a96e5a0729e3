//! Format of the file: a line with a CRC-32, then the readings as JSON.
//!
//! A write goes to a temporary file beside it, which is synced and renamed, so a power cut leaves the
//! old file or the new one. The checksum detects damage by the medium.

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::board::{
    Datum, FieldName, Finite, Observed, Received, SavedReading, Sighting, Snapshot, Stamp, State,
    Value,
};
use crate::config;
use crate::file_error::read_own;
use crate::json::deserialize_members;
use crate::private_file;
use crate::text::clean_shared;
use crate::units::Unit;

/// Beginning of the first line. Its number is the version of the format.
const MAGIC: &str = "pumphouse-web last values 1 crc32 ";

/// Error of reading the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(&'static str),
}

#[derive(Debug, Default, Serialize)]
struct SavedSource {
    source: String,
    kind: String,
    // The members of its sighting.
    observed_at: i64,
    inferred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<SavedStamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<i64>,
    fetched_at: i64,
    /// True if the source was stale. Absent in files of earlier versions.
    stale: bool,
    /// Absent in files of earlier versions.
    configuration: Option<u32>,
    values: Vec<SavedValue>,
}

deserialize_members!(SavedSource { source, kind, observed_at, inferred, stamp, first_seen, fetched_at, stale, configuration, values } required { source, kind, observed_at, inferred, fetched_at, values });

/// Time of a reading or of a value, and when it was seen first.
#[derive(Debug, Default, Serialize)]
struct SavedSighting {
    observed_at: i64,
    inferred: bool,
    /// Absent in files of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<SavedStamp>,
    /// Absent in files of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<i64>,
}

deserialize_members!(SavedSighting { observed_at, inferred, stamp, first_seen } required { observed_at, inferred });

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
struct SavedValue {
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
    Number(f64),
    Text(String),
}

/// Returns the content of the file for a snapshot.
pub(super) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let sources: Vec<SavedSource> = snapshot
        .sources
        .iter()
        .filter_map(|source| {
            let reading = source.reading.as_ref()?;
            let Received { sighting, values, own } = &*reading.received;
            let own = |field: &FieldName| own.iter().find(|(name, _)| name == field);
            // Derived values are not saved: the trends derive them again.
            let values = values.iter().map(|(name, value)| SavedValue {
                name: name.to_string(),
                datum: value.datum.as_ref().map(|datum| match datum {
                    Datum::Number(number) => SavedDatum::Number(number.get()),
                    Datum::Text(text) => SavedDatum::Text(text.to_string()),
                }),
                unit: value.unit.map(|unit| unit.as_str().to_owned()),
                note: value.note.as_deref().map(str::to_owned),
                period: value.period.map(|period| period.as_secs()),
                own: value.observed.and_then(|_| own(name)).map(|(_, own)| saved_sighting(own)),
            });
            let SavedSighting { observed_at, inferred, stamp, first_seen } =
                saved_sighting(sighting);
            Some(SavedSource {
                source: source.name.to_string(),
                kind: source.kind.to_owned(),
                observed_at,
                inferred,
                stamp,
                first_seen,
                fetched_at: reading.fetched_at.as_second(),
                stale: source.state == State::Stale,
                configuration: Some(source.configuration),
                values: values.collect(),
            })
        })
        .collect();
    let json = serde_json::to_vec(&sources).expect("texts and finite numbers are always JSON");
    let mut bytes = format!("{MAGIC}{:08x}\n", crc32fast::hash(&json)).into_bytes();
    bytes.extend(json);
    bytes.push(b'\n');
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<SavedReading>, ReadError> {
    let bytes = bytes.strip_prefix(MAGIC.as_bytes());
    let bytes = bytes.ok_or(ReadError::Damaged("wrong first line"))?;
    let parts = bytes.split_at_checked(8).filter(|(_, rest)| rest.starts_with(b"\n"));
    let (sum, rest) = parts.ok_or(ReadError::Damaged("incomplete first line"))?;
    let json = rest[1..].strip_suffix(b"\n").ok_or(ReadError::Damaged("truncated"))?;
    if format!("{:08x}", crc32fast::hash(json)).as_bytes() != sum {
        return Err(ReadError::Damaged("wrong checksum"));
    }
    let sources: Vec<SavedSource> =
        serde_json::from_slice(json).map_err(|_| ReadError::Damaged("unexpected JSON"))?;
    Ok(sources.into_iter().filter_map(reading_of).collect())
}

/// Returns the reading of a source; `None` if a time is out of range.
fn reading_of(saved: SavedSource) -> Option<SavedReading> {
    let fetched_at = Timestamp::from_second(saved.fetched_at).ok()?;
    let mut own = Vec::new();
    let mut values = Vec::new();
    for value in saved.values {
        let name: FieldName = value.name.into();
        let datum = value.datum.and_then(|datum| match datum {
            SavedDatum::Number(number) => Finite::new(number).map(Datum::Number),
            SavedDatum::Text(text) => Some(Datum::text(text)),
        });
        let unit = value.unit.and_then(|name| Unit::from_recorded(&name));
        let note = value.note.map(|note| clean_shared(note.into()));
        let period = value.period.map(Duration::from_secs);
        let sighting = value.own.and_then(|own| sighting(own, fetched_at));
        own.extend(sighting.map(|sighting| (name.clone(), sighting)));
        let observed = sighting.map(|sighting| sighting.observed);
        values.push((name, Value { datum, unit, note, observed, period }));
    }
    rename(&saved.kind, &mut values);
    let of_source = SavedSighting {
        observed_at: saved.observed_at,
        inferred: saved.inferred,
        stamp: saved.stamp,
        first_seen: saved.first_seen,
    };
    Some(SavedReading {
        source: saved.source.into(),
        kind: saved.kind,
        fetched_at,
        stale: saved.stale,
        configuration: saved.configuration,
        received: Received { sighting: sighting(of_source, fetched_at)?, values, own },
    })
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

fn saved_sighting(sighting: &Sighting) -> SavedSighting {
    let Sighting { observed, first_seen, .. } = sighting;
    SavedSighting {
        observed_at: observed.at.as_second(),
        inferred: observed.inferred,
        stamp: Some(match observed.stamp {
            Stamp::Absolute(stamp) => SavedStamp::Absolute(stamp.as_nanosecond().to_string()),
            Stamp::Age { resolution } => SavedStamp::Age(resolution.as_secs()),
            Stamp::Fetched => SavedStamp::Fetched,
        }),
        first_seen: Some(first_seen.as_second()),
    }
}

/// Returns the first sight of a saved time; `None` if it is out of range.
fn sighting(saved: SavedSighting, fetched_at: Timestamp) -> Option<Sighting> {
    let SavedSighting { observed_at, inferred, stamp, first_seen } = saved;
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
    Some(Sighting::restored(Observed { at, stamp, inferred }, first_seen))
}

/// Reads and checks the file.
pub(super) fn read(path: &Path) -> Result<Vec<SavedReading>, ReadError> {
    decode(&read_own(path)?)
}

/// Replaces the file atomically.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file::replace(path, ".new", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_in_a_file_are_replaced() {
        let json = r#"[{"source":"a","kind":"json","observed_at":1,"inferred":false,"fetched_at":2,
            "values":[{"name":"v","datum":{"text":"1.02\u202e"},"unit":null,"note":"a\u001bb"}]}]"#;
        let file = format!("{MAGIC}{:08x}\n{json}\n", crc32fast::hash(json.as_bytes()));
        let saved = decode(file.as_bytes()).unwrap();
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
            let file = format!("{MAGIC}{:08x}\n{json}\n", crc32fast::hash(json.as_bytes()));
            decode(file.as_bytes()).unwrap().remove(0).received.values
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
            let file = format!("{MAGIC}{:08x}\n{json}\n", crc32fast::hash(json.as_bytes()));
            let saved = decode(file.as_bytes()).unwrap().remove(0);
            let Received { sighting, values, own } = saved.received;
            assert_eq!((sighting.observed.stamp, sighting.first_seen.as_second()), (stamp, 2));
            assert_eq!(values, [("v".into(), Value::number(1.5, Unit::Volt))]);
            assert!(own.is_empty() && !saved.stale);
        }
    }

    #[test]
    fn truncated_file_or_flipped_bit_is_rejected() {
        let json = br#"[{"source":"a","kind":"json","observed_at":1,"inferred":false,"fetched_at":2,"values":[]}]"#;
        let mut whole = format!("{MAGIC}{:08x}\n", crc32fast::hash(json)).into_bytes();
        whole.extend(json);
        whole.push(b'\n');
        assert_eq!(decode(&whole).unwrap().len(), 1);
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(decode(&flipped).is_err(), "flipped at {at}");
        }
    }
}
