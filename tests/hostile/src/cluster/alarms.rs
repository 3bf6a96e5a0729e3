//! Messages about the alarms of all sources, counted by their receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::receiver::Posted;

/// Counts of the messages about one change of all alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Sources without a message.
    pub missing: BTreeSet<String>,
    /// Number of messages after the first one of an incident.
    pub doubled: usize,
    /// Number of incidents after the first one of a source, as two replicas saw it in a partition.
    pub other_incidents: usize,
}

impl Alarms {
    /// Counts the messages of one status about these sources.
    pub fn of(sources: &[String], posted: &[Posted], is_resolved: bool) -> Alarms {
        let mut found: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for message in posted.iter().filter(|message| message.is_resolved == is_resolved) {
            let incidents = found.entry(&message.source).or_default();
            *incidents.entry(&message.incident).or_default() += 1;
        }
        let missing = sources.iter().filter(|source| !found.contains_key(source.as_str()));
        let incidents = || found.values().flat_map(BTreeMap::values);
        Alarms {
            missing: missing.cloned().collect(),
            doubled: incidents().sum::<usize>() - incidents().count(),
            other_incidents: incidents().count() - found.len(),
        }
    }
}

impl fmt::Display for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} alarms without a message, {} messages doubled, {} incidents doubled",
            self.missing.len(),
            self.doubled,
            self.other_incidents
        )
    }
}
