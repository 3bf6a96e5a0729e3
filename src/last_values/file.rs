//! The file: a line with a checksum, and behind it the readings as JSON.
//!
//! It is written beside itself, synced and renamed, so that there is a whole one at any moment.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::board::{Datum, Finite, Observed, Reading, SavedReading, Snapshot, State, Value};
use crate::private_file;
use crate::text::clean_shared;

/// Begins the first line; the number changes when the form does.
const MARK: &str = "pumphouse-web last values 1 crc32 ";

/// Why there is nothing to be had from a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(&'static str),
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptSource {
    source: String,
    kind: String,
    observed_at: i64,
    inferred: bool,
    fetched_at: i64,
    /// Whether it was stale; files of earlier versions do not tell.
    #[serde(default)]
    stale: bool,
    values: Vec<KeptValue>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptValue {
    name: String,
    datum: Option<KeptDatum>,
    unit: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptDatum {
    Number(f64),
    Text(String),
}

/// The readings of a snapshot, as the file holds them.
pub(super) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let sources: Vec<KeptSource> = snapshot
        .sources
        .iter()
        .filter_map(|source| {
            let reading = source.reading.as_ref()?;
            // What is worked out of them is worked out again.
            let values = reading.values.iter().map(|(name, value)| KeptValue {
                name: name.to_string(),
                datum: value.datum.as_ref().map(|datum| match datum {
                    Datum::Number(number) => KeptDatum::Number(number.get()),
                    Datum::Text(text) => KeptDatum::Text(text.to_string()),
                }),
                unit: value.unit.map(|unit| unit.as_str().to_owned()),
                note: value.note.as_deref().map(str::to_owned),
            });
            Some(KeptSource {
                source: source.name.to_string(),
                kind: source.kind.to_owned(),
                observed_at: reading.observed.at.as_second(),
                inferred: reading.observed.inferred,
                fetched_at: reading.fetched_at.as_second(),
                stale: source.state == State::Stale,
                values: values.collect(),
            })
        })
        .collect();
    let json = serde_json::to_vec(&sources).expect("texts and finite numbers are always JSON");
    let mut bytes = format!("{MARK}{:08x}\n", crc32fast::hash(&json)).into_bytes();
    bytes.extend(json);
    bytes.push(b'\n');
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<SavedReading>, ReadError> {
    let bytes = bytes.strip_prefix(MARK.as_bytes());
    let bytes = bytes.ok_or(ReadError::Damaged("it does not begin as such a file"))?;
    let parts = bytes.split_at_checked(8).filter(|(_, rest)| rest.starts_with(b"\n"));
    let (sum, rest) = parts.ok_or(ReadError::Damaged("its first line is broken"))?;
    let json = rest[1..].strip_suffix(b"\n").ok_or(ReadError::Damaged("its end is missing"))?;
    if format!("{:08x}", crc32fast::hash(json)).as_bytes() != sum {
        return Err(ReadError::Damaged("its checksum is wrong"));
    }
    let sources: Vec<KeptSource> =
        serde_json::from_slice(json).map_err(|_| ReadError::Damaged("its form is unknown"))?;
    Ok(sources.into_iter().filter_map(restored).collect())
}

fn restored(kept: KeptSource) -> Option<SavedReading> {
    let values = kept.values.into_iter().map(|value| {
        let datum = value.datum.and_then(|datum| match datum {
            KeptDatum::Number(number) => Finite::new(number).map(Datum::Number),
            KeptDatum::Text(text) => Some(Datum::text(text)),
        });
        let unit = value.unit.and_then(|name| name.parse().ok());
        let note = value.note.map(|note| clean_shared(note.into()));
        (value.name.into(), Value { datum, unit, note })
    });
    Some(SavedReading {
        source: kept.source.into(),
        kind: kept.kind,
        fetched_at: Timestamp::from_second(kept.fetched_at).ok()?,
        stale: kept.stale,
        reading: Reading {
            observed: Observed {
                at: Timestamp::from_second(kept.observed_at).ok()?,
                inferred: kept.inferred,
            },
            values: values.collect(),
        },
    })
}

pub(super) fn read(path: &Path) -> Result<Vec<SavedReading>, ReadError> {
    decode(&fs::read(path)?)
}

/// Replaces the file as a whole.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file::replace(path, ".new", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_file_are_cleaned() {
        let json = r#"[{"source":"a","kind":"json","observed_at":1,"inferred":false,"fetched_at":2,
            "values":[{"name":"v","datum":{"text":"1.02\u202e"},"unit":null,"note":"a\u001bb"}]}]"#;
        let file = format!("{MARK}{:08x}\n{json}\n", crc32fast::hash(json.as_bytes()));
        let kept = decode(file.as_bytes()).unwrap();
        let value = Value { note: Some("a b".into()), ..Value::text("1.02\u{fffd}") };
        assert_eq!(kept[0].reading.values, [("v".into(), value)]);
    }

    #[test]
    fn damage_is_noticed() {
        let json = br#"[{"source":"a","kind":"json","observed_at":1,"inferred":false,"fetched_at":2,"values":[]}]"#;
        let mut whole = format!("{MARK}{:08x}\n", crc32fast::hash(json)).into_bytes();
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
