//! Values of keys that may have one of several types.

use std::fmt;

/// A value of one of the simple types.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// An integer. A number of 64 bits, such as an identifier, would lose its last digits as an `f64`.
    Integer(i64),
    /// A finite number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
}

/// Formats the value as the configuration writes it.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Text(text) => write!(f, "{text:?}"),
            Scalar::Integer(number) => number.fmt(f),
            Scalar::Number(number) => number.fmt(f),
            Scalar::Bool(truth) => truth.fmt(f),
        }
    }
}
