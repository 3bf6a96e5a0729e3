//! The parts of a server that shares a store with other replicas: its leases, and what follows from them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::StartError;
use super::alerts::Replicated;
use crate::access::Gate as AccessGate;
use crate::admin::ReplicaReader;
use crate::alert::store::StoreHandle;
use crate::alert::store::postgres::{PostgresStore, find};
use crate::alert::{self, AlertSender, Instance};
use crate::board::{BoardReader, Followed, Reporter};
use crate::cluster::{
    self, ClusterReader, ClusterSender, ClusterThread, HeldFile, InstanceId, Outputs, Plan,
    ReplicaName, Surroundings,
};
use crate::config::{self, Config};
use crate::data_lock::DataLock;
use crate::kernel::clock::Clock;
use crate::store::{Access, Link};
use crate::upstream::{Gate, PollerHandles};

/// A replica before its parts have started.
pub(super) struct PreparedReplica {
    access: Access,
    name: ReplicaName,
    instance: InstanceId,
    prepared: cluster::Prepared,
}

/// Running parts of a replica.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) thread: ClusterThread,
}

/// Parts that follow the leases.
pub(super) struct Parts {
    pub(super) board: BoardReader,
    pub(super) reporter: Reporter,
    pub(super) pollers: PollerHandles,
    pub(super) alerts: Option<StoreHandle>,
    pub(super) rules: AlertSender,
}

impl PreparedReplica {
    /// Returns the replica of a configuration with a store.
    ///
    /// # Errors
    /// The system has no random numbers, or the certificates of the store cannot be read.
    pub(super) fn new(
        config: &Config,
        store: &config::Store,
    ) -> Result<PreparedReplica, StartError> {
        let instance = InstanceId::random()?;
        let (name, zone) = (config.replica.shared(), &config.site.timezone);
        let target = store.target.clone();
        let access =
            Access::of_replica(target, instance.to_string().into(), Arc::clone(&name), zone)?;
        let prepared = cluster::prepare(&name);
        Ok(PreparedReplica { access, name, instance, prepared })
    }

    /// Returns the access to the database.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the handles for the pages of the admin listener.
    pub(super) fn admin_reader(&self) -> ReplicaReader {
        ReplicaReader::new(self.prepared.reader(), self.access.clone())
    }

    /// Returns the handle to the leases.
    pub(super) fn reader(&self) -> ClusterReader {
        self.prepared.reader()
    }

    /// Returns the sender of requests for polls.
    pub(super) fn sender(&self) -> ClusterSender {
        self.prepared.sender()
    }

    /// Returns the gate of the pollers.
    pub(super) fn gate(&self) -> Gate {
        let (permit, clock) = (self.prepared.permit(), Clock::system());
        Gate {
            permit: Box::new(move || permit.allows(clock.now().boot)),
            released: self.prepared.released(),
        }
    }

    /// Returns the parts that the alerts need.
    pub(super) fn replicated(&self) -> Replicated {
        let (reader, flushed) = (self.prepared.reader(), self.prepared.flushed());
        let first = self.instance;
        let link = || Link::new(self.access.clone());
        Replicated {
            replica: alert::Replica { name: self.name.clone(), instance: instance(first) },
            instance: Box::new(move || instance(reader.view().instance.unwrap_or(first))),
            store: Box::new(PostgresStore::new(self.name.clone(), link())),
            find: find(link()),
            flushed: Box::new(move |sources| {
                // The send fails only if the thread of the leases has ended.
                sources.into_iter().for_each(|source| drop(flushed.send(source)));
            }),
        }
    }

    /// Starts the thread of the leases. From its first ticks on, sources are polled.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(super) fn start(
        self,
        config: &Config,
        lock: &Arc<DataLock>,
        gate: Arc<AccessGate>,
        parts: Parts,
    ) -> Result<Replica, StartError> {
        let PreparedReplica { access, name, instance, prepared } = self;
        let cluster = cluster::cluster(name, instance, Plan::of(&config.sources));
        let (board, clock) = (parts.board.clone(), Clock::system());
        let path = config.history.as_ref().map(config::History::held_sources);
        let held = HeldFile::start(path, Arc::clone(lock))?;
        let around = Surroundings { access, board, clock, outputs: Box::new(parts), held, gate };
        let thread = prepared.start(cluster, around)?;
        Ok(Replica { thread })
    }
}

/// Returns an instance as the alerts know it.
fn instance(instance: InstanceId) -> Instance {
    Instance(u128::from_be_bytes(*instance.as_bytes()))
}

impl Outputs for Parts {
    fn hold(&mut self, source: &Arc<str>, epoch: i64, next_poll: Option<Duration>) {
        // The board first, so that it takes the report of the first poll.
        self.reporter.hold(vec![source.clone()]);
        self.epoch(source, epoch);
        let next = next_poll.and_then(|at| {
            let now = Clock::system().now().boot;
            Instant::now().checked_add(at.saturating_sub(now))
        });
        self.pollers.hold(source, next);
    }

    fn epoch(&mut self, source: &Arc<str>, epoch: i64) {
        if let Some(alerts) = &self.alerts {
            alerts.hold(vec![(source.clone(), epoch)]);
        }
    }

    fn release(&mut self, source: &Arc<str>) {
        self.pollers.release(source);
        if let Some(alerts) = &self.alerts {
            alerts.release(vec![source.clone()]);
        }
    }

    fn lose(&mut self, source: &Arc<str>) {
        self.pollers.release(source);
        if let Some(alerts) = &self.alerts {
            alerts.lose(vec![source.clone()]);
        }
    }

    fn replicas(&mut self, live: &[ReplicaName]) {
        self.rules.set_replicas(live.to_vec());
    }

    fn follow_source(&mut self, source: &Arc<str>) {
        self.reporter.release(vec![source.clone()]);
    }

    fn poll(&mut self, source: &Arc<str>) {
        // A poll that was requested a moment ago counts for this one, too.
        let _ = self.pollers.request_poll(source);
    }

    fn follow(&mut self, states: Vec<Followed>) {
        self.reporter.follow(states);
    }

    fn polled_elsewhere(&mut self, source: &str, age: Duration, requested_wait: Duration) {
        self.pollers.polled_elsewhere(source, age, requested_wait);
    }
}
