//! Sources that wait for their next poll, and those whose poll is in flight. Pure state: the caller passes the
//! time, starts the polls and reports their ends.
//!
//! ```text
//!            ┌──────────── done ◄──────────────────────────┐
//!            ▼                                             │
//! insert ─► waiting ─ due, a request, or its turn ─► (reserved) ─► in flight
//!   │        ▲         of the pacer                    until the rate limiter allows it
//!   └──────► held until the poll of the earlier configuration, which was removed, has ended
//! ```
//!
//! A source that another replica polls is parked: it is never due. It leaves `waiting` or, after its poll, `in flight`,
//! and `unpark` lets it wait for the next poll of its schedule.
//!
//! Each step costs O(log n). Only `repoll_all` and `resume` look at all sources.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pacer::Pacer;
use super::rate_limit::RateLimiter;
use super::schedule::point_after;

/// Lateness from which on a poll counts as missed: the process was stopped, or the machine too busy. Missed polls
/// are paced, so that they do not start all at once.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// Identifies a source with its configuration. A source that changes gets another key. Keys are not used again.
pub(super) type Key = u64;

/// All sources, each with the state of its polls (`T`), which is taken for a poll and put back after it.
#[derive(Debug)]
pub(super) struct Queue<T> {
    entries: BTreeMap<Key, Entry<T>>,
    /// Sources that start at a time.
    due: BTreeSet<(Instant, Key)>,
    pacer: Pacer<Key>,
    /// Polls in flight whose source was removed or changed, by its name.
    retired: HashMap<Arc<str>, Key>,
    in_flight: usize,
}

/// A source that enters the queue.
#[derive(Debug)]
pub(super) struct Source<T> {
    pub(super) task: T,
    pub(super) name: Arc<str>,
    pub(super) interval: Duration,
    /// Its next slot, at which it is polled at the latest.
    pub(super) slot: Instant,
    /// True if it is polled as soon as the pacer allows.
    pub(super) is_early: bool,
    /// Host that it is paced with.
    pub(super) host: Arc<str>,
    /// Limiter shared with other sources of its group.
    pub(super) limiter: Option<Arc<RateLimiter>>,
    /// True if another replica polls it.
    pub(super) is_parked: bool,
}

/// Times of the end of a poll and of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) ended: Instant,
    pub(super) due: Instant,
    /// False if the upstream asked us to wait until then.
    pub(super) may_advance: bool,
}

#[derive(Debug)]
struct Entry<T> {
    /// `None` while its poll is in flight.
    task: Option<T>,
    name: Arc<str>,
    phase: Phase,
    due: Instant,
    /// A point of its grid.
    slot: Instant,
    interval: Duration,
    host: Arc<str>,
    limiter: Option<Arc<RateLimiter>>,
    may_advance: bool,
    /// True if it starts at its turn of the pacer, if that comes before it is due.
    is_early: bool,
    /// True while the pacer has its key.
    is_queued: bool,
    /// True if it is to be polled again after the poll in flight.
    repoll: bool,
    /// True if it is parked after the poll in flight.
    parks: bool,
    /// Time of a request for a poll that arrived during the current one.
    requested: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    /// The rate limiter has assigned the time at which it is due.
    Reserved,
    InFlight,
    /// Waits for the end of this poll, of its earlier configuration.
    Held(Key),
    /// Another replica polls it.
    Parked,
    /// Was removed while its poll is in flight. At the end of the poll, this source of the same name is polled.
    Retired(Option<Key>),
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue {
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            pacer: Pacer::default(),
            retired: HashMap::new(),
            in_flight: 0,
        }
    }
}

impl<T> Queue<T> {
    /// Adds a source. If the poll of an earlier source of the name is in flight, the first poll waits for its end.
    pub(super) fn insert(&mut self, key: Key, source: Source<T>, now: Instant) {
        let Source { task, name, interval, slot, is_early, host, limiter, is_parked } = source;
        let entry = Entry {
            task: Some(task),
            name,
            phase: Phase::Parked,
            due: slot,
            slot,
            interval,
            host,
            limiter,
            may_advance: true,
            is_early: false,
            is_queued: false,
            repoll: is_early,
            parks: false,
            requested: None,
        };
        self.entries.insert(key, entry);
        if !is_parked {
            self.enter(key, now);
        }
    }

    /// Lets a source wait for its first poll, or for the end of that of an earlier source of its name.
    fn enter(&mut self, key: Key, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        match self.retired.get(&entry.name).copied() {
            Some(predecessor) => {
                entry.phase = Phase::Held(predecessor);
                self.retire(predecessor, Some(key));
            }
            None => self.wait(key, now),
        }
    }

    /// Returns true if the source was not removed.
    pub(super) fn contains(&self, key: Key) -> bool {
        let entry = self.entries.get(&key);
        entry.is_some_and(|entry| !matches!(entry.phase, Phase::Retired(_)))
    }

    /// Parks a source: no further poll of it starts. A poll in flight goes on.
    pub(super) fn park(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        match entry.phase {
            Phase::InFlight => entry.parks = true,
            Phase::Waiting | Phase::Reserved => {
                entry.phase = Phase::Parked;
                self.due.remove(&(entry.due, key));
            }
            Phase::Held(predecessor) => {
                entry.phase = Phase::Parked;
                self.retire(predecessor, None);
            }
            Phase::Parked | Phase::Retired(_) => {}
        }
    }

    /// Ends the parking of a source, whose next poll is at `next`. If that time has passed, or is unknown, its poll
    /// counts as missed, and is paced. Returns the state with the point of the grid for the poll after that; `None`
    /// if the source was not parked.
    pub(super) fn unpark(
        &mut self,
        key: Key,
        next: Option<Instant>,
        now: Instant,
    ) -> Option<(&mut T, Instant)> {
        let entry = self.entries.get_mut(&key)?;
        entry.parks = false;
        if entry.phase != Phase::Parked {
            return None;
        }
        if let Some(limiter) = &entry.limiter {
            // Another replica may have used it a moment ago.
            limiter.defer(now);
        }
        let next = next.filter(|next| *next > now);
        let point = point_after(entry.slot, entry.interval, next.unwrap_or(now));
        entry.due = next.unwrap_or(point);
        // A time beyond the interval is one for which the upstream asked.
        entry.may_advance = entry.due.duration_since(now) <= entry.interval;
        // A turn of the pacer from before counts no more.
        entry.is_early = false;
        (entry.repoll, entry.requested) = (next.is_none(), None);
        self.enter(key, now);
        let task = self.entries.get_mut(&key)?.task.as_mut()?;
        Some((task, point))
    }

    /// Returns true if a poll of the source with this key and name is in flight, also one of an earlier configuration.
    pub(super) fn is_in_flight(&self, key: Option<Key>, name: &str) -> bool {
        let entry = key.and_then(|key| self.entries.get(&key));
        entry.is_some_and(|entry| entry.phase == Phase::InFlight) || self.retired.contains_key(name)
    }

    /// Removes a source. A poll that is in flight for it goes on.
    pub(super) fn remove(&mut self, key: Key) {
        let Some(entry) = self.entries.get(&key) else { return };
        self.due.remove(&(entry.due, key));
        match entry.phase {
            Phase::InFlight => {
                self.retired.insert(Arc::clone(&entry.name), key);
                return self.retire(key, None);
            }
            Phase::Retired(_) => return,
            Phase::Held(predecessor) => self.retire(predecessor, None),
            Phase::Waiting | Phase::Reserved | Phase::Parked => {}
        }
        self.entries.remove(&key);
    }

    /// Notes which source is polled at the end of a poll whose source was removed.
    fn retire(&mut self, key: Key, successor: Option<Key>) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.phase = Phase::Retired(successor);
        }
    }

    /// Starts a poll that was requested at `at`, unless the coming or current poll satisfies the request. Returns the
    /// state if it starts, since the next request is then one for another poll, and if the source is parked.
    pub(super) fn request(&mut self, key: Key, at: Instant) -> Option<&T> {
        let entry = self.entries.get_mut(&key)?;
        match entry.phase {
            Phase::Waiting => {}
            // It was parked after the request.
            Phase::Parked => return entry.task.as_ref(),
            Phase::Reserved | Phase::InFlight | Phase::Held(_) | Phase::Retired(_) => {
                entry.requested = Some(at);
                return None;
            }
        }
        self.due.remove(&(entry.due, key));
        entry.due = at;
        self.due.insert((at, key));
        entry.task.as_ref()
    }

    /// Polls each source again as soon as the pacer allows, also those whose poll is in flight; except where the
    /// upstream asked us to wait.
    pub(super) fn repoll_all(&mut self, now: Instant) {
        for (key, entry) in &mut self.entries {
            match entry.phase {
                Phase::Waiting if entry.may_advance => pace(&mut self.pacer, *key, entry, now),
                Phase::InFlight => entry.repoll = true,
                Phase::Waiting
                | Phase::Reserved
                | Phase::Held(_)
                | Phase::Parked
                | Phase::Retired(_) => {}
            }
        }
    }

    /// Counts time in suspend, in which the clock of `now` stood still, as time that sources have waited. Polls
    /// that were missed meanwhile are paced.
    pub(super) fn resume(&mut self, suspended: Duration, now: Instant) {
        for (key, entry) in &mut self.entries {
            if !matches!(entry.phase, Phase::Waiting | Phase::Reserved) {
                continue;
            }
            self.due.remove(&(entry.due, *key));
            entry.due = entry.due.checked_sub(suspended).unwrap_or(now);
            if entry.phase == Phase::Waiting && entry.due <= now {
                miss(&mut self.pacer, *key, entry, now);
            }
            self.due.insert((entry.due, *key));
        }
    }

    /// Forgets what is not needed for the sources that remain after a reload.
    pub(super) fn compact(&mut self, now: Instant) {
        self.pacer.forget_idle_hosts(now);
    }

    /// Returns the time of the next start.
    pub(super) fn next_start(&self) -> Option<Instant> {
        let due = self.due.first().map(|(due, _)| *due);
        due.into_iter().chain(self.pacer.next_start()).min()
    }

    /// Number of polls in flight, those of removed sources included.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes a source whose poll starts now.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Key, T)> {
        loop {
            let key = match self.due.first() {
                Some(&(due, key)) if due <= now => {
                    self.due.remove(&(due, key));
                    let entry = self.entries.get_mut(&key)?;
                    let is_missed = now.duration_since(due) > MAX_LATENESS;
                    if is_missed && entry.phase == Phase::Reserved {
                        // Reserved starts that have passed are no longer apart.
                        entry.phase = Phase::Waiting;
                    } else if is_missed && entry.phase == Phase::Waiting {
                        miss(&mut self.pacer, key, entry, now);
                        self.due.insert((entry.due, key));
                        continue;
                    }
                    key
                }
                _ => {
                    let entries = &mut self.entries;
                    let key = self.pacer.take(now, |key| {
                        let Some(entry) = entries.get_mut(key) else { return false };
                        entry.is_queued = false;
                        entry.is_early && entry.phase == Phase::Waiting
                    })?;
                    self.due.remove(&(self.entries.get(&key)?.due, key));
                    key
                }
            };
            if let Some(task) = self.start(key, now) {
                return Some((key, task));
            }
        }
    }

    /// Starts the poll, or reserves its start if it has a limiter that does not allow it now.
    fn start(&mut self, key: Key, now: Instant) -> Option<T> {
        let entry = self.entries.get_mut(&key)?;
        entry.is_early = false;
        if let (Phase::Waiting, Some(limiter)) = (entry.phase, &entry.limiter) {
            let start = limiter.reserve(now);
            if start > now {
                (entry.phase, entry.due) = (Phase::Reserved, start);
                self.due.insert((start, key));
                return None;
            }
        }
        entry.phase = Phase::InFlight;
        self.in_flight += 1;
        entry.task.take()
    }

    /// Ends a poll: puts the state back, with the time of the next poll. Returns true if a poll was requested
    /// meanwhile, which this one has satisfied, or which starts now if it was requested after the end.
    pub(super) fn done(&mut self, key: Key, task: T, next: Next, now: Instant) -> bool {
        self.in_flight -= 1;
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        if let Phase::Retired(successor) = entry.phase {
            self.retired.remove(&entry.name);
            self.entries.remove(&key);
            if let Some(successor) = successor {
                self.wait(successor, now);
            }
            return false;
        }
        entry.task = Some(task);
        (entry.due, entry.may_advance) = (next.due, next.may_advance);
        let requested = entry.requested.take();
        if std::mem::take(&mut entry.parks) {
            entry.phase = Phase::Parked;
            return requested.is_some();
        }
        if requested.is_some_and(|at| at > next.ended) {
            entry.due = now;
        }
        self.wait(key, now);
        requested.is_some()
    }

    /// Lets a source wait for its next poll, which is paced if it is to be polled again.
    fn wait(&mut self, key: Key, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.phase = Phase::Waiting;
        if std::mem::take(&mut entry.repoll) && entry.may_advance {
            pace(&mut self.pacer, key, entry, now);
        }
        self.due.insert((entry.due, key));
    }
}

/// Has a source polled at its turn of the pacer, or when it is due if that comes first.
fn pace<T>(pacer: &mut Pacer<Key>, key: Key, entry: &mut Entry<T>, now: Instant) {
    entry.is_early = true;
    // A key that is left from an earlier wait takes the turn.
    if !std::mem::replace(&mut entry.is_queued, true) {
        pacer.push(key, &entry.host, now);
    }
}

/// Paces a poll that was missed. It is due at the next point of its grid.
fn miss<T>(pacer: &mut Pacer<Key>, key: Key, entry: &mut Entry<T>, now: Instant) {
    entry.due = point_after(entry.due, entry.interval, now);
    pace(pacer, key, entry, now);
}

#[cfg(test)]
mod tests;
