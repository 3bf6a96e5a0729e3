//! SQL queries of a reader.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::backup;
use super::bucket::{Bucket, Tier};
use super::calendar::DAY;
use super::database;
use super::entry::StoredEvent;
use super::error::StoreError;
use super::executor::{self, Queries, Row, params};
use super::observation::Observation;
use super::pool::Reader;
use super::rebuild;
use super::rollup_row;
use super::series::over_time_of;
use crate::board::{Event, EventKind};
use crate::text::clean_shared;
use crate::units::{OverTime, Unit};

/// A field of a source in one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) id: i64,
    pub(super) unit: Option<Unit>,
    pub(super) over_time: OverTime,
}

/// Events read by one query.
#[derive(Debug, Default)]
pub(super) struct EventPage {
    pub(super) events: Vec<StoredEvent>,
    /// Id below which there may be more; `None` at the end.
    pub(super) next: Option<i64>,
}

/// Rows read by one query.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// Time of the last row, after which there may be more; `None` at the end.
    pub(super) next: Option<i64>,
}

impl<T> Page<T> {
    /// Returns the page of rows with their times, some of which may be invalid.
    fn new(rows: Vec<(i64, Option<T>)>, limit: usize) -> Page<T> {
        let last = rows.last().map(|&(at, _)| at);
        let next = last.filter(|_| rows.len() == limit);
        Page { rows: rows.into_iter().filter_map(|(_, row)| row).collect(), next }
    }
}

impl Reader<'_> {
    /// Returns the series of a field, one for each unit in which it was recorded; the one recorded last
    /// comes first.
    pub(super) fn series(&self, source: &str, field: &str) -> Result<Vec<Series>, StoreError> {
        let sql = "SELECT id, unit, over_time FROM series WHERE source = ?1 AND field = ?2 \
                   ORDER BY recorded DESC, id DESC";
        executor::all(self.db(), sql, params![source, field], |row| {
            let unit = Unit::from_recorded(&row.string(1)?);
            let over_time = over_time_of(&row.string(2)?, field, unit);
            Ok(Series { id: row.i64(0)?, unit, over_time })
        })
    }

    /// Returns all fields that have a series, as `source` and `field`.
    pub(super) fn fields(&self) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT DISTINCT source, field FROM series ORDER BY source, field";
        executor::all(self.db(), sql, &[], |row| Ok((row.string(0)?, row.string(1)?)))
    }

    /// Returns the times of the first and the last row of a series.
    pub(super) fn extent(&self, series: i64, tier: Tier) -> Result<Option<(i64, i64)>, StoreError> {
        // SQLite computes min() or max() alone by one look-up in the index. A SELECT of both scans
        // the table.
        let sql = match tier {
            Tier::Raw => {
                "SELECT (SELECT min(at) FROM raw WHERE series = ?1), \
                 (SELECT max(at) FROM raw WHERE series = ?1)"
            }
            Tier::Quarter => {
                "SELECT (SELECT min(at) FROM quarter WHERE series = ?1), \
                 (SELECT max(at) FROM quarter WHERE series = ?1)"
            }
            Tier::Day => {
                "SELECT (SELECT min(at) FROM day WHERE series = ?1), \
                 (SELECT max(at) FROM day WHERE series = ?1)"
            }
        };
        let row = executor::first(self.db(), sql, params![series], |row| {
            Ok(row.integer(0)?.zip(row.integer(1)?))
        })?;
        Ok(row.flatten())
    }

    /// Returns the first `limit` rollups with `after < at < to`.
    pub(super) fn rollups(
        &self,
        series: i64,
        tier: Tier,
        (after, to): (i64, i64),
        limit: usize,
    ) -> Result<Page<Bucket>, StoreError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = rollup_row::page(self.db(), tier, series, (after, to), most)?;
        Ok(Page::new(rows, limit))
    }

    /// Returns the first `limit` single observations with `after < at < to`.
    pub(super) fn observations(
        &self,
        series: i64,
        (after, to): (i64, i64),
        limit: usize,
    ) -> Result<Page<Observation>, StoreError> {
        let sql = "SELECT at, value, qualifier FROM raw \
                   WHERE series = ?1 AND at > ?2 AND at < ?3 ORDER BY at LIMIT ?4";
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = executor::all(self.db(), sql, params![series, after, to, most], |row| {
            let row = rebuild::observation(row)?;
            Ok((row.at, Some(row).filter(|row| row.value.is_finite())))
        })?;
        Ok(Page::new(rows, limit))
    }

    /// Returns time and number of the latest observation before `before`.
    pub(super) fn previous(
        &self,
        series: i64,
        before: i64,
    ) -> Result<Option<(i64, f64)>, StoreError> {
        rebuild::previous(self.db(), series, before)
    }

    /// Counts the single observations of a window, up to `limit`.
    pub(super) fn count_raw(
        &self,
        series: i64,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM (SELECT at FROM raw \
                   WHERE series = ?1 AND at >= ?2 AND at < ?3 LIMIT ?4) AS counted";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let count = executor::integer(self.db(), sql, params![series, from, to, limit])?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
    }

    /// Returns events of all sources with ids below `before`, newest first.
    pub(super) fn events(&self, before: i64, limit: usize) -> Result<EventPage, StoreError> {
        events(self.db(), before, limit)
    }

    /// Returns the number of single observations on the days that overlap a window, by the counts of those
    /// days.
    pub(super) fn count_by_days(&self, series: i64, from: i64, to: i64) -> Result<i64, StoreError> {
        let sql = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM day \
                   WHERE series = ?1 AND at > ?2 AND at < ?3";
        let span = params![series, from.saturating_sub(DAY), to];
        Ok(executor::integer(self.db(), sql, span)?.unwrap_or(0))
    }

    /// Copies the file to a new one.
    pub(super) fn backup(&self, to: &Path) -> Result<(), StoreError> {
        match self.file() {
            Some(connection) => backup::copy(connection, to),
            None => Err(StoreError::NotAFile),
        }
    }

    /// Checks the whole file for damage.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        self.file().map_or(Ok(()), database::verify)
    }

    /// Returns the number of rows of each table.
    pub(super) fn sizes(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let tables = ["series", "raw", "quarter", "day", "event"].into_iter();
        let sized = tables.map(|table| {
            let sql = format!("SELECT count(*) FROM {table}");
            Ok((table, executor::integer(self.db(), &sql, &[])?.unwrap_or(0)))
        });
        sized.collect()
    }
}

/// Returns events of all sources with ids below `before`, newest first.
pub(super) fn events(db: &dyn Queries, before: i64, limit: usize) -> Result<EventPage, StoreError> {
    let sql = "SELECT id, at, kind, source, detail FROM event \
               WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = executor::all(db, sql, params![before, most], event)?;
    let next = rows.last().map(|&(id, _)| id).filter(|_| rows.len() == limit);
    // Events of kinds that only a later version knows are skipped.
    let events = rows.into_iter().filter_map(|(id, event)| Some(StoredEvent { id, event: event? }));
    Ok(EventPage { events: events.collect(), next })
}

fn event(row: &dyn Row) -> Result<(i64, Option<Event>), StoreError> {
    let (id, at) = (row.i64(0)?, row.i64(1)?);
    let (kind, source, detail) = (row.string(2)?, row.text(3)?, row.string(4)?);
    let event =
        kind.parse::<EventKind>().ok().zip(Timestamp::from_second(at).ok()).map(|(kind, at)| {
            // Earlier versions stored texts of upstreams with their control characters.
            let detail = clean_shared(detail.into());
            Event { at, kind, source: source.map(Arc::from), detail }
        });
    Ok((id, event))
}
