//! The end of a tick: what follows from the reply, or from its absence.

use std::sync::Arc;
use std::time::Duration;

use super::effect::Effect;
use super::entry::{Change, Entry, Lease};
use super::exchange::{Acquired, Failure, LeaseRead, LeaseRow, LiveReplica, TickReply};
use super::state::{Cluster, OUTAGE, Sent};
use super::tenure::TenureState;
use crate::kernel::clock::TimePoint;

/// Time for which a request for a poll is sent again after a failure.
const MAX_REQUEST_AGE: Duration = Duration::from_secs(10);

/// Time that a hand-over takes at most if both replicas and the database are well: three ticks and their round trips.
const HAND_OVER: Duration = Duration::from_secs(3);

/// Longest wait for a time without a near poll before a unit is handed over.
const MAX_HAND_OVER_WAIT: Duration = Duration::from_secs(5);

/// Returns true if a poll after this wait would be late if its source were handed over now. With a short interval a
/// poll is always near, so the first quarter of the interval must do.
pub(super) fn is_poll_near(wait: Duration, interval: Duration) -> bool {
    wait < HAND_OVER.min(interval / 4 * 3)
}

impl Cluster {
    /// Ends a tick. Returns what follows, in order. A reply for which no tick is in flight has no effect.
    ///
    /// `is_poll_near` returns true if the next poll of a source that is held is too near for a hand-over, or in flight.
    pub fn end_tick(
        &mut self,
        now: TimePoint,
        result: Result<TickReply, Failure>,
        is_poll_near: impl Fn(&str) -> bool,
    ) -> Vec<Effect> {
        let Some(sent) = self.in_flight.take() else { return Vec::new() };
        let now = now.boot;
        let mut effects = std::mem::take(&mut self.pending);
        match result {
            Err(Failure) => {
                self.is_failing = true;
                self.poll_requests.retain(|_, asked| now < asked.saturating_add(MAX_REQUEST_AGE));
                if self.tenure.failed(sent.at) && !self.is_unconfirmed {
                    self.is_unconfirmed = true;
                    effects.push(Effect::Unconfirmed);
                }
            }
            Ok(reply) => {
                self.answered(now, &sent, reply, &is_poll_near, &mut effects);
                let is_confirmed = self.tenure.state(now) == TenureState::Confirmed;
                if is_confirmed && std::mem::take(&mut self.is_unconfirmed) {
                    effects.push(Effect::Confirmed);
                }
            }
        }
        effects.push(Effect::Permit(self.tenure.polls_until()));
        effects
    }

    fn answered(
        &mut self,
        now: Duration,
        sent: &Sent,
        reply: TickReply,
        is_poll_near: &dyn Fn(&str) -> bool,
        effects: &mut Vec<Effect>,
    ) {
        if !reply.is_registered {
            return self.lose_identity(effects);
        }
        let outage = self.answered.is_some_and(|answered| now >= answered + OUTAGE);
        if std::mem::take(&mut self.is_failing) && (outage || self.answered.is_none()) {
            self.grace_until = now.saturating_add(self.terms.grace);
        }
        self.answered = Some(now);
        self.registered = Some(sent.digest);
        for source in &sent.poll_requests {
            self.poll_requests.remove(source);
        }
        let is_new_era = self.era.replace(reply.era).is_some_and(|era| era != reply.era);
        if is_new_era && sent.read == LeaseRead::Recent {
            // The database may have lost changes that are not recent, so leases are confirmed by the next tick.
            self.is_failing = true;
            return;
        }
        self.read(sent.read, reply.leases);
        if sent.read == LeaseRead::All {
            self.read_all = Some(sent.at);
        }
        self.take_acquired(now, reply.acquired);
        let lost = self.reconcile(effects);
        self.release_rests(&lost, now, effects);
        let is_settled = reply.era_age >= self.terms.ttl;
        // A lease that ended in the last era may have been taken by a transaction that the database has lost, and
        // its holder may still poll.
        if is_settled || !self.tenure.has_lapsed(sent.at) {
            self.tenure.renewed(sent.at, &self.terms);
        }
        let is_ours = |entry: &&Entry| entry.holder() == Some(self.instance);
        if self.entries.values().filter(is_ours).count() != reply.own_leases {
            self.read_all = None;
        }
        self.assign(now, reply.replicas, effects);
        // Nobody acquires leases before that.
        if is_settled {
            self.release_others(now, is_poll_near, effects);
        }
        self.hold_complete_units(effects);
        self.act_on_requests(effects);
    }

    /// Goes on as another instance: what the database does not know, no other replica respects.
    fn lose_identity(&mut self, effects: &mut Vec<Effect>) {
        for (source, entry) in &mut self.entries {
            if entry.end() {
                effects.push(Effect::Drop { source: Arc::clone(source) });
            }
        }
        self.tenure.lose();
        self.registered = None;
        self.read_all = None;
        self.instance = self.instance.successor();
        effects.push(Effect::Instance(self.instance));
    }

    /// Takes over the rows of the reply.
    fn read(&mut self, read: LeaseRead, rows: Vec<LeaseRow>) {
        if read == LeaseRead::All {
            self.entries.values_mut().for_each(|entry| entry.row = None);
        }
        for row in rows {
            let is_own = row.holder.as_ref().is_some_and(|(_, holder)| *holder == self.instance);
            if is_own || self.plan.contains(&row.source) || self.entries.contains_key(&row.source) {
                let entry = self.entries.entry(Arc::clone(&row.source)).or_default();
                entry.row = Some(row);
            }
        }
        let plan = &self.plan;
        self.entries.retain(|source, entry| {
            let is_needed = entry.lease != Lease::None || entry.holder() == Some(self.instance);
            is_needed || plan.contains(source)
        });
    }

    fn take_acquired(&mut self, now: Duration, acquired: Vec<Acquired>) {
        for Acquired { source, next_poll_in } in acquired {
            let Some(entry) = self.entries.get_mut(&source) else { continue };
            if entry.lease == Lease::None && entry.holder() == Some(self.instance) {
                let next_poll = next_poll_in.map(|wait| now.saturating_add(wait));
                entry.lease = Lease::Acquired { epoch: entry.row_epoch(), next_poll };
            }
        }
    }

    /// Follows the rows: drops what others have. Returns those sources.
    fn reconcile(&mut self, effects: &mut Vec<Effect>) -> Vec<Arc<str>> {
        let mut lost = Vec::new();
        for (source, entry) in &mut self.entries {
            let source = || Arc::clone(source);
            match entry.reconcile(self.instance) {
                Change::None => {}
                Change::Dropped => {
                    effects.push(Effect::Drop { source: source() });
                    // A lease without a holder is acquired again.
                    lost.extend(entry.holder().map(|_| source()));
                }
                Change::Epoch(epoch) => effects.push(Effect::Epoch { source: source(), epoch }),
            }
        }
        lost
    }

    /// Begins to release the rest of each unit of which another replica has taken a source, so that one replica polls a
    /// rate limit.
    fn release_rests(&mut self, lost: &[Arc<str>], now: Duration, effects: &mut Vec<Effect>) {
        for unit in lost.iter().filter_map(|source| self.plan.unit_of(source)) {
            for source in &unit.sources {
                let entry = self.entries.get_mut(source);
                if entry.is_some_and(|entry| entry.begin_release(now)) {
                    effects.push(Effect::Release { source: Arc::clone(source) });
                }
            }
        }
    }

    /// Computes which replica polls what, if that may have changed.
    fn assign(&mut self, now: Duration, replicas: Vec<LiveReplica>, effects: &mut Vec<Effect>) {
        if self.replicas.renew(replicas) {
            for unit in self.plan.units() {
                for source in &unit.sources {
                    let designated = self.replicas.designated(unit.key, source);
                    let entry = self.entries.entry(Arc::clone(source)).or_default();
                    entry.is_ours = designated.as_ref().is_some_and(|(_, it)| *it == self.instance);
                    entry.designated = designated.map(|(name, _)| name);
                }
            }
        }
        let shared = self.replicas.sharing_name(&self.replica, self.instance, now);
        effects.extend(shared.map(Effect::NameShared));
    }

    /// Begins to release units that another replica should poll, each once no poll of it is near, so that its new holder
    /// makes the next one in time.
    fn release_others(
        &mut self,
        now: Duration,
        is_poll_near: &dyn Fn(&str) -> bool,
        effects: &mut Vec<Effect>,
    ) {
        for unit in self.plan.units() {
            let mut waits = false;
            for source in &unit.sources {
                let Some(entry) = self.entries.get_mut(source) else { continue };
                let is_elsewhere = !entry.is_ours && entry.designated.is_some();
                if !(is_elsewhere && matches!(entry.lease, Lease::Held { .. })) {
                    entry.moves_since = None;
                    continue;
                }
                let since = *entry.moves_since.get_or_insert(now);
                let may_wait = now < since.saturating_add(MAX_HAND_OVER_WAIT);
                waits |= may_wait && is_poll_near(source);
            }
            if waits {
                continue;
            }
            for source in &unit.sources {
                let Some(entry) = self.entries.get_mut(source) else { continue };
                let is_elsewhere = !entry.is_ours && entry.designated.is_some();
                if is_elsewhere && entry.begin_release(now) {
                    effects.push(Effect::Release { source: Arc::clone(source) });
                }
            }
        }
    }

    /// Begins to poll units of which all sources are acquired.
    fn hold_complete_units(&mut self, effects: &mut Vec<Effect>) {
        for unit in self.plan.units() {
            let is_complete = unit.sources.iter().all(|source| {
                let entry = self.entries.get(source).filter(|entry| entry.is_ours);
                let lease = entry.map(|entry| entry.lease);
                matches!(lease, None | Some(Lease::Acquired { .. } | Lease::Held { .. }))
            });
            if !is_complete {
                continue;
            }
            for source in &unit.sources {
                let Some(entry) = self.entries.get_mut(source) else { continue };
                if let Lease::Acquired { epoch, next_poll: continue_at } = entry.lease {
                    entry.lease = Lease::Held { epoch };
                    entry.take_request();
                    let source = Arc::clone(source);
                    effects.push(Effect::Hold { source, epoch, continue_at });
                }
            }
        }
    }

    fn act_on_requests(&mut self, effects: &mut Vec<Effect>) {
        for (source, entry) in &mut self.entries {
            let is_held = matches!(entry.lease, Lease::Held { .. });
            if is_held && (entry.take_request() | self.poll_requests.remove(source).is_some()) {
                effects.push(Effect::PollRequested { source: Arc::clone(source) });
            }
        }
    }
}
