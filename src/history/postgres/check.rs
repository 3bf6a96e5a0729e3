//! Consistency of the database, as far as this program can check it: PostgreSQL itself checks its pages.

use std::time::{Duration, Instant};

use super::partitions::{self, Month, Partition, TABLES};
use crate::history::calendar::QUARTER;
use crate::history::error::StoreError;
use crate::history::meta;
use crate::history::rebuild::quarter_of;
use crate::postgres::{Limits, Outcome, Param, Statement};
use crate::store::{Access, Link};

/// Most time of a statement. Counting the rows of years takes minutes.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Time before the latest observation whose rollups are compared, in seconds.
const COMPARED: i64 = 2 * 24 * 60 * 60;

/// Most faults of one kind that are reported.
const MAX_FAULTS: i64 = 20;

/// Result of a check.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Number of rows of each table.
    pub(crate) rows: Vec<(&'static str, i64)>,
    /// Checks that were made.
    pub(crate) passed: Vec<String>,
    /// Fault that was found.
    pub(crate) faults: Vec<String>,
}

/// Checks the database, while replicas record into it.
///
/// # Errors
/// The database cannot be reached, or refused a query.
pub(crate) fn check(access: &Access) -> Result<Checked, StoreError> {
    let mut link = Link::new(access.clone());
    let mut checked = Checked::default();
    for table in ["series", "raw", "quarter", "day", "event"] {
        let sql = format!("SELECT count(*) FROM {table}");
        checked.rows.push((table, run(&mut link, &sql, &[])?.only()?.i64(0)?));
    }
    let first = partitions(&mut link, &mut checked)?;
    let latest = [Param::Text(meta::LATEST)];
    let sql = "SELECT coalesce((SELECT CASE WHEN value ~ '^-?[0-9]{1,18}$' THEN value::bigint END \
               FROM meta WHERE key = $1), (SELECT max(last_at) FROM day))";
    let latest = run(&mut link, sql, &latest)?.only()?.optional_i64(0)?;
    if let Some(latest) = latest {
        // Earlier rows may have been deleted, those of one table before those of the other.
        let from = quarter_of((latest - COMPARED).max(first)) + QUARTER;
        quarters(&mut link, (from, quarter_of(latest)), &mut checked)?;
        days(&mut link, from, &mut checked)?;
    }
    Ok(checked)
}

/// Checks that the partitions have whole months. Returns the time from which both tables have partitions.
fn partitions(link: &mut Link, checked: &mut Checked) -> Result<i64, StoreError> {
    let mut start = i64::MIN;
    for table in TABLES {
        let deadline = Instant::now() + TIMEOUT;
        let mut all = partitions::read(link, table, Limits::all(TIMEOUT), deadline)?;
        all.sort_by_key(|partition| partition.bounds);
        let faults = checked.faults.len();
        for Partition { name, bounds: (from, to) } in &all {
            if ![*from, *to].into_iter().all(is_border) {
                checked.faults.push(format!(
                    "the partition {name} of {table} has a part of a month, whose other times have none: {from} to {to}"
                ));
            }
        }
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            checked.passed.push(format!("{table} has no partitions yet"));
            continue;
        };
        start = start.max(first.bounds.0);
        if checked.faults.len() == faults {
            checked.passed.push(match all.len() {
                1 => format!("{table} has the partition {}", first.name),
                count => {
                    format!("{table} has {count} partitions, {} to {}", first.name, last.name)
                }
            });
        }
    }
    Ok(start)
}

/// Returns true if a month begins at a time, or if the partition has all times before or after.
fn is_border(at: i64) -> bool {
    let month = Month::of(at).and_then(Month::bounds);
    month.is_none_or(|(begin, _)| begin == at)
}

/// Compares the counts of quarters with the numbers of single observations, in one statement.
fn quarters(
    link: &mut Link,
    (from, to): (i64, i64),
    checked: &mut Checked,
) -> Result<(), StoreError> {
    let sql = "SELECT source, field, compared.at, stored, found FROM \
               (SELECT series, at, coalesce(quarters.count, 0) AS stored, \
               coalesce(observed.count, 0) AS found FROM \
               (SELECT series, at, count FROM quarter WHERE at >= $1 AND at < $2) AS quarters \
               FULL JOIN (SELECT series, shifted - mod(shifted, $3) AS at, count(*) AS count FROM \
               (SELECT series, at - CASE WHEN over_time = 'sum' THEN 1 ELSE 0 END AS shifted \
               FROM raw JOIN series ON series.id = raw.series \
               WHERE at >= $1 AND at <= $2) AS observations \
               WHERE shifted >= $1 AND shifted < $2 GROUP BY 1, 2) AS observed \
               USING (series, at)) AS compared JOIN series ON series.id = compared.series \
               WHERE stored <> found ORDER BY compared.at, source, field LIMIT $4";
    let limit = Param::I64(MAX_FAULTS);
    let params = [Param::I64(from), Param::I64(to), Param::I64(QUARTER), limit];
    let are_equal = compare(link, sql, &params, checked, |at, stored, found| {
        format!(
            "the quarter at {at} has {stored} observations by its count, and {found} are stored"
        )
    })?;
    if are_equal {
        let sql = "SELECT count(*) FROM quarter WHERE at >= $1 AND at < $2";
        let count = run(link, sql, &params[..2])?.only()?.i64(0)?;
        checked.passed.push(format!(
            "the counts of the {count} quarters of the latest two days are those of their observations"
        ));
    }
    Ok(())
}

/// Compares the counts of the latest two days of each series with those of their quarters.
fn days(link: &mut Link, from: i64, checked: &mut Checked) -> Result<(), StoreError> {
    let sql = "SELECT source, field, at, stored, found FROM \
               (SELECT source, field, latest.at, \
               (SELECT sum(count) FROM day WHERE day.series = series.id \
               AND day.at >= latest.at)::bigint AS stored, \
               (SELECT coalesce(sum(count), 0) FROM quarter WHERE quarter.series = series.id \
               AND quarter.at >= latest.at)::bigint AS found FROM series CROSS JOIN LATERAL \
               (SELECT min(at) AS at FROM (SELECT at FROM day WHERE day.series = series.id \
               ORDER BY at DESC LIMIT 2) AS two) AS latest WHERE latest.at >= $1) AS compared \
               WHERE stored <> found ORDER BY at, source, field LIMIT $2";
    let params = [Param::I64(from), Param::I64(MAX_FAULTS)];
    let are_equal = compare(link, sql, &params, checked, |at, stored, found| {
        format!(
            "the days from {at} have {stored} observations by their counts, and their quarters {found}"
        )
    })?;
    if are_equal {
        let text = "the counts of the latest days are those of their quarters";
        checked.passed.push(text.to_owned());
    }
    Ok(())
}

/// Runs a query of source, field, time, and two counts that differ, and adds a fault for each row: `describe` gets time
/// and counts. Returns true if there are none.
fn compare(
    link: &mut Link,
    sql: &str,
    params: &[Param<'_>],
    checked: &mut Checked,
    describe: impl Fn(i64, i64, i64) -> String,
) -> Result<bool, StoreError> {
    let outcome = run(link, sql, params)?;
    for row in outcome.rows() {
        let described = describe(row.i64(2)?, row.i64(3)?, row.i64(4)?);
        checked.faults.push(format!("{}.{}: {described}", row.text(0)?, row.text(1)?));
    }
    Ok(outcome.rows().len() == 0)
}

fn run(link: &mut Link, sql: &str, params: &[Param<'_>]) -> Result<Outcome, StoreError> {
    let deadline = Instant::now() + TIMEOUT;
    let mut outcomes = link.run(Limits::all(TIMEOUT), &[Statement::new(sql, params)], deadline)?;
    Ok(outcomes.pop().unwrap_or_default())
}
