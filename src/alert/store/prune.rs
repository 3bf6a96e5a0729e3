//! Deletes old incidents, in small pieces.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::history::StoreError;
use crate::order;

/// Most ended incidents of an alert in the file.
pub const MAX_ENDED_OF_ALERT: usize = 1_000;

/// Most ended incidents in the file.
pub const MAX_ENDED: usize = 10_000;

/// Most rows that one statement deletes, so that changes do not wait for long.
const PIECE: i64 = 200;

/// Returns the alerts that have incidents.
pub(super) fn alerts(connection: &Connection) -> Result<BTreeSet<Arc<str>>, StoreError> {
    let mut select = connection.prepare("SELECT DISTINCT alert FROM incident")?;
    let alerts = select.query_map([], |row| row.get::<_, String>(0))?;
    // A name that is no text is that of a row which nothing reads.
    Ok(order::gathered(alerts.filter_map(Result::ok).map(Arc::from)))
}

/// Deletes some of the incidents of an alert. Returns true if more may be left.
pub(super) fn of_alert(connection: &Connection, alert: &str) -> Result<bool, StoreError> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM incident WHERE id IN (SELECT id FROM incident WHERE alert = ? \
         AND ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ? OFFSET ?)",
    )?;
    let deleted = delete.execute(params![alert, PIECE, offset(MAX_ENDED_OF_ALERT)])?;
    Ok(deleted > 0)
}

/// Deletes some of all incidents. Returns true if more may be left.
pub(super) fn of_all(connection: &Connection) -> Result<bool, StoreError> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM incident WHERE id IN (SELECT id FROM incident \
         WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ? OFFSET ?)",
    )?;
    Ok(delete.execute(params![PIECE, offset(MAX_ENDED)])? > 0)
}

fn offset(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}
