//! States of sources: those that this replica publishes, and those of others that it follows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Node;
use super::refusals::Step;
use crate::board::{Followed, SharedState, Snapshot, shared_state};
use crate::cluster::database::{self, NewState, PublishedState, StateRead};
use crate::cluster::exchange::TickReply;
use crate::cluster::instance::InstanceId;
use crate::cluster::reply;
use crate::outbound::retry_after::MAX_RETRY_AFTER;
use crate::wall_clock;

/// Most states that one statement publishes. A slow connection takes them within the deadline.
const MAX_PUBLISHED: usize = 200;

/// Time after which no further statement begins. The lease is renewed after the publication.
const PUBLISH_TIME: Duration = Duration::from_secs(1);

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
        let began = Instant::now();
        let snapshot = self.board.load();
        let changed = self.changed(&snapshot);
        for batch in changed.chunks(MAX_PUBLISHED) {
            if began.elapsed() >= PUBLISH_TIME {
                return;
            }
            let states: Vec<NewState> = batch.iter().map(|(state, _)| state.clone()).collect();
            let instance = self.cluster.instance();
            let result =
                database::publish(&mut self.link, instance, self.version, &states, deadline);
            self.version += i64::try_from(batch.len()).unwrap_or(i64::MAX);
            self.refusals.note(Step::Publication, &result, self.access.health());
            if result.is_err() {
                return;
            }
            // What the database has ignored is of a lease that the next tick finds lost.
            let versions = batch.iter().map(|(state, version)| (state.source.clone(), *version));
            self.published.extend(versions);
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
        self.scan.demand();
        self.published.clear();
    }

    /// Returns the states to be read by the next tick.
    pub(super) fn next_read(&mut self) -> StateRead {
        let (since, after) = (self.positions.clone(), self.scan.page());
        StateRead { since, after, limit: self.scan.limit() }
    }

    /// Shows states of other replicas. Returns true if the database has more of them.
    pub(super) fn follow(
        &mut self,
        read: &StateRead,
        later: Vec<PublishedState>,
        page: Vec<PublishedState>,
        reply: &TickReply,
    ) -> bool {
        let own = self.cluster.instance().to_string();
        let mut counts: HashMap<String, usize> = HashMap::new();
        for row in &later {
            *counts.entry(row.instance.clone()).or_default() += 1;
            // A page has states of later versions than some that are still to be read.
            let known = self.positions.entry(row.instance.clone()).or_insert(row.version);
            *known = (*known).max(row.version);
        }
        let is_full = counts.into_values().any(|count| count >= read.limit_of_instance());
        let has_pages = self.scan.read(&page, read.limit);
        let live: HashSet<String> =
            reply.replicas.iter().map(|replica| replica.instance.to_string()).collect();
        self.positions.retain(|instance, _| live.contains(instance));
        for instance in live.into_iter().filter(|instance| *instance != own) {
            self.positions.entry(instance).or_insert(-1);
        }
        // The page was read after the later states.
        let rows = later.iter().chain(&page);
        let states: Vec<Followed> = rows.filter_map(|row| self.followed(row)).collect();
        if !states.is_empty() {
            let count = i64::try_from(states.len()).unwrap_or(i64::MAX);
            self.shared.followed.fetch_add(count, Ordering::Relaxed);
            states.iter().for_each(|followed| self.note_poll(&followed.state));
            self.outputs.follow(states);
        }
        is_full || has_pages
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

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Span};

    use super::*;
    use crate::board::{Board, ErrorKind, PollError, Report, ServiceInfo, SourceInfo};

    #[test]
    fn poll_is_near_for_some_seconds_before_it_and_while_it_is_in_flight() {
        let service = ServiceInfo { name: "test", version: "1", started_at: Timestamp::UNIX_EPOCH };
        let infos = vec![SourceInfo::example("tank"), SourceInfo::example("well")];
        let (_board, reader, reporter) =
            Board::start_replica(infos, Vec::new(), service, Box::new(|_| ())).unwrap();
        reporter.hold(vec!["tank".into(), "well".into()]);
        let at = reporter.now();
        let next_poll_at = at.wall + Span::new().minutes(5);
        let outcome = Err(PollError::new(ErrorKind::Timeout, "late"));
        reporter.send(Report { source: "tank".into(), at, outcome, next_poll_at });
        let begun = Instant::now();
        let snapshot = loop {
            let snapshot = reader.load();
            if snapshot.sources.get("tank").is_some_and(|view| view.next_poll_at.is_some()) {
                break snapshot;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the report is not applied");
            std::thread::sleep(Duration::from_millis(1));
        };
        let is_near = |source: &str, before: i64| {
            let now = next_poll_at - SignedDuration::from_secs(before);
            is_poll_near(&snapshot, source, now)
        };
        // The second one of these has begun 10 s ago.
        let near = [300, 4, 2, -10].map(|before| is_near("tank", before));
        assert_eq!(near, [false, false, true, true]);
        assert!(!is_near("well", 0), "it has no schedule yet");
        assert!(!is_near("gone", 0));
    }
}
