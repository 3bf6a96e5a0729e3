//! Inserts observations and updates their rollups.
//!
//! A rollup row has the minimum, maximum, sum and count of its observations, so adding one is an
//! upsert of a single row. `last` is the observation with the latest time and not the one inserted last, so
//! a late observation does not replace it.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Transaction, params};

use super::calendar::{Calendar, DAY, QUARTER};
use super::error::StoreError;
use crate::board::Sample;

/// Ids of series by source, field and unit.
pub(super) type SeriesIds = HashMap<(Arc<str>, Arc<str>, &'static str), i64>;

/// Inserts an observation and adds it to its quarter and its day. Returns the number of new observations: 0 if
/// it is already stored.
pub(super) fn add(
    transaction: &Transaction<'_>,
    ids: &mut SeriesIds,
    calendar: &mut Calendar,
    sample: &Sample,
) -> Result<u64, StoreError> {
    let unit = sample.unit.map_or("", |unit| unit.as_str());
    let key = (sample.source.clone(), sample.field.clone(), unit);
    let series = match ids.get(&key) {
        Some(&series) => series,
        None => {
            let series = series_id(transaction, &sample.source, &sample.field, unit)?;
            ids.insert(key, series);
            series
        }
    };
    let (at, value) = (sample.at.as_second(), sample.value.get());
    let mut insert = transaction.prepare_cached(
        "INSERT INTO raw (series, at, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    if insert.execute(params![series, at, value])? == 0 {
        return Ok(0);
    }
    let quarter = at.div_euclid(QUARTER) * QUARTER;
    let (day, _) = calendar.day(at);
    for (table, start) in [("quarter", quarter), ("day", day)] {
        let mut upsert = transaction.prepare_cached(&upsert_sql(table))?;
        upsert.execute(params![series, start, value, value, value, value, at, 1])?;
    }
    Ok(1)
}

/// Returns the statement that adds to a rollup; its parameters are the columns in the order of the
/// table.
fn upsert_sql(table: &str) -> String {
    format!(
        "INSERT INTO {table} (series, at, min, max, sum, last, last_at, count) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
         min = min(min, excluded.min), max = max(max, excluded.max), \
         sum = sum + excluded.sum, count = count + excluded.count, \
         last = iif(excluded.last_at >= last_at, excluded.last, last), \
         last_at = max(last_at, excluded.last_at)"
    )
}

/// Returns the id of a series, and creates the series if it does not exist.
fn series_id(
    transaction: &Transaction<'_>,
    source: &str,
    field: &str,
    unit: &str,
) -> Result<i64, StoreError> {
    let row = params![source, field, unit];
    transaction.execute(
        "INSERT INTO series (source, field, unit) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        row,
    )?;
    let sql = "SELECT id FROM series WHERE source = ? AND field = ? AND unit = ?";
    Ok(transaction.query_row(sql, row, |row| row.get(0))?)
}

/// Recomputes the days of a series from its quarters. Days before the first quarter are not changed.
pub(super) fn rebuild_days(
    transaction: &Transaction<'_>,
    calendar: &mut Calendar,
    series: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT min(at) FROM quarter WHERE series = ?";
    let first: Option<i64> = transaction.query_row(sql, [series], |row| row.get(0))?;
    let Some(first) = first else { return Ok(()) };
    let (from, _) = calendar.day(first);
    // A day of another zone may overlap with `from`, by less than a day.
    let sql = "DELETE FROM day WHERE series = ? AND at > ?";
    transaction.execute(sql, params![series, from - DAY])?;
    let mut select = transaction.prepare(
        "SELECT at, min, max, sum, last, last_at, count FROM quarter WHERE series = ? ORDER BY at",
    )?;
    let mut upsert = transaction.prepare(&upsert_sql("day"))?;
    let mut rows = select.query([series])?;
    while let Some(row) = rows.next()? {
        let (day, _) = calendar.day(row.get(0)?);
        let number = |column| row.get::<_, f64>(column);
        let (last_at, count): (i64, i64) = (row.get(5)?, row.get(6)?);
        let (min, max, sum, last) = (number(1)?, number(2)?, number(3)?, number(4)?);
        upsert.execute(params![series, day, min, max, sum, last, last_at, count])?;
    }
    Ok(())
}
