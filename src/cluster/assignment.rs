//! Decides which replica polls a unit: a pure function of the live replicas, the same on each of them.
//!
//! Candidates are the replicas that know the source as it is. If configurations differ, because a change has not
//! reached all replicas, the one that most live replicas have counts; on a tie, that of the replica which was
//! configured last. Among the candidates, rendezvous hashing (Thaler and Ravishankar, 1998) shares out the units: each
//! candidate has a score for each unit, and the highest wins. So a replica that ends leaves its units to the others
//! evenly, and no other unit moves.

use std::collections::HashMap;

use super::configuration::Hasher;
use super::instance::{InstanceId, ReplicaName};

/// A live replica, as far as one source concerns it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a ReplicaName,
    /// [`name_hash`] of the name.
    pub(super) name_hash: u64,
    pub(super) instance: InstanceId,
    /// Hash of the source's unit in its configuration; `None` if it does not know the source.
    pub(super) hash: Option<u64>,
    /// Time of its configuration by the database's clock, in microseconds.
    pub(super) configured_at: i64,
}

impl Candidate<'_> {
    /// Order of replicas by their configurations: the last one counts on a tie.
    fn recency(&self) -> (i64, &ReplicaName, InstanceId) {
        (self.configured_at, self.name, self.instance)
    }
}

/// Returns the replica that polls the unit with this key; `None` if no live replica knows the source.
///
/// Two instances may have one name for a moment after a restart: the one that was configured last counts.
pub(super) fn designated<'a>(unit: u64, replicas: &[Candidate<'a>]) -> Option<Candidate<'a>> {
    let mut by_name: HashMap<&ReplicaName, &Candidate<'a>> = HashMap::with_capacity(replicas.len());
    for replica in replicas.iter().filter(|replica| replica.hash.is_some()) {
        let known = by_name.entry(replica.name).or_insert(replica);
        if known.recency() < replica.recency() {
            *known = replica;
        }
    }
    // Number of replicas with each configuration, and the last of them.
    let mut votes: HashMap<Option<u64>, (usize, &Candidate<'a>)> = HashMap::new();
    for replica in by_name.values() {
        let (count, last) = votes.entry(replica.hash).or_insert((0, replica));
        *count += 1;
        if last.recency() < replica.recency() {
            *last = replica;
        }
    }
    let (_, elected) = votes.into_values().max_by_key(|(count, last)| (*count, last.recency()))?;
    let candidates = by_name.into_values().filter(|replica| replica.hash == elected.hash);
    candidates.max_by_key(|replica| (score(unit, replica.name_hash), replica.name)).copied()
}

/// Returns the hash of a replica's name.
pub(super) fn name_hash(name: &str) -> u64 {
    let mut hasher = Hasher::new("pumphouse replica 1");
    hasher.text(name);
    hasher.finish()
}

/// Returns the score of a replica for a unit. Both are bits of SHA-256, which two rounds of the finalizer of
/// SplitMix64 combine.
const fn score(unit: u64, replica: u64) -> u64 {
    mix(mix(unit ^ replica.rotate_left(32)).wrapping_add(replica))
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: usize) -> u64 {
        let mut hasher = Hasher::new("pumphouse single 1");
        hasher.text(&format!("s{number}"));
        hasher.finish()
    }

    struct Replica(ReplicaName, Option<u64>, i64);

    fn replicas(replicas: &[(&str, Option<u64>, i64)]) -> Vec<Replica> {
        replicas.iter().map(|(name, hash, at)| Replica((*name).into(), *hash, *at)).collect()
    }

    fn winner(unit: u64, replicas: &[Replica]) -> Option<String> {
        let candidates: Vec<Candidate<'_>> = replicas
            .iter()
            .zip(0..)
            .map(|(Replica(name, hash, configured_at), number)| Candidate {
                name,
                name_hash: name_hash(name),
                instance: InstanceId::from_bytes([number; 16]),
                hash: *hash,
                configured_at: *configured_at,
            })
            .collect();
        designated(unit, &candidates).map(|replica| replica.name.to_string())
    }

    fn equal(names: &[&str]) -> Vec<Replica> {
        names.iter().map(|name| Replica((*name).into(), Some(1), 1)).collect()
    }

    #[test]
    fn units_are_shared_out_evenly() {
        for names in [["a", "b", "c"], ["north", "south", "cellar"]] {
            let mut counts: HashMap<String, usize> = HashMap::new();
            for number in 0..1000 {
                *counts.entry(winner(unit(number), &equal(&names)).unwrap()).or_default() += 1;
            }
            for (name, count) in counts {
                assert!((300..=366).contains(&count), "{name}: {count}");
            }
        }
    }

    #[test]
    fn removed_replica_moves_its_own_units_only_and_to_all_others() {
        let (all, rest) = (equal(&["a", "b", "c", "d"]), equal(&["a", "b", "d"]));
        let mut heirs: HashMap<String, usize> = HashMap::new();
        for number in 0..1000 {
            let before = winner(unit(number), &all).unwrap();
            let after = winner(unit(number), &rest).unwrap();
            match before.as_str() {
                "c" => *heirs.entry(after).or_default() += 1,
                _ => assert_eq!(after, before),
            }
        }
        assert!(heirs.len() == 3 && heirs.values().all(|count| *count > 50), "{heirs:?}");
    }

    #[test]
    fn assignment_does_not_depend_on_the_order_and_does_not_change_between_versions() {
        let names = ["a", "b", "c"];
        let reversed = ["c", "b", "a"];
        for number in 0..100 {
            assert_eq!(
                winner(unit(number), &equal(&names)),
                winner(unit(number), &equal(&reversed))
            );
        }
        // With other numbers, replicas of two versions disagree on who polls.
        let first: String =
            (0..24).map(|number| winner(unit(number), &equal(&names)).unwrap()).collect();
        assert_eq!(first, "ababacbccbbbaaabbcccabcb");
        assert_eq!(name_hash("a"), 0xc992_13a9_ca01_15af);
        assert_eq!(unit(0), 0xfdb5_5f3a_2f0b_7d53);
    }

    #[test]
    fn configuration_of_most_replicas_counts_and_on_a_tie_the_last() {
        let elected = |list: &[(&str, Option<u64>, i64)]| {
            let list = replicas(list);
            let winners = (0..100).filter_map(|number| winner(unit(number), &list));
            let mut winners: Vec<String> = winners.collect();
            winners.sort_unstable();
            winners.dedup();
            winners.join(" ")
        };
        for (list, winners) in [
            (vec![], ""),
            (vec![("a", None, 1)], ""),
            (vec![("a", Some(1), 1), ("b", None, 2)], "a"),
            (vec![("a", Some(1), 1), ("b", Some(1), 1), ("c", Some(2), 9)], "a b"),
            (vec![("a", Some(1), 1), ("b", Some(2), 2)], "b"),
            (vec![("a", Some(1), 3), ("b", Some(2), 2)], "a"),
            (vec![("a", Some(1), 2), ("b", Some(2), 2)], "b"),
            (
                vec![("a", Some(1), 1), ("b", Some(1), 5), ("c", Some(2), 2), ("d", Some(2), 3)],
                "a b",
            ),
            // A restart with another configuration: its earlier instance does not count.
            (vec![("a", Some(1), 1), ("a", Some(2), 2), ("b", Some(1), 1)], "a"),
            (
                vec![("a", Some(1), 1), ("a", Some(1), 2), ("b", Some(2), 1), ("c", Some(2), 1)],
                "b c",
            ),
        ] {
            assert_eq!(elected(&list), winners, "{list:?}");
        }
    }
}
