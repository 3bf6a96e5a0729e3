//! Networks from which accounts were used with the right password.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::key::Fingerprint;

/// Most networks of an account; beyond it the account's least recently used one is evicted.
const PER_ACCOUNT: usize = 32;

/// Networks by account and password hash (`Account::proof`), with the time of the latest success.
///
/// Only a right password adds a network, and it evicts networks of the same account only. Neither an
/// attacker without a password nor the owner of another account can therefore evict one.
///
/// A network is known for all names. If it were known only for the accounts used there, a caller at the same
/// address could learn their names from the responses.
///
/// Only current proofs add networks, since the verification of an old password may end after the
/// reload that revoked it.
#[derive(Debug, Default)]
pub(super) struct KnownNetworks {
    /// Proofs of the accounts in the rules in force.
    current: HashSet<Fingerprint>,
    by_proof: HashMap<Fingerprint, Vec<Known>>,
    /// Number of accounts with that network.
    counts: HashMap<Fingerprint, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    network: Fingerprint,
    seen: Instant,
}

impl KnownNetworks {
    pub(super) fn contains(&self, network: &Fingerprint) -> bool {
        self.counts.contains_key(network)
    }

    /// Records a success, or the use of a remembered password, if the proof is current.
    pub(super) fn insert(&mut self, proof: Fingerprint, network: Fingerprint, now: Instant) {
        if !self.current.contains(&proof) {
            return;
        }
        let list = self.by_proof.entry(proof).or_default();
        if let Some(entry) = list.iter_mut().find(|entry| entry.network == network) {
            entry.seen = now;
            return;
        }
        if list.len() >= PER_ACCOUNT {
            let oldest = (0..list.len()).min_by_key(|place| list[*place].seen);
            let evicted = oldest.map(|place| list.swap_remove(place));
            evicted.into_iter().for_each(|entry| release(&mut self.counts, &entry.network));
        }
        list.push(Known { network, seen: now });
        *self.counts.entry(network).or_default() += 1;
    }

    /// Makes these the current proofs, and drops the networks of all others.
    pub(super) fn retain(&mut self, proofs: HashSet<Fingerprint>) {
        let counts = &mut self.counts;
        self.by_proof.retain(|proof, list| {
            let is_current = proofs.contains(proof);
            if !is_current {
                list.iter().for_each(|entry| release(counts, &entry.network));
            }
            is_current
        });
        self.current = proofs;
    }

    /// Drops all networks.
    pub(super) fn clear(&mut self) {
        self.by_proof.clear();
        self.counts.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }
}

/// Decrements the count of a network, and drops it at zero.
fn release(counts: &mut HashMap<Fingerprint, usize>, network: &Fingerprint) {
    if let Some(count) = counts.get_mut(network) {
        *count -= 1;
        if *count == 0 {
            counts.remove(network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn network(number: usize) -> Fingerprint {
        let mut network = [0; 32];
        network[..8].copy_from_slice(&number.to_be_bytes());
        network
    }

    fn of_two_accounts() -> KnownNetworks {
        let mut networks = KnownNetworks::default();
        networks.retain(HashSet::from([[1; 32], [2; 32]]));
        networks
    }

    #[test]
    fn account_at_its_bound_evicts_its_own_least_recently_used_network() {
        let (mut networks, start) = (of_two_accounts(), Instant::now());
        networks.insert([1; 32], network(999), start);
        for number in 0..2 * PER_ACCOUNT {
            let now = start + Duration::from_secs(number as u64);
            networks.insert([2; 32], network(number), now);
            networks.insert([2; 32], network(0), now);
        }
        assert!(networks.contains(&network(999)), "the other account's network stays");
        assert!(networks.contains(&network(0)), "a network in use stays");
        assert!(!networks.contains(&network(1)));
        assert_eq!(networks.len(), PER_ACCOUNT + 1);
    }

    #[test]
    fn networks_of_a_removed_account_are_dropped_unless_another_knows_them() {
        let (mut networks, now) = (of_two_accounts(), Instant::now());
        networks.insert([1; 32], network(1), now);
        networks.insert([2; 32], network(1), now);
        networks.insert([2; 32], network(2), now);
        networks.retain(HashSet::from([[1; 32]]));
        assert!(networks.contains(&network(1)) && !networks.contains(&network(2)));
        networks.insert([2; 32], network(2), now);
        assert!(!networks.contains(&network(2)), "its verification ended after the removal");
        networks.retain(HashSet::new());
        assert_eq!(networks.len(), 0);
    }
}
