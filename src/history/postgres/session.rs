//! A transaction as an [`Executor`], which collects the rows that need no answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::history::bucket::{Bucket, Tier};
use crate::history::error::StoreError;
use crate::history::executor::{self, Executor, Queries};
use crate::history::observation::Observation;
use crate::history::rollup_row::{added, of_table, total_columns};
use crate::postgres::{self, Limits, Outcome, Param, PostgresError, Statement, Transaction};
use crate::store::{Link, SEARCH_PATH};

/// Rows of an upsert of rollups, from array parameters.
macro_rules! rows {
    () => {
        " (series, at, min, max, sum, last, last_at, count, amount, east, north, weight) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::float8[], $4::float8[], $5::float8[], \
         $6::float8[], $7::bigint[], $8::bigint[], $9::float8[], $10::float8[], $11::float8[], \
         $12::float8[]) ON CONFLICT (series, at) DO "
    };
}

/// Statement that inserts observations from array parameters.
macro_rules! raw_rows {
    () => {
        "INSERT INTO raw (series, at, value, qualifier) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::float8[], $4::float8[])"
    };
}

/// Transaction of a thread.
pub(super) struct Session<'link>(RefCell<State<'link>>);

struct State<'link> {
    transaction: Transaction<'link>,
    deadline: Instant,
    pending: Pending,
}

/// Rows that are sent before the next statement.
#[derive(Default)]
struct Pending {
    /// Series and observation.
    raw: Vec<(i64, Observation)>,
    /// What is added to each rollup.
    quarters: BTreeMap<(i64, i64), Bucket>,
    days: BTreeMap<(i64, i64), Bucket>,
}

impl<'link> Session<'link> {
    /// Begins a transaction that ends at a deadline. Its first call sends `statements`.
    ///
    /// # Errors
    /// The database could not be reached.
    pub(super) fn begin(
        link: &'link mut Link,
        limits: Limits,
        deadline: Instant,
        statements: &[Statement<'_>],
    ) -> Result<(Session<'link>, Vec<Outcome>), PostgresError> {
        let mut transaction = link.begin(limits, deadline)?;
        let mut all = vec![SEARCH_PATH];
        all.extend_from_slice(statements);
        let mut outcomes = transaction.pipeline(&all, deadline)?;
        outcomes.remove(0);
        let state = State { transaction, deadline, pending: Pending::default() };
        Ok((Session(RefCell::new(state)), outcomes))
    }

    /// Sends the collected rows and then `statements`, in one round trip. Returns the outcomes of `statements`.
    pub(super) fn run(&self, statements: &[Statement<'_>]) -> Result<Vec<Outcome>, StoreError> {
        let mut state = self.0.borrow_mut();
        let pending = std::mem::take(&mut state.pending);
        let columns = Columns::of(&pending);
        let arrays = columns.arrays();
        let mut all = columns.statements(&arrays);
        let collected = all.len();
        all.extend_from_slice(statements);
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = state.deadline;
        let mut outcomes = state.transaction.pipeline(&all, deadline)?;
        outcomes.drain(..collected);
        Ok(outcomes)
    }

    /// Sends the collected rows and `statements`, and commits.
    pub(super) fn commit(self, statements: &[Statement<'_>]) -> Result<Vec<Outcome>, StoreError> {
        let State { transaction, deadline, pending } = self.0.into_inner();
        let columns = Columns::of(&pending);
        let arrays = columns.arrays();
        let mut all = columns.statements(&arrays);
        let collected = all.len();
        all.extend_from_slice(statements);
        let mut outcomes = transaction.commit_with(&all, deadline)?;
        outcomes.drain(..collected);
        Ok(outcomes)
    }

    /// Runs a statement in the SQL of [`executor`].
    fn run_common(&self, sql: &str, params: &[executor::Param<'_>]) -> Result<Outcome, StoreError> {
        let (sql, params) = (numbered(sql), converted(params));
        let mut outcomes = self.run(&[Statement::new(&sql, &params)])?;
        Ok(outcomes.pop().unwrap_or_default())
    }
}

/// Returns a statement with PostgreSQL's marks of parameters. No statement has a question mark elsewhere.
pub(super) fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

pub(super) fn converted<'v>(params: &[executor::Param<'v>]) -> Vec<postgres::Param<'v>> {
    let convert = |param: &executor::Param<'v>| match *param {
        executor::Param::Integer(integer) => postgres::Param::I64(integer),
        executor::Param::Number(Some(number)) => postgres::Param::F64(number),
        executor::Param::Text(Some(text)) => postgres::Param::Text(text),
        executor::Param::Number(None) | executor::Param::Text(None) => postgres::Param::Null,
    };
    params.iter().map(convert).collect()
}

impl executor::Row for postgres::Row<'_> {
    fn integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.optional_i64(column)?)
    }

    fn number(&self, column: usize) -> Result<Option<f64>, StoreError> {
        Ok(self.optional_f64(column)?)
    }

    fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.optional_text(column)?.map(str::to_owned))
    }
}

impl Queries for Session<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[executor::Param<'_>],
        each: &mut dyn FnMut(&dyn executor::Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.run_common(sql, params)?.rows().try_for_each(|row| each(&row))
    }
}

impl Executor for Session<'_> {
    fn execute(&self, sql: &str, params: &[executor::Param<'_>]) -> Result<u64, StoreError> {
        Ok(self.run_common(sql, params)?.affected())
    }

    fn append(&self, series: i64, observation: &Observation) -> Result<bool, StoreError> {
        self.0.borrow_mut().pending.raw.push((series, *observation));
        // The series is locked, and the observation later than all others.
        Ok(true)
    }

    fn add_rollup(&self, tier: Tier, series: i64, bucket: &Bucket) -> Result<(), StoreError> {
        let pending = &mut self.0.borrow_mut().pending;
        let rollups = if tier == Tier::Day { &mut pending.days } else { &mut pending.quarters };
        let key = (series, bucket.at);
        rollups.entry(key).and_modify(|known| known.merge(bucket)).or_insert(*bucket);
        Ok(())
    }

    fn insert_observations(&self, series: i64, rows: &[Observation]) -> Result<u64, StoreError> {
        let raw = RawColumns::of(rows.iter().map(|row| (series, *row)));
        let arrays = raw.arrays();
        let sql = concat!(raw_rows!(), " ON CONFLICT (series, at) DO NOTHING");
        Ok(self.run(&[Statement::new(sql, &arrays)])?.iter().map(Outcome::affected).sum())
    }

    fn insert_rollups(&self, tier: Tier, series: i64, rows: &[Bucket]) -> Result<u64, StoreError> {
        let rows = rows.iter().map(|row| ((series, row.at), *row)).collect();
        let columns = RollupColumns::of(&rows);
        let arrays = columns.arrays();
        let sql = of_table!(tier, "INSERT INTO ", concat!(rows!(), "NOTHING"));
        Ok(self.run(&[Statement::new(sql, &arrays)])?.iter().map(Outcome::affected).sum())
    }
}

/// The collected rows as columns, of which each is an array parameter.
struct Columns {
    raw: RawColumns,
    quarters: RollupColumns,
    days: RollupColumns,
}

#[derive(Default)]
struct RawColumns {
    series: Vec<i64>,
    at: Vec<i64>,
    value: Vec<f64>,
    qualifier: Vec<Option<f64>>,
}

#[derive(Default)]
struct RollupColumns {
    series: Vec<i64>,
    at: Vec<i64>,
    min: Vec<f64>,
    max: Vec<f64>,
    sum: Vec<f64>,
    last: Vec<f64>,
    last_at: Vec<i64>,
    count: Vec<i64>,
    totals: [Vec<Option<f64>>; 4],
}

/// Parameters of the statements of [`Columns`].
struct Arrays<'c> {
    raw: [Param<'c>; 4],
    quarters: [Param<'c>; 12],
    days: [Param<'c>; 12],
}

impl Columns {
    fn of(pending: &Pending) -> Columns {
        let raw = RawColumns::of(pending.raw.iter().copied());
        let (quarters, days) = (&pending.quarters, &pending.days);
        Columns { raw, quarters: RollupColumns::of(quarters), days: RollupColumns::of(days) }
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays {
            raw: self.raw.arrays(),
            quarters: self.quarters.arrays(),
            days: self.days.arrays(),
        }
    }

    /// Returns a statement for each table that gets rows.
    fn statements<'a>(&self, arrays: &'a Arrays<'a>) -> Vec<Statement<'a>> {
        let mut statements = Vec::new();
        if !self.raw.series.is_empty() {
            statements.push(Statement::new(raw_rows!(), &arrays.raw));
        }
        if !self.quarters.series.is_empty() {
            let sql = concat!("INSERT INTO quarter", rows!(), added!("quarter"));
            statements.push(Statement::new(sql, &arrays.quarters));
        }
        if !self.days.series.is_empty() {
            let sql = concat!("INSERT INTO day", rows!(), added!("day"));
            statements.push(Statement::new(sql, &arrays.days));
        }
        statements
    }
}

impl RawColumns {
    fn of(rows: impl Iterator<Item = (i64, Observation)>) -> RawColumns {
        let mut columns = RawColumns::default();
        for (series, Observation { at, value, qualifier }) in rows {
            columns.series.push(series);
            columns.at.push(at);
            columns.value.push(value);
            columns.qualifier.push(qualifier);
        }
        columns
    }

    fn arrays(&self) -> [Param<'_>; 4] {
        [
            Param::I64s(&self.series),
            Param::I64s(&self.at),
            Param::F64s(&self.value),
            Param::OptionalF64s(&self.qualifier),
        ]
    }
}

impl RollupColumns {
    fn of(rollups: &BTreeMap<(i64, i64), Bucket>) -> RollupColumns {
        let mut columns = RollupColumns::default();
        for ((series, _), bucket) in rollups {
            let Bucket { at, min, max, sum, last, last_at, count, total, .. } = *bucket;
            columns.series.push(*series);
            columns.at.push(at);
            columns.min.push(min);
            columns.max.push(max);
            columns.sum.push(sum);
            columns.last.push(last);
            columns.last_at.push(last_at);
            columns.count.push(i64::try_from(count).unwrap_or(i64::MAX));
            for (column, number) in columns.totals.iter_mut().zip(total_columns(total)) {
                column.push(number);
            }
        }
        columns
    }

    fn arrays(&self) -> [Param<'_>; 12] {
        let [amount, east, north, weight] = &self.totals;
        [
            Param::I64s(&self.series),
            Param::I64s(&self.at),
            Param::F64s(&self.min),
            Param::F64s(&self.max),
            Param::F64s(&self.sum),
            Param::F64s(&self.last),
            Param::I64s(&self.last_at),
            Param::I64s(&self.count),
            Param::OptionalF64s(amount),
            Param::OptionalF64s(east),
            Param::OptionalF64s(north),
            Param::OptionalF64s(weight),
        ]
    }
}
