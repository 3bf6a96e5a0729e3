//! SQLite as an [`Executor`].

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::bucket::{Bucket, Tier};
use super::error::StoreError;
use super::executor::{Executor, Param, Queries, Row, params};
use super::observation::Observation;
use super::rollup_row::of_table;
use super::{rollup, rollup_row};

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            Param::Integer(integer) => ToSqlOutput::Owned(Value::Integer(integer)),
            Param::Number(Some(number)) => ToSqlOutput::Owned(Value::Real(number)),
            Param::Text(Some(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Param::Number(None) | Param::Text(None) => ToSqlOutput::Owned(Value::Null),
        })
    }
}

impl Row for rusqlite::Row<'_> {
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.get(column)?)
    }

    fn number(&self, column: usize) -> Result<Option<f64>, StoreError> {
        Ok(self.get(column)?)
    }

    fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.get(column)?)
    }
}

impl Queries for Connection {
    fn query(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            each(row)?;
        }
        Ok(())
    }
}

impl Executor for Connection {
    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        Ok(self.prepare_cached(sql)?.execute(params_from_iter(params))? as u64)
    }

    fn append(&self, series: i64, observation: &Observation) -> Result<bool, StoreError> {
        rollup::insert_raw(self, series, observation)
    }

    fn add_rollup(&self, tier: Tier, series: i64, bucket: &Bucket) -> Result<(), StoreError> {
        rollup_row::add(self, tier, series, bucket)
    }

    fn insert_observations(&self, series: i64, rows: &[Observation]) -> Result<u64, StoreError> {
        rows.iter().try_fold(0, |new, row| Ok(new + u64::from(self.append(series, row)?)))
    }

    fn set_amounts(&self, tier: Tier, series: i64, rows: &[(i64, f64)]) -> Result<(), StoreError> {
        let sql = of_table!(tier, "UPDATE ", " SET amount = ?1 WHERE series = ?2 AND at = ?3");
        rows.iter().try_for_each(|&(at, amount)| {
            Executor::execute(self, sql, params![amount, series, at]).map(drop)
        })
    }

    fn insert_rollups(&self, tier: Tier, series: i64, rows: &[Bucket]) -> Result<u64, StoreError> {
        let insert = |row| rollup_row::insert(self, tier, series, row);
        rows.iter().try_fold(0, |new, row| Ok(new + u64::from(insert(row)?)))
    }
}
