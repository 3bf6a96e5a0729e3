//! `/scoreboard` of the admin listener: the state of threads, connections and sources, as JSON.
//!
//! `report` documents every member. All members are read at the time of the request from atomics,
//! snapshots and `/proc`, without waiting for another thread.

pub mod abridge;
mod alerts;
mod replica;
pub mod report;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use strum::VariantArray;

use self::report::Report;
use super::alerting::Alerting;
use super::channels;
use super::configuration::LiveConfiguration;
use super::health::Health;
use super::listeners::LiveListeners;
use crate::board::{Snapshot, SourceView};
use crate::certificates::LiveCertificates;
use crate::engine::{CloseReason, ConnectionState, ShedReason, Stats};
use crate::kernel::clock::Start;
use crate::kernel::listen_queue::{listen_losses, listen_queues};
use crate::kernel::pause;
use crate::kernel::process::ProcessInfo;
use crate::logging::{self, LogStats};
use crate::order;
use crate::timestamp::Rfc3339;
use crate::wall_clock;

/// Sources of the scoreboard.
pub struct Scoreboard {
    /// The engines, the board, the pollers and the recorder, with their heartbeats.
    pub health: Arc<Health>,
    /// State of the configured addresses.
    pub listeners: Arc<LiveListeners>,
    /// Certificates in use; `None` for plain HTTP.
    pub certificates: Option<Arc<LiveCertificates>>,
    /// Limits in force, and outcomes of reloads.
    pub configuration: Arc<LiveConfiguration>,
    /// Alerts and their channels.
    pub alerting: Alerting,
    /// Start of this process.
    pub start: Start,
}

/// Both forms of the document, as JSON.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    /// Every source.
    pub(super) all: Bytes,
    /// Sources and pollers that may explain an incident.
    pub(super) brief: Bytes,
}

impl Scoreboard {
    /// Returns both forms of the document.
    pub(super) fn render(&self) -> Pages {
        let mut report = self.report(wall_clock::now());
        let all = json(&report).into();
        report.abridge();
        Pages { all, brief: json(&report).into() }
    }

    /// Returns the brief document as JSON, with a newline at its end.
    pub fn render_brief(&self) -> String {
        let mut report = self.report(wall_clock::now());
        report.abridge();
        json(&report)
    }

    /// Returns the document as of `now`.
    fn report(&self, now: Timestamp) -> Report {
        let Health { engine, board, .. } = &*self.health;
        let losses = listen_losses();
        let (ok, refused) = self.configuration.reloads();
        let sources = sources(&board.load(), now);
        Report {
            service: report::Service {
                version: env!("CARGO_PKG_VERSION").into(),
                started_at: Rfc3339(self.start.at()).to_string(),
                uptime_seconds: self.start.uptime().as_secs_f64(),
                clock_correction_seconds: wall_clock::correction().as_secs_f64(),
            },
            process: ProcessInfo::of_this().ok(),
            limits: (*self.configuration.limits()).clone(),
            reloads: report::Reloads {
                ok,
                refused,
                latest_refused: self.configuration.latest_refused(),
                hanging_seconds: self.configuration.hanging_read().map(|time| time.as_secs_f64()),
            },
            stuck: self.health.all_stuck().iter().map(ToString::to_string).collect(),
            acceptor_silent_seconds: pause::sure(engine.acceptor_age()).as_secs_f64(),
            workers: workers(engine),
            connections: connections(engine),
            connections_shed: connections_shed(engine),
            connections_evicted: engine.closed(CloseReason::Evicted),
            queue_depth: engine.queue_depth(),
            listeners: self.listeners(),
            accept_queues: self.accept_queues(),
            listen_overflows_total: losses.overflows,
            listen_drops_total: losses.drops,
            scheduler: self.scheduler(),
            pollers: self.pollers(),
            pollers_unlisted: 0,
            source_counts: abridge::counts(&sources),
            sources,
            sources_unlisted: 0,
            certificates: self.certificates(now),
            admin: self.admin(),
            board: report::Board {
                silent_seconds: pause::sure(board.heartbeat_age()).as_secs_f64(),
            },
            recorder: self.recorder(now),
            store: self
                .health
                .replica
                .as_ref()
                .map(|it| replica::store(it, &self.health.history, now)),
            leases: self.health.replica.as_ref().map(replica::leases),
            alerts: Some(alerts::alerts(&self.alerting, &self.health, now)),
            channels: channels::reports(&(self.alerting.channels)()),
            channels_unlisted: 0,
            log: log(),
        }
    }

    fn listeners(&self) -> Vec<report::Listener> {
        let statuses = self.listeners.statuses();
        let listeners = statuses.iter().map(|status| report::Listener {
            address: status.address.clone(),
            state: status.state.as_str().into(),
            error: status.state.error().map(str::to_owned),
            cause: status.state.cause().map(|cause| cause.as_str().into()),
            since: Rfc3339(status.since).to_string(),
        });
        listeners.collect()
    }

    fn accept_queues(&self) -> Vec<report::AcceptQueue> {
        let queues = listen_queues(&self.listeners.sockets()).into_iter();
        let queues = queues.map(|queue| report::AcceptQueue {
            listener: queue.address,
            depth: queue.depth,
            limit: queue.limit,
        });
        queues.collect()
    }

    fn admin(&self) -> Option<report::Admin> {
        let engine = self.health.admin.get()?;
        Some(report::Admin {
            acceptor_silent_seconds: pause::sure(engine.acceptor_age()).as_secs_f64(),
            workers: workers(engine),
            connections: connections(engine),
            connections_shed: connections_shed(engine),
            connections_evicted: engine.closed(CloseReason::Evicted),
            queue_depth: engine.queue_depth(),
            stuck: self.health.admin_stuck().iter().map(ToString::to_string).collect(),
        })
    }

    fn recorder(&self, now: Timestamp) -> report::Recorder {
        let history = &self.health.history;
        report::Recorder {
            enabled: history.is_enabled(),
            silent_seconds: pause::sure(history.heartbeat_age()).as_secs_f64(),
            holder: history.holder().map(|holder| holder.to_string()),
            unlocked: history.unlocked().map(|reason| reason.to_string()),
            rows: history.rows(),
            errors: history.errors(),
            dropped: history.dropped(),
            trouble: history.health().error.as_ref().map(|error| report::Trouble {
                cause: Some(error.kind.as_str().into()),
                reason: error.message.to_string(),
                seconds: seconds_since(error.since, now),
            }),
        }
    }

    fn scheduler(&self) -> report::Scheduler {
        let scheduler = self.health.polls.scheduler();
        let (poller_threads, idle_poller_threads) = scheduler.threads();
        report::Scheduler {
            silent_seconds: pause::sure(scheduler.heartbeat_age()).as_secs_f64(),
            poller_threads,
            idle_poller_threads,
        }
    }

    fn pollers(&self) -> Vec<report::Poller> {
        let mut pollers = Vec::new();
        self.health.polls.for_each_stats(|poll| {
            let (phase, time) = poll.phase();
            pollers.push(report::Poller {
                source: poll.source().to_owned(),
                phase: phase.as_str().into(),
                seconds: time.as_secs_f64(),
            });
        });
        pollers
    }

    fn certificates(&self, now: Timestamp) -> Vec<report::Certificate> {
        let Some(live) = &self.certificates else { return Vec::new() };
        let certificates = live.info();
        let (error, since) = live.renewal_failure().map(|it| (it.error, it.since)).unzip();
        let certificates = certificates.iter().map(|certificate| report::Certificate {
            names: certificate.names.clone(),
            not_before: Rfc3339(certificate.validity.start.at).to_string(),
            not_after: Rfc3339(certificate.validity.end.at).to_string(),
            expiring_issuer: certificate.validity.end.issuer.clone(),
            days_left: certificate.days_left(now),
            valid: certificate.validity.contains(now),
            problems: certificate.problems.clone(),
            error: error.clone(),
            since: since.map(|since| Rfc3339(since).to_string()),
        });
        certificates.collect()
    }
}

/// Returns a document as JSON, with a newline at its end.
fn json(report: &Report) -> String {
    let json = serde_json::to_string(report)
        .expect("maps with text keys and finite numbers are always JSON");
    json + "\n"
}

fn workers(engine: &Stats) -> Vec<report::Worker> {
    let workers = engine.workers().iter().map(|worker| {
        let (state, busy) = worker.look();
        // The route is empty until the request's head was read.
        let route = busy.map(|(route, _)| route).filter(|route| !route.is_empty());
        report::Worker {
            state: state.as_str().into(),
            route: route.map(Cow::Borrowed),
            seconds: busy.map(|(_, time)| pause::sure(time).as_secs_f64()),
        }
    });
    workers.collect()
}

fn connections(engine: &Stats) -> BTreeMap<Cow<'static, str>, u64> {
    let counted = |&state: &ConnectionState| (state.as_str().into(), engine.connections(state));
    order::gathered(ConnectionState::VARIANTS.iter().map(counted))
}

fn connections_shed(engine: &Stats) -> BTreeMap<Cow<'static, str>, u64> {
    let counted = |&reason: &ShedReason| (reason.as_str().into(), engine.shed(reason));
    order::gathered(ShedReason::VARIANTS.iter().map(counted))
}

fn sources(snapshot: &Snapshot, now: Timestamp) -> Vec<report::Source> {
    let report = |source: &SourceView| report::Source {
        source: source.name.to_string(),
        state: source.state.as_str().into(),
        age_seconds: source.reading.as_ref().map(|reading| seconds_since(reading.observed.at, now)),
        error: source.error.as_ref().map(|failure| report::SourceError {
            kind: failure.kind.as_str().into(),
            message: failure.message.to_string(),
            failures: failure.failures.into(),
            seconds: seconds_since(failure.since, now),
        }),
    };
    snapshot.sources.iter().map(report).collect()
}

fn log() -> report::Log {
    let LogStats { queued, dropped, suppressed, blocked } = logging::stats();
    report::Log { queued, dropped, suppressed, blocked_seconds: pause::sure(blocked).as_secs_f64() }
}

/// Returns the time since `at`; 0 if a clock that was set back puts it into the future.
fn seconds_since(at: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64().max(0.0)
}
