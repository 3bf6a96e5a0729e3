//! Moves the recorded series of fields that have another name now.
//!
//! Earlier versions recorded some fields under a wrong name or unit. The series that they recorded move to the
//! right ones when a file is opened for the first time while their source is configured. Only series that the
//! first version of the schema recorded move, and only once: a field that has the old name now has
//! another meaning, and keeps its rows.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::bucket::{Bucket, Tier};
use super::calendar::Calendar;
use super::days::QuarterDay;
use super::error::StoreError;
use super::meta;
use super::observation::shift;
use super::rebuild::{self, quarter_of};
use super::rollup_row::{self, columns, of_table};
use super::series::{change_over_time, over_time_of};
use crate::units::{OverTime, Unit};

/// A configured source, with the fields that earlier versions recorded under another name.
#[derive(Debug, Clone)]
pub struct SourceFields {
    /// Name of the source.
    pub source: Arc<str>,
    /// Renamed fields of its kind.
    pub renamed: Vec<RenamedSeries>,
}

/// A field that has another name now.
#[derive(Debug, Clone, Copy)]
pub struct RenamedSeries {
    /// Name in earlier versions.
    pub old: &'static str,
    /// Name now.
    pub new: &'static str,
    /// True if the recorded numbers are rates per hour, although their unit was that of an amount.
    pub is_rate: bool,
}

/// A series of the file.
struct Stored {
    id: i64,
    over_time: OverTime,
}

/// Moves the series of the sources whose renamed fields have not been moved.
pub(super) fn apply(
    connection: &Connection,
    calendar: &mut Calendar,
    sources: &[SourceFields],
) -> Result<(), StoreError> {
    let earlier = meta::number(connection, meta::EARLIER_SERIES)?.unwrap_or(0);
    for SourceFields { source, renamed } in sources {
        let key = meta::fields_of(source);
        if meta::get(connection, &key)?.is_some() {
            continue;
        }
        for field in renamed {
            let mut select = connection.prepare_cached(
                "SELECT id, unit FROM series WHERE source = ? AND field = ? AND id <= ?",
            )?;
            let found = select.query_map(params![source, field.old, earlier], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            let found: Vec<(i64, String)> = found.collect::<Result<_, _>>()?;
            for (id, unit) in found {
                rename(connection, calendar, source, id, &unit, field)?;
                let RenamedSeries { old, new, .. } = field;
                log::info!("the history of {source}.{old} is now that of {source}.{new}");
            }
        }
        meta::set(connection, &key, "moved")?;
    }
    Ok(())
}

/// Gives a series its new name and unit. If there is a series of that name, the rows are added to it.
fn rename(
    connection: &Connection,
    calendar: &mut Calendar,
    source: &str,
    id: i64,
    unit: &str,
    field: &RenamedSeries,
) -> Result<(), StoreError> {
    let old_unit = Unit::from_recorded(unit);
    let new_unit = match field.is_rate {
        true => old_unit.map(|unit| unit.per_hour().unwrap_or(unit)),
        false => old_unit,
    };
    let name = new_unit.map_or("", Unit::as_str);
    let after = OverTime::of(field.new, new_unit);
    let stored = |row: &Row<'_>| {
        let over_time: String = row.get(1)?;
        Ok(Stored { id: row.get(0)?, over_time: over_time_of(&over_time, field.new, new_unit) })
    };
    let sql = "SELECT id, over_time FROM series WHERE id = ?";
    let moved = connection.query_row(sql, [id], stored)?;
    let sql = "SELECT id, over_time FROM series WHERE source = ? AND field = ? AND unit = ?";
    let target = connection.query_row(sql, params![source, field.new, name], stored).optional()?;
    match target {
        None => {
            let sql = "UPDATE series SET field = ?, unit = ? WHERE id = ?";
            connection.execute(sql, params![field.new, name, id])?;
            if moved.over_time != after {
                change_over_time(connection, calendar, source, id, moved.over_time, after)?;
            }
        }
        Some(target) => merge(connection, calendar, source, &moved, &target)?,
    }
    Ok(())
}

/// Adds the rows of a series to another one, and deletes it. An observation that both have is that of the
/// target.
fn merge(
    connection: &Connection,
    calendar: &mut Calendar,
    source: &str,
    moved: &Stored,
    target: &Stored,
) -> Result<(), StoreError> {
    // Both get the rollups of one aggregation, which are then added, and recomputed where they can be.
    if moved.over_time != target.over_time {
        change_over_time(
            connection,
            calendar,
            source,
            moved.id,
            moved.over_time,
            target.over_time,
        )?;
    }
    let sql = "SELECT at FROM raw AS moved WHERE series = ? AND EXISTS \
               (SELECT 1 FROM raw WHERE series = ? AND raw.at = moved.at)";
    let mut select = connection.prepare(sql)?;
    let in_both = select.query_map([moved.id, target.id], |row| row.get(0))?;
    let in_both: Vec<i64> = in_both.collect::<Result<_, _>>()?;
    connection.execute(
        "INSERT INTO raw (series, at, value, qualifier) \
         SELECT ?, at, value, qualifier FROM raw WHERE series = ? ON CONFLICT DO NOTHING",
        [target.id, moved.id],
    )?;
    for tier in [Tier::Quarter, Tier::Day] {
        let mut select = connection.prepare(of_table!(
            tier,
            concat!("SELECT ", columns!(), " FROM "),
            " WHERE series = ?"
        ))?;
        let rows = select.query_map([moved.id], rollup_row::read)?;
        let rows: Vec<Option<Bucket>> = rows.collect::<Result<_, _>>()?;
        for row in rows.into_iter().flatten() {
            row.add_to(connection, tier, target.id)?;
        }
    }
    for at in in_both {
        // Counted once, so that the rollups are recomputed from the single observations.
        let quarter = quarter_of(at - shift(target.over_time));
        let day = QuarterDay::of(connection, calendar, target.id, target.over_time, quarter)?;
        for (tier, at) in [(Tier::Quarter, quarter), (Tier::Day, day.at)] {
            let sql = of_table!(
                tier,
                "UPDATE ",
                " SET count = max(1, count - 1) WHERE series = ? AND at = ?"
            );
            connection.execute(sql, [target.id, at])?;
        }
    }
    for table in ["raw", "quarter", "day"] {
        connection.execute(&format!("DELETE FROM {table} WHERE series = ?"), [moved.id])?;
    }
    connection.execute("DELETE FROM series WHERE id = ?", [moved.id])?;
    rebuild::whole_series(connection, calendar, target.id, target.over_time, target.over_time)
}
