//! Rows of the tables `quarter` and `day`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::bucket::{Bucket, Tier, Total};
use super::direction::VectorSum;
use super::error::StoreError;

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
pub(super) use columns;

/// Columns and placeholders of an `INSERT`, in the order in which [`Bucket::store`] binds them.
macro_rules! inserted {
    () => {
        " (series, at, min, max, sum, last, last_at, count, amount, east, north, weight) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    };
}

/// Reads a row of [`columns!`]. Returns `None` if a number is not finite: earlier versions stored sums that
/// were infinite, and such a row has nothing that is true.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Option<Bucket>> {
    let number = |column| {
        let number: Option<f64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(number.filter(|number| number.is_finite()))
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
    let count = u64::try_from(row.get::<_, i64>(5)?).unwrap_or(1).max(1);
    let (at, last_at) = (row.get(0)?, row.get(10)?);
    Ok(Some(Bucket { at, min, max, sum, last, last_at, count, total, is_partial: false }))
}

/// Columns of a total: amount, east, north and weight.
fn total_columns(total: Total) -> [Option<f64>; 4] {
    match total {
        Total::Amount(amount) => [Some(amount), None, None, None],
        Total::Vector(VectorSum { east, north, weight }) => {
            [None, Some(east), Some(north), Some(weight)]
        }
        Total::None | Total::Observation => [None; 4],
    }
}

impl Bucket {
    /// Adds this row to the one with the same time, or inserts it. A total that one of both lacks is
    /// unknown then.
    pub(super) fn add_to(
        &self,
        connection: &Connection,
        tier: Tier,
        series: i64,
    ) -> Result<(), StoreError> {
        self.store(
            connection,
            series,
            of_table!(
                tier,
                "INSERT INTO ",
                concat!(
                    inserted!(),
                    " ON CONFLICT DO UPDATE SET \
                     min = min(min, excluded.min), max = max(max, excluded.max), \
                     sum = sum + excluded.sum, count = count + excluded.count, \
                     last = iif(excluded.last_at >= last_at, excluded.last, last), \
                     last_at = max(last_at, excluded.last_at), \
                     amount = amount + excluded.amount, east = east + excluded.east, \
                     north = north + excluded.north, weight = weight + excluded.weight"
                )
            ),
        )
    }

    /// Replaces the row with the same time, or inserts it.
    pub(super) fn put(
        &self,
        connection: &Connection,
        tier: Tier,
        series: i64,
    ) -> Result<(), StoreError> {
        self.store(connection, series, of_table!(tier, "INSERT OR REPLACE INTO ", inserted!()))
    }

    fn store(&self, connection: &Connection, series: i64, sql: &str) -> Result<(), StoreError> {
        let Bucket { at, min, max, sum, last, last_at, count, total, .. } = *self;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let [amount, east, north, weight] = total_columns(total);
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![
            series, at, min, max, sum, last, last_at, count, amount, east, north, weight
        ])?;
        Ok(())
    }
}

/// Returns the row at a time.
pub(super) fn find(
    connection: &Connection,
    tier: Tier,
    series: i64,
    at: i64,
) -> Result<Option<Bucket>, StoreError> {
    let mut select = connection.prepare_cached(of_table!(
        tier,
        concat!("SELECT ", columns!(), " FROM "),
        " WHERE series = ? AND at = ?"
    ))?;
    Ok(select.query_row([series, at], read).optional()?.flatten())
}

/// Makes `row` the one at a time, or deletes that if there is none.
pub(super) fn replace(
    connection: &Connection,
    tier: Tier,
    series: i64,
    at: i64,
    row: Option<Bucket>,
) -> Result<(), StoreError> {
    match row {
        Some(row) => row.put(connection, tier, series),
        None => delete(connection, tier, series, at),
    }
}

/// Deletes the row at a time.
fn delete(connection: &Connection, tier: Tier, series: i64, at: i64) -> Result<(), StoreError> {
    let sql = of_table!(tier, "DELETE FROM ", " WHERE series = ? AND at = ?");
    connection.prepare_cached(sql)?.execute([series, at])?;
    Ok(())
}
