//! The parts of a server that shares a store with other replicas: its leases, and what follows from them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::StartError;
use crate::access;
use crate::board::{BoardReader, Followed, Reporter};
use crate::cluster::{
    self, ClusterReader, ClusterSender, ClusterThread, InstanceId, Outputs, Plan,
};
use crate::config::{self, Config};
use crate::kernel::clock::Clock;
use crate::store::Access;
use crate::upstream::{Gate, PollerHandles};

/// A replica before its pollers have started.
pub(super) struct PreparedReplica {
    access: Access,
    instance: InstanceId,
    prepared: cluster::Prepared,
}

/// Running parts of a replica.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) access: Access,
    pub(super) thread: ClusterThread,
    pub(super) reader: ClusterReader,
    pub(super) sender: ClusterSender,
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
        let access = Access::new(store.target.clone(), instance.to_string().into())?;
        let prepared = cluster::prepare(&config.replica.shared());
        Ok(PreparedReplica { access, instance, prepared })
    }

    /// Returns the access to the database.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the gate of the pollers.
    pub(super) fn gate(&self) -> Gate {
        let (permit, clock) = (self.prepared.permit(), Clock::system());
        Gate {
            permit: Box::new(move || permit.allows(clock.now().boot)),
            released: self.prepared.released(),
        }
    }

    /// Starts the thread of the leases. From its first tick on, sources are polled.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(super) fn start(
        self,
        config: &Config,
        board: BoardReader,
        reporter: Reporter,
        pollers: PollerHandles,
        access_gate: Arc<access::Gate>,
    ) -> Result<Replica, StartError> {
        let PreparedReplica { access, instance, prepared } = self;
        let (reader, sender) = (prepared.reader(), prepared.sender());
        let plan = Plan::of(&config.sources);
        let cluster = cluster::cluster(config.replica.shared(), instance, plan);
        let outputs = Box::new(Parts { reporter, pollers });
        let clock = Clock::system();
        let thread = prepared.start(cluster, access.clone(), board, clock, access_gate, outputs)?;
        Ok(Replica { access, thread, reader, sender })
    }
}

/// The parts that follow the leases.
struct Parts {
    reporter: Reporter,
    pollers: PollerHandles,
}

impl Outputs for Parts {
    fn hold(&mut self, source: &Arc<str>, next_poll: Option<Duration>) {
        // The board first, so that it takes the report of the first poll.
        self.reporter.hold(vec![source.clone()]);
        let next = next_poll.map(|at| {
            let now = Clock::system().now().boot;
            Instant::now() + at.saturating_sub(now)
        });
        self.pollers.hold(source, next);
    }

    fn release(&mut self, source: &Arc<str>) {
        self.pollers.release(source);
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
}
