//! Properties of the file, as texts by key.
//!
//! | key | value |
//! | --- | --- |
//! | `timezone` | identity of the time zone of the days |
//! | `latest` | time of the latest record, in seconds since 1970, unless that is known to be wrong |
//! | `held` | time for which `latest` has held readings because the clock is earlier, in seconds |
//! | `earlier_series` | largest id of the series that the first version of the schema recorded |
//! | `fields:SOURCE` | set once the renamed fields of a source have been moved |

use super::error::StoreError;
use super::executor::{self, Executor, Queries, params};

pub(super) const TIME_ZONE: &str = "timezone";
pub(super) const LATEST: &str = "latest";
pub(super) const HELD: &str = "held";
pub(super) const EARLIER_SERIES: &str = "earlier_series";

/// Returns the key that is set once the renamed fields of a source have been moved.
pub(super) fn fields_of(source: &str) -> String {
    format!("fields:{source}")
}

/// Returns the value of a key.
pub(super) fn get(db: &dyn Queries, key: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    executor::first(db, sql, params![key], |row| row.string(0))
}

/// Returns the number at a key.
pub(super) fn number(db: &dyn Queries, key: &str) -> Result<Option<i64>, StoreError> {
    Ok(get(db, key)?.and_then(|text| text.parse().ok()))
}

/// Sets the value of a key.
pub(super) fn set(db: &dyn Executor, key: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET \
               value = excluded.value";
    db.execute(sql, params![key, value]).map(|_| ())
}
