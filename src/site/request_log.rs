//! A line of the log for each request, and a louder one for those that took long.

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

/// What is told of requests. Neither a query nor an unknown path is: both may hold what is
/// nobody's business.
pub(super) struct RequestLog {
    /// Microseconds.
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

    /// A request was answered.
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

    /// The engine answered in our stead, to whoever it was.
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
    /// As text; and in its parts, for a log of JSON lines.
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

/// Who asked, where that is known.
struct Client(Option<IpAddr>);

impl Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}
