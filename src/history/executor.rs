//! The part of a database that the code of rows and rollups uses: statements with parameters, and rows.
//!
//! SQLite and PostgreSQL each implement [`Queries`] and [`Executor`], so both run the same statements and compute the same rollups.
//! The statements are in the SQL that both understand, with numbered parameters (`?1`) and these habits: the arguments
//! of `ON CONFLICT` are named, a column that an upsert adds to is qualified by its table, sums of integers are cast,
//! and subqueries have names.

use super::bucket::{Bucket, Tier};
use super::error::StoreError;
use super::observation::Observation;

/// Parameter of a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Param<'v> {
    /// An integer.
    Integer(i64),
    /// A number, or null.
    Number(Option<f64>),
    /// A text, or null.
    Text(Option<&'v str>),
}

impl From<i64> for Param<'_> {
    fn from(integer: i64) -> Self {
        Param::Integer(integer)
    }
}

impl From<f64> for Param<'_> {
    fn from(number: f64) -> Self {
        Param::Number(Some(number))
    }
}

impl From<Option<f64>> for Param<'_> {
    fn from(number: Option<f64>) -> Self {
        Param::Number(number)
    }
}

impl<'v> From<&'v str> for Param<'v> {
    fn from(text: &'v str) -> Self {
        Param::Text(Some(text))
    }
}

impl<'v> From<Option<&'v str>> for Param<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Param::Text(text)
    }
}

/// Parameters of a statement, in the order of their numbers.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::history::executor::Param::from($value)),*][..]
    };
}
pub(super) use params;

/// A row of a result. Columns are numbered from 0.
pub(super) trait Row {
    /// Returns an integer; `None` if it is null.
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError>;

    /// Returns a number; `None` if it is null.
    fn number(&self, column: usize) -> Result<Option<f64>, StoreError>;

    /// Returns a text; `None` if it is null.
    fn text(&self, column: usize) -> Result<Option<String>, StoreError>;
}

impl dyn Row + '_ {
    /// Returns an integer of a column that has no nulls.
    pub(super) fn i64(&self, column: usize) -> Result<i64, StoreError> {
        self.integer(column)?.ok_or_else(|| unexpected_null(column))
    }

    /// Returns a number of a column that has no nulls.
    pub(super) fn f64(&self, column: usize) -> Result<f64, StoreError> {
        self.number(column)?.ok_or_else(|| unexpected_null(column))
    }

    /// Returns a text of a column that has no nulls.
    pub(super) fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column)?.ok_or_else(|| unexpected_null(column))
    }
}

fn unexpected_null(column: usize) -> StoreError {
    StoreError::Damaged(format!("column {column} of a row is null"))
}

/// A connection that reads.
pub(super) trait Queries {
    /// Runs a query, and calls `each` with each row.
    ///
    /// # Errors
    /// The database or `each` returned an error.
    fn query(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

/// A transaction that writes, or a connection of which each statement is one.
pub(super) trait Executor: Queries {
    /// Runs a statement, and returns the number of rows that it has changed.
    ///
    /// # Errors
    /// The database returned an error.
    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError>;

    /// Inserts an observation that is later than all others of its series, as far as is known. Returns false if there
    /// is one with the same time.
    ///
    /// # Errors
    /// The database returned an error.
    fn append(&self, series: i64, observation: &Observation) -> Result<bool, StoreError>;

    /// Adds an aggregate to the rollup with the same time, or inserts it.
    ///
    /// # Errors
    /// The database returned an error.
    fn add_rollup(&self, tier: Tier, series: i64, bucket: &Bucket) -> Result<(), StoreError>;

    /// Inserts observations at times that have none. Returns their number.
    ///
    /// # Errors
    /// The database returned an error.
    fn insert_observations(&self, series: i64, rows: &[Observation]) -> Result<u64, StoreError>;

    /// Inserts rollups at times that have none. Returns their number.
    ///
    /// # Errors
    /// The database returned an error.
    fn insert_rollups(&self, tier: Tier, series: i64, rows: &[Bucket]) -> Result<u64, StoreError>;

    /// Sets the amounts of rollups that exist, each given by its time.
    ///
    /// # Errors
    /// The database returned an error.
    fn set_amounts(&self, tier: Tier, series: i64, rows: &[(i64, f64)]) -> Result<(), StoreError>;
}

/// Returns what `read` makes of the first row of a query; `None` if there is none.
pub(super) fn first<T>(
    db: &dyn Queries,
    sql: &str,
    params: &[Param<'_>],
    read: impl Fn(&dyn Row) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut first = None;
    db.query(sql, params, &mut |row| {
        if first.is_none() {
            first = Some(read(row)?);
        }
        Ok(())
    })?;
    Ok(first)
}

/// Returns the only integer of a query; `None` if it is null, or if there is no row.
pub(super) fn integer(
    db: &dyn Queries,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Option<i64>, StoreError> {
    Ok(first(db, sql, params, |row| row.integer(0))?.flatten())
}

/// Returns what `read` makes of each row of a query.
pub(super) fn all<T>(
    db: &dyn Queries,
    sql: &str,
    params: &[Param<'_>],
    mut read: impl FnMut(&dyn Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    db.query(sql, params, &mut |row| {
        rows.push(read(row)?);
        Ok(())
    })?;
    Ok(rows)
}
