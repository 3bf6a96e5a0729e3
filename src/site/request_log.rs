//! The log line of a request: at `debug`, or at `warn` if the request was slow.

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

use super::methods::NO_METHOD;
use super::request_id::RequestId;
use crate::config;
use crate::engine::LogThrottle;
use crate::route_pattern::NO_ROUTE;

/// Logs requests. A line contains neither the query nor an unknown path: both may contain secrets.
pub(super) struct RequestLog {
    /// Duration from which a request is slow, in microseconds.
    slow: AtomicU64,
    slow_lines: Mutex<LogThrottle>,
}

impl Default for RequestLog {
    fn default() -> RequestLog {
        let log = RequestLog { slow: AtomicU64::new(0), slow_lines: Mutex::default() };
        log.set_slow(config::Log::default().slow_request);
        log
    }
}

impl RequestLog {
    pub(super) fn set_slow(&self, slow_request: Duration) {
        let micros = u64::try_from(slow_request.as_micros()).unwrap_or(u64::MAX);
        self.slow.store(micros, Ordering::Relaxed);
    }

    /// Logs an answered request.
    pub(super) fn answered(
        &self,
        id: &RequestId,
        client: Option<IpAddr>,
        method: &'static str,
        route: &'static str,
        status: u16,
        elapsed: Duration,
    ) {
        let line = Line { id, client, method, route, status, elapsed };
        if elapsed.as_micros() >= u128::from(self.slow.load(Ordering::Relaxed))
            && let Some(left_out) = self.admit()
        {
            match left_out {
                0 => line.log(Level::Warn, format_args!("slow: {line}")),
                more => line.log(
                    Level::Warn,
                    format_args!("slow: {line} ({more} more like it since the last line)"),
                ),
            }
        } else {
            line.log(Level::Debug, format_args!("{line}"));
        }
    }

    /// Logs a request that the engine refused.
    pub(super) fn refused(&self, id: &RequestId, status: u16) {
        let (method, route, elapsed) = (NO_METHOD, NO_ROUTE, Duration::ZERO);
        let line = Line { id, client: None, method, route, status, elapsed };
        line.log(Level::Debug, format_args!("refused {status} {}", id.as_str()));
    }

    fn admit(&self) -> Option<u64> {
        self.slow_lines.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }
}

struct Line<'a> {
    id: &'a RequestId,
    client: Option<IpAddr>,
    method: &'static str,
    route: &'static str,
    status: u16,
    elapsed: Duration,
}

impl Line<'_> {
    /// Logs the line as text, and its parts as key-value pairs, for a log of JSON lines.
    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        log::log!(
            level,
            request_id = self.id.as_str(),
            client:% = Client(self.client),
            method = self.method,
            route = self.route,
            status = self.status,
            seconds = self.elapsed.as_secs_f64();
            "{message}"
        );
    }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { id, client, method, route, status, elapsed } = self;
        let (client, id) = (Client(*client), id.as_str());
        write!(f, "{client} {method} {route} {status} {elapsed:?} {id}")
    }
}

/// Address of the client; `unix` on a unix socket.
struct Client(Option<IpAddr>);

impl Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}
