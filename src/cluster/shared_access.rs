//! The gate of this process among those of the other replicas: when rows of sessions and guesses are exchanged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::access_exchange::{exchange, prune};
use super::instance::InstanceId;
use crate::access::{Gate, Outgoing};
use crate::logging::OnChange;
use crate::postgres::PostgresError;
use crate::store::Link;

/// Most time between two reads.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two deletions of old rows.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Sessions and failed guesses that replicas share.
pub(super) struct SharedAccess {
    gate: Arc<Gate>,
    /// Name of this process. Unlike the instance of its lease, it stays as long as its counts do.
    process: InstanceId,
    read_at: Option<Instant>,
    pruned_at: Instant,
    failure: OnChange<String>,
}

impl SharedAccess {
    pub(super) fn new(gate: Arc<Gate>, process: InstanceId) -> SharedAccess {
        SharedAccess {
            gate,
            process,
            read_at: None,
            pruned_at: Instant::now(),
            failure: OnChange::new(),
        }
    }

    /// Exchanges rows if there are new ones here, or if the latest read is a second old.
    pub(super) fn step(&mut self, link: &mut Link) {
        let sent = self.gate.take_outgoing();
        if is_empty(&sent) && self.read_at.is_some_and(|at| at.elapsed() < READ_INTERVAL) {
            return;
        }
        let began = Instant::now();
        let exchanged = exchange(link, self.process, &sent);
        match &exchanged {
            Ok(incoming) => {
                self.gate.apply(&sent, incoming);
                self.read_at = Some(began);
            }
            Err(_) => self.missed(),
        }
        self.report(&exchanged.map(drop));
        if self.read_at == Some(began) && self.pruned_at.elapsed() >= PRUNE_INTERVAL {
            self.prune(link);
        }
    }

    /// Deletes old rows. More of them are deleted after the next exchange, and so as fast as guesses come.
    fn prune(&mut self, link: &mut Link) {
        let pruned = prune(link);
        if let Err(error) = &pruned {
            log::debug!("old rows of sessions and guesses were not deleted: {error}");
        }
        if !pruned.unwrap_or(false) {
            self.pruned_at = Instant::now();
        }
    }

    /// Notes that the database does not answer, or may have lost what it had taken.
    pub(super) fn missed(&mut self) {
        self.gate.exchange_failed();
        self.read_at = None;
    }

    fn report(&mut self, result: &Result<(), PostgresError>) {
        match result {
            Ok(()) => _ = self.failure.clear(),
            Err(error) => {
                let message = error.to_string();
                if self.failure.set(message.clone()) {
                    log::warn!(
                        "sessions and failed sign-ins are not exchanged with the other replicas: {message}"
                    );
                }
            }
        }
    }
}

fn is_empty(sent: &Outgoing) -> bool {
    let Outgoing { since: _, secrets, keys, ended, counts } = sent;
    secrets.is_empty() && keys.is_empty() && ended.is_empty() && counts.is_empty()
}
