//! The configuration: the file's keys, checked once and turned into the types
//! that the parts think in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::units::Unit;

/// A checked configuration: whatever is in here can be run.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`; absent: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<Source>,
}

/// `[server]`: where to listen, and every limit and deadline of the engine.
#[derive(Debug, Clone)]
pub struct Server {
    /// Public listeners.
    pub listen: Vec<ListenAddr>,
    /// The admin listener, loopback or a unix socket only.
    pub admin_listen: ListenAddr,
    /// Threads that serve requests.
    pub workers: usize,
    /// Length of the bounded hand-off to the workers.
    pub queue: usize,
    /// The `listen(2)` backlog.
    pub backlog: u32,
    /// Open public connections at most.
    pub max_connections: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From accept, or the first byte of a later request, to the end of its head.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// From the start of a response to its last byte.
    pub write_timeout: Duration,
    /// Idle time after a response.
    pub keep_alive: Duration,
    /// Longest wait for a worker; then 503.
    pub queue_timeout: Duration,
    /// Bytes of a request's head at most.
    pub max_header_bytes: usize,
    /// Header fields of a request at most.
    pub max_headers: usize,
    /// Bytes of a request's body at most.
    pub max_body_bytes: usize,
    /// How long a requested stop waits for requests in flight.
    pub drain_timeout: Duration,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddr {
    /// `host:port`, an IP address and a port.
    Tcp(SocketAddr),
    /// `unix:/path`
    Unix(PathBuf),
    /// `fd:N`, a listening socket passed by the supervisor.
    Fd(i32),
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The PEM chain, leaf first.
    pub cert: PathBuf,
    /// The PEM private key.
    pub key: PathBuf,
}

/// One `[[source]]`, checked.
#[derive(Debug, Clone)]
pub struct Source {
    /// Unique, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// For people; defaults to the name.
    pub title: Arc<str>,
    /// Time from one poll's start to the next one's.
    pub interval: Duration,
    /// Total bound of one poll: DNS, connect, TLS, headers, body.
    pub timeout: Duration,
    /// Age of the observation at which the source is stale.
    pub stale_after: Duration,
    /// What to poll and how to read the answer.
    pub kind: Kind,
}

/// The kinds of upstream with their own keys.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A PTLevel share page.
    PtLevel(PtLevel),
    /// The Open-Meteo forecast API's current weather.
    OpenMeteo(OpenMeteo),
    /// Any JSON endpoint, read by pointers.
    Json(Json),
}

/// Keys of `kind = "ptlevel"`.
#[derive(Debug, Clone)]
pub struct PtLevel {
    /// The share page, `https://www.mypt.in/s/…`.
    pub url: String,
    /// Height of the full tank, inches (`height`).
    pub height: f64,
    /// Volume of the full tank, US gallons (`capacity`).
    pub capacity: f64,
}

/// Keys of `kind = "open-meteo"`.
#[derive(Debug, Clone)]
pub struct OpenMeteo {
    /// Base of the API, default `https://api.open-meteo.com`.
    pub url: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// Keys of `kind = "json"`.
#[derive(Debug, Clone)]
pub struct Json {
    /// The endpoint.
    pub url: String,
    /// `[source.values.NAME]` in the order of the file.
    pub values: Vec<JsonValue>,
    /// Where the time of observation stands.
    pub observed_at: Option<JsonTime>,
}

/// `[source.values.NAME]`
#[derive(Debug, Clone)]
pub struct JsonValue {
    /// The field's name.
    pub name: Arc<str>,
    /// RFC 6901.
    pub pointer: String,
    /// The unit; `None` for text.
    pub unit: Option<Unit>,
    /// Multiplies the raw number; default 1.
    pub scale: f64,
    /// Added after scaling; default 0.
    pub offset: f64,
    /// Smallest value that is believed.
    pub min: Option<f64>,
    /// Largest value that is believed.
    pub max: Option<f64>,
}

/// `observed_at = { pointer, format }`
#[derive(Debug, Clone)]
pub struct JsonTime {
    /// RFC 6901.
    pub pointer: String,
    /// How the time is written there.
    pub format: TimeFormat,
}

/// How an upstream writes a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970, `unix`.
    Unix,
    /// Milliseconds since 1970, `unix_ms`.
    UnixMs,
    /// `rfc3339`
    Rfc3339,
}
