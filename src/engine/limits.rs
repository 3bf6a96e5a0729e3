//! The limits of the engine: [`Settings`], by their names in the `[server]` table, and constants that
//! several files use. A constant that one file uses is in that file.

use std::time::Duration;

use super::trusted_proxies::TrustedProxies;

/// Limits and deadlines of an engine. The defaults are those of the `[server]` table.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Prefix of the names of the engine's threads.
    pub threads: &'static str,
    /// Number of threads that serve requests.
    pub workers: usize,
    /// Most open connections. At the cap, a connection that waits for its client is evicted for a new
    /// one, or the new one is rejected.
    pub max_connections: usize,
    /// Most open connections of one IPv4 address or IPv6 /64. At this cap, one of its own is evicted
    /// for a new one. `None`: see [`Settings::address_cap`].
    pub max_connections_per_address: Option<usize>,
    /// Proxies that may have any number of connections, and whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Time from accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// Time to the end of a request's head: from accept for the first one, else from its first byte.
    pub header_timeout: Duration,
    /// Time from the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// Time from the first byte of a response to its last, however large it is and however steadily
    /// its client reads.
    pub write_timeout: Duration,
    /// Time from the end of a response to the first byte of the next request.
    pub keep_alive: Duration,
    /// Time from the end of the last response of a connection to the client's end of the stream. Until
    /// then the server reads from it, so that no reset truncates the response (RFC 9112 9.6).
    pub linger_timeout: Duration,
    /// Longest wait of a ready connection for a worker, and of an expensive request for a permit.
    pub queue_timeout: Duration,
    /// Time for which a connection with an incomplete request or response must have waited for its
    /// client before it can be evicted at the cap.
    pub eviction_grace: Duration,
    /// Most expensive requests of scripts that run at the same time: at most one for each client, and
    /// fewer than workers (see [`Settings::heavy_permits`]).
    pub heavy_requests: usize,
    /// Longest wait of [`Engine::drain`](super::Engine::drain) for requests in flight.
    pub drain_timeout: Duration,
    /// Most bytes of a request's head.
    pub max_header_bytes: usize,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// Most bytes of a request's decoded body.
    pub max_body_bytes: usize,
    /// Most bytes that all connections together hold in buffers. Once they hold more, the largest
    /// holders of the largest group of connections are closed.
    pub max_buffered_bytes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            threads: "pw",
            workers: 8,
            max_connections: 4096,
            max_connections_per_address: None,
            trusted_proxies: TrustedProxies::default(),
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
            // More than the exempt bytes of `max_connections`: see `memory_limit`.
            max_buffered_bytes: 32 << 20,
        }
    }
}

/// Returns half of the processors, at least one: the other half stays free for cheap requests.
fn default_heavy_requests() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

/// Least default cap for one client: two browsers need as many, however small `max_connections` is.
const LEAST_PER_ADDRESS: usize = 16;

impl Settings {
    /// Returns the number of permits for expensive requests of scripts: as many as configured, but so
    /// few that two workers are left, one for expensive requests of people and one for all other
    /// requests. Expensive work may block on a disk; with fewer than three workers a disk that hangs
    /// can hold all of them.
    pub fn heavy_permits(&self) -> usize {
        self.heavy_requests.min(self.workers.saturating_sub(2)).max(1)
    }

    /// Returns the cap for one client: the configured one, or a quarter of `max_connections`.
    pub fn address_cap(&self) -> usize {
        let generous = (self.max_connections / 4).max(LEAST_PER_ADDRESS);
        self.max_connections_per_address.unwrap_or(generous)
    }
}

/// Once this much output is pending, further pipelined requests wait until it is written.
pub(super) const OUTPUT_HIGH_WATER: usize = 64 << 10;

/// Bytes that the kernel takes for one client beyond those that the congestion window admits. More
/// would be held for clients that do not read. Less would leave the network idle until a worker
/// writes again.
pub(super) const UNSENT_BYTES: u32 = 64 << 10;

/// Most ciphertext of one connection that waits for the socket: two records.
pub(super) const TLS_BUFFER: usize = 32 << 10;

/// Spare capacity that the buffer of a parked connection may keep.
pub(super) const SPARE_ROOM: usize = 1 << 10;

/// Largest body that is copied behind its head, so that one write sends both.
pub(super) const INLINE_BODY: usize = 16 << 10;

/// Bytes of a streamed body that are read from its source at a time.
pub(super) const STREAM_CHUNK: usize = 16 << 10;

/// Most bytes of a request target, since a `Uri` holds no more.
pub(super) const MAX_TARGET_BYTES: usize = 65_534;

/// Most bytes of a chunk's size line with its extensions (RFC 9112 7.1.1).
pub(super) const MAX_CHUNK_LINE: usize = 256;

/// Most bytes of extensions and leading zeros in all size lines of a body, which no other limit
/// counts.
pub(super) const MAX_CHUNK_OVERHEAD: usize = 16 << 10;

/// Most bytes of a body that the service did not request which are read and dropped, so that the
/// connection stays open: scripts send an empty object with a POST that takes no body.
pub(super) const MAX_DISCARDED_BODY: usize = 1 << 10;

/// Time after which a request yields its permit for expensive work if another client waits.
pub(super) const PERMIT_QUANTUM: Duration = Duration::from_millis(50);

/// Most requests whose expensive work has begun and waits for its next permit, since each holds its
/// earlier results. Further ones keep their permit to the end.
pub(super) const MAX_PAUSED_WORK: usize = 16;

/// Age from which a connection that has sent nothing is evicted as one whose request is overdue, and
/// not after those.
pub(super) const UNPROVEN_GRACE: Duration = Duration::from_secs(1);

/// Most connections beyond the cap that wait for their 503 at the same time, and most that linger
/// behind it. Further ones are closed without an answer.
pub(super) const MAX_REJECTIONS: usize = 16;

/// Time in which a client may begin a request once the server stops, and for which a connection
/// lingers then.
pub(super) const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Attempts, a turn apart, to reset the connections whose response the end of the process truncates.
pub(super) const TRUNCATION_ATTEMPTS: usize = 10;

/// Size of each of a worker's two scratch buffers: a TLS record and a little more.
pub(super) const SCRATCH: usize = 18 << 10;

/// Descriptors that the engine uses beside its listeners and `max_connections` connections. A program
/// that fits `max_connections` to `RLIMIT_NOFILE` must reserve them.
pub const DESCRIPTORS_BEYOND_CAP: usize = 2 * MAX_REJECTIONS + 8;
