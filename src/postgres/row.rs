//! Results of statements: rows in the binary format, with getters that check the type of each column.

use std::ops::Range;

use bytes::Buf as _;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};

use super::error::PostgresError;
use super::param::oid;

/// Most rows of one statement.
pub(super) const MAX_ROWS: usize = 1_000_000;

/// Result of one statement.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Type of each column.
    columns: Vec<u32>,
    rows: Vec<DataRowBody>,
    affected: u64,
}

/// One row. Columns are counted from 0.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [u32],
    body: &'a DataRowBody,
}

impl Outcome {
    /// Returns the rows.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.rows.iter().map(|body| Row { columns: &self.columns, body })
    }

    /// Returns the first row.
    pub(crate) fn first(&self) -> Option<Row<'_>> {
        self.rows().next()
    }

    /// Returns the only row.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub(crate) fn only(&self) -> Result<Row<'_>, PostgresError> {
        match self.rows.len() {
            1 => Ok(Row { columns: &self.columns, body: &self.rows[0] }),
            count => Err(PostgresError::Usage(format!("the result has {count} rows, not one"))),
        }
    }

    /// Returns the number of rows that the statement inserted, updated, deleted or returned.
    pub(crate) fn affected(&self) -> u64 {
        self.affected
    }

    pub(super) fn describe(&mut self, description: &RowDescriptionBody) -> std::io::Result<()> {
        self.columns = description.fields().map(|field| Ok(field.type_oid())).collect()?;
        Ok(())
    }

    pub(super) fn push(&mut self, row: DataRowBody) -> Result<(), PostgresError> {
        if self.rows.len() >= MAX_ROWS {
            return Err(PostgresError::Protocol(format!(
                "the result of a statement has more than {MAX_ROWS} rows"
            )));
        }
        self.rows.push(row);
        Ok(())
    }

    /// Sets the count of the tag of a command, such as `INSERT 0 3`.
    pub(super) fn complete(&mut self, tag: &str) {
        let count = tag.rsplit(' ').next().and_then(|count| count.parse().ok());
        self.affected = count.unwrap_or(0);
    }
}

/// Declares a getter of a value, which must not be NULL, and one of a value that may be.
macro_rules! getters {
    ($name:ident, $optional:ident, $type:ty, $sql:literal, $decode:path) => {
        #[doc = concat!("Returns a value of the type ", $sql, ".\n\n# Errors\nThe value is NULL, or of another type.")]
        #[allow(dead_code, reason = "each type has both getters")]
        pub(crate) fn $name(&self, column: usize) -> Result<$type, PostgresError> {
            self.$optional(column)?.ok_or_else(|| null(column))
        }

        #[doc = concat!("Returns a value of the type ", $sql, " or NULL.\n\n# Errors\nThe value is of another type.")]
        #[allow(dead_code, reason = "each type has both getters")]
        pub(crate) fn $optional(&self, column: usize) -> Result<Option<$type>, PostgresError> {
            let (oid, bytes) = self.value(column)?;
            bytes
                .map(|bytes| $decode(oid, bytes).ok_or_else(|| mismatch(column, oid, $sql)))
                .transpose()
        }
    };
}

impl<'a> Row<'a> {
    getters!(i64, optional_i64, i64, "bigint, integer or smallint", integer);
    getters!(f64, optional_f64, f64, "double precision or real", float);
    getters!(bool, optional_bool, bool, "boolean", boolean);
    getters!(text, optional_text, &'a str, "text, varchar, name or json", text);
    getters!(bytes, optional_bytes, &'a [u8], "bytea", bytea);
    getters!(i64s, optional_i64s, Vec<i64>, "bigint[] without NULL", integers);
    getters!(texts, optional_texts, Vec<&'a str>, "text[] without NULL", texts);

    /// Returns the type and the bytes of a value.
    fn value(&self, column: usize) -> Result<(u32, Option<&'a [u8]>), PostgresError> {
        let range = self.range(column).map_err(|()| {
            PostgresError::Usage(format!("the result has no readable column {column}"))
        })?;
        let oid = self.columns.get(column).copied().unwrap_or(0);
        Ok((oid, range.map(|range| &self.body.buffer()[range])))
    }

    fn range(&self, column: usize) -> Result<Option<Range<usize>>, ()> {
        let range = self.body.ranges().nth(column);
        range.map_err(|_| ())?.ok_or(())
    }
}

fn null(column: usize) -> PostgresError {
    PostgresError::Usage(format!("column {column} of the result is NULL"))
}

fn mismatch(column: usize, oid: u32, wanted: &str) -> PostgresError {
    PostgresError::Usage(format!(
        "column {column} of the result has the type {oid} and not {wanted}: cast it in the statement"
    ))
}

fn integer(oid: u32, bytes: &[u8]) -> Option<i64> {
    match oid {
        oid::INT8 => bytes.try_into().ok().map(i64::from_be_bytes),
        oid::INT4 => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
        oid::INT2 => bytes.try_into().ok().map(i16::from_be_bytes).map(i64::from),
        oid::OID => bytes.try_into().ok().map(u32::from_be_bytes).map(i64::from),
        _ => None,
    }
}

fn float(oid: u32, bytes: &[u8]) -> Option<f64> {
    match oid {
        oid::FLOAT8 => bytes.try_into().ok().map(f64::from_be_bytes),
        oid::FLOAT4 => bytes.try_into().ok().map(f32::from_be_bytes).map(f64::from),
        _ => None,
    }
}

fn boolean(oid: u32, bytes: &[u8]) -> Option<bool> {
    match (oid, bytes) {
        (oid::BOOL, [0]) => Some(false),
        (oid::BOOL, [1]) => Some(true),
        _ => None,
    }
}

fn text(oid: u32, bytes: &[u8]) -> Option<&str> {
    let is_text = matches!(
        oid,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::JSON | oid::UNKNOWN
    );
    std::str::from_utf8(bytes).ok().filter(|_| is_text)
}

fn bytea(oid: u32, bytes: &[u8]) -> Option<&[u8]> {
    (oid == oid::BYTEA).then_some(bytes)
}

fn integers(oid: u32, bytes: &[u8]) -> Option<Vec<i64>> {
    array(oid == oid::INT8S, bytes, integer)?.into_iter().collect()
}

fn texts(oid: u32, bytes: &[u8]) -> Option<Vec<&str>> {
    array(oid == oid::TEXTS, bytes, text)?.into_iter().collect()
}

/// Decodes an array of at most one dimension.
fn array<'a, T>(
    is_of_type: bool,
    mut bytes: &'a [u8],
    decode: impl Fn(u32, &'a [u8]) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    if !is_of_type {
        return None;
    }
    let dimensions = bytes.try_get_i32().ok()?;
    let _has_null = bytes.try_get_i32().ok()?;
    let oid = bytes.try_get_u32().ok()?;
    let count = match dimensions {
        0 => 0,
        1 => {
            let count = bytes.try_get_i32().ok()?;
            let _first_index = bytes.try_get_i32().ok()?;
            count
        }
        _ => return None,
    };
    // Grows with the bytes that are there, and not with the count that they claim.
    let mut elements = Vec::new();
    for _ in 0..count {
        let length = bytes.try_get_i32().ok()?;
        if length == -1 {
            elements.push(None);
            continue;
        }
        let (element, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        bytes = rest;
        elements.push(Some(decode(oid, element)?));
    }
    bytes.is_empty().then_some(elements)
}
