//! The database as the head of the module describes it, with faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::*;

/// Times by the database's clock, in milliseconds.
type Millis = i64;

#[derive(Clone)]
struct ReplicaRow {
    name: ReplicaName,
    ends_at: Millis,
    registration: Registration,
    configured_at: Millis,
}

#[derive(Clone, Default)]
struct LeaseState {
    holder: Option<(ReplicaName, InstanceId)>,
    epoch: i64,
    poll_requests: i64,
    changed_at: Millis,
    /// Times of the next poll and of the reading that states it.
    next_poll: Option<(Millis, Millis)>,
}

#[derive(Clone)]
struct State {
    replicas: BTreeMap<InstanceId, ReplicaRow>,
    leases: BTreeMap<Arc<str>, LeaseState>,
    timeline: u64,
    since: Millis,
}

pub(super) struct Database {
    state: State,
    /// States before each of the latest transactions.
    earlier: Vec<State>,
    timeline: u64,
    /// Difference of its clock to true time.
    offset: Millis,
}

/// Transactions that a promotion may lose.
const MAX_LOST: usize = 100;

fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap()
}

impl Database {
    pub(super) fn new(offset: Millis) -> Database {
        let state = State {
            replicas: BTreeMap::new(),
            leases: BTreeMap::new(),
            timeline: 1,
            since: Millis::MIN / 2,
        };
        Database { state, earlier: Vec::new(), timeline: 1, offset }
    }

    fn begin(&mut self, time: Duration) -> Millis {
        if self.earlier.len() == MAX_LOST {
            self.earlier.remove(0);
        }
        self.earlier.push(self.state.clone());
        millis(time) + self.offset
    }

    /// Promotes a standby that has not received the latest transactions, and whose clock differs a little.
    pub(super) fn promote(&mut self, lost: usize, clock_step: Millis) {
        for _ in 0..lost {
            if let Some(state) = self.earlier.pop() {
                self.state = state;
            }
        }
        self.timeline += 1;
        self.offset += clock_step;
    }

    /// Sets the clock.
    pub(super) fn set_clock(&mut self, step: Millis) {
        self.offset += step;
    }

    /// Writes a reading, if the lease is that of the writer.
    pub(super) fn publish(
        &mut self,
        time: Duration,
        source: &str,
        writer: (InstanceId, i64),
        next_poll_in: Duration,
    ) -> bool {
        let now = self.begin(time);
        let Some(lease) = self.state.leases.get_mut(source) else { return false };
        let holder = lease.holder.as_ref().map(|(_, instance)| *instance);
        let is_valid = (holder, lease.epoch) == (Some(writer.0), writer.1);
        if is_valid {
            lease.next_poll = Some((now + millis(next_poll_in), now));
        }
        is_valid
    }

    /// Executes a request.
    pub(super) fn execute(&mut self, time: Duration, request: &TickRequest) -> TickReply {
        let now = self.begin(time);
        let State { replicas, leases, timeline, since } = &mut self.state;
        if *timeline != self.timeline {
            (*timeline, *since) = (self.timeline, now);
        }
        *since = now.min(*since);
        let (me, name, ttl) = (request.instance, &request.replica, millis(request.ttl));
        match &request.renewal {
            Renewal::Register(registration) => {
                let row = ReplicaRow {
                    name: Arc::clone(name),
                    ends_at: now + ttl,
                    registration: registration.clone(),
                    configured_at: now,
                };
                replicas.insert(me, row);
            }
            Renewal::Leave => {
                leases.values_mut().filter(|lease| lease.is_of(me)).for_each(|lease| {
                    (lease.holder, lease.changed_at) = (None, now);
                });
                replicas.remove(&me);
                return TickReply::default();
            }
            renewal => {
                let Some(row) = replicas.get_mut(&me) else { return TickReply::default() };
                row.ends_at = now + ttl;
                if let Renewal::Reconfigure(registration) = renewal {
                    (row.registration, row.configured_at) = (registration.clone(), now);
                }
            }
        }
        for replica in replicas.values_mut() {
            replica.ends_at = replica.ends_at.min(now + ttl);
        }
        for (source, epoch) in &request.releases {
            let lease = leases.get_mut(source).filter(|it| it.is_of(me) && it.epoch == *epoch);
            if let Some(lease) = lease {
                (lease.holder, lease.changed_at) = (None, now);
            }
        }
        let mut acquired = Vec::new();
        for source in &request.acquisitions {
            let lease = leases.entry(Arc::clone(source)).or_default();
            let is_free = match &lease.holder {
                None => true,
                Some((_, holder)) => {
                    let ended = replicas.get(holder).map(|replica| replica.ends_at <= now);
                    ended.unwrap_or(lease.changed_at <= now - ttl)
                }
            };
            if (is_free || lease.is_of(me)) && *since <= now - ttl {
                lease.holder = Some((Arc::clone(name), me));
                lease.epoch += 1;
                lease.changed_at = now;
                let next_poll_in = lease.next_poll.map(|(at, written)| {
                    Duration::from_millis(u64::try_from(at - now.max(written)).unwrap_or(0))
                });
                acquired.push(Acquired { source: Arc::clone(source), next_poll_in });
            }
        }
        for source in &request.poll_requests {
            if let Some(lease) = leases.get_mut(source) {
                lease.poll_requests += 1;
                lease.changed_at = now;
            }
        }
        let recent = now - millis(RECENT);
        let rows = leases
            .iter()
            .filter(|(_, lease)| request.read == LeaseRead::All || lease.changed_at > recent);
        let rows = rows.map(|(source, lease)| LeaseRow {
            source: Arc::clone(source),
            holder: lease.holder.clone(),
            epoch: lease.epoch,
            poll_requests: lease.poll_requests,
        });
        let live = replicas.iter().filter(|(_, replica)| replica.ends_at > now);
        let live = live.map(|(instance, replica)| {
            let Registration { digest, hashes } = &replica.registration;
            let is_known = request.known_digests.contains(digest);
            LiveReplica {
                name: Arc::clone(&replica.name),
                instance: *instance,
                digest: *digest,
                hashes: (!is_known).then(|| hashes.clone()),
                configured_at: replica.configured_at,
            }
        });
        TickReply {
            is_registered: true,
            era: *timeline,
            era_age: Duration::from_millis(u64::try_from(now - *since).unwrap_or(0)),
            replicas: live.collect(),
            leases: rows.collect(),
            own_leases: leases.values().filter(|lease| lease.is_of(me)).count(),
            acquired,
        }
    }
}

impl LeaseState {
    fn is_of(&self, instance: InstanceId) -> bool {
        self.holder.as_ref().is_some_and(|(_, holder)| *holder == instance)
    }
}
