//! `[server]`: where to listen, and every limit and deadline of the engine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::section::{At, Section};
use crate::access::{HSTS, HostName};
use crate::engine::Settings;

/// The `[server]` table, checked.
#[derive(Debug, Clone)]
pub struct Server {
    /// Public listeners; at least one.
    pub listen: Vec<ListenAddr>,
    /// The admin listener: loopback or a unix socket.
    pub admin_listen: ListenAddr,
    /// The `listen(2)` backlog.
    pub backlog: u32,
    /// When the acceptor, or every worker, has been stuck for so long, the process gives up
    /// and is to be started again.
    pub watchdog_timeout: Duration,
    /// The names under which it may be asked for; none: under any.
    pub names: Vec<HostName>,
    /// How long browsers that came by TLS are told to keep to it; `None`: they are not told.
    pub hsts: Option<Duration>,
    /// The engine's limits and deadlines, key for key.
    pub engine: Settings,
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

/// Why a text names no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no address to listen on; write \"0.0.0.0:6443\", \"[::]:6443\", \
     \"unix:/path\" or \"fd:0\""
)]
pub struct ListenAddrError(String);

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<ListenAddr, ListenAddrError> {
        let refused = || ListenAddrError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.file_name().is_some() {
                Ok(ListenAddr::Unix(path))
            } else {
                Err(refused())
            };
        }
        if let Some(number) = text.strip_prefix("fd:") {
            let number: u16 = number.parse().map_err(|_| refused())?;
            return Ok(ListenAddr::Fd(number.into()));
        }
        // Names are resolved by nobody here, save the one that everybody writes.
        if let Some(port) = text.strip_prefix("localhost:") {
            let port: u16 = port.parse().map_err(|_| refused())?;
            return Ok(ListenAddr::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(ListenAddr::Tcp).map_err(|_| refused())
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp(address) => address.fmt(f),
            ListenAddr::Unix(path) => write!(f, "unix:{}", path.display()),
            ListenAddr::Fd(number) => write!(f, "fd:{number}"),
        }
    }
}

impl ListenAddr {
    /// Nobody but this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            ListenAddr::Tcp(address) => address.ip().is_loopback(),
            ListenAddr::Unix(_) => true,
            ListenAddr::Fd(_) => false,
        }
    }
}

/// Why an address must not carry the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the admin listener has no access control, so it must be on loopback (127.0.0.1, [::1]) \
     or a unix socket"
)]
pub struct NotLocal;

/// Passes an address that is fit for the admin listener.
///
/// # Errors
/// Others than this machine could reach it.
pub fn admin_address(address: ListenAddr) -> Result<ListenAddr, NotLocal> {
    if address.is_local() { Ok(address) } else { Err(NotLocal) }
}

const PUBLIC_PORT: u16 = 6443;
const ADMIN_PORT: u16 = 6480;
const BACKLOG: u16 = 1024;

/// With the time that a supervisor takes to start it again, a server that was stuck is back
/// within seven seconds.
const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(4);

/// A look at the clock takes a busy machine longer than a shorter one would allow for.
const LEAST_WATCHDOG_TIMEOUT: Duration = Duration::from_secs(2);

const MOST_CONNECTIONS: usize = 1 << 20;

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: vec![ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, PUBLIC_PORT).into())],
            admin_listen: ListenAddr::Tcp((Ipv4Addr::LOCALHOST, ADMIN_PORT).into()),
            backlog: BACKLOG.into(),
            watchdog_timeout: WATCHDOG_TIMEOUT,
            names: Vec::new(),
            hsts: Some(HSTS),
            engine: Settings::default(),
        }
    }
}

pub(super) fn read(mut section: Section<'_, '_>, notices: &mut Vec<String>) -> Server {
    let listen = listeners(&mut section);
    let default_admin = || Server::default().admin_listen;
    let admin_listen = match section.parsed::<ListenAddr>("admin_listen") {
        None => default_admin(),
        Some(At { value, span }) => admin_address(value).unwrap_or_else(|error| {
            section.report(span, format_args!("\"admin_listen\": {error}"));
            default_admin()
        }),
    };
    let backlog = section.integer("backlog", BACKLOG.into(), 65_535);
    let watchdog_timeout = watchdog_timeout(&mut section);
    let names = names(&mut section);
    let hsts = hsts(&mut section);
    let engine = engine(&mut section);
    if section.retired("queue") {
        notices.push(
            "\"queue\" in [server] has no effect any more, remove it: the queue holds up to \
             max_connections, and queue_timeout bounds the wait"
                .to_owned(),
        );
    }
    section.finish();
    // At most 65,535, as was just checked.
    let backlog = backlog as u32;
    Server { listen, admin_listen, backlog, watchdog_timeout, names, hsts, engine }
}

fn watchdog_timeout(section: &mut Section<'_, '_>) -> Duration {
    match section.duration("watchdog_timeout") {
        None => WATCHDOG_TIMEOUT,
        Some(At { value, .. }) if value >= LEAST_WATCHDOG_TIMEOUT => value,
        Some(At { span, .. }) => {
            section.report(span, "\"watchdog_timeout\" must be at least 2s");
            WATCHDOG_TIMEOUT
        }
    }
}

fn names(section: &mut Section<'_, '_>) -> Vec<HostName> {
    let mut names = Vec::new();
    for At { value, span } in section.strings("names").unwrap_or_default() {
        match value.parse() {
            Ok(name) => names.push(name),
            Err(error) => section.report(span, format_args!("\"names\": {error}")),
        }
    }
    names
}

/// A duration, or `"off"`.
fn hsts(section: &mut Section<'_, '_>) -> Option<Duration> {
    match section.duration_unless("hsts", "off") {
        None => Some(HSTS),
        Some(hsts) => hsts,
    }
}

fn listeners(section: &mut Section<'_, '_>) -> Vec<ListenAddr> {
    let listeners = addresses(section, "listen");
    if listeners.is_empty() { Server::default().listen } else { listeners }
}

/// A list of addresses to listen on.
pub(super) fn addresses(section: &mut Section<'_, '_>, key: &str) -> Vec<ListenAddr> {
    let mut addresses = Vec::new();
    for At { value, span } in section.strings(key).unwrap_or_default() {
        match value.parse() {
            Ok(address) => addresses.push(address),
            Err(error) => section.report(span, format_args!("\"{key}\": {error}")),
        }
    }
    addresses
}

/// Addresses and networks: `"10.0.0.0/8"`, `"192.0.2.1"`.
fn networks(section: &mut Section<'_, '_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for At { value, span } in section.strings("trusted_proxies").unwrap_or_default() {
        let network = value.parse::<IpNet>().ok();
        match network.or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from)) {
            Some(network) => networks.push(network),
            None => section.report(
                span,
                format_args!(
                    "\"trusted_proxies\": \"{value}\" is neither an address nor a network"
                ),
            ),
        }
    }
    networks
}

fn engine(section: &mut Section<'_, '_>) -> Settings {
    let default = Settings::default();
    let mut duration = |key: &str, default: Duration| section.duration_or(key, default);
    let handshake_timeout = duration("handshake_timeout", default.handshake_timeout);
    let header_timeout = duration("header_timeout", default.header_timeout);
    let body_timeout = duration("body_timeout", default.body_timeout);
    let write_timeout = duration("write_timeout", default.write_timeout);
    let keep_alive = duration("keep_alive", default.keep_alive);
    let linger_timeout = duration("linger_timeout", default.linger_timeout);
    let queue_timeout = duration("queue_timeout", default.queue_timeout);
    let drain_timeout = duration("drain_timeout", default.drain_timeout);
    let max_connections =
        section.integer("max_connections", default.max_connections, MOST_CONNECTIONS);
    // Left open, it follows max_connections when that is lowered to fit RLIMIT_NOFILE.
    let per_address = section.integer("max_connections_per_address", 0, MOST_CONNECTIONS);
    let per_address = Some(per_address).filter(|cap| *cap > 0);
    let trusted_proxies = networks(section);
    Settings {
        threads: default.threads,
        workers: section.integer("workers", default.workers, 1024),
        max_connections,
        max_connections_per_address: per_address,
        trusted_proxies,
        handshake_timeout,
        header_timeout,
        body_timeout,
        write_timeout,
        keep_alive,
        linger_timeout,
        queue_timeout,
        eviction_grace: default.eviction_grace,
        heavy_requests: section.integer("heavy_requests", default.heavy_requests, 1024),
        drain_timeout,
        max_header_bytes: section.size("max_header_bytes", default.max_header_bytes, 256..=1 << 20),
        max_headers: section.integer("max_headers", default.max_headers, 10_000),
        max_body_bytes: section.size("max_body_bytes", default.max_body_bytes, 0..=64 << 20),
        max_buffered_bytes: section.size(
            "max_buffered_bytes",
            default.max_buffered_bytes,
            1 << 20..=1 << 40,
        ),
    }
}
