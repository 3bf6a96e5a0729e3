//! Failures of one key at the replicas that share a store.
//!
//! Each process counts its own failures and publishes them as one row for each key, under a version that it
//! increments. No other process changes that row, so the newest version holds, in whatever order rows arrive and
//! however often. The limits apply to the sum over all rows.

use std::time::{Duration, Instant};

/// Identity of a process, which a restart changes: 128 random bits.
pub type Instance = [u8; 16];

/// Most other processes that a record counts: more than replicas and their restarts within the longest wait.
const MAX_OTHERS: usize = 64;

/// Failures of one key at one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::access) struct Count {
    pub(in crate::access) version: u64,
    pub(in crate::access) failures: usize,
    /// Start of the period after which the next failure is forgotten.
    pub(in crate::access) since: Instant,
    /// Time of the latest failure.
    pub(in crate::access) at: Instant,
    /// Tag of the latest wrong guess: 12 bits of its fingerprint.
    pub(in crate::access) tag: Option<u16>,
}

impl Count {
    /// Returns the failures that are not forgotten.
    fn left(&self, now: Instant, longest: Duration) -> usize {
        self.failures.saturating_sub(forgotten(now, self.since, longest))
    }
}

/// Returns the number of failures that are forgotten by now, one for each `longest` since `since`.
pub(super) fn forgotten(now: Instant, since: Instant, longest: Duration) -> usize {
    let elapsed = now.saturating_duration_since(since);
    let periods = elapsed.as_nanos() / longest.as_nanos().max(1);
    usize::try_from(periods).unwrap_or(usize::MAX)
}

/// Counts of other processes for one key.
#[derive(Debug, Clone, Default)]
pub(super) struct Others(Vec<(Instance, Count)>);

impl Others {
    /// Takes a newer count of a process. Returns false if it is known.
    pub(super) fn observe(&mut self, instance: Instance, count: Count) -> bool {
        if let Some((_, known)) = self.0.iter_mut().find(|(other, _)| *other == instance) {
            let is_newer = count.version > known.version;
            if is_newer {
                *known = count;
            }
            return is_newer;
        }
        if self.0.len() >= MAX_OTHERS {
            let least = (0..self.0.len()).min_by_key(|place| self.0[*place].1.failures);
            let least = least.filter(|place| self.0[*place].1.failures < count.failures);
            let Some(least) = least else { return false };
            self.0.swap_remove(least);
        }
        self.0.push((instance, count));
        true
    }

    /// Drops the counts of which every failure is forgotten.
    pub(super) fn age(&mut self, now: Instant, longest: Duration) {
        self.0.retain(|(_, count)| count.left(now, longest) > 0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the time of the latest failure.
    pub(super) fn latest(&self) -> Option<Instant> {
        self.0.iter().map(|(_, count)| count.at).max()
    }

    /// Returns the failures of all processes together, of which `own` are those of this one.
    ///
    /// A browser tab or a script that keeps sending an old password to replicas in turn fails once at each of them.
    /// So failures of several processes whose latest wrong guess has the same tag count as one. A tag has
    /// twelve bits: it reveals little about a guess, and different guesses rarely have equal ones.
    pub(super) fn total(
        &self,
        own: usize,
        tag: Option<u16>,
        now: Instant,
        longest: Duration,
    ) -> usize {
        if self.0.is_empty() {
            return own;
        }
        let others = self.0.iter().map(|(_, count)| (count.left(now, longest), count.tag));
        let mut tags: Vec<u16> = Vec::new();
        let mut total = 0_usize;
        for (failures, tag) in others.chain([(own, tag)]).filter(|(failures, _)| *failures > 0) {
            total = total.saturating_add(failures);
            match tag {
                Some(tag) if tags.contains(&tag) => total -= 1,
                Some(tag) => tags.push(tag),
                None => {}
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    fn count(version: u64, failures: usize, tag: u16, now: Instant) -> Count {
        Count { version, failures, since: now, at: now, tag: Some(tag) }
    }

    #[test]
    fn newest_version_of_each_process_holds_in_any_order() {
        let now = Instant::now();
        let rows = [
            ([1; 16], count(1, 1, 1, now)),
            ([1; 16], count(2, 3, 2, now)),
            ([2; 16], count(1, 4, 3, now)),
        ];
        for order in [[0, 1, 2, 0, 1], [2, 1, 0, 1, 2], [1, 2, 0, 0, 0]] {
            let mut others = Others::default();
            for place in order {
                let (instance, count) = rows[place];
                others.observe(instance, count);
            }
            assert_eq!(others.total(2, None, now, LONGEST), 3 + 4 + 2, "{order:?}");
        }
    }

    #[test]
    fn failures_of_one_old_password_at_many_processes_count_once() {
        let now = Instant::now();
        let mut others = Others::default();
        for number in 1..=20 {
            others.observe([number; 16], count(1, 1, 7, now));
        }
        assert_eq!(others.total(1, Some(7), now, LONGEST), 1);
        assert_eq!(others.total(1, Some(8), now, LONGEST), 2, "another guess");
        assert_eq!(others.total(0, None, now, LONGEST), 1);
        others.observe([1; 16], count(2, 2, 9, now));
        assert_eq!(others.total(1, Some(7), now, LONGEST), 3);
    }

    #[test]
    fn counts_expire_and_are_bounded() {
        let now = Instant::now();
        let mut others = Others::default();
        for number in 0..200 {
            others.observe([number; 16], count(1, usize::from(number), number.into(), now));
        }
        assert_eq!(others.0.len(), MAX_OTHERS);
        assert!(others.0.iter().all(|(_, count)| count.failures >= 200 - MAX_OTHERS));
        others.age(now + LONGEST * 198, LONGEST);
        assert_eq!(others.0.len(), 1);
        assert_eq!(others.total(0, None, now + LONGEST * 198, LONGEST), 1);
        others.age(now + LONGEST * 199, LONGEST);
        assert!(others.is_empty());
    }
}
