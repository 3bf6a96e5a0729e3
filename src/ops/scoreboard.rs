//! `/scoreboard` of the admin listener: what every thread and connection is doing, as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::listen_queue::{ListenSocket, listen_losses, listen_queues};
use crate::http::{ConnectionState, Stats};
use crate::upstream::Roster;

/// Where the scoreboard looks.
pub struct Scoreboard {
    /// Workers and connections.
    pub engine: Arc<Stats>,
    /// Pollers.
    pub polls: Roster,
    /// The public TCP listeners.
    pub listeners: Vec<ListenSocket>,
}

#[derive(Serialize)]
struct Told {
    workers: Vec<Worker>,
    connections: BTreeMap<&'static str, u64>,
    queue_depth: u64,
    acceptor_silent_seconds: f64,
    accept_queues: Vec<AcceptQueue>,
    listen_overflows_total: u64,
    listen_drops_total: u64,
    pollers: Vec<Poller>,
}

#[derive(Serialize)]
struct Worker {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct AcceptQueue {
    listener: String,
    depth: u32,
    limit: u32,
}

#[derive(Serialize)]
struct Poller {
    source: String,
    phase: &'static str,
    seconds: f64,
}

impl Scoreboard {
    /// The body, ended by a newline.
    pub fn render(&self) -> String {
        let losses = listen_losses();
        let told = Told {
            workers: self.workers(),
            connections: ConnectionState::ALL
                .into_iter()
                .map(|state| (state.as_str(), self.engine.connections(state)))
                .collect(),
            queue_depth: self.engine.queue_depth(),
            acceptor_silent_seconds: self.engine.acceptor_age().as_secs_f64(),
            accept_queues: listen_queues(&self.listeners)
                .into_iter()
                .map(|queue| AcceptQueue {
                    listener: queue.address,
                    depth: queue.depth,
                    limit: queue.limit,
                })
                .collect(),
            listen_overflows_total: losses.overflows,
            listen_drops_total: losses.drops,
            pollers: self.pollers(),
        };
        let json = serde_json::to_string(&told).expect("texts and finite numbers are always JSON");
        json + "\n"
    }

    fn workers(&self) -> Vec<Worker> {
        let told = self.engine.workers().iter().map(|worker| {
            let (state, busy) = worker.look();
            Worker {
                state: state.as_str(),
                // Before the head is read no route is known.
                route: busy.map(|(route, _)| route).filter(|route| !route.is_empty()),
                seconds: busy.map(|(_, time)| time.as_secs_f64()),
            }
        });
        told.collect()
    }

    fn pollers(&self) -> Vec<Poller> {
        let polls = self.polls.stats();
        let told = polls.iter().map(|poll| {
            let (phase, time) = poll.phase();
            Poller {
                source: poll.source().to_owned(),
                phase: phase.as_str(),
                seconds: time.as_secs_f64(),
            }
        });
        told.collect()
    }
}
