//! Parameters of statements, in the binary format.

use bytes::{BufMut as _, BytesMut};

use super::error::PostgresError;

/// Parameter of a statement. Its type in SQL is that of the variant; the statement casts it to another one where it
/// needs to, as in `$1::jsonb` for a text.
///
/// A statement without such a cast may also use it as any type to which PostgreSQL assigns the variant's type: an
/// `I64` as `integer`, a `Text` as `varchar`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Param<'a> {
    /// NULL of the type that the statement gives it.
    Null,
    /// `bigint`.
    I64(i64),
    /// `double precision`, with NaN and infinities.
    F64(f64),
    /// `text`, without NUL.
    Text(&'a str),
    /// `bytea`.
    Bytes(&'a [u8]),
    /// `boolean[]`.
    Bools(&'a [Option<bool>]),
    /// `bigint[]`.
    I64s(&'a [i64]),
    /// `bigint[]` with NULL.
    OptionalI64s(&'a [Option<i64>]),
    /// `double precision[]`.
    F64s(&'a [f64]),
    /// `double precision[]` with NULL.
    OptionalF64s(&'a [Option<f64>]),
    /// `text[]`.
    Texts(&'a [&'a str]),
    /// `text[]` with NULL.
    OptionalTexts(&'a [Option<&'a str>]),
    /// `bytea[]`.
    ByteArrays(&'a [&'a [u8]]),
}

/// Types of `pg_type`.
pub(super) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OID: u32 = 26;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const UNKNOWN: u32 = 705;
    pub(crate) const BOOLS: u32 = 1000;
    pub(crate) const BYTEAS: u32 = 1001;
    pub(crate) const TEXTS: u32 = 1009;
    pub(crate) const INT8S: u32 = 1016;
    pub(crate) const FLOAT8S: u32 = 1022;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
}

impl<'a> Param<'a> {
    /// Returns a parameter that is NULL for `None`.
    pub(crate) fn optional<T>(value: Option<T>, param: impl FnOnce(T) -> Param<'a>) -> Param<'a> {
        value.map_or(Param::Null, param)
    }

    /// Returns the type; 0 leaves it to the statement.
    pub(super) fn oid(&self) -> u32 {
        match self {
            Param::Null => 0,
            Param::I64(_) => oid::INT8,
            Param::F64(_) => oid::FLOAT8,
            Param::Text(_) => oid::TEXT,
            Param::Bytes(_) => oid::BYTEA,
            Param::Bools(_) => oid::BOOLS,
            Param::I64s(_) | Param::OptionalI64s(_) => oid::INT8S,
            Param::F64s(_) | Param::OptionalF64s(_) => oid::FLOAT8S,
            Param::Texts(_) | Param::OptionalTexts(_) => oid::TEXTS,
            Param::ByteArrays(_) => oid::BYTEAS,
        }
    }

    /// Appends the value, without its length.
    pub(super) fn encode(&self, output: &mut BytesMut) -> Result<(), PostgresError> {
        let element = match *self {
            Param::Null => Element::Null,
            Param::I64(value) => Element::I64(value),
            Param::F64(value) => Element::F64(value),
            Param::Text(text) => Element::Bytes(text.as_bytes()),
            Param::Bytes(bytes) => Element::Bytes(bytes),
            Param::Bools(values) => {
                let element = |index: usize| values[index].map_or(Element::Null, Element::Bool);
                return array(oid::BOOL, values.len(), &element, output);
            }
            Param::I64s(values) => {
                let element = |index: usize| Element::I64(values[index]);
                return array(oid::INT8, values.len(), &element, output);
            }
            Param::OptionalI64s(values) => {
                let element = |index: usize| values[index].map_or(Element::Null, Element::I64);
                return array(oid::INT8, values.len(), &element, output);
            }
            Param::F64s(values) => {
                let element = |index: usize| Element::F64(values[index]);
                return array(oid::FLOAT8, values.len(), &element, output);
            }
            Param::OptionalF64s(values) => {
                let element = |index: usize| values[index].map_or(Element::Null, Element::F64);
                return array(oid::FLOAT8, values.len(), &element, output);
            }
            Param::Texts(values) => {
                let element = |index: usize| Element::Bytes(values[index].as_bytes());
                return array(oid::TEXT, values.len(), &element, output);
            }
            Param::OptionalTexts(values) => {
                let element = |index: usize| match values[index] {
                    Some(text) => Element::Bytes(text.as_bytes()),
                    None => Element::Null,
                };
                return array(oid::TEXT, values.len(), &element, output);
            }
            Param::ByteArrays(values) => {
                let element = |index: usize| Element::Bytes(values[index]);
                return array(oid::BYTEA, values.len(), &element, output);
            }
        };
        element.encode(output);
        Ok(())
    }
}

/// A value alone, or one of an array.
enum Element<'a> {
    Null,
    Bool(bool),
    I64(i64),
    F64(f64),
    Bytes(&'a [u8]),
}

impl Element<'_> {
    /// Appends the value.
    fn encode(&self, output: &mut BytesMut) {
        match *self {
            Element::Null => {}
            Element::Bool(value) => output.put_u8(value.into()),
            Element::I64(value) => output.put_i64(value),
            Element::F64(value) => output.put_f64(value),
            Element::Bytes(bytes) => output.put_slice(bytes),
        }
    }
}

/// Appends an array of one dimension; an empty one has none.
fn array<'a>(
    oid: u32,
    count: usize,
    element: &dyn Fn(usize) -> Element<'a>,
    output: &mut BytesMut,
) -> Result<(), PostgresError> {
    output.put_i32(i32::from(count > 0));
    // The server looks for NULL itself.
    output.put_i32(0);
    output.put_u32(oid);
    if count > 0 {
        output.put_i32(length(count)?);
        // Index of the first element.
        output.put_i32(1);
    }
    for index in 0..count {
        let element = element(index);
        let start = output.len();
        // -1 for NULL.
        output.put_i32(-1);
        element.encode(output);
        if !matches!(element, Element::Null) {
            let written = length(output.len() - start - LENGTH_BYTES)?;
            output[start..start + LENGTH_BYTES].copy_from_slice(&written.to_be_bytes());
        }
    }
    Ok(())
}

/// Bytes of the length of an element.
const LENGTH_BYTES: usize = 4;

fn length(length: usize) -> Result<i32, PostgresError> {
    i32::try_from(length)
        .map_err(|_| PostgresError::Usage("a parameter is larger than 2 GiB".to_owned()))
}
