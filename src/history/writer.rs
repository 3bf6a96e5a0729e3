//! The connection that writes. Each batch is one transaction.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, params};

use super::calendar::Calendar;
use super::days;
use super::destination::{Destination, Written};
use super::entry::{Entry, StoredEvent};
use super::error::StoreError;
use super::meta;
use super::renames::{self, SourceFields};
use super::rollup;
use super::series::{SeriesTable, over_time_of};
use super::settings::Retention;
use super::upgrade;
use super::{database, schema};
use crate::board::Change;
use crate::time_zone;
use crate::units::{OverTime, Unit};

/// Most rows of a series and table that one `prune` deletes, so that a shortened retention does not
/// delay the next flush.
const MAX_DELETED: i64 = 5_000;

/// Most rows that one `prune` deletes in all, which takes about a second. 10,000 sources with four values record fewer
/// in a minute, so that pruning keeps up.
const MAX_DELETED_IN_ALL: i64 = 100_000;

/// Most events in the file.
pub(super) const MAX_EVENTS: i64 = 100_000;

/// Page cache of an import.
const IMPORT_CACHE_KIB: i64 = 64 * 1024;

/// Writes past changes into a file that no recorder writes to, and creates the file if it does not exist.
/// Returns the number of new rows.
///
/// # Errors
/// The file cannot be written. It then has none of the changes.
pub fn import(
    path: &Path,
    zone: &TimeZone,
    changes: impl IntoIterator<Item = Change>,
) -> Result<u64, StoreError> {
    let mut writer = Writer::open(path, zone, &[], || {})?;
    // The transaction is large, and its rows are not sorted.
    writer.connection.pragma_update(None, "cache_size", -IMPORT_CACHE_KIB)?;
    let mut id = writer.latest_event()?;
    let entries = changes.into_iter().filter_map(|change| match change {
        Change::Observed(samples) => Some(Entry::Samples(samples)),
        Change::Happened(event) => {
            id += 1;
            Some(Entry::Event(StoredEvent { id, event }))
        }
        Change::ClockStepped(_) => None,
    });
    let entries: Vec<Entry> = entries.collect();
    writer.write(entries.iter())
}

/// Connection that writes to the file.
pub(super) struct Writer {
    connection: Connection,
    calendar: Calendar,
    series: SeriesTable,
    /// Sources and fields whose samples the file refuses.
    refused: HashSet<(Arc<str>, Arc<str>)>,
    /// Time of the latest record, to be stored by the next write.
    latest: Option<i64>,
}

impl Writer {
    /// Opens the file, or creates it, and migrates it. Days are those of `zone`. Calls `beat` during long
    /// statements, here and later.
    pub(super) fn open(
        path: &Path,
        zone: &TimeZone,
        sources: &[SourceFields],
        beat: impl Fn() + Send + 'static,
    ) -> Result<Writer, StoreError> {
        let mut calendar = Calendar::new(zone.clone());
        let connection = schema::open_to_write(path, beat, |transaction, version| {
            upgrade::run(transaction, &mut calendar, sources, version)
        })?;
        let (series, refused) = (SeriesTable::default(), HashSet::new());
        let mut writer = Writer { connection, calendar, series, refused, latest: None };
        writer.move_renamed(sources)?;
        writer.adopt_zone(zone)?;
        Ok(writer)
    }

    /// Returns the connection, for rows of another history.
    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Checks the whole file for damage, which may take minutes.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        database::verify(&self.connection)
    }

    /// Returns the time of the latest record that is not known to be wrong.
    pub(super) fn latest(&self) -> Result<Option<i64>, StoreError> {
        if let Some(latest) = meta::number(&self.connection, meta::LATEST)? {
            return Ok(Some(latest));
        }
        Ok(self.connection.query_row("SELECT max(last_at) FROM day", [], |row| row.get(0))?)
    }

    /// Returns for how long the latest record has held readings.
    pub(super) fn held(&self) -> Result<Duration, StoreError> {
        let seconds = meta::number(&self.connection, meta::HELD)?;
        Ok(Duration::from_secs(seconds.and_then(|n| n.try_into().ok()).unwrap_or(0)))
    }

    /// Moves the renamed fields of sources that were not configured when the file was migrated.
    pub(super) fn move_renamed(&mut self, sources: &[SourceFields]) -> Result<(), StoreError> {
        // Their ids may be those of other fields then.
        self.series.clear();
        let transaction = self.connection.transaction()?;
        renames::apply(&*transaction, &mut self.calendar, sources)?;
        Ok(transaction.commit()?)
    }

    /// Returns the largest id of an event; 0 if there is none.
    pub(super) fn latest_event(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM event";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Writes all entries in one transaction; returns the number of new and corrected rows. Entries that are
    /// already stored are skipped.
    ///
    /// If the file refuses a sample, such as by a constraint that other software added, the samples of that
    /// field are left out: they must not keep those of other sources from being written.
    pub(super) fn write<'e>(
        &mut self,
        entries: impl IntoIterator<Item = &'e Entry> + Clone,
    ) -> Result<u64, StoreError> {
        loop {
            let refused = match self.write_transaction(entries.clone().into_iter()) {
                Ok(rows) => return Ok(rows),
                Err(refused) => refused,
            };
            // The rollback has removed series that the transaction had created.
            self.series.clear();
            let Refused { field, error } = refused;
            match field
                .filter(|_| error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
            {
                Some((source, field)) => {
                    log::error!(
                        "the history refuses values of {source}.{field}, which are not recorded \
                         until the next start: {error}"
                    );
                    self.refused.insert((source, field));
                }
                None => return Err(error),
            }
        }
    }

    fn write_transaction<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> Result<u64, Refused> {
        let transaction = self.connection.transaction()?;
        let mut rows = 0;
        for entry in entries {
            match entry {
                Entry::Samples(samples) => {
                    for sample in samples {
                        let field = || (sample.source.clone(), sample.field.clone());
                        if !self.refused.is_empty() && self.refused.contains(&field()) {
                            continue;
                        }
                        let added = rollup::add(
                            &*transaction,
                            &mut self.series,
                            &mut self.calendar,
                            sample,
                            samples,
                        );
                        let is_new =
                            added.map_err(|error| Refused { field: Some(field()), error })?;
                        rows += u64::from(is_new);
                    }
                }
                Entry::Event(StoredEvent { id, event }) => {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO event (id, at, kind, source, detail) VALUES (?, ?, ?, ?, ?) \
                         ON CONFLICT DO NOTHING",
                    )?;
                    let (at, source) = (event.at.as_second(), event.source.as_deref());
                    let row = params![id, at, event.kind.as_str(), source, &*event.detail];
                    rows += insert.execute(row)? as u64;
                }
            }
        }
        if let Some(latest) = self.latest {
            meta::set(&*transaction, meta::LATEST, &latest.to_string())?;
        }
        transaction.commit()?;
        Ok(rows)
    }

    /// Deletes a bounded number of rows that are older than their retention; returns true once none
    /// are left.
    ///
    /// A row must be too old both by the clock and by the number of recorded days after it. By the clock alone, a
    /// clock that is years ahead would delete years of rows. It cannot add more recorded days than a right one.
    pub(super) fn prune(&mut self, keep: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        self.prune_at_most(MAX_DELETED_IN_ALL, keep, now)
    }

    /// Deletes at most `limit` rows, as [`Writer::prune`] does.
    fn prune_at_most(
        &mut self,
        limit: i64,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let all = self.all_series()?;
        let transaction = self.connection.transaction()?;
        let (mut done, mut left) = (true, limit);
        for (table, keep) in [("raw", keep.raw), ("quarter", keep.quarters), ("day", keep.days)] {
            let Some(keep) = keep else { continue };
            let Ok(by_clock) = now.checked_sub(keep) else { continue };
            let Some(by_days) = start_of_latest_days(&transaction, keep)? else { continue };
            let before = by_clock.as_second().min(by_days);
            let sql = format!(
                "DELETE FROM {table} WHERE (series, at) IN (SELECT series, at FROM {table} \
                 WHERE series = ? AND at < ? ORDER BY at LIMIT ?)"
            );
            let mut delete = transaction.prepare_cached(&sql)?;
            for (series, _) in &all {
                let most = MAX_DELETED.min(left);
                let deleted = delete.execute(params![series, before, most])? as i64;
                left -= deleted;
                done &= deleted < most;
                if left == 0 {
                    break;
                }
            }
        }
        let sql = "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?";
        transaction.execute(sql, [MAX_EVENTS])?;
        transaction.commit()?;
        Ok(done)
    }

    /// Returns the ids and the aggregations of all series.
    fn all_series(&self) -> Result<Vec<(i64, OverTime)>, StoreError> {
        let sql = "SELECT id, over_time, field, unit FROM series";
        let mut select = self.connection.prepare_cached(sql)?;
        let all = select.query_map([], |row| {
            let text = |column| row.get::<_, String>(column);
            let over_time = over_time_of(&text(1)?, &text(2)?, Unit::from_recorded(&text(3)?));
            Ok((row.get(0)?, over_time))
        })?;
        Ok(all.collect::<Result<_, _>>()?)
    }

    /// Recomputes the days from the quarters if they were computed for another zone.
    fn adopt_zone(&mut self, zone: &TimeZone) -> Result<(), StoreError> {
        let name = &*time_zone::identity(zone);
        let stored = meta::get(&self.connection, meta::TIME_ZONE)?;
        if stored.as_deref() == Some(name) {
            return Ok(());
        }
        if let Some(stored) = stored {
            log::info!(
                "the time zone changed from {stored} to {name}: recomputing the days of the history"
            );
        }
        let all = self.all_series()?;
        let transaction = self.connection.transaction()?;
        for (series, over_time) in all {
            days::recompute(&*transaction, &mut self.calendar, series, over_time)?;
        }
        meta::set(&*transaction, meta::TIME_ZONE, name)?;
        Ok(transaction.commit()?)
    }

    /// Recomputes the days of series that have days of another calendar. Earlier versions recorded such days,
    /// which overlap with others, when the zone had no name; and the rules of a zone may change.
    pub(super) fn mend_days(&mut self) -> Result<(), StoreError> {
        self.series.clear();
        for (series, over_time) in self.all_series()? {
            if days::has_foreign(&self.connection, &mut self.calendar, series, over_time)? {
                log::info!("days of series {series} are of another time zone: recomputing them");
                let transaction = self.connection.transaction()?;
                days::recompute(&*transaction, &mut self.calendar, series, over_time)?;
                transaction.commit()?;
            }
        }
        Ok(())
    }
}

impl Destination for Writer {
    fn write(&mut self, entries: &VecDeque<Entry>) -> Result<Written, StoreError> {
        let rows = Writer::write(self, entries)?;
        Ok(Written { rows, stored: entries.len(), ..Written::default() })
    }

    fn prune(&mut self, keep: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        Writer::prune(self, keep, now)
    }

    fn is_readable(&self) -> bool {
        true
    }

    fn verify(&self) -> Result<(), StoreError> {
        Writer::verify(self)
    }

    fn move_renamed(&mut self, sources: &[SourceFields]) -> Result<(), StoreError> {
        Writer::move_renamed(self, sources)
    }

    fn set_latest(&mut self, latest: Option<i64>) {
        self.latest = latest;
    }

    fn store_held(&mut self, held: Duration) -> Result<(), StoreError> {
        meta::set(&self.connection, meta::HELD, &held.as_secs().to_string())
    }
}

/// A transaction that failed, and the field whose sample it could not write.
struct Refused {
    field: Option<(Arc<str>, Arc<str>)>,
    error: StoreError,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        Refused { field: None, error }
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Refused {
        Refused { field: None, error: error.into() }
    }
}

/// Returns the start of the n-th latest recorded day, where `keep` has n days. Returns `None` if fewer days
/// were recorded.
fn start_of_latest_days(
    transaction: &Transaction<'_>,
    keep: Duration,
) -> Result<Option<i64>, StoreError> {
    const DAY: u64 = super::calendar::DAY.unsigned_abs();
    let days = i64::try_from(keep.as_secs().div_ceil(DAY).max(1)).unwrap_or(i64::MAX);
    let sql = "SELECT DISTINCT at FROM day ORDER BY at DESC LIMIT 1 OFFSET ?";
    Ok(transaction.query_row(sql, [days - 1], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests;
