//! Deletion of old rows, by one replica an hour.
//!
//! As in a file, rows go only if they are too old both by the clock and by the number of recorded days. A partition
//! goes as a whole, once all of its time is too old.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::partitions::{self, TABLES};
use crate::history::calendar::DAY;
use crate::history::error::StoreError;
use crate::history::settings::Retention;
use crate::history::writer::MAX_EVENTS;
use crate::postgres::{Limits, Param, Statement};
use crate::store::Link;

/// Time between two deletions.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Most time of a wait for the lock of a table that is dropped: all reads wait behind it, while a dump has the table.
const DROP_LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// Most rows that one statement deletes.
const MAX_DELETED: i64 = 10_000;

/// Deletes what is too old, unless a replica has done so within the hour. Returns true once nothing is left to do.
///
/// # Errors
/// A statement failed, such as by its limit on locks.
pub(super) fn prune(
    link: &mut Link,
    keep: &Retention,
    now: Timestamp,
    limits: Limits,
    deadline: Instant,
) -> Result<bool, StoreError> {
    // By the database's clock, which all replicas share. What is no number, such as by an edit, is replaced.
    let claim = "INSERT INTO meta (key, value) \
                 VALUES ('pruned', extract(epoch FROM clock_timestamp())::bigint::text) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value \
                 WHERE CASE WHEN meta.value ~ '^[0-9]{1,18}$' \
                 THEN meta.value::bigint NOT BETWEEN excluded.value::bigint - $1 \
                 AND excluded.value::bigint ELSE true END";
    let interval = [Param::I64(INTERVAL.as_secs().cast_signed())];
    if affected(link, claim, &interval, limits, deadline)? == 0 {
        return Ok(true);
    }
    // What cannot be dropped now keeps nothing else.
    let mut dropped = Ok(());
    for (table, keep) in TABLES.into_iter().zip([keep.raw, keep.quarters]) {
        dropped = dropped.and(drop_old(link, table, keep, now, limits, deadline));
    }
    let mut is_done = true;
    if let Some(before) = keep_since(link, keep.days, now, limits, deadline)? {
        let sql = "DELETE FROM day WHERE (series, at) IN \
                   (SELECT series, at FROM day WHERE at < $1 ORDER BY at LIMIT $2)";
        let params = [Param::I64(before), Param::I64(MAX_DELETED)];
        is_done = affected(link, sql, &params, limits, deadline)? < MAX_DELETED.unsigned_abs();
    }
    let sql = "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - $1";
    affected(link, sql, &[Param::I64(MAX_EVENTS)], limits, deadline)?;
    if !is_done {
        // The next call continues.
        let sql = "UPDATE meta SET value = '0' WHERE key = 'pruned'";
        affected(link, sql, &[], limits, deadline)?;
    }
    dropped.map(|()| is_done)
}

/// Drops the partitions of a table all of whose rows are too old. One that cannot be dropped keeps no other.
fn drop_old(
    link: &mut Link,
    table: &str,
    keep: Option<Duration>,
    now: Timestamp,
    limits: Limits,
    deadline: Instant,
) -> Result<(), StoreError> {
    let Some(before) = keep_since(link, keep, now, limits, deadline)? else { return Ok(()) };
    let mut dropped = Ok(());
    for partition in partitions::read(link, table, limits, deadline)? {
        if partition.bounds.1 <= before {
            log::info!("dropping {}, whose rows are older than their retention", partition.name);
            let limits = Limits { lock: DROP_LOCK_TIMEOUT, ..limits };
            let result = partitions::drop_partition(link, &partition, limits, deadline);
            dropped = dropped.and(result);
        }
    }
    dropped
}

/// Returns the time before which rows are too old; `None` if none is.
fn keep_since(
    link: &mut Link,
    keep: Option<Duration>,
    now: Timestamp,
    limits: Limits,
    deadline: Instant,
) -> Result<Option<i64>, StoreError> {
    let Some(keep) = keep else { return Ok(None) };
    let Ok(by_clock) = now.checked_sub(keep) else { return Ok(None) };
    let days = keep.as_secs().div_ceil(DAY.unsigned_abs()).max(1);
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    // One look-up in the index a day: DISTINCT would read the days of all series.
    let sql = "WITH RECURSIVE recorded (at, number) AS ( \
               (SELECT at, 1::bigint FROM day ORDER BY at DESC LIMIT 1) UNION ALL \
               SELECT (SELECT max(day.at) FROM day WHERE day.at < recorded.at), number + 1 \
               FROM recorded WHERE recorded.at IS NOT NULL AND number < $1) \
               SELECT at FROM recorded WHERE number = $1";
    let outcomes = link.run(limits, &[Statement::new(sql, &[Param::I64(days)])], deadline)?;
    let by_days = outcomes.iter().find_map(|outcome| outcome.first());
    let by_days = by_days.map(|row| row.optional_i64(0)).transpose()?.flatten();
    Ok(by_days.map(|by_days| by_days.min(by_clock.as_second())))
}

fn affected(
    link: &mut Link,
    sql: &str,
    params: &[Param<'_>],
    limits: Limits,
    deadline: Instant,
) -> Result<u64, StoreError> {
    let outcomes = link.run(limits, &[Statement::new(sql, params)], deadline)?;
    Ok(outcomes.iter().map(|outcome| outcome.affected()).sum())
}
