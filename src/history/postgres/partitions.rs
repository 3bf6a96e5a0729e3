//! Partitions of the tables of observations and of quarters: one for each month, by UTC.
//!
//! A partition is created as a table and then attached, which waits for no reader of the whole table, as a dump of hours
//! is one. The months ahead are created early, so that a month never begins with observations that have no place.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::history::error::StoreError;
use crate::postgres::{Limits, PostgresError, Statement};
use crate::store::Link;

/// Tables that have partitions.
pub(super) const TABLES: [&str; 2] = ["raw", "quarter"];

/// Months that are created ahead of the present.
const AHEAD: i64 = 1;

/// A month by UTC, as the number of months since the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(i64);

impl Month {
    /// Returns the month of a time in seconds since 1970; `None` beyond the years of the calendar.
    pub(super) fn of(at: i64) -> Option<Month> {
        let date = TimeZone::UTC.to_datetime(Timestamp::from_second(at).ok()?).date();
        Some(Month(i64::from(date.year()) * 12 + i64::from(date.month()) - 1))
    }

    /// Returns the first second, and the first one of the next month; `None` beyond the years of the calendar.
    pub(super) fn bounds(self) -> Option<(i64, i64)> {
        let year = i16::try_from(self.0.div_euclid(12)).ok()?;
        let month = i8::try_from(self.0.rem_euclid(12) + 1).ok()?;
        let first = Date::new(year, month, 1).ok()?;
        let start =
            |date: Date| Some(TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second());
        Some((start(first)?, start(first.checked_add(1.month()).ok()?)?))
    }

    /// Returns the name of a table's partition: `raw_2026_01`.
    fn partition(self, table: &str) -> String {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) + 1);
        format!("{table}_{year:04}_{month:02}")
    }

    /// Returns the month of a partition.
    pub(super) fn of_partition(table: &str, partition: &str) -> Option<Month> {
        let (year, month) = partition.strip_prefix(table)?.strip_prefix('_')?.split_once('_')?;
        let (year, month): (i64, i64) = (year.parse().ok()?, month.parse().ok()?);
        (1..=12).contains(&month).then_some(Month(year * 12 + month - 1))
    }
}

/// Partitions that exist, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// Months for which both tables have one; `None` until they have been read.
    known: Option<BTreeSet<Month>>,
}

impl Partitions {
    /// Creates the partitions of months that have none.
    ///
    /// # Errors
    /// A statement failed, such as by its limit on locks.
    pub(super) fn ensure(
        &mut self,
        link: &mut Link,
        months: impl IntoIterator<Item = Month>,
        limits: Limits,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        for month in months {
            if self.known(link, limits, deadline)?.contains(&month) {
                continue;
            }
            let Some(bounds) = month.bounds() else { continue };
            for table in TABLES {
                create(link, table, month, bounds, limits, deadline)?;
            }
            self.known(link, limits, deadline)?.insert(month);
        }
        Ok(())
    }

    /// Creates the partitions of the present month and of the one ahead.
    ///
    /// # Errors
    /// A statement failed, such as by its limit on locks.
    pub(super) fn ensure_present(
        &mut self,
        link: &mut Link,
        now: i64,
        limits: Limits,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let Some(Month(present)) = Month::of(now) else { return Ok(()) };
        self.ensure(link, (present..=present + AHEAD).map(Month), limits, deadline)
    }

    /// Forgets what exists, as it may have changed: another server may be the primary now.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    fn known(
        &mut self,
        link: &mut Link,
        limits: Limits,
        deadline: Instant,
    ) -> Result<&mut BTreeSet<Month>, StoreError> {
        if let Some(ref mut known) = self.known {
            return Ok(known);
        }
        let [raw, quarters] = TABLES.map(|table| read(link, table, limits, deadline));
        let (raw, quarters) = (raw?, quarters?);
        Ok(self.known.insert(raw.intersection(&quarters).copied().collect()))
    }
}

/// Returns the months for which a table has a partition.
pub(super) fn read(
    link: &mut Link,
    table: &str,
    limits: Limits,
    deadline: Instant,
) -> Result<BTreeSet<Month>, StoreError> {
    let sql = format!(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
         WHERE inhparent = 'pumphouse.{table}'::regclass"
    );
    let outcomes = link.run(limits, &[Statement::plain(&sql)], deadline)?;
    let mut months = BTreeSet::new();
    for row in outcomes.iter().flat_map(|outcome| outcome.rows()) {
        months.extend(Month::of_partition(table, row.text(0)?));
    }
    Ok(months)
}

/// Creates a partition, unless another replica does so at the same time.
fn create(
    link: &mut Link,
    table: &str,
    month: Month,
    (from, to): (i64, i64),
    limits: Limits,
    deadline: Instant,
) -> Result<(), StoreError> {
    let partition = month.partition(table);
    let like = format!("CREATE TABLE {partition} (LIKE {table} INCLUDING ALL)");
    let attach = format!(
        "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({from}) TO ({to})"
    );
    match link.run(limits, &[Statement::plain(&like), Statement::plain(&attach)], deadline) {
        Err(error) if is_race(&error) && read(link, table, limits, deadline)?.contains(&month) => {
            Ok(())
        }
        other => Ok(other.map(drop)?),
    }
}

/// Returns true for the errors of two creations at one time: unique_violation, duplicate_table.
fn is_race(error: &PostgresError) -> bool {
    error.sqlstate().is_some_and(|code| matches!(code, "23505" | "42P07"))
}

/// Drops a partition with all its rows.
///
/// # Errors
/// The statement failed, such as by its limit on locks: a long query reads the table.
pub(super) fn drop_partition(
    link: &mut Link,
    table: &str,
    month: Month,
    limits: Limits,
    deadline: Instant,
) -> Result<(), StoreError> {
    let sql = format!("DROP TABLE IF EXISTS {}", month.partition(table));
    link.run(limits, &[Statement::plain(&sql)], deadline)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_their_bounds_and_names() {
        for (at, name, from, to) in [
            ("2026-01-31T23:59:59Z", "raw_2026_01", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("2026-02-01T00:00:00Z", "raw_2026_02", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2023-12-15T12:00:00Z", "raw_2023_12", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ] {
            let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
            let month = Month::of(second(at)).unwrap();
            assert_eq!(month.partition("raw"), name);
            assert_eq!(month.bounds(), Some((second(from), second(to))));
            assert_eq!(Month::of_partition("raw", name), Some(month));
        }
        for other in ["raw", "raw_old", "raw_2026_13", "quarter_2026_01", "raw_2026_01_old"] {
            assert_eq!(Month::of_partition("raw", other), None, "{other}");
        }
    }
}
