//! `/metrics`, in the Prometheus text format 0.0.4.
//!
//! Requests are counted as they are answered. All else is kept by the parts themselves and read
//! at the time of the scrape.

mod family;
mod process;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};
use strum::VariantArray;

use self::family::Family;
use super::configuration::LiveConfiguration;
use super::health::Health;
use crate::access::{self, CallerClass, FailureReason};
use crate::board::{BoardReader, Datum, Snapshot, State};
use crate::certificates::LiveCertificates;
use crate::engine::{CloseReason, ConnectionState, ShedReason, Stats};
use crate::history::History;
use crate::kernel::listen_queue::{ListenQueue, ListenSocket, listen_losses, listen_queues};
use crate::logging;
use crate::site::RequestObserver;
use crate::upstream::{DURATION_BUCKETS, Outcome, Roster};

const PREFIX: &str = "pumphouse_";

/// Upper bounds of the request histogram's buckets, seconds. A handler copies bytes, so most
/// of them lie below a millisecond.
const REQUEST_BUCKETS: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Counts requests as the site answers them.
pub struct RequestMetrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
}

impl RequestMetrics {
    /// All counters at zero.
    ///
    /// # Errors
    /// Never in practice: the names are constants, each registered once.
    pub fn new() -> prometheus::Result<RequestMetrics> {
        let registry = Registry::new();
        let name = |name: &str| format!("{PREFIX}{name}");
        let requests = IntCounterVec::new(
            Opts::new(name("http_requests_total"), "Requests answered."),
            &["route", "method", "code"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                name("http_request_duration_seconds"),
                "Time from a whole request to its response, without the wait for a worker.",
            )
            .buckets(REQUEST_BUCKETS.to_vec()),
            &["route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        Ok(RequestMetrics { registry, requests, durations })
    }
}

impl RequestObserver for RequestMetrics {
    fn observe(&self, route: &'static str, method: &'static str, code: u16, elapsed: Duration) {
        let mut digits = [0; 3];
        self.requests.with_label_values(&[route, method, code_label(code, &mut digits)]).inc();
        self.durations.with_label_values(&[route]).observe(elapsed.as_secs_f64());
    }
}

/// Three digits without an allocation.
fn code_label(code: u16, digits: &mut [u8; 3]) -> &str {
    for (place, digit) in [100, 10, 1].into_iter().zip(digits.iter_mut()) {
        // A digit is below ten.
        *digit = b'0' + (code / place % 10) as u8;
    }
    std::str::from_utf8(digits).unwrap_or_default()
}

/// Where a scrape reads from.
pub struct Metrics {
    /// Requests.
    pub requests: Arc<RequestMetrics>,
    /// Connections and workers.
    pub engine: Arc<Stats>,
    /// Who was refused.
    pub access: Arc<access::Stats>,
    /// Sources and their values.
    pub board: BoardReader,
    /// Polls.
    pub polls: Roster,
    /// The history.
    pub history: History,
    /// The public TCP listeners.
    pub listeners: Vec<ListenSocket>,
    /// The certificates in use, if the listeners speak TLS.
    pub certificates: Option<Arc<LiveCertificates>>,
    /// The limits in force, and reloads.
    pub configuration: Arc<LiveConfiguration>,
    /// Every thread's signs of life.
    pub health: Arc<Health>,
    /// When the process started.
    pub started_at: Timestamp,
}

impl Metrics {
    /// The text of a scrape at `now`.
    pub fn render(&self, now: Timestamp) -> String {
        let mut families = self.requests.registry.gather();
        families.extend(self.engine());
        families.extend(self.access());
        families.extend(listening(&self.listeners));
        families.extend(self.polls());
        families.extend(sources(&self.board.load(), now));
        families.extend(self.history());
        families.extend(self.threads());
        families.extend(self.admin());
        families.extend(self.reloads());
        families.extend(log_lines());
        families.push(self.certificates(now));
        families.extend(process::families());
        families.push(
            Family::gauge("build_info", "The running version; always 1.")
                .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)
                .done(),
        );
        families.push(
            Family::gauge("start_time_seconds", "When the process started, Unix time.")
                .sample(&[], self.started_at.as_second() as f64)
                .done(),
        );
        // A family without samples, as of values before the first poll, has nothing to say.
        families.retain(|family| !family.get_metric().is_empty());
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            log::error!("the metrics cannot be told: {error}");
            String::new()
        })
    }

    fn access(&self) -> [MetricFamily; 3] {
        let mut failures = Family::counter("auth_failures_total", "Requests refused, by reason.");
        for reason in FailureReason::ALL {
            let count = self.access.failures(reason) as f64;
            failures = failures.sample(&[("reason", reason.as_str())], count);
        }
        let verifications =
            Family::counter("auth_verifications_total", "Passwords verified by argon2id.")
                .sample(&[], self.access.verifications() as f64);
        let mut comparisons = Family::counter(
            "auth_comparisons_total",
            "Passwords compared, with a remembered one or by argon2id, by class of caller.",
        );
        for caller in CallerClass::ALL {
            let count = self.access.comparisons(caller) as f64;
            comparisons = comparisons.sample(&[("caller", caller.as_str())], count);
        }
        [failures.done(), verifications.done(), comparisons.done()]
    }

    fn history(&self) -> [MetricFamily; 3] {
        let count =
            |name, help, value: u64| Family::counter(name, help).sample(&[], value as f64).done();
        let history = &self.history;
        [
            count("history_rows_total", "Values and events written to disk.", history.rows()),
            count("history_errors_total", "Failures to write or read it.", history.errors()),
            count(
                "history_dropped_total",
                "Values and events given up, as the disk was too slow or full.",
                history.dropped(),
            ),
        ]
    }

    fn threads(&self) -> [MetricFamily; 2] {
        let mut age =
            Family::gauge("heartbeat_age_seconds", "Time since a thread's last sign of life.");
        let mut bound = Family::gauge(
            "heartbeat_bound_seconds",
            "The age beyond which that thread counts as stuck.",
        );
        for beat in self.health.beats().into_iter().chain(self.health.admin_beats()) {
            let labels = [("thread", &*beat.thread)];
            age = age.sample(&labels, beat.age.as_secs_f64());
            bound = bound.sample(&labels, beat.bound.as_secs_f64());
        }
        [age.done(), bound.done()]
    }

    /// The admin listener's connections. A number that grows without scrapes to match shows a
    /// local client that floods it.
    fn admin(&self) -> Vec<MetricFamily> {
        let Some(stats) = self.health.admin.get() else { return Vec::new() };
        let mut connections =
            Family::gauge("admin_connections", "Open connections of the admin listener, by state.");
        for &state in ConnectionState::VARIANTS {
            connections =
                connections.sample(&[("state", state.as_str())], stats.connections(state) as f64);
        }
        let mut closed = Family::counter(
            "admin_connections_closed_total",
            "Connections of the admin listener that ended, by reason.",
        );
        for &reason in CloseReason::VARIANTS {
            closed = closed.sample(&[("reason", reason.as_str())], stats.closed(reason) as f64);
        }
        vec![connections.done(), closed.done()]
    }

    fn reloads(&self) -> [MetricFamily; 2] {
        let (taken_up, refused) = self.configuration.reloads();
        let latest_is_good = !self.configuration.latest_refused();
        [
            Family::counter("config_reloads_total", "Reloads asked for by HUP, by outcome.")
                .sample(&[("outcome", "ok")], taken_up as f64)
                .sample(&[("outcome", "refused")], refused as f64)
                .done(),
            Family::gauge(
                "config_last_reload_successful",
                "0 when the latest reload was refused, so that the file says what does not hold.",
            )
            .sample(&[], f64::from(u8::from(latest_is_good)))
            .done(),
        ]
    }

    fn certificates(&self, now: Timestamp) -> MetricFamily {
        let mut days = Family::gauge(
            "certificate_expiry_days",
            "Whole days until a certificate expires; negative once it has.",
        );
        let told = self.certificates.as_ref().map(|live| live.told()).unwrap_or_default();
        // Two of the same names, as of two kinds of keys, are one series: the sooner counts.
        let mut soonest: BTreeMap<String, i64> = BTreeMap::new();
        for certificate in &*told {
            let left = certificate.days_left(now);
            let known = soonest.entry(certificate.names.join(",")).or_insert(left);
            *known = left.min(*known);
        }
        for (name, left) in &soonest {
            days = days.sample(&[("name", name)], *left as f64);
        }
        days.done()
    }

    fn engine(&self) -> Vec<MetricFamily> {
        let stats = &self.engine;
        let mut connections = Family::gauge("connections", "Open connections by what they do.");
        for &state in ConnectionState::VARIANTS {
            connections =
                connections.sample(&[("state", state.as_str())], stats.connections(state) as f64);
        }
        let mut closed =
            Family::counter("connections_closed_total", "Connections ended, by reason.");
        for &reason in CloseReason::VARIANTS {
            closed = closed.sample(&[("reason", reason.as_str())], stats.closed(reason) as f64);
        }
        let mut shed =
            Family::counter("connections_shed_total", "Connections turned away, by reason.");
        for &reason in ShedReason::VARIANTS {
            shed = shed.sample(&[("reason", reason.as_str())], stats.shed(reason) as f64);
        }
        let one = |family: Family, value: u64| family.sample(&[], value as f64).done();
        vec![
            connections.done(),
            one(
                Family::counter("connections_accepted_total", "Connections accepted."),
                stats.accepted(),
            ),
            one(
                Family::counter("accept_errors_total", "Failures of accept(2) passed over."),
                stats.accept_errors(),
            ),
            closed.done(),
            shed.done(),
            one(
                Family::gauge(
                    "buffered_bytes",
                    "Bytes of requests and responses that connections hold in buffers.",
                ),
                stats.buffered_bytes(),
            ),
            one(
                Family::gauge("workers", "Threads that serve requests."),
                stats.workers().len() as u64,
            ),
            one(
                Family::gauge("workers_busy", "Workers that drive a connection."),
                stats.workers_busy(),
            ),
            one(
                Family::gauge("queue_depth", "Ready connections that wait for a worker."),
                stats.queue_depth(),
            ),
        ]
    }

    fn polls(&self) -> Vec<MetricFamily> {
        let mut total = Family::counter("poll_total", "Polls ended, by outcome.");
        let mut durations = Family::histogram("poll_duration_seconds", "How long polls took.");
        for poll in self.polls.stats() {
            for outcome in Outcome::all() {
                let labels = [("source", poll.source()), ("outcome", outcome.as_str())];
                total = total.sample(&labels, poll.count(outcome) as f64);
            }
            let taken = poll.durations();
            durations = durations.distribution(
                &[("source", poll.source())],
                DURATION_BUCKETS.into_iter().zip(taken.cumulative),
                taken.count,
                taken.seconds,
            );
        }
        vec![total.done(), durations.done()]
    }
}

/// Lines that are missing from the log, and why.
fn log_lines() -> [MetricFamily; 3] {
    let log = logging::stats();
    [
        Family::counter(
            "log_lines_dropped_total",
            "Log lines lost because standard error was too slow or failed.",
        )
        .sample(&[], log.dropped as f64)
        .done(),
        Family::counter(
            "log_lines_suppressed_total",
            "Log lines left out because one place in the code logged too often.",
        )
        .sample(&[], log.suppressed as f64)
        .done(),
        Family::gauge(
            "log_blocked_seconds",
            "Wait of the current write to standard error so far; 0 between writes.",
        )
        .sample(&[], log.blocked.as_secs_f64())
        .done(),
    ]
}

/// What the kernel tells of the listeners. Of several queues the fullest is told.
fn listening(listeners: &[ListenSocket]) -> Vec<MetricFamily> {
    let losses = listen_losses();
    let share = |queue: &ListenQueue| f64::from(queue.depth) / f64::from(queue.limit.max(1));
    let fullest = listen_queues(listeners).into_iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    let mut families = vec![
        Family::counter(
            "listen_overflows_total",
            "Connections lost to a full accept queue (host).",
        )
        .sample(&[], losses.overflows as f64)
        .done(),
        Family::counter("listen_drops_total", "Connections lost while listening (host).")
            .sample(&[], losses.drops as f64)
            .done(),
    ];
    if let Some(queue) = fullest {
        let of = |name, help, value| Family::gauge(name, help).sample(&[], f64::from(value)).done();
        families.push(of("accept_queue_depth", "Connections that wait for accept.", queue.depth));
        families.push(of("accept_queue_limit", "Connections that may wait.", queue.limit));
    }
    families
}

/// What the snapshot tells of sources and values.
fn sources(snapshot: &Snapshot, now: Timestamp) -> Vec<MetricFamily> {
    let mut age = Family::gauge("source_age_seconds", "Age of the latest observation.");
    let mut state = Family::gauge("source_state", "1 for the state that a source is in.");
    let mut value =
        Family::gauge("value", "The latest values; those without a number are left out.");
    for source in &snapshot.sources {
        for &one in State::VARIANTS {
            let labels = [("source", &*source.name), ("state", one.as_str())];
            state = state.sample(&labels, f64::from(u8::from(source.state == one)));
        }
        if let Some(reading) = &source.reading {
            let elapsed = now.duration_since(reading.observed.at).as_secs_f64();
            age = age.sample(&[("source", &source.name)], elapsed.max(0.0));
        }
        for (field, told) in source.values() {
            if let Some(Datum::Number(number)) = &told.datum {
                let unit = told.unit.map_or("", |unit| unit.as_str());
                let labels = [("source", &*source.name), ("field", &**field), ("unit", unit)];
                value = value.sample(&labels, number.get());
            }
        }
    }
    vec![age.done(), state.done(), value.done()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_route_method_and_code() {
        let metrics = RequestMetrics::new().unwrap();
        for code in [200, 200, 404] {
            metrics.observe("/ping", "GET", code, Duration::from_micros(300));
        }
        let text = TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap();
        for line in [
            r#"pumphouse_http_requests_total{code="200",method="GET",route="/ping"} 2"#,
            r#"pumphouse_http_requests_total{code="404",method="GET",route="/ping"} 1"#,
            r#"pumphouse_http_request_duration_seconds_bucket{route="/ping",le="0.00025"} 0"#,
            r#"pumphouse_http_request_duration_seconds_bucket{route="/ping",le="0.0005"} 3"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
    }
}
