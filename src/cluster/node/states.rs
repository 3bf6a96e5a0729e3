//! States of sources: those that this replica publishes, and those of others that it follows.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Node;
use crate::board::{Followed, SharedState, Snapshot, shared_state};
use crate::cluster::database::{self, NewState, PublishedState};
use crate::cluster::exchange::TickReply;
use crate::cluster::instance::InstanceId;
use crate::cluster::reply;
use crate::outbound::retry_after::MAX_RETRY_AFTER;
use crate::wall_clock;

/// Most states that one statement publishes.
const MAX_PUBLISHED: usize = 500;

/// Returns true if the next poll of a source that is held is too near for a hand-over, or in flight.
pub(super) fn is_poll_near(snapshot: &Snapshot, source: &str, now: Timestamp) -> bool {
    let Some(view) = snapshot.sources.get(source) else { return false };
    view.next_poll_at.is_some_and(|next| {
        // That of a poll in flight has passed.
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        reply::is_poll_near(wait, view.interval)
    })
}

impl Node {
    /// Publishes the states of the sources that this replica holds, as far as they have changed.
    pub(super) fn publish(&mut self, deadline: Instant) {
        let snapshot = self.board.load();
        let changed = self.changed(&snapshot);
        for batch in changed.chunks(MAX_PUBLISHED) {
            self.version += 1;
            let states: Vec<NewState> = batch.iter().map(|(state, _)| state.clone()).collect();
            let instance = self.cluster.instance();
            match database::publish(&mut self.link, instance, self.version, &states, deadline) {
                // What the database has refused is of a lease that the next tick finds lost.
                Ok(()) => {
                    let versions = batch.iter().map(|(state, version)| (&state.source, *version));
                    for (source, version) in versions {
                        self.published.insert(source.clone(), version);
                    }
                }
                Err(error) => {
                    log::debug!("states were not published: {error}");
                    return;
                }
            }
        }
        let is_held = |source: &str| snapshot.sources.get(source).is_some_and(|view| view.is_held);
        let flushed = &mut self.flushed;
        let is_done = |source: &Arc<str>| !is_held(source) && flushed.remove(source);
        for source in self.ending.extract_if(is_done) {
            self.cluster.published(&source);
        }
    }

    /// Returns the states to be published, each with the version of its view.
    fn changed(&self, snapshot: &Snapshot) -> Vec<(NewState, u64)> {
        let changed = snapshot.sources.iter().filter_map(|view| {
            let epoch = self.cluster.epoch(&view.name)?;
            let is_known = self.published.get(&view.name) == Some(&view.version);
            // A source that has not been polled has nothing to publish; others may have a reading.
            let is_empty = view.reading.is_none() && view.error.is_none();
            if is_known || is_empty {
                return None;
            }
            let content = shared_state(view);
            Some((NewState { source: view.name.clone(), epoch, content }, view.version))
        });
        changed.collect()
    }

    /// Publishes and reads all states again: the database may have lost some, if a standby was promoted.
    pub(super) fn lose_publications(&mut self) {
        self.read_all_at = None;
        self.published.clear();
    }

    /// Shows states of other replicas.
    pub(super) fn follow(&mut self, rows: Vec<PublishedState>, reply: &TickReply) {
        let own = self.cluster.instance().to_string();
        for row in &rows {
            let known = self.positions.entry(row.instance.clone()).or_insert(row.version);
            *known = (*known).max(row.version);
        }
        let live: HashSet<String> =
            reply.replicas.iter().map(|replica| replica.instance.to_string()).collect();
        self.positions.retain(|instance, _| live.contains(instance));
        for instance in live.into_iter().filter(|instance| *instance != own) {
            self.positions.entry(instance).or_insert(-1);
        }
        let states: Vec<Followed> = rows.iter().filter_map(|row| self.followed(row)).collect();
        if !states.is_empty() {
            let count = i64::try_from(states.len()).unwrap_or(i64::MAX);
            self.shared.followed.fetch_add(count, Ordering::Relaxed);
            states.iter().for_each(|followed| self.note_poll(&followed.state));
            self.outputs.follow(states);
        }
    }

    /// Notes the poll that a state is the result of, so that requests for another one are refused for a while.
    fn note_poll(&mut self, state: &SharedState) {
        let known = self.polls.insert(Arc::clone(&state.source), state.next_poll_at);
        // Another change, such as that of the configuration, is no poll.
        let Some(next) = state.next_poll_at.filter(|_| known != Some(state.next_poll_at)) else {
            return;
        };
        let age = wall_clock::now().duration_since(state.changed_at);
        let wait = Duration::try_from(next.duration_since(state.changed_at)).unwrap_or_default();
        let snapshot = self.board.load();
        // The next point of the schedule is less than two intervals away. A later time is one for which the upstream
        // asked. Of a shorter wait only the holder knows, which refuses requests then.
        let interval = snapshot.sources.get(&state.source).map(|view| view.interval);
        let is_requested = interval.is_some_and(|interval| wait > interval.saturating_mul(2));
        let requested_wait = if is_requested { wait } else { Duration::ZERO };
        let age = Duration::try_from(age).unwrap_or_default();
        self.outputs.polled_elsewhere(&state.source, age, requested_wait);
    }

    /// Returns the time of the next poll of a source that is taken over: the later one of that in the database and that
    /// which this replica knows, whose own polls the database may not have.
    pub(super) fn next_poll(&self, source: &str, stated: Option<Duration>) -> Option<Duration> {
        let now = self.clock.now();
        let snapshot = self.board.load();
        let Some(view) = snapshot.sources.get(source) else { return stated };
        // A state of the future is of a clock that was set back since. It counts as one of the present.
        let since = now.wall.max(view.changed_at);
        let known = view.next_poll_at.map(|at| at.duration_since(since));
        let known = known.and_then(|wait| Duration::try_from(wait).ok());
        let next = stated.max(known.map(|wait| now.boot.saturating_add(wait)));
        // A time that no schedule has is wrong.
        let longest = view.interval.saturating_mul(2).saturating_add(MAX_RETRY_AFTER);
        next.map(|next| next.min(now.boot.saturating_add(longest)))
    }

    fn followed(&mut self, row: &PublishedState) -> Option<Followed> {
        let instance: InstanceId = row.instance.parse().ok()?;
        match SharedState::from_json(&row.source, &row.content) {
            Ok(state) => Some(Followed {
                instance: u128::from_be_bytes(*instance.as_bytes()),
                version: row.version.unsigned_abs(),
                state,
            }),
            Err(error) => {
                let message = format!("the state of {} cannot be read: {error}", row.source);
                if self.unreadable.set(message.clone()) {
                    log::warn!("{message}; its replica may be of another version");
                }
                None
            }
        }
    }
}
