//! The live replicas, with the hashes of their configurations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::assignment::{self, Candidate};
use super::exchange::LiveReplica;
use super::instance::{InstanceId, ReplicaName};
use super::plan::Plan;
use crate::order;

/// Time after which another live instance of one name is not the earlier one of a restart.
const MAX_GHOST_AGE: Duration = Duration::from_secs(20);

/// Hash of each source's unit.
type Hashes = HashMap<Arc<str>, u64>;

#[derive(Debug, Default)]
pub(super) struct Replicas {
    /// In the order of their instances, without hashes.
    live: Vec<LiveReplica>,
    name_hashes: Vec<u64>,
    /// Hashes by digest.
    hashes: HashMap<u64, Hashes>,
    /// True if the assignment may have changed.
    is_changed: bool,
    /// Another instance of this replica's name, and the time since which it is live.
    namesake: Option<(InstanceId, Duration)>,
    has_warned: bool,
}

impl Replicas {
    /// Returns the digests whose hashes are known.
    pub(super) fn known_digests(&self) -> Vec<u64> {
        self.hashes.keys().copied().collect()
    }

    /// Notes the hashes of this replica.
    pub(super) fn learn(&mut self, plan: &Plan) {
        self.hashes.entry(plan.digest()).or_insert_with(|| plan.hashes().into_iter().collect());
    }

    /// Replaces the replicas. Returns true if the assignment may have changed.
    pub(super) fn renew(&mut self, mut live: Vec<LiveReplica>) -> bool {
        order::sort_by_key(&mut live, |replica| replica.instance);
        for replica in &mut live {
            if let Some(hashes) = replica.hashes.take() {
                self.hashes.insert(replica.digest, hashes.into_iter().collect());
            }
        }
        let is_changed = std::mem::take(&mut self.is_changed) || live != self.live;
        if is_changed {
            self.hashes.retain(|digest, _| live.iter().any(|replica| replica.digest == *digest));
            self.name_hashes =
                live.iter().map(|replica| assignment::name_hash(&replica.name)).collect();
            self.live = live;
        }
        is_changed
    }

    /// Has the assignment computed anew, for another configuration.
    pub(super) fn forget_assignment(&mut self) {
        self.is_changed = true;
    }

    /// Returns true if the lease of the instance has not ended.
    pub(super) fn is_live(&self, instance: InstanceId) -> bool {
        self.live.binary_search_by_key(&instance, |replica| replica.instance).is_ok()
    }

    /// Returns the live replicas.
    pub(super) fn live(&self) -> &[LiveReplica] {
        &self.live
    }

    /// Returns the replica that should poll a source of the unit with this key.
    pub(super) fn designated(&self, unit: u64, source: &str) -> Option<(ReplicaName, InstanceId)> {
        let candidates = self.live.iter().zip(&self.name_hashes).map(|(replica, name_hash)| {
            let hashes = self.hashes.get(&replica.digest);
            Candidate {
                name: &replica.name,
                name_hash: *name_hash,
                instance: replica.instance,
                hash: hashes.and_then(|hashes| hashes.get(source)).copied(),
                configured_at: replica.configured_at,
            }
        });
        let candidates: Vec<Candidate<'_>> = candidates.collect();
        let designated = assignment::designated(unit, &candidates)?;
        Some((Arc::clone(designated.name), designated.instance))
    }

    /// Returns another instance of this name, once, if it lives for too long to be the earlier one of a restart.
    pub(super) fn sharing_name(
        &mut self,
        name: &str,
        us: InstanceId,
        now: Duration,
    ) -> Option<InstanceId> {
        let is_namesake = |it: &&LiveReplica| *it.name == *name && it.instance != us;
        let namesake = self.live.iter().find(is_namesake).map(|replica| replica.instance);
        let known = self.namesake.filter(|(known, _)| Some(*known) == namesake);
        self.namesake = known.or_else(|| Some((namesake?, now)));
        let lasting = self.lasting_namesake(now).filter(|_| !self.has_warned);
        self.has_warned |= lasting.is_some();
        lasting
    }

    /// Returns another instance of this name, if it lives for too long to be the earlier one of a restart.
    pub(super) fn lasting_namesake(&self, now: Duration) -> Option<InstanceId> {
        let (instance, since) = self.namesake?;
        (now >= since.saturating_add(MAX_GHOST_AGE)).then_some(instance)
    }
}
