//! Rows of the tables `quarter` and `day`.

use super::bucket::{Bucket, Tier, Total};
use super::direction::VectorSum;
use super::error::StoreError;
use super::executor::{self, Executor, Queries, Row, params};

/// Returns one statement for each table of rollups, with the table's name between the parts.
macro_rules! of_table {
    ($tier:expr, $($part:expr),* $(,)?) => {
        match $tier {
            Tier::Day => of_table!(@join "day", $($part),*),
            _ => of_table!(@join "quarter", $($part),*),
        }
    };
    (@join $table:literal, $first:expr) => { $first };
    (@join $table:literal, $first:expr, $($rest:expr),*) => {
        concat!($first, $($table, $rest),*)
    };
}
pub(super) use of_table;

/// Columns that [`read`] expects, in its order.
macro_rules! columns {
    () => {
        "at, min, max, sum, last, count, amount, east, north, weight, last_at"
    };
}

/// Rows of a page of [`for_each_from`].
const PAGE_ROWS: i64 = 1_000;

/// Columns and placeholders of an `INSERT`, in the order in which [`store`] binds them.
macro_rules! inserted {
    () => {
        " (series, at, min, max, sum, last, last_at, count, amount, east, north, weight) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (series, at) DO "
    };
}

/// Reads a row of [`columns!`]. Returns `None` if a number is not finite: earlier versions stored sums that
/// were infinite, and such a row has nothing that is true.
pub(super) fn read(row: &dyn Row) -> Result<Option<Bucket>, StoreError> {
    let number = |column| {
        let number = row.number(column)?;
        Ok::<_, StoreError>(number.filter(|number| number.is_finite()))
    };
    let (Some(min), Some(max), Some(sum), Some(last)) =
        (number(1)?, number(2)?, number(3)?, number(4)?)
    else {
        return Ok(None);
    };
    let total = match (number(6)?, number(7)?, number(8)?, number(9)?) {
        (Some(amount), ..) => Total::Amount(amount),
        (None, Some(east), Some(north), Some(weight)) => {
            Total::Vector(VectorSum { east, north, weight })
        }
        _ => Total::None,
    };
    let count = u64::try_from(row.i64(5)?).unwrap_or(1).max(1);
    let (at, last_at) = (row.i64(0)?, row.i64(10)?);
    Ok(Some(Bucket { at, min, max, sum, last, last_at, count, total, is_partial: false }))
}

/// Columns of a total: amount, east, north and weight.
pub(super) fn total_columns(total: Total) -> [Option<f64>; 4] {
    match total {
        Total::Amount(amount) => [Some(amount), None, None, None],
        Total::Vector(VectorSum { east, north, weight }) => {
            [None, Some(east), Some(north), Some(weight)]
        }
        Total::None | Total::Observation => [None; 4],
    }
}

/// End of an upsert that adds a row to the one with the same time. A total that one of both lacks is unknown
/// then.
macro_rules! added {
    ($table:literal) => {
        concat!(
            "UPDATE SET min = CASE WHEN excluded.min < ",
            $table,
            ".min THEN excluded.min ELSE ",
            $table,
            ".min END, max = CASE WHEN excluded.max > ",
            $table,
            ".max THEN excluded.max ELSE ",
            $table,
            ".max END, sum = ",
            $table,
            ".sum + excluded.sum, count = ",
            $table,
            ".count + excluded.count, last = CASE WHEN excluded.last_at >= ",
            $table,
            ".last_at THEN excluded.last ELSE ",
            $table,
            ".last END, last_at = CASE WHEN excluded.last_at >= ",
            $table,
            ".last_at THEN excluded.last_at ELSE ",
            $table,
            ".last_at END, amount = ",
            $table,
            ".amount + excluded.amount, east = ",
            $table,
            ".east + excluded.east, north = ",
            $table,
            ".north + excluded.north, weight = ",
            $table,
            ".weight + excluded.weight"
        )
    };
}
pub(super) use added;

/// End of an upsert that replaces the row with the same time.
macro_rules! replaced {
    () => {
        "UPDATE SET min = excluded.min, max = excluded.max, sum = excluded.sum, count = excluded.count, \
         last = excluded.last, last_at = excluded.last_at, amount = excluded.amount, \
         east = excluded.east, north = excluded.north, weight = excluded.weight"
    };
}

/// Adds a row to the one with the same time, or inserts it.
pub(super) fn add(
    db: &dyn Executor,
    tier: Tier,
    series: i64,
    bucket: &Bucket,
) -> Result<(), StoreError> {
    let sql = match tier {
        Tier::Day => concat!("INSERT INTO day", inserted!(), added!("day")),
        _ => concat!("INSERT INTO quarter", inserted!(), added!("quarter")),
    };
    store(db, series, bucket, sql).map(|_| ())
}

/// Inserts a row. Returns false if there is one with the same time.
pub(super) fn insert(
    db: &dyn Executor,
    tier: Tier,
    series: i64,
    bucket: &Bucket,
) -> Result<bool, StoreError> {
    let sql = of_table!(tier, "INSERT INTO ", concat!(inserted!(), "NOTHING"));
    Ok(store(db, series, bucket, sql)? > 0)
}

/// Replaces the row with the same time, or inserts it.
pub(super) fn put(
    db: &dyn Executor,
    tier: Tier,
    series: i64,
    bucket: &Bucket,
) -> Result<(), StoreError> {
    let sql = of_table!(tier, "INSERT INTO ", concat!(inserted!(), replaced!()));
    store(db, series, bucket, sql).map(|_| ())
}

fn store(db: &dyn Executor, series: i64, bucket: &Bucket, sql: &str) -> Result<u64, StoreError> {
    let Bucket { at, min, max, sum, last, last_at, count, total, .. } = *bucket;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let [amount, east, north, weight] = total_columns(total);
    let row = params![series, at, min, max, sum, last, last_at, count, amount, east, north, weight];
    db.execute(sql, row)
}

/// Returns the row at a time.
pub(super) fn find(
    db: &dyn Queries,
    tier: Tier,
    series: i64,
    at: i64,
) -> Result<Option<Bucket>, StoreError> {
    let sql =
        of_table!(tier, concat!("SELECT ", columns!(), " FROM "), " WHERE series = ?1 AND at = ?2");
    Ok(executor::first(db, sql, params![series, at], read)?.flatten())
}

/// Makes `row` the one at a time, or deletes that if there is none.
pub(super) fn replace(
    db: &dyn Executor,
    tier: Tier,
    series: i64,
    at: i64,
    row: Option<Bucket>,
) -> Result<(), StoreError> {
    match row {
        Some(row) => put(db, tier, series, &row),
        None => delete(db, tier, series, at),
    }
}

/// Deletes the row at a time.
fn delete(db: &dyn Executor, tier: Tier, series: i64, at: i64) -> Result<(), StoreError> {
    let sql = of_table!(tier, "DELETE FROM ", " WHERE series = ?1 AND at = ?2");
    db.execute(sql, params![series, at]).map(|_| ())
}

/// Returns the first `limit` rows of a series after a time, each with its time.
pub(super) fn page(
    db: &dyn Queries,
    tier: Tier,
    series: i64,
    (after, to): (i64, i64),
    limit: i64,
) -> Result<Vec<(i64, Option<Bucket>)>, StoreError> {
    let sql = of_table!(
        tier,
        concat!("SELECT ", columns!(), " FROM "),
        " WHERE series = ?1 AND at > ?2 AND at < ?3 ORDER BY at LIMIT ?4"
    );
    executor::all(db, sql, params![series, after, to, limit], |row| Ok((row.i64(0)?, read(row)?)))
}

/// Calls `each` with each row of a series from a time on, in order, read in pages, so that it may write.
pub(super) fn for_each_from(
    db: &dyn Executor,
    tier: Tier,
    series: i64,
    from: i64,
    mut each: impl FnMut(Bucket) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = from.saturating_sub(1);
    loop {
        let rows = page(db, tier, series, (after, i64::MAX), PAGE_ROWS)?;
        let Some(&(last, _)) = rows.last() else { return Ok(()) };
        after = last;
        rows.into_iter().filter_map(|(_, row)| row).try_for_each(&mut each)?;
    }
}
