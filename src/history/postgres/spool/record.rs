//! Records of the spool as JSON: `{"samples": [{"source", "field", "at", …}]}` or `{"event": {…}}`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::board::{Corrects, DatedBy, Event, Finite, Sample};
use crate::history::entry::{Entry, StoredEvent};
use crate::units::Unit;

/// Returns a record as JSON.
pub(super) fn to_json(entry: &Entry) -> Value {
    match entry {
        Entry::Samples(samples) => {
            json!({ "samples": samples.iter().map(sample_to_json).collect::<Vec<_>>() })
        }
        Entry::Event(StoredEvent { id, event }) => json!({ "event": {
            "number": id,
            "at": event.at.as_second(),
            "kind": event.kind.as_str(),
            "source": event.source.as_deref(),
            "detail": &*event.detail,
        } }),
    }
}

fn sample_to_json(sample: &Sample) -> Value {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("source", (*sample.source).into());
    add("field", (*sample.field).into());
    add("at", sample.at.as_second().into());
    add("value", sample.value.get().into());
    add("over_time", sample.over_time.as_str().into());
    if let Some(unit) = sample.unit {
        add("unit", unit.as_str().into());
    }
    if let Some(period) = sample.period {
        add("period", period.as_secs_f64().into());
    }
    match sample.corrects {
        Corrects::Any => {}
        Corrects::Only(before) => drop(add("replaces", before.get().into())),
        Corrects::Nothing => drop(add("corrects", false.into())),
    }
    Value::Object(members)
}

/// Reads a record; `None` if it is not one of this version.
pub(super) fn from_json(id: i64, content: &Value) -> Option<Entry> {
    if let Some(samples) = content.get("samples") {
        // A sample of a unit that this version does not know costs that one.
        return Some(Entry::Samples(samples.as_array()?.iter().filter_map(sample).collect()));
    }
    let event = content.get("event")?;
    let text = |name: &str| event.get(name)?.as_str();
    let event_number = event.get("number").and_then(Value::as_i64).unwrap_or(id);
    let event = Event {
        at: Timestamp::from_second(event.get("at")?.as_i64()?).ok()?,
        kind: text("kind")?.parse().ok()?,
        source: text("source").map(Into::into),
        detail: text("detail")?.into(),
    };
    Some(Entry::Event(StoredEvent { id: event_number, event }))
}

fn sample(content: &Value) -> Option<Sample> {
    let text = |name: &str| content.get(name)?.as_str();
    let unit = match text("unit") {
        Some(unit) => Some(Unit::from_recorded(unit)?),
        None => None,
    };
    let period = content.get("period").and_then(Value::as_f64);
    let replaces = content.get("replaces").and_then(Value::as_f64).and_then(Finite::new);
    Some(Sample {
        source: text("source")?.into(),
        field: text("field")?.into(),
        at: Timestamp::from_second(content.get("at")?.as_i64()?).ok()?,
        dated_by: DatedBy::Sensor,
        stated: None,
        corrects: match (replaces, content.get("corrects").and_then(Value::as_bool)) {
            (Some(before), _) => Corrects::Only(before),
            (None, Some(false)) => Corrects::Nothing,
            (None, _) => Corrects::Any,
        },
        value: Finite::new(content.get("value")?.as_f64()?)?,
        unit,
        over_time: text("over_time")?.parse().ok()?,
        period: period.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    })
}
