//! `/scoreboard` of the admin listener: what every thread and connection is doing, as JSON.

pub mod told;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use strum::VariantArray;

use self::told::Told;
use super::configuration::LiveConfiguration;
use super::health::Health;
use crate::board::{Snapshot, SourceView};
use crate::certificates::LiveCertificates;
use crate::engine::{CloseReason, ConnectionState, ShedReason, Stats};
use crate::kernel::listen_queue::{ListenSocket, listen_losses, listen_queues};
use crate::kernel::process::ProcessFacts;
use crate::logging::{self, LogStats};
use crate::timestamp::Rfc3339;

/// Where the scoreboard looks.
pub struct Scoreboard {
    /// The engine, the board, the pollers and the recorder, and whether they are stuck.
    pub health: Arc<Health>,
    /// The public TCP listeners.
    pub listeners: Vec<ListenSocket>,
    /// The certificates in use, if the listeners speak TLS.
    pub certificates: Option<Arc<LiveCertificates>>,
    /// The limits in force, and reloads.
    pub configuration: Arc<LiveConfiguration>,
    /// When the service started.
    pub started_at: Timestamp,
}

impl Scoreboard {
    /// The body, ended by a newline.
    pub fn render(&self) -> String {
        let told = self.look(Timestamp::now());
        let json = serde_json::to_string(&told).expect("texts and finite numbers are always JSON");
        json + "\n"
    }

    /// All that it shows, as of `now`.
    fn look(&self, now: Timestamp) -> Told {
        let Health { engine, board, history, .. } = &*self.health;
        let admin = self.health.admin.get();
        let losses = listen_losses();
        let (ok, refused) = self.configuration.reloads();
        Told {
            service: told::Service {
                version: env!("CARGO_PKG_VERSION").into(),
                started_at: Rfc3339(self.started_at).to_string(),
                uptime_seconds: seconds_since(self.started_at, now),
            },
            process: ProcessFacts::of_this().ok(),
            limits: (*self.configuration.limits()).clone(),
            reloads: told::Reloads {
                ok,
                refused,
                latest_refused: self.configuration.latest_refused(),
            },
            stuck: self.health.stuck().iter().map(ToString::to_string).collect(),
            acceptor_silent_seconds: engine.acceptor_age().as_secs_f64(),
            workers: workers(engine),
            connections: connections(engine),
            connections_shed: connections_shed(engine),
            queue_depth: engine.queue_depth(),
            accept_queues: listen_queues(&self.listeners)
                .into_iter()
                .map(|queue| told::AcceptQueue {
                    listener: queue.address,
                    depth: queue.depth,
                    limit: queue.limit,
                })
                .collect(),
            listen_overflows_total: losses.overflows,
            listen_drops_total: losses.drops,
            pollers: self.pollers(),
            sources: sources(&board.load(), now),
            certificates: self.certificates(now),
            admin: admin.map(|engine| told::Admin {
                acceptor_silent_seconds: engine.acceptor_age().as_secs_f64(),
                workers: workers(engine),
                connections: connections(engine),
                connections_shed: connections_shed(engine),
                connections_evicted: engine.closed(CloseReason::Evicted),
                queue_depth: engine.queue_depth(),
                stuck: self.health.admin_stuck().iter().map(ToString::to_string).collect(),
            }),
            board: told::Board { silent_seconds: board.heartbeat_age().as_secs_f64() },
            recorder: told::Recorder {
                enabled: history.is_enabled(),
                silent_seconds: history.heartbeat_age().as_secs_f64(),
                rows: history.rows(),
                errors: history.errors(),
                dropped: history.dropped(),
                trouble: history.health().error.as_ref().map(|error| told::Trouble {
                    reason: error.message.to_string(),
                    seconds: seconds_since(error.since, now),
                }),
            },
            log: log(),
        }
    }

    fn pollers(&self) -> Vec<told::Poller> {
        let polls = self.health.polls.stats();
        let told = polls.iter().map(|poll| {
            let (phase, time) = poll.phase();
            told::Poller {
                source: poll.source().to_owned(),
                phase: phase.as_str().into(),
                seconds: time.as_secs_f64(),
            }
        });
        told.collect()
    }

    fn certificates(&self, now: Timestamp) -> Vec<told::Certificate> {
        let Some(live) = &self.certificates else { return Vec::new() };
        let told = live.told();
        let told = told.iter().map(|certificate| told::Certificate {
            names: certificate.names.clone(),
            not_after: Rfc3339(certificate.not_after).to_string(),
            days_left: certificate.days_left(now),
        });
        told.collect()
    }
}

fn workers(engine: &Stats) -> Vec<told::Worker> {
    let told = engine.workers().iter().map(|worker| {
        let (state, busy) = worker.look();
        // Until the head is read no route is known.
        let route = busy.map(|(route, _)| route).filter(|route| !route.is_empty());
        told::Worker {
            state: state.as_str().into(),
            route: route.map(Cow::Borrowed),
            seconds: busy.map(|(_, time)| time.as_secs_f64()),
        }
    });
    told.collect()
}

fn connections(engine: &Stats) -> BTreeMap<Cow<'static, str>, u64> {
    let counted = |&state: &ConnectionState| (state.as_str().into(), engine.connections(state));
    ConnectionState::VARIANTS.iter().map(counted).collect()
}

fn connections_shed(engine: &Stats) -> BTreeMap<Cow<'static, str>, u64> {
    let counted = |&reason: &ShedReason| (reason.as_str().into(), engine.shed(reason));
    ShedReason::VARIANTS.iter().map(counted).collect()
}

fn sources(snapshot: &Snapshot, now: Timestamp) -> Vec<told::Source> {
    let told = |source: &SourceView| told::Source {
        source: source.name.to_string(),
        state: source.state.as_str().into(),
        age_seconds: source.reading.as_ref().map(|it| seconds_since(it.observed.at, now)),
        error: source.error.as_ref().map(|failure| told::SourceError {
            kind: failure.kind.as_str().into(),
            message: failure.message.to_string(),
            failures: failure.failures.into(),
            seconds: seconds_since(failure.since, now),
        }),
    };
    snapshot.sources.iter().map(told).collect()
}

fn log() -> told::Log {
    let LogStats { queued, dropped, suppressed, blocked } = logging::stats();
    told::Log { queued, dropped, suppressed, blocked_seconds: blocked.as_secs_f64() }
}

/// Never negative: a clock that was set back makes nothing younger than now.
fn seconds_since(at: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64().max(0.0)
}
