//! Statements, and their messages.

use std::io;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend::{self, BindError};

use super::error::PostgresError;
use super::param::Param;

/// Statement with its parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    /// SQL of one statement, with parameters `$1`, `$2`, …
    pub(crate) sql: &'a str,
    /// Parameters.
    pub(crate) params: &'a [Param<'a>],
}

/// Format of parameters and results.
const BINARY: i16 = 1;

impl<'a> Statement<'a> {
    /// Returns a statement.
    pub(crate) fn new(sql: &'a str, params: &'a [Param<'a>]) -> Statement<'a> {
        Statement { sql, params }
    }

    /// Returns a statement without parameters.
    pub(crate) fn plain(sql: &'a str) -> Statement<'a> {
        Statement { sql, params: &[] }
    }

    /// Appends the messages that parse the statement, bind it, describe its rows, and execute it.
    ///
    /// # Errors
    /// The SQL contains NUL, or there are too many or too large parameters.
    pub(super) fn encode(&self, output: &mut BytesMut) -> Result<(), PostgresError> {
        let types = self.params.iter().map(Param::oid);
        frontend::parse("", self.sql, types, output).map_err(|error| unusable(&error))?;
        let bound = frontend::bind(
            "",
            "",
            [BINARY],
            self.params,
            |param, output| match param {
                Param::Null => Ok(IsNull::Yes),
                param => param.encode(output).map(|()| IsNull::No).map_err(Into::into),
            },
            [BINARY],
            output,
        );
        bound.map_err(|error| match error {
            BindError::Conversion(error) => PostgresError::Usage(error.to_string()),
            BindError::Serialization(error) => unusable(&error),
        })?;
        frontend::describe(b'P', "", output).map_err(|error| unusable(&error))?;
        frontend::execute("", 0, output).map_err(|error| unusable(&error))
    }
}

fn unusable(error: &io::Error) -> PostgresError {
    PostgresError::Usage(format!("the statement cannot be sent: {error}"))
}
