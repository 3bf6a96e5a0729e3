//! Deletion of old rows: each hour, in transactions of their own, so that a slow one costs no exchange.
//!
//! A step deletes a bounded number of rows of one kind, and skips those that are locked. It follows an exchange, and is
//! repeated after the next ones until no more rows are found; then comes the next kind. One that fails is left to the
//! next hour.

use std::time::{Duration, Instant};

use crate::alert::store::{MAX_ENDED, MAX_ENDED_OF_ALERT};
use crate::postgres::{Limits, Statement};
use crate::store::Link;

/// Time from the end of one deletion to the next.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Most time of a step. The database ends one that takes longer, well before this program would take it for dead.
const LIMIT: Duration = Duration::from_millis(500);

/// Most time until the database has answered.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Most rows of a step.
const MAX_ROWS: u64 = 1_000;

/// State of the deletion.
pub(super) struct Pruning {
    /// Time of the next step.
    at: Instant,
    /// Its kind.
    kind: usize,
}

impl Pruning {
    /// Returns the state before the first step, which is due at this time.
    pub(super) fn new(at: Instant) -> Pruning {
        Pruning { at, kind: 0 }
    }

    /// Does the next step if it is due.
    pub(super) fn step(&mut self, link: &mut Link) {
        let now = Instant::now();
        let Some((table, condition)) = self.kind().filter(|_| now >= self.at) else { return };
        let sql = format!(
            "DELETE FROM pumphouse.{table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM pumphouse.{table} \
             WHERE {condition} LIMIT {MAX_ROWS} FOR UPDATE SKIP LOCKED))"
        );
        let outcomes = link.run(Limits::all(LIMIT), &[Statement::plain(&sql)], now + TIMEOUT);
        let deleted = outcomes.map(|outcomes| outcomes.first().map_or(0, |of| of.affected()));
        match &deleted {
            Ok(0) => {}
            Ok(count) if table == "notice" => log::warn!(
                "{count} messages of channels that no replica has any more are dropped after a week"
            ),
            Ok(count) => log::debug!("{count} old rows of the table {table} are deleted"),
            Err(error) => log::warn!("old rows of the table {table} are not deleted: {error}"),
        }
        if deleted.is_ok_and(|count| count >= MAX_ROWS) {
            return;
        }
        self.kind += 1;
        if self.kind().is_none() {
            *self = Pruning::new(Instant::now() + INTERVAL);
        }
    }

    /// Returns the table and the condition of the next step; `None` after the last one.
    fn kind(&self) -> Option<(&'static str, String)> {
        Some(match self.kind {
            0 => {
                ("alert_state", "state IS NULL AND changed_at < now() - interval '1 day'".to_owned())
            }
            1 => (
                "acknowledgement",
                "changed_at < now() - interval '1 day' AND NOT EXISTS (SELECT 1 FROM pumphouse.incident AS i \
                 WHERE i.id = acknowledgement.incident AND i.ended_at IS NULL)"
                    .to_owned(),
            ),
            2 => (
                "silence",
                "until < extract(epoch FROM now() - interval '1 day') * 1000 \
                 AND changed_at < now() - interval '1 day'"
                    .to_owned(),
            ),
            // An instance keeps its row until an hour after its end, and a replica that has the channel would have
            // adopted the notice within that.
            3 => (
                "notice",
                "made_at < now() - interval '7 days' AND NOT EXISTS (SELECT 1 FROM pumphouse.replica AS r \
                 WHERE r.instance = notice.instance)"
                    .to_owned(),
            ),
            4 => (
                "incident",
                format!(
                    "id IN (SELECT id FROM (SELECT id, \
                     row_number() OVER (PARTITION BY alert ORDER BY ended_at DESC, id DESC) AS of_alert, \
                     row_number() OVER (ORDER BY ended_at DESC, id DESC) AS of_all \
                     FROM pumphouse.incident WHERE ended_at IS NOT NULL) AS ranked \
                     WHERE of_alert > {MAX_ENDED_OF_ALERT} OR of_all > {MAX_ENDED})"
                ),
            ),
            _ => return None,
        })
    }
}
