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

/// Most names that are tried for a partition.
const MAX_NAMES: u32 = 9;

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
}

/// A partition. Its name does not matter: an operator may have joined several, or given another one that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    /// Name as in a statement.
    pub(super) name: String,
    /// First time, and the one after the last.
    pub(super) bounds: (i64, i64),
}

impl Partition {
    /// Returns true if there is a partition for each time of a span, or at least for the first and the last one.
    fn cover(partitions: &[Partition], (from, to): (i64, i64)) -> bool {
        let has = |at| partitions.iter().any(|it| (it.bounds.0..it.bounds.1).contains(&at));
        has(from) && has(to - 1)
    }
}

/// Returns the bounds of a partition as the server describes them: `FOR VALUES FROM ('0') TO ('86400')`, or `DEFAULT`.
pub(super) fn parse_bounds(text: &str) -> Option<(i64, i64)> {
    if text == "DEFAULT" {
        return Some((i64::MIN, i64::MAX));
    }
    let bound = |text: &str| match text {
        "MINVALUE" => Some(i64::MIN),
        "MAXVALUE" => Some(i64::MAX),
        _ => text.trim_matches('\'').parse().ok(),
    };
    let inner = text.strip_prefix("FOR VALUES FROM (")?.strip_suffix(')')?;
    let (from, to) = inner.split_once(") TO (")?;
    Some((bound(from)?, bound(to)?))
}

/// Partitions that exist, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// Those of each of [`TABLES`]; `None` until they have been read.
    known: Option<[Vec<Partition>; 2]>,
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
            let Some(bounds) = month.bounds() else { continue };
            let known = self.known(link, limits, deadline)?;
            for (table, partitions) in TABLES.into_iter().zip(known) {
                if !Partition::cover(partitions, bounds) {
                    partitions.push(create(link, table, month, bounds, limits, deadline)?);
                }
            }
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

    /// Creates the partitions of quarters for which there are partitions of observations, from the first to the last one.
    ///
    /// # Errors
    /// A statement failed, such as by its limit on locks.
    pub(super) fn ensure_quarters(
        &mut self,
        link: &mut Link,
        (first, last): (i64, i64),
        limits: Limits,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let [observations, _] = self.known(link, limits, deadline)?;
        let mut months = BTreeSet::new();
        for Partition { bounds: (from, to), .. } in observations {
            // An amount belongs to the quarter before its stamp.
            let (from, to) = ((*from).max(first) - 1, (*to - 1).min(last));
            if let (Some(Month(from)), Some(Month(to))) = (Month::of(from), Month::of(to)) {
                months.extend((from..=to).map(Month));
            }
        }
        self.ensure(link, months, limits, deadline)
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
    ) -> Result<&mut [Vec<Partition>; 2], StoreError> {
        if let Some(ref mut known) = self.known {
            return Ok(known);
        }
        let [raw, quarters] = TABLES.map(|table| read(link, table, limits, deadline));
        Ok(self.known.insert([raw?, quarters?]))
    }
}

/// Returns the partitions of a table.
pub(super) fn read(
    link: &mut Link,
    table: &str,
    limits: Limits,
    deadline: Instant,
) -> Result<Vec<Partition>, StoreError> {
    let sql = format!(
        "SELECT inhrelid::regclass::text, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits \
         JOIN pg_class ON pg_class.oid = inhrelid \
         WHERE inhparent = 'pumphouse.{table}'::regclass ORDER BY relname"
    );
    let outcomes = link.run(limits, &[Statement::plain(&sql)], deadline)?;
    let mut partitions = Vec::new();
    for row in outcomes.iter().flat_map(|outcome| outcome.rows()) {
        if let Some(bounds) = row.optional_text(1)?.and_then(parse_bounds) {
            partitions.push(Partition { name: row.text(0)?.to_owned(), bounds });
        }
    }
    Ok(partitions)
}

/// Creates a partition, unless another replica does so at the same time. Its name has a number if another table has that
/// of the month, such as a partition that was detached to be archived.
fn create(
    link: &mut Link,
    table: &str,
    month: Month,
    bounds: (i64, i64),
    limits: Limits,
    deadline: Instant,
) -> Result<Partition, StoreError> {
    let (from, to) = bounds;
    let mut number = 1;
    loop {
        let name = match number {
            1 => month.partition(table),
            number => format!("{}_{number}", month.partition(table)),
        };
        let like = format!("CREATE TABLE {name} (LIKE {table} INCLUDING ALL)");
        let attach = format!(
            "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
        );
        let statements = [Statement::plain(&like), Statement::plain(&attach)];
        let error = match link.run(limits, &statements, deadline) {
            Ok(_) => return Ok(Partition { name, bounds }),
            Err(error) => error,
        };
        if !is_race(&error) {
            return Err(error.into());
        }
        if Partition::cover(&read(link, table, limits, deadline)?, bounds) {
            return Ok(Partition { name, bounds });
        }
        if number == MAX_NAMES {
            return Err(error.into());
        }
        number += 1;
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
    partition: &Partition,
    limits: Limits,
    deadline: Instant,
) -> Result<(), StoreError> {
    let sql = format!("DROP TABLE IF EXISTS {}", partition.name);
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
        }
    }

    #[test]
    fn bounds_are_read_as_the_server_writes_them() {
        for (text, expected) in [
            ("FOR VALUES FROM ('-5') TO ('86400')", Some((-5, 86_400))),
            ("FOR VALUES FROM (MINVALUE) TO ('7')", Some((i64::MIN, 7))),
            ("FOR VALUES FROM ('7') TO (MAXVALUE)", Some((7, i64::MAX))),
            ("DEFAULT", Some((i64::MIN, i64::MAX))),
            ("FOR VALUES IN ('7')", None),
            ("", None),
        ] {
            assert_eq!(parse_bounds(text), expected, "{text}");
        }
    }
}
