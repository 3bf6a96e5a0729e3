//! Check that a server is what the target asks for.

use super::error::PostgresError;
use super::row::Outcome;
use super::statement::Statement;
use super::target::SessionAttrs;

/// Oldest supported version, as `server_version_num` has it.
const OLDEST: i64 = 130_000;

/// Asks for the state of the server. Poolers do not report all of it when the session begins.
pub(super) const STATEMENT: Statement<'static> = Statement {
    sql: "SELECT current_setting('transaction_read_only') = 'on', pg_catalog.pg_is_in_recovery(), \
          current_setting('server_version_num')::bigint",
    params: &[],
};

/// Returns the version of the server, such as 150004, if the target can use it.
///
/// # Errors
/// It is too old, or accepts no writes.
pub(super) fn check(outcome: &Outcome, wanted: SessionAttrs) -> Result<i64, PostgresError> {
    let row = outcome.only()?;
    let (is_read_only, is_standby, version) = (row.bool(0)?, row.bool(1)?, row.i64(2)?);
    if version < OLDEST {
        let major = version / 10_000;
        return unfit(format!(
            "the server is PostgreSQL {major}, and 13 is the oldest that is supported: update it"
        ));
    }
    match wanted {
        SessionAttrs::ReadWrite | SessionAttrs::Primary if is_standby => {
            unfit("the server is a standby, which accepts no writes".to_owned())
        }
        SessionAttrs::ReadWrite if is_read_only => {
            unfit("the server accepts no writes: default_transaction_read_only is on".to_owned())
        }
        _ => Ok(version),
    }
}

fn unfit(reason: String) -> Result<i64, PostgresError> {
    Err(PostgresError::Unfit(reason))
}
