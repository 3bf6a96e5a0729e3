//! A transaction as an [`Executor`], which collects the rows that need no answer.

use std::cell::RefCell;
use std::time::Instant;

use super::columns::{
    AmountColumns, Columns, Pending, RawColumns, RollupColumns, amounts, raw_rows, rows,
};
use crate::history::bucket::{Bucket, Tier};
use crate::history::error::StoreError;
use crate::history::executor::{self, Executor, Queries};
use crate::history::observation::Observation;
use crate::history::rollup_row::of_table;
use crate::postgres::{self, Limits, Outcome, PostgresError, Statement, Transaction};
use crate::store::{Link, SEARCH_PATH};

/// Transaction of a thread.
pub(super) struct Session<'link>(RefCell<State<'link>>);

struct State<'link> {
    transaction: Transaction<'link>,
    deadline: Instant,
    pending: Pending,
    /// Returns true once no further statement is to be sent.
    is_stopping: Option<&'link dyn Fn() -> bool>,
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
        let pending = Pending::default();
        let state = State { transaction, deadline, pending, is_stopping: None };
        Ok((Session(RefCell::new(state)), outcomes))
    }

    /// Returns the session, whose next statement fails once `is_stopping` returns true.
    pub(super) fn until(mut self, is_stopping: &'link dyn Fn() -> bool) -> Session<'link> {
        self.0.get_mut().is_stopping = Some(is_stopping);
        self
    }

    /// Sends the collected rows and then `statements`, in one round trip. Returns the outcomes of `statements`.
    pub(super) fn run(&self, statements: &[Statement<'_>]) -> Result<Vec<Outcome>, StoreError> {
        let mut state = self.0.borrow_mut();
        if state.is_stopping.is_some_and(|is_stopping| is_stopping()) {
            return Err(PostgresError::Usage("the program ends".to_owned()).into());
        }
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

    /// Adds to the amount of a rollup that exists.
    pub(super) fn add_amount(&self, tier: Tier, series: i64, at: i64, amount: f64) {
        let pending = &mut self.0.borrow_mut().pending;
        let amounts = match tier {
            Tier::Day => &mut pending.day_amounts,
            _ => &mut pending.quarter_amounts,
        };
        *amounts.entry((series, at)).or_insert(0.0) += amount;
    }

    /// Sends the collected rows and `statements`, and commits.
    pub(super) fn commit(self, statements: &[Statement<'_>]) -> Result<Vec<Outcome>, StoreError> {
        let State { transaction, deadline, pending, .. } = self.0.into_inner();
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

    fn set_amounts(&self, tier: Tier, series: i64, rows: &[(i64, f64)]) -> Result<(), StoreError> {
        let rows = rows.iter().map(|&(at, amount)| ((series, at), amount)).collect();
        let columns = AmountColumns::of(&rows);
        let arrays = columns.arrays();
        let sql = of_table!(
            tier,
            "UPDATE ",
            concat!(" SET amount = ", amounts!()),
            ".series = changed.series AND ",
            ".at = changed.at"
        );
        self.run(&[Statement::new(sql, &arrays)]).map(drop)
    }

    fn insert_rollups(&self, tier: Tier, series: i64, rows: &[Bucket]) -> Result<u64, StoreError> {
        let rows = rows.iter().map(|row| ((series, row.at), *row)).collect();
        let columns = RollupColumns::of(&rows);
        let arrays = columns.arrays();
        let sql = of_table!(tier, "INSERT INTO ", concat!(rows!(), "NOTHING"));
        Ok(self.run(&[Statement::new(sql, &arrays)])?.iter().map(Outcome::affected).sum())
    }
}
