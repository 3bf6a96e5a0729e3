//! Lease units of a configuration: a source, or all sources that share a rate limit, which one replica polls together.

use std::collections::HashMap;
use std::sync::Arc;

use super::configuration::{self, Hasher};
use crate::config::Source;
use crate::order;

/// The sources of this replica's configuration, as far as leases concern them.
#[derive(Debug, Default)]
pub struct Plan {
    units: Vec<Unit>,
    /// Position of each source's unit.
    positions: HashMap<Arc<str>, usize>,
    digest: u64,
}

/// Sources that one replica polls together.
#[derive(Debug)]
pub(super) struct Unit {
    /// Identity by which replicas share out units. It depends on the name of the group or of the only source.
    pub(super) key: u64,
    /// Hash of the configuration of all its sources: equal on replicas that know the unit as it is.
    pub(super) hash: u64,
    pub(super) sources: Vec<Arc<str>>,
}

impl Plan {
    /// Returns the units of a configuration's sources. Their order does not matter.
    pub fn of(sources: &[Arc<Source>]) -> Plan {
        let mut by_key: HashMap<u64, Vec<&Arc<Source>>> = HashMap::new();
        for source in sources {
            by_key.entry(key(source)).or_default().push(source);
        }
        let mut units: Vec<Unit> =
            by_key.into_iter().map(|(key, members)| unit(key, members)).collect();
        order::sort_by_key(&mut units, |unit| unit.key);
        let mut plan = Plan { units, ..Plan::default() };
        for (position, unit) in plan.units.iter().enumerate() {
            plan.positions.extend(unit.sources.iter().map(|source| (Arc::clone(source), position)));
        }
        plan.digest = digest(&plan.hashes());
        plan
    }

    /// Returns the hash of each source's unit, for the other replicas.
    pub fn hashes(&self) -> Vec<(Arc<str>, u64)> {
        let hashes = self
            .units
            .iter()
            .flat_map(|unit| unit.sources.iter().map(|source| (Arc::clone(source), unit.hash)));
        let mut hashes: Vec<(Arc<str>, u64)> = hashes.collect();
        order::sort_by_key(&mut hashes, |(source, _)| Arc::clone(source));
        hashes
    }

    /// Returns the hash of [`Plan::hashes`]. Replicas of one digest need not exchange them.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Returns true if the configuration has this source.
    pub(super) fn contains(&self, source: &str) -> bool {
        self.positions.contains_key(source)
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Returns the unit of a source.
    pub(super) fn unit_of(&self, source: &str) -> Option<&Unit> {
        self.units.get(*self.positions.get(source)?)
    }
}

/// Returns the identity of a source's unit. The names of groups may contain API keys; it stays in the process.
fn key(source: &Source) -> u64 {
    let (kind, name) = match &source.rate_limit {
        Some(limit) => ("pumphouse group 1", limit.group.expose()),
        None => ("pumphouse single 1", &*source.name),
    };
    let mut hasher = Hasher::new(kind);
    hasher.text(name);
    hasher.finish()
}

fn unit(key: u64, mut members: Vec<&Arc<Source>>) -> Unit {
    order::sort_by_key(&mut members, |source| Arc::clone(&source.name));
    let mut hasher = Hasher::new("pumphouse unit 1");
    members.iter().for_each(|source| hasher.number(configuration::hash(source)));
    let sources = members.iter().map(|source| Arc::clone(&source.name)).collect();
    Unit { key, hash: hasher.finish(), sources }
}

/// Returns the hash of a list of hashes.
fn digest(hashes: &[(Arc<str>, u64)]) -> u64 {
    let mut hasher = Hasher::new("pumphouse plan 1");
    for (source, hash) in hashes {
        hasher.text(source);
        hasher.number(*hash);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn plan(text: &str) -> Plan {
        Plan::of(&config::parse("p".as_ref(), text, &|_| None).unwrap().sources)
    }

    fn source(name: &str, more: &str) -> String {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"http://h/{name}\"\n{more}\n\
             [source.values.v]\npointer = \"/v\"\n"
        )
    }

    const LIMIT: &str = "rate_limit = { group = \"g\", every = \"1s\" }";

    #[test]
    fn sources_of_a_rate_limit_are_one_unit() {
        let plan = plan(&(source("b", LIMIT) + &source("c", "") + &source("a", LIMIT)));
        assert_eq!(plan.units().len(), 2);
        let sources = |name| plan.unit_of(name).unwrap().sources.iter().map(|name| &**name);
        assert!(sources("a").eq(["a", "b"]) && sources("b").eq(["a", "b"]));
        assert!(sources("c").eq(["c"]) && plan.unit_of("d").is_none());
    }

    #[test]
    fn hash_of_a_unit_is_that_of_all_its_sources_in_any_order() {
        let [a, b, c] = [source("a", LIMIT), source("b", LIMIT), source("c", "")];
        let known = plan(&format!("{a}{b}{c}"));
        let reordered = plan(&format!("{c}{b}{a}"));
        assert_eq!(known.hashes(), reordered.hashes());
        assert_eq!(known.digest(), reordered.digest());
        let fewer = plan(&format!("{a}{c}"));
        let hash = |plan: &Plan, name| plan.unit_of(name).unwrap().hash;
        assert_ne!(hash(&known, "a"), hash(&fewer, "a"), "another member");
        assert_eq!(hash(&known, "c"), hash(&fewer, "c"));
        assert_eq!(known.unit_of("a").unwrap().key, fewer.unit_of("a").unwrap().key);
        assert_ne!(known.digest(), fewer.digest());
        assert_eq!(known.hashes()[0].1, known.hashes()[1].1);
    }
}
