//! A source of which several replicas show the state, and one polls it: the holder.
//!
//! ```text
//!          hold                                   release
//!   ┌──────────────────► held: reports, events ───────────────┐
//!   │                                                         ▼
//! followed: states of the holder, no events ◄─── (late report: its reading)
//! ```
//! The trends have the samples of what is followed, so a replica that takes over continues with them. The holder's
//! times are shown as they are.
//!
//! The database may have a state from before the reading that is shown: of an outage in which this replica polled, or of
//! a backup that was restored. Such a reading replaces none.

use jiff::{SignedDuration, Timestamp};

use super::{Source, restated_reading};
use crate::board::event::Change;
use crate::board::held::Held;
use crate::board::identity::moved;
use crate::board::reading::{FieldName, Value};
use crate::board::report::{Polled, Report, SavedReading};
use crate::board::shared::{Followed, SharedState};
use crate::wall_clock::TOLERANCE;

/// Largest difference between the clocks of two replicas, each of which follows that of the database.
const CLOCKS_TOLERANCE: SignedDuration = SignedDuration::from_secs(2 * TOLERANCE.as_secs());

/// State of a source that another replica holds.
#[derive(Debug)]
pub(super) struct FollowedState {
    pub(super) instance: u128,
    pub(super) version: u64,
    /// Time at which the holder changed it; `None` if this replica has changed what is shown since.
    pub(super) changed_at: Option<Timestamp>,
    /// Derived values to show in place of those of this replica's trends.
    pub(super) derived: Option<Vec<(FieldName, Value)>>,
}

impl Source {
    /// Applies the report of a poll that ended after the source was released, at `at`. Its reading is an observation as
    /// any other: it is recorded, and shown until the new holder publishes. The rest is for the new holder to state.
    pub(super) fn apply_late(
        &mut self,
        report: Report,
        step: SignedDuration,
        at: Timestamp,
        now: Timestamp,
    ) -> Vec<Change> {
        let Ok(Polled::Reading(reading)) = report.outcome else { return Vec::new() };
        if let Some(followed) = &mut self.followed {
            (followed.changed_at, followed.derived) = (None, None);
        }
        let baseline = self.baseline();
        let mut changes = self.receive(restated_reading(reading, step), at, now);
        changes.extend(self.enter_state(baseline, now));
        changes
    }

    /// Returns true if the state is a later one of the replica that holds the source.
    ///
    /// One of the future has times by a clock that the database had before it was set back. They were dated anew here,
    /// as they are at the holder if it still runs.
    pub(in super::super) fn accepts(&self, followed: &Followed, now: Timestamp) -> bool {
        let Followed { instance, version, state } = followed;
        let is_known =
            |known: &FollowedState| known.instance == *instance && known.version >= *version;
        let is_ahead = self.held.is_some() && state.changed_at > moved(now, CLOCKS_TOLERANCE);
        !self.view.is_held
            && state.kind == self.view.kind
            && !self.followed.as_ref().is_some_and(is_known)
            && !is_ahead
            && !self.is_before_reading(state.changed_at, now)
    }

    /// Returns true if this time of another replica is before that of the reading that is shown. A reading of the future
    /// is one that this machine saved while its clock was wrong.
    fn is_before_reading(&self, at: Timestamp, now: Timestamp) -> bool {
        let fetched_at = self.held.as_ref().map(Held::fetched_at).filter(|at| *at <= now);
        fetched_at.is_some_and(|fetched_at| moved(at, CLOCKS_TOLERANCE) < fetched_at)
    }

    /// Shows the state that the holder of the source has published. A reading is kept if the holder has none, or an
    /// earlier one.
    pub(in super::super) fn follow(&mut self, followed: Followed, now: Timestamp) {
        let Followed { instance, version, state } = followed;
        let SharedState {
            configuration, changed_at, next_poll_at, error, reading, derived, ..
        } = state;
        let reading = reading.filter(|saved| !self.is_before_reading(saved.fetched_at, now));
        let derived = derived.filter(|_| reading.is_some());
        let changed_at = Some(changed_at);
        self.followed = Some(FollowedState { instance, version, changed_at, derived });
        self.passed_over = None;
        let view = self.view_mut();
        (view.next_poll_at, view.error) = (next_poll_at, error);
        if let Some(SavedReading { received, fetched_at, stale, .. }) = reading {
            view.is_stale_announced = stale;
            let before = self.held.as_ref().map(|held| held.observed().at);
            let held = match self.held.take() {
                Some(mut held) => {
                    held.follow(received, fetched_at);
                    held
                }
                None => Held::followed(received, fetched_at),
            };
            let held = self.held.insert(held);
            if configuration != self.view.configuration {
                held.doubt();
            }
            let at = held.observed().at;
            if before.is_some_and(|before| at < before) {
                // The holder believes an earlier observation again.
                self.trends.iter_mut().for_each(|trend| trend.forget_after(at.as_second()));
            }
            self.derive(now);
        }
        let baseline = self.baseline();
        self.enter_state(baseline, now);
    }

    /// Continues the state of the source as its holder, or leaves it to another replica. Returns the events that no
    /// replica has announced.
    pub(in super::super) fn set_held(&mut self, is_held: bool, now: Timestamp) -> Vec<Change> {
        if self.view.is_held == is_held {
            return Vec::new();
        }
        self.view_mut().is_held = is_held;
        self.followed = None;
        let baseline = self.baseline();
        self.enter_state(baseline, now)
    }
}
