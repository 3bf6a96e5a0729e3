//! Properties of the file, as texts by key.
//!
//! | key | value |
//! | --- | --- |
//! | `timezone` | identity of the time zone of the days |
//! | `latest` | time of the latest record, in seconds since 1970, unless that is known to be wrong |
//! | `held` | time for which `latest` has held readings because the clock is earlier, in seconds |
//! | `earlier_series` | largest id of the series that the first version of the schema recorded |
//! | `fields:SOURCE` | set once the renamed fields of a source have been moved |

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;

pub(super) const TIME_ZONE: &str = "timezone";
pub(super) const LATEST: &str = "latest";
pub(super) const HELD: &str = "held";
pub(super) const EARLIER_SERIES: &str = "earlier_series";

/// Returns the key that is set once the renamed fields of a source have been moved.
pub(super) fn fields_of(source: &str) -> String {
    format!("fields:{source}")
}

/// Returns the value of a key.
pub(super) fn get(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(select.query_row([key], |row| row.get(0)).optional()?)
}

/// Returns the number at a key.
pub(super) fn number(connection: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    Ok(get(connection, key)?.and_then(|text| text.parse().ok()))
}

/// Sets the value of a key.
pub(super) fn set(connection: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET \
         value = excluded.value",
    )?;
    upsert.execute(params![key, value])?;
    Ok(())
}
