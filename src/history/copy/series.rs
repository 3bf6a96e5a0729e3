//! Series of a copy.

use super::place::Target;
use crate::history::error::StoreError;
use crate::history::executor::{self, Queries, params};
use crate::history::series::over_time_of;
use crate::units::{OverTime, Unit};

/// A series of the source.
#[derive(Debug)]
pub(super) struct CopiedSeries {
    pub(super) id: i64,
    pub(super) source: String,
    pub(super) field: String,
    /// As it is recorded: a later version may have units that this one does not know.
    unit: String,
    pub(super) over_time: OverTime,
    period: Option<f64>,
    recorded: i64,
}

/// Returns the series of each field, those of earlier units first.
pub(super) fn fields(source: &dyn Queries) -> Result<Vec<Vec<CopiedSeries>>, StoreError> {
    let sql = "SELECT id, source, field, unit, over_time, period, recorded FROM series \
               ORDER BY source, field, recorded, id";
    let all = executor::all(source, sql, &[], |row| {
        let (field, unit) = (row.string(2)?, row.string(3)?);
        let over_time = over_time_of(&row.string(4)?, &field, Unit::from_recorded(&unit));
        Ok(CopiedSeries {
            id: row.i64(0)?,
            source: row.string(1)?,
            field,
            unit,
            over_time,
            period: row.number(5)?,
            recorded: row.i64(6)?,
        })
    })?;
    let mut fields: Vec<Vec<CopiedSeries>> = Vec::new();
    for series in all {
        match fields.last_mut() {
            Some(field)
                if field.first().is_some_and(|first| {
                    (&first.source, &first.field) == (&series.source, &series.field)
                }) =>
            {
                field.push(series);
            }
            _ => fields.push(vec![series]),
        }
    }
    Ok(fields)
}

/// Inserts the series of a field that the target does not have. Returns id and aggregation of each there, and the
/// number of new ones.
pub(super) fn insert(
    target: &mut Target,
    field: &[CopiedSeries],
) -> Result<(Vec<(i64, OverTime)>, u64), StoreError> {
    let mut ids = Vec::new();
    let new = target.transaction(None, &mut [].into_iter(), &mut |db| {
        ids.clear();
        let Some(CopiedSeries { source, field: name, .. }) = field.first() else { return Ok(0) };
        // The largest `recorded` is that of the present unit, and that of the target is the present one.
        let sql = "SELECT max(recorded) FROM series WHERE source = ?1 AND field = ?2";
        let present = executor::integer(db, sql, params![&**source, &**name])?.unwrap_or(0);
        let mut new = 0;
        for series in field {
            let CopiedSeries { source, field, unit, over_time, period, recorded, .. } = series;
            let recorded = if present > 0 { 0 } else { *recorded };
            let sql = "INSERT INTO series (source, field, unit, over_time, period, recorded) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (source, field, unit) DO NOTHING";
            let over_time = over_time.as_str();
            let row = params![&**source, &**field, &**unit, over_time, *period, recorded];
            new += db.execute(sql, row)?;
            let sql = "SELECT id, over_time, period FROM series \
                       WHERE source = ?1 AND field = ?2 AND unit = ?3";
            let found = executor::first(db, sql, params![&**source, &**field, &**unit], |row| {
                let over_time =
                    over_time_of(&row.string(1)?, field, Unit::from_recorded(unit));
                Ok((row.i64(0)?, over_time, row.number(2)?))
            })?;
            let Some((id, over_time, known)) = found else {
                let lost = format!("the series of {source}.{field} is missing");
                return Err(StoreError::Damaged(lost));
            };
            if let (None, Some(period)) = (known, period) {
                let sql = "UPDATE series SET period = ?1 WHERE id = ?2";
                db.execute(sql, params![*period, id])?;
            }
            ids.push((id, over_time));
        }
        Ok(new)
    })?;
    Ok((ids, new))
}
