//! Every limit of the engine, by the name it has in the `[server]` table.

use std::time::Duration;

use ipnet::IpNet;

/// The engine's limits and deadlines. The default of each is the one documented.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the names of the engine's threads begin.
    pub threads: &'static str,
    /// Threads that serve requests.
    pub workers: usize,
    /// Open connections at most; at the cap the one that has waited longest for its
    /// client gives way, or the newcomer is turned away.
    pub max_connections: usize,
    /// Open connections of one address at most (IPv6: of one /64); at this cap one of its own
    /// gives way. `None`: as [`Settings::address_cap`] derives it from `max_connections`.
    pub max_connections_per_address: Option<usize>,
    /// Proxies: they may hold any number, and their `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// To the end of a request's head: from accept for the first one, else from its first byte.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// From the first byte of a response to its last, however large it is and however steadily
    /// its client reads: whoever takes longer gets it in parts, or raises this.
    pub write_timeout: Duration,
    /// From the end of a response to the first byte of the next request.
    pub keep_alive: Duration,
    /// Limit from the end of a connection's last response to the client's end of the stream; until
    /// then the server reads from the connection, so that no reset cuts the response (RFC 9112
    /// 9.6).
    pub linger_timeout: Duration,
    /// Longest wait of a ready connection for a worker, and of an expensive request for a permit.
    pub queue_timeout: Duration,
    /// Time for which a connection with an incomplete request or response must have waited for its
    /// client before it can be evicted at the cap.
    pub eviction_grace: Duration,
    /// Expensive requests of scripts that run at the same time; at most one for each client, and
    /// fewer than workers: see [`Settings::heavy_permits`].
    pub heavy_requests: usize,
    /// Longest wait of [`Engine::drain`](super::Engine::drain) for requests in flight.
    pub drain_timeout: Duration,
    /// Bytes of a request's head at most.
    pub max_header_bytes: usize,
    /// Header fields of a request at most.
    pub max_headers: usize,
    /// Bytes of a request's decoded body at most.
    pub max_body_bytes: usize,
    /// Bytes that all connections together hold in buffers at most. Once they hold more, the
    /// largest holders of the largest group of addresses are closed.
    pub max_buffered_bytes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            threads: "pw",
            workers: 8,
            max_connections: 4096,
            max_connections_per_address: None,
            trusted_proxies: Vec::new(),
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            linger_timeout: Duration::from_secs(30),
            queue_timeout: Duration::from_secs(2),
            eviction_grace: Duration::from_secs(1),
            heavy_requests: default_heavy_requests(),
            drain_timeout: Duration::from_secs(8),
            max_header_bytes: 16 << 10,
            max_headers: 100,
            max_body_bytes: 64 << 10,
            // Each of `max_connections` may hold so much in any case: see `budget`.
            max_buffered_bytes: 32 << 20,
        }
    }
}

/// Half of the processors, at least one: the other half stays free for cheap requests.
fn default_heavy_requests() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

/// A browser or two need as many, however few connections there are in all.
const LEAST_PER_ADDRESS: usize = 16;

impl Settings {
    /// Permits for expensive requests of scripts: so many as configured, while a worker is left
    /// for those of people and another one for all else, as expensive work may block on a disk. With
    /// fewer than three workers a disk that hangs can hold all of them.
    pub fn heavy_permits(&self) -> usize {
        self.heavy_requests.min(self.workers.saturating_sub(2)).max(1)
    }

    /// Open connections of one address at most: a quarter of all, where nothing else is said.
    pub fn address_cap(&self) -> usize {
        let generous = (self.max_connections / 4).max(LEAST_PER_ADDRESS);
        self.max_connections_per_address.unwrap_or(generous)
    }
}

/// Once this much output is pending, further pipelined requests wait until it is written.
pub(super) const OUTPUT_HIGH_WATER: usize = 64 << 10;

/// Bytes that the kernel takes for one client beyond those that the network can carry now. More
/// would be held for clients that do not read; less would let the network run idle until a worker
/// comes back.
pub(super) const UNSENT_BYTES: u32 = 64 << 10;

/// Ciphertext of one connection that waits for room in the kernel, at most: two records.
pub(super) const TLS_BUFFER: usize = 32 << 10;

/// Room that the buffer of a waiting connection may have beyond the bytes that it holds.
pub(super) const SPARE_ROOM: usize = 1 << 10;

/// Bodies up to this size are copied behind their head, so that one write sends both.
pub(super) const INLINE_BODY: usize = 16 << 10;

/// How much of a streamed body is read from its source at a time.
pub(super) const STREAM_CHUNK: usize = 16 << 10;

/// Bytes written to one client before the worker turns to the next; of a streamed body, this many
/// [`STREAM_CHUNK`]s are read, however little each brings.
pub(super) const WRITE_BURST: usize = 16 * STREAM_CHUNK;

/// Bytes of a request target at most, below [`Settings::max_header_bytes`]: a `Uri` holds no more.
pub(super) const MAX_TARGET_BYTES: usize = 65_534;

/// A chunk's size line with its extensions (RFC 9112 7.1.1) at most.
pub(super) const MAX_CHUNK_LINE: usize = 256;

/// Bytes of extensions and leading zeros in all size lines of a body at most, so that a small
/// body cannot bring a large one in unnoticed.
pub(super) const MAX_CHUNK_OVERHEAD: usize = 16 << 10;

/// Reads and requests of one connection before the worker turns to the next.
pub(super) const MAX_BURST: usize = 16;

/// Bytes of a body that the program did not request, which are read and dropped so that the
/// connection can go on: scripts send an empty object with a POST that takes none.
pub(super) const MAX_DISCARDED_BODY: usize = 1 << 10;

/// A connection that has called the program, or read a streamed body, for so long in one turn goes
/// to the end of the queue.
pub(super) const TURN_TIME: Duration = Duration::from_millis(2);

/// A request that holds a permit for expensive work for so long passes it on if other clients wait.
pub(super) const PERMIT_QUANTUM: Duration = Duration::from_millis(50);

/// Expensive work that has begun and waits for its next permit at most: each holds what it has
/// collected. Beyond, work keeps its permit to the end.
pub(super) const MAX_PAUSED_WORK: usize = 16;

/// A connection that has sent nothing yet is evicted after those in an incomplete request, unless
/// it is older than this.
pub(super) const UNPROVEN_GRACE: Duration = Duration::from_secs(1);

/// How often deadlines are looked at while connections are open: the precision of them all.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Connections accepted in a row before events of the others are looked at.
pub(super) const ACCEPT_BATCH: usize = 512;

/// When newcomers follow each other faster than this, they are let in that much later, but
/// several at a time.
pub(super) const ACCEPT_PACE: Duration = Duration::from_micros(300);

/// Connections beyond the cap that wait for their 503 at the same time, of which as many linger
/// behind it; more are closed unanswered.
pub(super) const TURNED_AWAY: usize = 16;

/// Time that a client may take to begin its request once the server stops, and for which a
/// connection whose last response is written then lingers.
pub(super) const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Attempts, a turn apart, to reach a connection whose response the end of the process truncates.
pub(super) const TRUNCATION_ATTEMPTS: usize = 10;

/// Room of each of a worker's two scratch buffers: a TLS record and a little more.
pub(super) const SCRATCH: usize = 18 << 10;

/// A worker that has served for so long and sees more to do calls another one.
pub(super) const HELP_AFTER: Duration = Duration::from_micros(200);

/// A worker that has driven one connection for so long without progress counts as blocked. Several
/// times the length of a turn, as the kernel may have interrupted it.
pub(super) const BLOCKED_AFTER: Duration = Duration::from_millis(10);

/// Interval at which a worker that always has more to do looks for connections that have become
/// ready.
pub(super) const GLANCE_INTERVAL: Duration = Duration::from_micros(500);

/// The watch is left unkept for no longer than twice this.
pub(super) const RELIEF: Duration = Duration::from_millis(2);

/// Share of the candidates for eviction that is looked up at a time: one in so many.
pub(super) const EVICTION_SHARE: usize = 8;

/// Candidates for eviction that are looked up at a time, at most.
pub(super) const EVICTION_BATCH: usize = 64;

/// Pause after `accept(2)` ran out of descriptors or memory.
pub(super) const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Descriptors that the engine holds beside its listeners and up to `max_connections`
/// connections. Whoever fits `max_connections` to `RLIMIT_NOFILE` leaves room for these.
pub const DESCRIPTORS_BEYOND_CAP: usize = 2 * TURNED_AWAY + 8;
