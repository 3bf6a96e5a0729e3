//! The start of the thread: the schema, and the sources to poll while the database is away.

use std::time::{Duration, Instant};

use super::Node;
use super::refusals::Step;
use crate::cluster::database;
use crate::postgres::PostgresError;
use crate::store::{Readiness, is_outage};

/// Most time of an attempt to prepare the schema.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Time after the start from which on a database that does not answer is away.
const RESUME_AFTER: Duration = Duration::from_secs(4);

impl Node {
    /// Prepares the schema. Returns true if it can be used.
    pub(super) fn prepare(&mut self) -> bool {
        // Fails early if the database is away: a migration may take longer, and a stop waits for it.
        let prepared = database::may_read_timeline(&mut self.link).and_then(|reads_timeline| {
            self.reads_timeline = reads_timeline;
            self.access.prepare(Instant::now() + TIMEOUT)
        });
        self.refusals.note(Step::Preparation, &prepared, self.access.health());
        match prepared {
            Ok(readiness) => self.is_prepared = readiness == Readiness::Ready,
            Err(error) => {
                self.cluster.database_is_away();
                self.resume(&error);
            }
        }
        self.is_prepared
    }

    /// Polls what this replica held before its start, if the database has not answered since, for this reason.
    pub(super) fn resume(&mut self, error: &PostgresError) {
        let is_early = self.started.elapsed() < RESUME_AFTER;
        // An error of another kind concerns this replica alone, and others have its sources.
        let is_away = is_outage(error) || error.is_transient();
        if self.is_resumed || is_early || !is_away || self.cluster.has_answered() {
            return;
        }
        // The file may be on a disk that hangs.
        let Some(held) = self.held.load() else { return };
        self.is_resumed = true;
        let effects = self.cluster.resume(held);
        self.apply(effects);
    }
}
