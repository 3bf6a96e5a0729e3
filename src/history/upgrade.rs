//! Upgrades the rows of the first version of the schema, in the transaction of the migration.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::batch::MAX_NUMBER;
use super::calendar::Calendar;
use super::days::{self, LONGEST_DAY};
use super::error::StoreError;
use super::meta;
use super::rebuild::{self, quarter_of};
use super::renames::{self, SourceFields};
use super::series::{change_over_time, over_time_of};
use crate::order;
use crate::units::{OverTime, Unit};

/// Upgrades the rows of a file that had the schema `version`.
///
/// Renamed fields of the configured sources move first: their aggregation is that of the new name. Then the
/// rollups of all series that need totals are recomputed, as far as there are single observations.
pub(super) fn run(
    connection: &Connection,
    calendar: &mut Calendar,
    sources: &[SourceFields],
    version: i32,
) -> Result<(), StoreError> {
    let latest = "SELECT coalesce(max(id), 0) FROM series";
    let latest: i64 = connection.query_row(latest, [], |row| row.get(0))?;
    meta::set(connection, meta::EARLIER_SERIES, &latest.to_string())?;
    if version != 1 {
        return Ok(());
    }
    delete_impossible_numbers(connection, calendar)?;
    // The series recorded last is that of the field's present unit, as far as its times tell.
    connection.execute(
        "UPDATE series SET over_time = 'mean', recorded = ranked.position FROM \
         (SELECT id, row_number() OVER (ORDER BY coalesce((SELECT last_at FROM day \
          WHERE series = id ORDER BY at DESC LIMIT 1), 0), id) AS position FROM series) AS ranked \
         WHERE ranked.id = series.id",
        [],
    )?;
    renames::apply(connection, calendar, sources)?;
    let mut select = connection.prepare("SELECT id, source, field, unit, over_time FROM series")?;
    let series = select.query_map([], |row| {
        let text = |column| row.get::<_, String>(column);
        Ok((row.get::<_, i64>(0)?, text(1)?, text(2)?, text(3)?, text(4)?))
    })?;
    let series: Vec<_> = series.collect::<Result<_, _>>()?;
    for (id, source, field, unit, name) in series {
        let unit = Unit::from_recorded(&unit);
        let before = over_time_of(&name, &field, unit);
        let after = OverTime::of(&field, unit);
        if before == OverTime::Mean && after != before {
            change_over_time(connection, calendar, &source, id, before, after)?;
        }
    }
    Ok(())
}

/// Deletes observations that no sensor can measure, which the first version recorded, and recomputes their
/// rollups. A rollup without single observations is deleted: its numbers are not true.
fn delete_impossible_numbers(
    connection: &Connection,
    calendar: &mut Calendar,
) -> Result<(), StoreError> {
    // A comparison with a sum that is infinite is false, too.
    const IS_BAD: &str = "NOT (min >= -?1 AND max <= ?1 AND abs(sum) <= ?1 * count)";
    let sql = format!("SELECT series, at FROM day WHERE {IS_BAD}");
    let mut select = connection.prepare(&sql)?;
    let days = select.query_map([MAX_NUMBER], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let days: Vec<(i64, i64)> = days.collect::<Result<_, _>>()?;
    let changed: BTreeSet<i64> = order::gathered(days.iter().map(|&(series, _)| series));
    for (series, start) in days {
        let end = start + LONGEST_DAY;
        let sql = "DELETE FROM raw WHERE series = ? AND at >= ? AND at < ? AND NOT abs(value) <= ?";
        connection.execute(sql, rusqlite::params![series, start, end, MAX_NUMBER])?;
        let sql = format!(
            "SELECT at FROM quarter WHERE series = ?2 AND at >= ?3 AND at < ?4 AND {IS_BAD}"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let from = quarter_of(start);
        let quarters =
            select.query_map(rusqlite::params![MAX_NUMBER, series, from, end], |row| row.get(0))?;
        let quarters: Vec<i64> = quarters.collect::<Result<_, _>>()?;
        for quarter in quarters {
            rebuild::quarter(connection, series, OverTime::Mean, quarter)?;
        }
        let sql = "DELETE FROM day WHERE series = ? AND at = ?";
        connection.execute(sql, [series, start])?;
    }
    for series in changed {
        days::recompute(connection, calendar, series, OverTime::Mean)?;
    }
    Ok(())
}
