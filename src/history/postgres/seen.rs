//! Latest number of each field that this process has recorded.
//!
//! An entry that is written later than it was observed, or once more, may be older than what another replica has recorded
//! of the same observation. So it replaces only the number that this process recorded of it before: its sample is a
//! correction of that one. The first number of an observation replaces none.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::board::{Corrects, FieldName, Finite, Sample};
use crate::history::entry::Entry;

/// Source and field.
type Key = (Arc<str>, FieldName);

/// Latest number of each field, with the time of its observation.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<Key, (Timestamp, Finite)>);

impl Seen {
    /// Returns entries as they are written later or once more.
    pub(super) fn replayed<'e>(&self, entries: impl Iterator<Item = &'e Entry>) -> Vec<Entry> {
        let mut latest = Seen::default();
        let mut replayed = |sample: &Sample| {
            let before = latest.of(sample).or_else(|| self.of(sample));
            let corrects = match (before, sample.corrects) {
                (Some((at, before)), Corrects::Any) if at == sample.at => Corrects::Only(before),
                (_, corrects @ Corrects::Only(_)) => corrects,
                _ => Corrects::Nothing,
            };
            latest.note_sample(sample, before);
            Sample { corrects, ..sample.clone() }
        };
        let entry = |entry: &Entry| match entry {
            Entry::Samples(samples) => Entry::Samples(samples.iter().map(&mut replayed).collect()),
            Entry::Event(event) => Entry::Event(event.clone()),
        };
        entries.map(entry).collect()
    }

    /// Notes entries that were recorded.
    pub(super) fn note<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) {
        for entry in entries {
            let Entry::Samples(samples) = entry else { continue };
            for sample in samples {
                self.note_sample(sample, self.of(sample));
            }
        }
    }

    fn of(&self, sample: &Sample) -> Option<(Timestamp, Finite)> {
        self.0.get(&(sample.source.clone(), sample.field.clone())).copied()
    }

    fn note_sample(&mut self, sample: &Sample, before: Option<(Timestamp, Finite)>) {
        let Sample { source, field, at, value, corrects, .. } = sample;
        // An older answer says nothing about the latest observation.
        if *corrects != Corrects::Nothing || before.is_none_or(|(latest, _)| *at > latest) {
            self.0.insert((source.clone(), field.clone()), (*at, *value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64, number: f64, corrects: Corrects) -> Entry {
        let (at, value) = (Timestamp::from_second(at).unwrap(), Finite::new(number).unwrap());
        let sample = Sample::new("tank".into(), "level".into(), at, value, None);
        Entry::Samples(vec![Sample { corrects, ..sample }])
    }

    #[test]
    fn sample_replaces_only_what_this_process_recorded_of_the_same_observation() {
        let only = |number| Corrects::Only(Finite::new(number).unwrap());
        let mut seen = Seen::default();
        let all = [
            (entry(1, 5.0, Corrects::Any), Corrects::Nothing),
            (entry(1, 6.0, Corrects::Any), only(5.0)),
            (entry(2, 7.0, Corrects::Any), Corrects::Nothing),
            (entry(1, 8.0, Corrects::Nothing), Corrects::Nothing),
            (entry(2, 9.0, Corrects::Any), only(7.0)),
            (entry(3, 9.0, Corrects::Nothing), Corrects::Nothing),
            (entry(3, 8.0, Corrects::Any), only(9.0)),
        ];
        let corrects = |entries: Vec<Entry>| -> Vec<Corrects> {
            let samples = entries.into_iter().flat_map(|entry| match entry {
                Entry::Samples(samples) => samples,
                Entry::Event(_) => Vec::new(),
            });
            samples.map(|sample| sample.corrects).collect()
        };
        let expected: Vec<Corrects> = all.iter().map(|(_, corrects)| *corrects).collect();
        let entries = || all.iter().map(|(entry, _)| entry);
        // In one batch, also if it is tried again, and in batches.
        for _ in 0..2 {
            assert_eq!(corrects(seen.replayed(entries())), expected);
        }
        for (entry, expected) in &all {
            assert_eq!(corrects(seen.replayed([entry].into_iter())), [*expected]);
            seen.note([entry].into_iter());
        }
    }
}
