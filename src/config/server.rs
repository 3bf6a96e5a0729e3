//! `[server]`: listeners, and every limit and deadline of the engine.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;

use super::listen_addr::{self, ListenAddr, admin_address};
use super::section::{Section, Spanned};
use crate::access::{HSTS, HostName};
use crate::engine::{Settings, TrustedProxies};

/// The `[server]` table, checked.
#[derive(Debug, Clone)]
pub struct Server {
    /// Public listeners; at least one.
    pub listen: Vec<ListenAddr>,
    /// The admin listener: loopback or a unix socket.
    pub admin_listen: ListenAddr,
    /// The `listen(2)` backlog.
    pub backlog: u32,
    /// Time after which the process exits if the acceptor or all workers are stuck, so that the supervisor
    /// restarts it.
    pub watchdog_timeout: Duration,
    /// Host names that requests may use; empty: any.
    pub names: Vec<HostName>,
    /// `max-age` of Strict-Transport-Security (RFC 6797); `None`: the header is not sent.
    pub hsts: Option<Duration>,
    /// The engine's limits and deadlines, each under the name of its key.
    pub engine: Settings,
}

impl Server {
    /// Returns true if browsers reach the server through a proxy, which terminates their connections. It is known
    /// by `trusted_proxies`, or connects to a unix socket.
    pub(super) fn is_behind_proxy(&self) -> bool {
        let is_socket = |address: &ListenAddr| matches!(address, ListenAddr::Unix(_));
        !self.engine.trusted_proxies.is_empty() || self.listen.iter().any(is_socket)
    }
}

const PUBLIC_PORT: u16 = 6443;
const ADMIN_PORT: u16 = 6480;
const BACKLOG: u16 = 1024;

/// Default of `watchdog_timeout`. With the time that a supervisor takes for a restart, a stuck server serves
/// again within seven seconds.
const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(4);

/// Least `watchdog_timeout`. On a busy machine a healthy thread can be late by almost as much.
const MIN_WATCHDOG_TIMEOUT: Duration = Duration::from_secs(2);

const MAX_CONNECTIONS: usize = 1 << 20;

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

/// Reads `[server]`. The flag is false if `listen` has an error or is misspelt, so that the addresses are not
/// those meant.
pub(super) fn read(mut section: Section<'_, '_>, warnings: &mut Vec<String>) -> (Server, bool) {
    let problems = section.problem_count();
    let listen = listeners(&mut section);
    let is_listen_valid = section.problem_count() == problems;
    let default_admin = || Server::default().admin_listen;
    let admin_listen = match section.parsed::<ListenAddr>("admin_listen") {
        None => default_admin(),
        Some(Spanned { value, span }) => admin_address(value).unwrap_or_else(|error| {
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
        warnings.push(
            "\"queue\" in [server] has no effect any more, remove it: the queue holds up to \
             max_connections, and queue_timeout limits the wait"
                .to_owned(),
        );
    }
    let is_listen_known = is_listen_valid && !section.misspells("listen");
    section.finish();
    // Lossless: `integer` admits at most 65,535.
    let backlog = backlog as u32;
    let server = Server { listen, admin_listen, backlog, watchdog_timeout, names, hsts, engine };
    (server, is_listen_known)
}

fn watchdog_timeout(section: &mut Section<'_, '_>) -> Duration {
    match section.duration("watchdog_timeout") {
        None => WATCHDOG_TIMEOUT,
        Some(Spanned { value, .. }) if value >= MIN_WATCHDOG_TIMEOUT => value,
        Some(Spanned { span, .. }) => {
            section.report(span, "\"watchdog_timeout\" must be at least 2s");
            WATCHDOG_TIMEOUT
        }
    }
}

fn names(section: &mut Section<'_, '_>) -> Vec<HostName> {
    let mut names = Vec::new();
    for Spanned { value, span } in section.strings("names").unwrap_or_default() {
        match value.parse() {
            Ok(name) => names.push(name),
            Err(error) => section.report(span, format_args!("\"names\": {error}")),
        }
    }
    names
}

/// Reads `hsts`: a duration, or `"off"`.
fn hsts(section: &mut Section<'_, '_>) -> Option<Duration> {
    match section.duration_or_word("hsts", "off") {
        None => Some(HSTS),
        Some(hsts) => hsts,
    }
}

fn listeners(section: &mut Section<'_, '_>) -> Vec<ListenAddr> {
    let listeners = listen_addr::read_all(section, "listen");
    if listeners.is_empty() { Server::default().listen } else { listeners }
}

/// Name in `trusted_proxies` of all clients on unix sockets.
const UNIX: &str = "unix";

/// Reads `trusted_proxies`: addresses and networks such as `"10.0.0.0/8"` and `"192.0.2.1"`, and `"unix"`.
fn trusted_proxies(section: &mut Section<'_, '_>) -> TrustedProxies {
    let mut trusted = TrustedProxies::default();
    for Spanned { value, span } in section.strings("trusted_proxies").unwrap_or_default() {
        if value == UNIX {
            trusted.unix = true;
            continue;
        }
        let network = value.parse::<IpNet>().ok();
        match network.or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from)) {
            Some(network) => trusted.networks.push(network),
            None => section.report(
                span,
                format_args!(
                    "\"trusted_proxies\": \"{value}\" is neither an address nor a network, nor \"{UNIX}\" \
                     for all clients on unix sockets"
                ),
            ),
        }
    }
    trusted
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
        section.integer("max_connections", default.max_connections, MAX_CONNECTIONS);
    // If absent, it follows max_connections, which may be lowered to fit RLIMIT_NOFILE.
    let per_address = section.integer("max_connections_per_address", 0, MAX_CONNECTIONS);
    let per_address = Some(per_address).filter(|cap| *cap > 0);
    let trusted_proxies = trusted_proxies(section);
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
