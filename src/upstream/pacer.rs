//! Paces polls that are due at once: after a start, a reload, a step of the clock and a suspend.
//!
//! At most [`PER_SECOND`] of them start in a second, and [`PER_SECOND_AND_HOST`] at one host. Each host has a queue
//! of its own, so that hundreds of sources of one host delay no source of another. Hosts take turns.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most starts in a second.
const PER_SECOND: u32 = 50;

/// Most starts in a second at one host.
const PER_SECOND_AND_HOST: u32 = 5;

/// Time from one start to the next.
const SPACING: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);

/// Time from one start at a host to the next there.
const HOST_SPACING: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND_AND_HOST as u64);

/// Queue of sources that wait for an early start.
#[derive(Debug)]
pub(super) struct Pacer<K> {
    hosts: HashMap<Arc<str>, Host<K>>,
    /// Hosts with a source in their queue, by the earliest time of its start. The number orders those of one time.
    ready: BTreeSet<(Instant, u64, Arc<str>)>,
    /// Number for the next entry of `ready`.
    turn: u64,
    /// Earliest time of the next start.
    next: Option<Instant>,
}

#[derive(Debug)]
struct Host<K> {
    queue: VecDeque<K>,
    /// Earliest time of the next start at this host.
    next: Instant,
}

impl<K> Default for Pacer<K> {
    fn default() -> Pacer<K> {
        Pacer { hosts: HashMap::new(), ready: BTreeSet::new(), turn: 0, next: None }
    }
}

impl<K> Pacer<K> {
    /// Appends a source to the queue of its host.
    pub(super) fn push(&mut self, key: K, host: &Arc<str>, now: Instant) {
        let queued = match self.hosts.get_mut(host) {
            Some(queued) => queued,
            None => {
                let new = Host { queue: VecDeque::new(), next: now };
                self.hosts.entry(Arc::clone(host)).or_insert(new)
            }
        };
        queued.queue.push_back(key);
        if queued.queue.len() == 1 {
            let at = queued.next.max(now);
            self.enter(at, Arc::clone(host));
        }
    }

    /// Returns the time of the next start; `None` while no source waits.
    pub(super) fn next_start(&self) -> Option<Instant> {
        let (at, ..) = self.ready.first()?;
        Some(self.next.map_or(*at, |next| next.max(*at)))
    }

    /// Takes the source that starts now, if one does. A source that `is_wanted` rejects, because it was started
    /// meanwhile or removed, is dropped and takes no turn.
    pub(super) fn take(
        &mut self,
        now: Instant,
        mut is_wanted: impl FnMut(&K) -> bool,
    ) -> Option<K> {
        while self.next_start().is_some_and(|at| at <= now) {
            let (.., name) = self.ready.pop_first()?;
            let host = self.hosts.get_mut(&name)?;
            let taken = std::iter::from_fn(|| host.queue.pop_front()).find(&mut is_wanted);
            if taken.is_some() {
                host.next = now + HOST_SPACING;
                self.next = Some(now + SPACING);
            }
            let (next, is_empty) = (host.next, host.queue.is_empty());
            if !is_empty {
                self.enter(next, name);
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Forgets hosts without sources, at which the next start may be at once.
    pub(super) fn forget_idle_hosts(&mut self, now: Instant) {
        self.hosts.retain(|_, host| !host.queue.is_empty() || host.next > now);
    }

    fn enter(&mut self, at: Instant, host: Arc<str>) {
        self.turn += 1;
        self.ready.insert((at, self.turn, host));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts all that wait, by the times that the pacer returns. Returns each with the milliseconds after `begin`.
    fn run(pacer: &mut Pacer<u32>, begin: Instant) -> Vec<(u32, u128)> {
        let mut starts = Vec::new();
        while let Some(at) = pacer.next_start() {
            assert_eq!(pacer.take(at - Duration::from_nanos(1), |_| true), None, "too early");
            if let Some(key) = pacer.take(at, |_| true) {
                starts.push((key, at.duration_since(begin).as_millis()));
            }
        }
        starts
    }

    #[test]
    fn starts_are_apart_in_all_and_at_a_host() {
        let (now, mut pacer) = (Instant::now(), Pacer::default());
        let hosts: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
        for (key, host) in [(1, 0), (2, 0), (3, 0), (4, 1), (5, 2), (6, 1)] {
            pacer.push(key, &hosts[host], now);
        }
        let starts = run(&mut pacer, now);
        assert_eq!(starts, [(1, 0), (4, 20), (5, 40), (2, 200), (6, 220), (3, 400)]);
        // The latest start counts for those that come later.
        let later = now + Duration::from_millis(410);
        pacer.push(7, &hosts[0], later);
        pacer.push(8, &hosts[1], later);
        assert_eq!(run(&mut pacer, now), [(8, 420), (7, 600)]);
    }

    #[test]
    fn source_that_is_no_longer_wanted_takes_no_turn() {
        let (now, mut pacer) = (Instant::now(), Pacer::default());
        let host: Arc<str> = "a".into();
        (0..5).for_each(|key| pacer.push(key, &host, now));
        assert_eq!(pacer.take(now, |key| *key == 3), Some(3));
        assert_eq!(pacer.take(now, |_| true), None);
        assert_eq!(pacer.take(now + HOST_SPACING, |_| true), Some(4));
        assert_eq!(pacer.next_start(), None);
        pacer.forget_idle_hosts(now + HOST_SPACING);
        assert_eq!(pacer.hosts.len(), 1, "its next start is not free yet");
        pacer.forget_idle_hosts(now + 2 * HOST_SPACING);
        assert!(pacer.hosts.is_empty());
    }
}
