//! Rows as columns, of which each is an array parameter.

use std::collections::BTreeMap;

use crate::history::bucket::{Bucket, Tier};
use crate::history::observation::Observation;
use crate::history::rollup_row::{added, of_table, total_columns};
use crate::postgres::{Param, Statement};

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

/// Amounts of rollups that exist, from array parameters.
macro_rules! amounts {
    () => {
        "changed.amount FROM unnest($1::bigint[], $2::bigint[], $3::float8[]) \
         AS changed (series, at, amount) WHERE "
    };
}
pub(super) use {amounts, raw_rows, rows};

/// Rows that are sent before the next statement.
#[derive(Default)]
pub(super) struct Pending {
    /// Series and observation.
    pub(super) raw: Vec<(i64, Observation)>,
    /// Amounts to add to each rollup.
    pub(super) quarters: BTreeMap<(i64, i64), Bucket>,
    pub(super) days: BTreeMap<(i64, i64), Bucket>,
    /// Amounts to add to those of rollups that exist.
    pub(super) quarter_amounts: BTreeMap<(i64, i64), f64>,
    pub(super) day_amounts: BTreeMap<(i64, i64), f64>,
}

/// The collected rows as columns.
pub(super) struct Columns {
    raw: RawColumns,
    quarters: RollupColumns,
    days: RollupColumns,
    quarter_amounts: AmountColumns,
    day_amounts: AmountColumns,
}

#[derive(Default)]
pub(super) struct RawColumns {
    series: Vec<i64>,
    at: Vec<i64>,
    value: Vec<f64>,
    qualifier: Vec<Option<f64>>,
}

#[derive(Default)]
pub(super) struct AmountColumns {
    series: Vec<i64>,
    at: Vec<i64>,
    amount: Vec<f64>,
}

#[derive(Default)]
pub(super) struct RollupColumns {
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
pub(super) struct Arrays<'c> {
    raw: [Param<'c>; 4],
    quarters: [Param<'c>; 12],
    days: [Param<'c>; 12],
    quarter_amounts: [Param<'c>; 3],
    day_amounts: [Param<'c>; 3],
}

impl Columns {
    pub(super) fn of(pending: &Pending) -> Columns {
        Columns {
            raw: RawColumns::of(pending.raw.iter().copied()),
            quarters: RollupColumns::of(&pending.quarters),
            days: RollupColumns::of(&pending.days),
            quarter_amounts: AmountColumns::of(&pending.quarter_amounts),
            day_amounts: AmountColumns::of(&pending.day_amounts),
        }
    }

    pub(super) fn arrays(&self) -> Arrays<'_> {
        Arrays {
            raw: self.raw.arrays(),
            quarters: self.quarters.arrays(),
            days: self.days.arrays(),
            quarter_amounts: self.quarter_amounts.arrays(),
            day_amounts: self.day_amounts.arrays(),
        }
    }

    /// Returns a statement for each table that gets rows.
    pub(super) fn statements<'a>(&self, arrays: &'a Arrays<'a>) -> Vec<Statement<'a>> {
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
        for (tier, columns, arrays) in [
            (Tier::Quarter, &self.quarter_amounts, &arrays.quarter_amounts),
            (Tier::Day, &self.day_amounts, &arrays.day_amounts),
        ] {
            if !columns.series.is_empty() {
                let sql = of_table!(
                    tier,
                    "UPDATE ",
                    " SET amount = ",
                    concat!(".amount + ", amounts!()),
                    ".series = changed.series AND ",
                    ".at = changed.at"
                );
                statements.push(Statement::new(sql, arrays));
            }
        }
        statements
    }
}

impl RawColumns {
    pub(super) fn of(rows: impl Iterator<Item = (i64, Observation)>) -> RawColumns {
        let mut columns = RawColumns::default();
        for (series, Observation { at, value, qualifier }) in rows {
            columns.series.push(series);
            columns.at.push(at);
            columns.value.push(value);
            columns.qualifier.push(qualifier);
        }
        columns
    }

    pub(super) fn arrays(&self) -> [Param<'_>; 4] {
        [
            Param::I64s(&self.series),
            Param::I64s(&self.at),
            Param::F64s(&self.value),
            Param::OptionalF64s(&self.qualifier),
        ]
    }
}

impl AmountColumns {
    pub(super) fn of(amounts: &BTreeMap<(i64, i64), f64>) -> AmountColumns {
        AmountColumns {
            series: amounts.keys().map(|key| key.0).collect(),
            at: amounts.keys().map(|key| key.1).collect(),
            amount: amounts.values().copied().collect(),
        }
    }

    pub(super) fn arrays(&self) -> [Param<'_>; 3] {
        [Param::I64s(&self.series), Param::I64s(&self.at), Param::F64s(&self.amount)]
    }
}

impl RollupColumns {
    pub(super) fn of(rollups: &BTreeMap<(i64, i64), Bucket>) -> RollupColumns {
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

    pub(super) fn arrays(&self) -> [Param<'_>; 12] {
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
