//! Moves the recorded series of fields that have another name now.
//!
//! Earlier versions recorded some fields under a wrong name or unit. The series that they recorded move to the
//! right ones when a file is opened for the first time while their source is configured. Only series that the
//! first version of the schema recorded move, and only once: a field that has the old name now has
//! another meaning, and keeps its rows.

use std::sync::Arc;

use super::bucket::Tier;
use super::calendar::Calendar;
use super::days::QuarterDay;
use super::error::StoreError;
use super::executor::{self, Executor, Row, params};
use super::meta;
use super::observation::shift;
use super::rebuild::{self, quarter_of};
use super::rollup_row::{self, of_table};
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
    db: &dyn Executor,
    calendar: &mut Calendar,
    sources: &[SourceFields],
) -> Result<(), StoreError> {
    let earlier = meta::number(db, meta::EARLIER_SERIES)?.unwrap_or(0);
    for SourceFields { source, renamed } in sources {
        let key = meta::fields_of(source);
        if meta::get(db, &key)?.is_some() {
            continue;
        }
        for field in renamed {
            let sql = "SELECT id, unit FROM series WHERE source = ?1 AND field = ?2 AND id <= ?3";
            let found = executor::all(db, sql, params![&**source, field.old, earlier], |row| {
                Ok((row.i64(0)?, row.string(1)?))
            })?;
            for (id, unit) in found {
                rename(db, calendar, source, id, &unit, field)?;
                let RenamedSeries { old, new, .. } = field;
                log::info!("the history of {source}.{old} is now that of {source}.{new}");
            }
        }
        meta::set(db, &key, "moved")?;
    }
    Ok(())
}

/// Gives a series its new name and unit. If there is a series of that name, the rows are added to it.
fn rename(
    db: &dyn Executor,
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
    let stored = |row: &dyn Row| {
        let over_time = over_time_of(&row.string(1)?, field.new, new_unit);
        Ok(Stored { id: row.i64(0)?, over_time })
    };
    let sql = "SELECT id, over_time FROM series WHERE id = ?1";
    let Some(moved) = executor::first(db, sql, params![id], stored)? else { return Ok(()) };
    let sql = "SELECT id, over_time FROM series WHERE source = ?1 AND field = ?2 AND unit = ?3";
    let target = executor::first(db, sql, params![source, field.new, name], stored)?;
    match target {
        None => {
            let sql = "UPDATE series SET field = ?1, unit = ?2 WHERE id = ?3";
            db.execute(sql, params![field.new, name, id])?;
            if moved.over_time != after {
                change_over_time(db, calendar, source, id, moved.over_time, after)?;
            }
        }
        Some(target) => merge(db, calendar, source, &moved, &target)?,
    }
    Ok(())
}

/// Adds the rows of a series to another one, and deletes it. An observation that both have is that of the
/// target.
fn merge(
    db: &dyn Executor,
    calendar: &mut Calendar,
    source: &str,
    moved: &Stored,
    target: &Stored,
) -> Result<(), StoreError> {
    // Both get the rollups of one aggregation, which are then added, and recomputed where they can be.
    if moved.over_time != target.over_time {
        change_over_time(db, calendar, source, moved.id, moved.over_time, target.over_time)?;
    }
    let sql = "SELECT at FROM raw AS moved WHERE series = ?1 AND EXISTS \
               (SELECT 1 FROM raw WHERE series = ?2 AND raw.at = moved.at)";
    let in_both = executor::all(db, sql, params![moved.id, target.id], |row| row.i64(0))?;
    let sql = "INSERT INTO raw (series, at, value, qualifier) \
               SELECT CAST(?1 AS BIGINT), at, value, qualifier FROM raw WHERE series = ?2 \
               ON CONFLICT (series, at) DO NOTHING";
    db.execute(sql, params![target.id, moved.id])?;
    for tier in [Tier::Quarter, Tier::Day] {
        rollup_row::for_each_from(db, tier, moved.id, i64::MIN, |row| {
            db.add_rollup(tier, target.id, &row)
        })?;
    }
    for at in in_both {
        // Counted once, so that the rollups are recomputed from the single observations.
        let quarter = quarter_of(at - shift(target.over_time));
        let day = QuarterDay::of(db, calendar, target.id, target.over_time, quarter)?;
        for (tier, at) in [(Tier::Quarter, quarter), (Tier::Day, day.at)] {
            let sql = of_table!(
                tier,
                "UPDATE ",
                " SET count = CASE WHEN count > 2 THEN count - 1 ELSE 1 END \
                 WHERE series = ?1 AND at = ?2"
            );
            db.execute(sql, params![target.id, at])?;
        }
    }
    for sql in [
        "DELETE FROM raw WHERE series = ?1",
        "DELETE FROM quarter WHERE series = ?1",
        "DELETE FROM day WHERE series = ?1",
        "DELETE FROM series WHERE id = ?1",
    ] {
        db.execute(sql, params![moved.id])?;
    }
    rebuild::whole_series(db, calendar, target.id, target.over_time, target.over_time)
}
