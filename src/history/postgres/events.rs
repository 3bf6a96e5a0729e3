//! Events of a batch.

use super::writer::Record;
use crate::history::entry::{Entry, StoredEvent};
use crate::postgres::Param;

/// Inserts the events that are not stored.
pub(super) const INSERT_EVENTS: &str = "INSERT INTO event (at, kind, source, detail, instance, number) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) \
    ON CONFLICT (instance, number) DO NOTHING";

/// Events of a batch as columns.
#[derive(Default)]
pub(super) struct Events<'r> {
    at: Vec<i64>,
    kind: Vec<&'r str>,
    source: Vec<Option<&'r str>>,
    detail: Vec<&'r str>,
    instance: Vec<&'r str>,
    number: Vec<i64>,
}

impl<'r> Events<'r> {
    pub(super) fn of(batch: &[Record<'r>]) -> Events<'r> {
        let mut events = Events::default();
        for record in batch {
            let Entry::Event(StoredEvent { id, event }) = record.entry else { continue };
            events.at.push(event.at.as_second());
            events.kind.push(event.kind.as_str());
            events.source.push(event.source.as_deref());
            events.detail.push(&event.detail);
            events.instance.push(record.instance);
            events.number.push(*id);
        }
        events
    }

    pub(super) fn params(&self) -> [Param<'_>; 6] {
        [
            Param::I64s(&self.at),
            Param::Texts(&self.kind),
            Param::OptionalTexts(&self.source),
            Param::Texts(&self.detail),
            Param::Texts(&self.instance),
            Param::I64s(&self.number),
        ]
    }
}
