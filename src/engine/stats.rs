//! Counters and gauges of the engine: atomics, which readers load at any time without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strum::{EnumCount, IntoStaticStr, VariantArray};

use super::activity::{Activity, WorkerState};
use super::heartbeat::Heartbeat;

/// State of an open connection: the label `state` of `connections`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ConnectionState {
    /// In the TLS handshake.
    Handshaking,
    /// A request has arrived in part, or the first one is awaited.
    Reading,
    /// Ready, waiting for a worker.
    Queued,
    /// A worker drives it.
    Active,
    /// A response waits for room at the client.
    Writing,
    /// Kept alive between two requests.
    Idle,
    /// The last response is written; the client's end of the stream is awaited.
    Lingering,
}

impl ConnectionState {
    /// Returns the value of the label `state`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns true if its response is under way or written, so that the request cannot be answered
    /// with 503 any more.
    pub(super) const fn is_answered(self) -> bool {
        matches!(self, ConnectionState::Writing | ConnectionState::Lingering)
    }
}

/// Reason why a connection was closed: the label `reason` of `connections_closed_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CloseReason {
    /// After the last response, or the client closed it between requests.
    Done,
    /// The client closed or reset it in the middle of a request or a response.
    ClientGone,
    /// The TLS handshake failed.
    TlsError,
    /// The request was refused (400, 413, 431 and similar).
    Refused,
    /// `handshake_timeout` passed.
    HandshakeTimeout,
    /// `header_timeout` passed.
    HeaderTimeout,
    /// `body_timeout` passed.
    BodyTimeout,
    /// `write_timeout` passed.
    WriteTimeout,
    /// `keep_alive` passed.
    KeepAlive,
    /// No worker was free in time, or the connection was beyond a cap: answered 503 or closed.
    Shed,
    /// Closed to make room for a new connection at a cap.
    Evicted,
    /// It held most bytes when all connections together exceeded `max_buffered_bytes`.
    Memory,
    /// The server is stopping.
    Drain,
    /// The handler panicked, or the source of a streamed body failed.
    HandlerFailed,
}

impl CloseReason {
    /// Returns the value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Reason why a connection was shed: the label `reason` of `connections_shed_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ShedReason {
    /// It waited for a worker longer than `queue_timeout`.
    QueueTimeout,
    /// It waited for a permit for expensive work longer than `queue_timeout`, or the work took
    /// longer than `write_timeout`.
    HeavyTimeout,
    /// `max_connections` are open, and none could be evicted.
    ConnectionCap,
    /// Its client has `max_connections_per_address`, and none of them could be evicted.
    AddressCap,
    /// The process ran out of file descriptors.
    Descriptors,
}

impl ShedReason {
    /// Returns the value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Longest interval between two heartbeats of the acceptor.
pub const ACCEPTOR_PULSE: Duration = Duration::from_secs(1);

/// The engine's counters and gauges.
#[derive(Debug)]
pub struct Stats {
    accepted: AtomicU64,
    accept_errors: AtomicU64,
    closed: [AtomicU64; CloseReason::COUNT],
    shed: [AtomicU64; ShedReason::COUNT],
    connections: [AtomicU64; ConnectionState::COUNT],
    workers: Box<[Activity]>,
    acceptor: Heartbeat,
    queue_depth: AtomicU64,
    buffered_bytes: AtomicU64,
}

impl Stats {
    pub(super) fn new(workers: usize) -> Stats {
        Stats {
            accepted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            closed: Default::default(),
            shed: Default::default(),
            connections: Default::default(),
            workers: std::iter::repeat_with(Activity::default).take(workers).collect(),
            acceptor: Heartbeat::new(),
            queue_depth: AtomicU64::new(0),
            buffered_bytes: AtomicU64::new(0),
        }
    }

    /// Returns the number of connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Returns the number of failures of `accept(2)` since the start.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }

    /// Returns the number of connections closed for that reason since the start.
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    /// Returns the number of connections shed for that reason since the start.
    pub fn shed(&self, reason: ShedReason) -> u64 {
        self.shed[reason as usize].load(Ordering::Relaxed)
    }

    /// Returns the number of connections in that state, as of the latest sweep.
    pub fn connections(&self, state: ConnectionState) -> u64 {
        self.connections[state as usize].load(Ordering::Relaxed)
    }

    /// Returns the number of workers that drive a connection now.
    pub fn workers_busy(&self) -> u64 {
        self.workers.iter().filter(|worker| worker.look().0 != WorkerState::Waiting).count() as u64
    }

    /// Returns the entry of each worker on the scoreboard.
    pub fn workers(&self) -> &[Activity] {
        &self.workers
    }

    /// Returns the time since the latest heartbeat of the acceptor, normally less than
    /// [`ACCEPTOR_PULSE`].
    pub fn acceptor_age(&self) -> Duration {
        self.acceptor.age()
    }

    /// Returns the number of ready connections that wait for a worker.
    pub fn queue_depth(&self) -> u64 {
        self.queue_depth.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that connections hold in buffers, as of the latest sweep.
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_accept_error(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_closed(&self, reason: CloseReason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_shed(&self, reason: ShedReason) {
        self.shed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn acceptor_beat(&self) {
        self.acceptor.beat();
    }

    pub(super) fn set_queue_depth(&self, depth: usize) {
        self.queue_depth.store(depth as u64, Ordering::Relaxed);
    }

    pub(super) fn set_buffered_bytes(&self, bytes: usize) {
        self.buffered_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn set_connections(&self, counts: [u64; ConnectionState::COUNT]) {
        for (gauge, count) in self.connections.iter().zip(counts) {
            gauge.store(count, Ordering::Relaxed);
        }
    }
}
