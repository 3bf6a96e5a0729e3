//! SQL queries of a reader.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::backup;
use super::bucket::{Bucket, Tier};
use super::calendar::DAY;
use super::database;
use super::entry::StoredEvent;
use super::error::StoreError;
use super::observation::Observation;
use super::pool::Reader;
use super::rebuild;
use super::rollup_row::{self, columns, of_table};
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
    /// Collects rows of a time and a row that may be invalid.
    fn collect(
        rows: impl Iterator<Item = rusqlite::Result<(i64, Option<T>)>>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        let (mut page, mut count, mut last) = (Page { rows: Vec::new(), next: None }, 0, None);
        for row in rows {
            let (at, row) = row?;
            (count, last) = (count + 1, Some(at));
            page.rows.extend(row);
        }
        page.next = last.filter(|_| count == limit);
        Ok(page)
    }
}

impl Reader<'_> {
    /// Returns the series of a field, one for each unit in which it was recorded; the one recorded last
    /// comes first.
    pub(super) fn series(&self, source: &str, field: &str) -> Result<Vec<Series>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT id, unit, over_time FROM series WHERE source = ? AND field = ? \
             ORDER BY recorded DESC, id DESC",
        )?;
        let series = select.query_map([source, field], |row| {
            let (unit, over_time): (String, String) = (row.get(1)?, row.get(2)?);
            let unit = Unit::from_recorded(&unit);
            let over_time = over_time_of(&over_time, field, unit);
            Ok(Series { id: row.get(0)?, unit, over_time })
        })?;
        Ok(series.collect::<Result<_, _>>()?)
    }

    /// Returns all fields that have a series, as `source` and `field`.
    pub(super) fn fields(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut select = self
            .connection()
            .prepare_cached("SELECT DISTINCT source, field FROM series ORDER BY source, field")?;
        let fields = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(fields.collect::<Result<_, _>>()?)
    }

    /// Returns the times of the first and the last row of a series.
    pub(super) fn extent(&self, series: i64, tier: Tier) -> Result<Option<(i64, i64)>, StoreError> {
        // SQLite computes min() or max() alone by one look-up in the index. A SELECT of both scans
        // the table.
        let mut select = self.connection().prepare_cached(match tier {
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
        })?;
        let row: (Option<i64>, Option<i64>) =
            select.query_row([series], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(row.0.zip(row.1))
    }

    /// Returns the first `limit` rollups with `after < at < to`.
    pub(super) fn rollups(
        &self,
        series: i64,
        tier: Tier,
        (after, to): (i64, i64),
        limit: usize,
    ) -> Result<Page<Bucket>, StoreError> {
        let mut select = self.connection().prepare_cached(of_table!(
            tier,
            concat!("SELECT ", columns!(), " FROM "),
            " WHERE series = ? AND at > ? AND at < ? ORDER BY at LIMIT ?"
        ))?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = select.query_map(params![series, after, to, most], |row| {
            Ok((row.get(0)?, rollup_row::read(row)?))
        })?;
        Page::collect(rows, limit)
    }

    /// Returns the first `limit` single observations with `after < at < to`.
    pub(super) fn observations(
        &self,
        series: i64,
        (after, to): (i64, i64),
        limit: usize,
    ) -> Result<Page<Observation>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT at, value, qualifier FROM raw \
             WHERE series = ? AND at > ? AND at < ? ORDER BY at LIMIT ?",
        )?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = select.query_map(params![series, after, to, most], |row| {
            let row = rebuild::observation(row)?;
            Ok((row.at, Some(row).filter(|row| row.value.is_finite())))
        })?;
        Page::collect(rows, limit)
    }

    /// Returns time and number of the latest observation before `before`.
    pub(super) fn previous(
        &self,
        series: i64,
        before: i64,
    ) -> Result<Option<(i64, f64)>, StoreError> {
        rebuild::previous(self.connection(), series, before)
    }

    /// Counts the single observations of a window, up to `limit`.
    pub(super) fn count_raw(
        &self,
        series: i64,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM raw WHERE series = ? AND at >= ? AND at < ? \
             LIMIT ?)",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let count: i64 = select.query_row(params![series, from, to, limit], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Returns events of all sources with ids below `before`, newest first.
    pub(super) fn events(&self, before: i64, limit: usize) -> Result<EventPage, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT id, at, kind, source, detail FROM event \
             WHERE id < ? ORDER BY id DESC LIMIT ?",
        )?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut page = EventPage::default();
        let mut rows = 0;
        for row in select.query_map(params![before, most], event)? {
            let (id, event) = row?;
            rows += 1;
            page.next = Some(id);
            // Events of kinds that only a later version knows are skipped.
            page.events.extend(event.map(|event| StoredEvent { id, event }));
        }
        page.next = page.next.filter(|_| rows == limit);
        Ok(page)
    }

    /// Returns the number of single observations on the days that overlap a window, by the counts of those
    /// days.
    pub(super) fn count_by_days(&self, series: i64, from: i64, to: i64) -> Result<i64, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT coalesce(sum(count), 0) FROM day WHERE series = ? AND at > ? AND at < ?",
        )?;
        Ok(select.query_row(params![series, from.saturating_sub(DAY), to], |row| row.get(0))?)
    }

    /// Copies the file to a new one.
    pub(super) fn backup(&self, to: &Path) -> Result<(), StoreError> {
        backup::copy(self.connection(), to)
    }

    /// Checks the whole file for damage.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        database::verify(self.connection())
    }

    /// Returns the number of rows of each table.
    pub(super) fn sizes(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let tables = ["series", "raw", "quarter", "day", "event"].into_iter();
        let sized = tables.map(|table| {
            let sql = format!("SELECT count(*) FROM {table}");
            Ok((table, self.connection().query_row(&sql, [], |row| row.get(0))?))
        });
        sized.collect()
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<(i64, Option<Event>)> {
    let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (kind, source): (String, Option<String>) = (row.get(2)?, row.get(3)?);
    let detail: String = row.get(4)?;
    let event =
        kind.parse::<EventKind>().ok().zip(Timestamp::from_second(at).ok()).map(|(kind, at)| {
            // Earlier versions stored texts of upstreams with their control characters.
            let detail = clean_shared(detail.into());
            Event { at, kind, source: source.map(Arc::from), detail }
        });
    Ok((id, event))
}
