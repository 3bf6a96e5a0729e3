//! The thread `pw-cluster`, which exchanges this replica's state with the database twice a second.
//!
//! In each tick it publishes the changed states of the sources that it holds, renews the lease, and reads what other
//! replicas have published. Nothing waits for it: handlers read its view, and their requests for polls are sent with
//! the next tick, which follows at once. All of a tick has one deadline, so a database that hangs delays the next attempt
//! and nothing else.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::held_file::HeldFile;
use super::instance::{InstanceId, ReplicaName};
use super::node::Node;
use super::plan::Plan;
use super::state::Cluster;
use super::tenure::{Permit, Terms};
use super::view::ClusterView;
use crate::access::Gate;
use crate::board::{BoardReader, Followed};
use crate::engine::Heartbeat;
use crate::kernel::clock::Clock;
use crate::store::Access;
use crate::threads::{self, OwnedThread};

/// Parts that follow the leases. None of the calls may block for long.
pub trait Outputs: Send {
    /// Polls a source from now on, next at this time since boot; without one, as a source without a reading. Writes for
    /// it have this epoch.
    fn hold(&mut self, source: &Arc<str>, epoch: i64, next_poll: Option<Duration>);

    /// Changes the epoch of writes for a source that is held.
    fn epoch(&mut self, source: &Arc<str>, epoch: i64);

    /// Starts no further poll of a source, and writes what is known of it. Its name is sent to [`Prepared::released`] once
    /// the poll in flight has ended, and to [`Prepared::flushed`] once all is written.
    fn release(&mut self, source: &Arc<str>);

    /// Starts no further poll of a source, which another replica has, and writes nothing.
    fn lose(&mut self, source: &Arc<str>);

    /// Learns which replicas run.
    fn replicas(&mut self, live: &[ReplicaName]);

    /// Shows the states of other replicas for a source from now on.
    fn follow_source(&mut self, source: &Arc<str>);

    /// Polls a source that is held, as a client has requested at another replica.
    fn poll(&mut self, source: &Arc<str>);

    /// Shows states that other replicas have published.
    fn follow(&mut self, states: Vec<Followed>);

    /// Notes a poll by another replica that ended `age` ago; `requested_wait` is the time after it for which the
    /// upstream asked to wait.
    fn polled_elsewhere(&mut self, source: &str, age: Duration, requested_wait: Duration);
}

/// Parts of the process that the thread works with.
pub(crate) struct Surroundings {
    /// The database.
    pub(crate) access: Access,
    /// State of the sources.
    pub(crate) board: BoardReader,
    /// Clock of the process.
    pub(crate) clock: Clock,
    /// Parts that follow the leases.
    pub(crate) outputs: Box<dyn Outputs>,
    /// File of the sources that this replica held before its start.
    pub(crate) held: HeldFile,
    /// Gate whose sessions and failed guesses replicas share.
    pub(crate) gate: Arc<Gate>,
}

/// Message to the thread.
pub(super) enum Message {
    Request(Arc<str>),
    Renew(Plan),
    /// Gives up all sources. The sender is dropped once that is done.
    HandOver(Sender<Infallible>),
}

/// Sends messages to the thread. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct ClusterSender(Sender<Message>);

impl ClusterSender {
    /// Passes a request for a poll on to the holder of a source.
    pub fn request_poll(&self, source: Arc<str>) {
        self.send(Message::Request(source));
    }

    fn send(&self, message: Message) {
        // The send fails only if the thread has ended, and then the process is about to exit.
        let _ = self.0.send(message);
    }
}

/// Handle to the view of the thread. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct ClusterReader(Arc<Shared>);

/// State that the thread shares with others.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) view: ArcSwap<ClusterView>,
    pub(super) heartbeat: Heartbeat,
    /// Number of states of other replicas that were read.
    pub(super) followed: AtomicI64,
}

impl ClusterReader {
    /// Returns the leases as of the latest tick.
    pub fn view(&self) -> Arc<ClusterView> {
        self.0.view.load_full()
    }

    /// Returns the time since the latest tick began.
    pub fn heartbeat_age(&self) -> Duration {
        self.0.heartbeat.age()
    }

    /// Returns the number of states of other replicas that were read since the start.
    pub fn followed(&self) -> i64 {
        self.0.followed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
impl ClusterReader {
    /// Returns a handle to a view that does not change.
    pub(crate) fn fixed(view: ClusterView) -> ClusterReader {
        ClusterReader(Arc::new(Shared {
            view: ArcSwap::from_pointee(view),
            heartbeat: Heartbeat::new(),
            followed: AtomicI64::new(0),
        }))
    }
}

/// The thread before its start, whose handles exist already.
pub struct Prepared {
    messages: Receiver<Message>,
    sender: ClusterSender,
    /// Names of released sources whose last poll has ended.
    released: (Sender<Arc<str>>, Receiver<Arc<str>>),
    /// Names of released sources of which all is written.
    flushed: (Sender<Arc<str>>, Receiver<Arc<str>>),
    reader: ClusterReader,
    permit: Permit,
}

/// Owner of the thread. Dropping it leaves the cluster, and joins the thread.
#[derive(Debug)]
pub struct ClusterThread {
    sender: ClusterSender,
    _thread: OwnedThread,
}

/// Returns the handles of a thread that is started later.
pub fn prepare(replica: &ReplicaName) -> Prepared {
    let (sender, messages) = unbounded();
    let shared = Shared {
        view: ArcSwap::from_pointee(ClusterView::starting(replica.clone())),
        heartbeat: Heartbeat::new(),
        followed: AtomicI64::new(0),
    };
    Prepared {
        messages,
        sender: ClusterSender(sender),
        released: unbounded(),
        flushed: unbounded(),
        reader: ClusterReader(Arc::new(shared)),
        permit: Permit::default(),
    }
}

impl Prepared {
    /// Returns a sender of messages, which wait for the start.
    pub fn sender(&self) -> ClusterSender {
        self.sender.clone()
    }

    /// Returns the channel for the names of sources that were released and of which no poll is in flight any more.
    pub fn released(&self) -> Sender<Arc<str>> {
        self.released.0.clone()
    }

    /// Returns the channel for the names of sources that were released and of which all is written.
    pub fn flushed(&self) -> Sender<Arc<str>> {
        self.flushed.0.clone()
    }

    /// Returns a handle to the view.
    pub fn reader(&self) -> ClusterReader {
        self.reader.clone()
    }

    /// Returns the permit to start polls.
    pub fn permit(&self) -> Permit {
        self.permit.clone()
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(crate) fn start(self, cluster: Cluster, around: Surroundings) -> io::Result<ClusterThread> {
        let Prepared { messages, sender, released, flushed, reader, permit } = self;
        let node = Node::new(cluster, around, permit, reader.0);
        let thread = OwnedThread::spawn(threads::CLUSTER, move |stop| {
            node.run(&messages, &released.1, &flushed.1, &stop);
        })?;
        Ok(ClusterThread { sender, _thread: thread })
    }
}

impl ClusterThread {
    /// Applies a new configuration, after the pollers.
    pub fn renew(&self, plan: Plan) {
        self.sender.send(Message::Renew(plan));
    }

    /// Gives up all sources before a stop, each after its poll in flight, without waiting for it. The channel is
    /// disconnected once no lease is left, or if the database is away.
    ///
    /// The replica stays registered until this value is dropped: others do not send its messages meanwhile, which its
    /// channels may be sending.
    pub fn hand_over(&self) -> Receiver<Infallible> {
        let (holding, handed_over) = bounded(0);
        self.sender.send(Message::HandOver(holding));
        handed_over
    }
}

/// Returns the leases of a process that has none.
pub fn cluster(replica: ReplicaName, instance: InstanceId, plan: Plan) -> Cluster {
    Cluster::new(replica, instance, plan, Terms::default())
}
