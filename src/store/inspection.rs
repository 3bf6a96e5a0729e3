//! A look at the database that changes nothing, for `check`.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::access::Access;
use super::link::Link;
use super::schema::{self, Readiness};
use crate::postgres::{Limits, PostgresError, Statement};
use crate::wall_clock;

/// State of the database, as far as a start depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// Version of the schema, and the oldest one whose programs may use it; `None` if there is none.
    pub(crate) schema: Option<(i64, i64)>,
    /// Role that the server knows this program as.
    pub(crate) role: String,
    /// Name of the database.
    pub(crate) database: String,
    /// True if the role may create the schema, or the tables of an existing one.
    pub(crate) may_create: bool,
    /// Why a replica cannot use it whatever its schema: its encoding, or the time zone of the other replicas.
    misfit: Option<Readiness>,
    /// Time by which the clock of the database is ahead of that of this machine.
    pub(crate) clock_ahead: SignedDuration,
}

const RIGHTS: Statement<'_> = Statement {
    sql: "SELECT current_user::text, current_database()::text, \
          CASE WHEN to_regnamespace('pumphouse') IS NULL \
          THEN has_database_privilege(current_database(), 'CREATE') \
          ELSE has_schema_privilege(to_regnamespace('pumphouse')::oid, 'CREATE') \
          AND has_schema_privilege(to_regnamespace('pumphouse')::oid, 'USAGE') END, \
          to_regclass('pumphouse.schema_version') IS NOT NULL, \
          (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, current_setting('server_encoding')",
    params: &[],
};

impl Access {
    /// Looks at the database.
    ///
    /// # Errors
    /// The database cannot be reached, or refused a statement.
    pub(crate) fn inspect(&self, time: Duration) -> Result<Inspection, PostgresError> {
        let mut link = Link::new(self.clone());
        let (limits, deadline) = (Limits::all(time), Instant::now() + time);
        // The first call connects, which takes longer than the round trip that the clocks are compared in.
        link.run(limits, &[], deadline)?;
        let before = wall_clock::of_machine();
        let outcome = link.run(limits, &[RIGHTS], deadline)?;
        let round_trip = wall_clock::of_machine().duration_since(before);
        let row = outcome.first().ok_or(PostgresError::Closed)?.only()?;
        let theirs = Timestamp::from_microsecond(row.i64(4)?).unwrap_or(before);
        let has_table = row.bool(3)?;
        let encoding = Some(row.text(5)?).filter(|encoding| *encoding != schema::UTF8);
        let mut inspection = Inspection {
            schema: None,
            role: row.text(0)?.to_owned(),
            database: row.text(1)?.to_owned(),
            may_create: row.bool(2)?,
            misfit: encoding.map(|encoding| Readiness::Encoding(encoding.to_owned())),
            clock_ahead: theirs.duration_since(before) - round_trip / 2,
        };
        if has_table {
            let sql = Statement::plain("SELECT version, oldest FROM schema_version");
            let outcome = link.run(limits, &[sql], deadline)?;
            let row = outcome.first().and_then(|outcome| outcome.first());
            inspection.schema = row.map(|row| Ok((row.i64(0)?, row.i64(1)?))).transpose()?;
        }
        if inspection.misfit.is_none() && inspection.schema.is_some_and(|(version, _)| version > 0)
        {
            inspection.misfit = self.other_zone(&mut link, deadline)?;
        }
        Ok(inspection)
    }
}

impl Inspection {
    /// Returns why a start could not use the schema; `None` if it could.
    pub(crate) fn refusal(&self) -> Option<String> {
        let Inspection { role, database, .. } = self;
        if let Some(misfit) = &self.misfit {
            return misfit.refusal();
        }
        match self.schema {
            Some((found, oldest)) if oldest > schema::VERSION => {
                Readiness::TooNew { found, oldest }.refusal()
            }
            None if !self.may_create => Some(format!(
                "the role {role:?} must not create the schema pumphouse: GRANT CREATE ON DATABASE {database:?} TO \
                 {role:?}"
            )),
            Some(_) if !self.may_create => Some(format!(
                "the role {role:?} must not create tables in the schema pumphouse: ALTER SCHEMA pumphouse OWNER TO \
                 {role:?}"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::fixture::{AMPLE, database, deadline};
    use crate::store::schema::VERSION;

    #[test]
    fn empty_database_can_be_used_and_a_look_changes_nothing() {
        let database = database();
        let access = Access::new(database.target(), "check".into()).unwrap();
        for _ in 0..2 {
            let found = access.inspect(AMPLE).unwrap();
            assert_eq!((found.schema, found.may_create, found.refusal()), (None, true, None));
            assert!(found.clock_ahead.abs() < SignedDuration::from_secs(60), "{found:?}");
            assert_eq!((&*found.role, &found.database), ("pumphouse", &database.0.name));
        }
        access.prepare(deadline()).unwrap();
        let found = access.inspect(AMPLE).unwrap();
        assert_eq!((found.schema.unwrap().0, found.refusal()), (VERSION, None));
    }

    #[test]
    fn reason_of_a_refusal_says_what_to_grant() {
        let found = |schema, may_create| Inspection {
            schema,
            role: "p".into(),
            database: "d".into(),
            may_create,
            misfit: None,
            clock_ahead: SignedDuration::ZERO,
        };
        for (schema, may_create, expected) in [
            (None, false, "GRANT CREATE ON DATABASE \"d\" TO \"p\""),
            (Some((1, 1)), false, "ALTER SCHEMA pumphouse OWNER TO \"p\""),
            (Some((VERSION + 2, VERSION + 1)), true, "update it"),
        ] {
            let refusal = found(schema, may_create).refusal().unwrap();
            assert!(refusal.contains(expected), "{refusal}");
        }
        assert_eq!(found(Some((VERSION + 2, VERSION)), true).refusal(), None);
    }
}
