//! Tables of the database, and their migrations.
//!
//! | table | one row for each |
//! | --- | --- |
//! | `schema_version` | the schema: its version, the oldest one whose programs may use it, and the lease of a migration |
//! | `meta` | property of the history: see `history::meta` |
//! | `series` | field of a source in one unit |
//! | `raw` | observation, in a partition for each month |
//! | `quarter` | quarter of an hour, in a partition for each month |
//! | `day` | day of the site's calendar |
//! | `event` | event of a source or of a program |
//! | `replica` | life of a replica: see `cluster` |
//! | `lease` | source, with the replica that polls it |
//! | `era` | the timeline of the database, which a promotion changes |
//! | `current` | source, with the state that its holder has published |
//! | `alert_state`, `incident`, `acknowledgement`, `silence`, `notice` | as in the file of `alert::store` |
//! | `secret` | random key that all replicas use |
//! | `session_key` | account with one password hash, with the encrypted key that signs its sessions |
//! | `ended_session` | session that was signed out |
//! | `guess_count` | caller or account, and process that has counted failed guesses of it |
//!
//! Times are seconds since 1970 where the history has them so, and `timestamptz` where the database's clock decides.
//!
//! # Migrations
//! Programs of two versions run side by side while replicas are updated one after the other. A migration therefore
//! first *expands*: it adds what the new version needs, and programs of the version before go on. A later version
//! *contracts*: it removes what no running program uses. Each migration names the oldest version whose programs
//! may use the schema after it. A program refuses a schema whose oldest version is later than its own.
//!
//! One replica at a time migrates: it takes the lease in `schema_version`, by the database's clock. Each step is one
//! transaction that checks the lease, with a `lock_timeout`: a statement that waits for a long query of another program
//! would hold up all that come after it.

mod tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link::Link;
use crate::postgres::{Limits, Outcome, Param, PostgresError, Statement};

/// A step from one version of the schema to the next.
struct Migration {
    /// Statements, in parts. All are one transaction.
    statements: &'static [&'static [&'static str]],
    /// Oldest version whose programs may use the schema after the step.
    oldest: i64,
}

/// Version of the schema that this program needs.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Steps to each version, from 1.
const MIGRATIONS: &[Migration] = &[Migration {
    statements: &[tables::HISTORY_AND_LEASES, tables::ALERTS, tables::ACCESS],
    oldest: 1,
}];

/// Time for which a migration holds the lease.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// Encoding that the database has to have, as PostgreSQL names it.
pub(super) const UTF8: &str = "UTF8";

const ENCODING: &str = "SELECT current_setting('server_encoding')";

/// Most time of a step.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// Most time that a step waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// State of the schema for this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// This program can use it.
    Ready,
    /// Another replica migrates it.
    Busy,
    /// A program of a later version has contracted it.
    TooNew {
        /// Version of the schema.
        found: i64,
        /// Oldest version whose programs may use it.
        oldest: i64,
    },
    /// The database has this encoding, in which it cannot store all texts.
    Encoding(String),
    /// Another replica runs, and the days of the history are those of another time zone.
    OtherZone {
        /// Zone of the history.
        theirs: String,
        /// Zone of this replica.
        ours: Arc<str>,
    },
}

impl Readiness {
    /// Returns why the schema cannot be used; `None` if it can.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self {
            Readiness::Ready => None,
            Readiness::Busy => Some("another replica migrates the database".to_owned()),
            Readiness::TooNew { found, oldest } => Some(format!(
                "the database has schema version {found}, which needs a program that supports version \
                 {oldest} at least; this one supports versions up to {VERSION}: update it"
            )),
            Readiness::Encoding(encoding) => Some(format!(
                "the database has the encoding {encoding}, which lacks characters of texts: create it again by \
                 createdb --encoding=UTF8 --template=template0"
            )),
            Readiness::OtherZone { theirs, ours } => Some(format!(
                "the other replicas have the time zone {theirs}, and this one has {ours}: set \"timezone\" in [site] \
                 to the same at all of them; to change it, stop all of them first"
            )),
        }
    }
}

/// Creates or migrates the schema, if it is older than this program. `holder` identifies this process.
///
/// # Errors
/// A statement failed. What was done before it stays, and the next call continues.
pub(crate) fn prepare(
    link: &mut Link,
    holder: &str,
    deadline: Instant,
) -> Result<Readiness, PostgresError> {
    let encoding = one(link, ENCODING, &[], deadline)?;
    match encoding.only()?.text(0)? {
        UTF8 => migrate(link, MIGRATIONS, holder, deadline),
        other => Ok(Readiness::Encoding(other.to_owned())),
    }
}

/// Notes the time zone of the replicas, unless one of another name runs.
///
/// # Errors
/// The database could not be reached.
pub(super) fn claim_zone(
    link: &mut Link,
    name: &str,
    zone: &str,
    deadline: Instant,
) -> Result<(), PostgresError> {
    let sql = "INSERT INTO meta (key, value) VALUES ('replicas_timezone', $2) ON CONFLICT (key) \
               DO UPDATE SET value = excluded.value WHERE meta.value <> excluded.value \
               AND NOT EXISTS (SELECT 1 FROM replica WHERE ends_at > now() AND name <> $1)";
    one(link, sql, &[Param::Text(name), Param::Text(zone)], deadline).map(drop)
}

/// Returns the time zone of the replicas, if it is not `zone` and one of another name runs.
///
/// Days of two zones in one history would be recomputed at each start of a replica.
///
/// # Errors
/// The database could not be reached.
pub(super) fn other_zone(
    link: &mut Link,
    name: &str,
    zone: &str,
    deadline: Instant,
) -> Result<Option<String>, PostgresError> {
    let sql = "SELECT value FROM meta WHERE key = 'replicas_timezone' AND value <> $2 \
               AND EXISTS (SELECT 1 FROM replica WHERE ends_at > now() AND name <> $1)";
    let found = one(link, sql, &[Param::Text(name), Param::Text(zone)], deadline)?;
    found.first().map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// Returns why a program that only reads cannot use the schema; `None` if it can. Changes nothing.
///
/// # Errors
/// The database could not be reached.
pub(super) fn refusal(link: &mut Link, deadline: Instant) -> Result<Option<String>, PostgresError> {
    Ok(match version(link, deadline)? {
        None | Some((0, _)) => Some(
            "the database has no tables yet: start a replica, or copy a history there by `history copy --to`"
                .to_owned(),
        ),
        Some((found, oldest)) if oldest > VERSION => {
            Readiness::TooNew { found, oldest }.refusal()
        }
        Some((found, _)) if found < VERSION => Some(format!(
            "the database has schema version {found}, and this program reads version {VERSION}: start a replica \
             of this version, which migrates it"
        )),
        Some(_) => None,
    })
}

fn migrate(
    link: &mut Link,
    migrations: &[Migration],
    holder: &str,
    deadline: Instant,
) -> Result<Readiness, PostgresError> {
    let own = migrations.len() as i64;
    let (found, oldest) = match version(link, deadline)? {
        Some(version) => version,
        None => {
            create(link, deadline)?;
            (0, 0)
        }
    };
    if oldest > own {
        return Ok(Readiness::TooNew { found, oldest });
    }
    if found >= own {
        return Ok(Readiness::Ready);
    }
    let lease = LEASE.as_secs().cast_signed();
    let taken = one(
        link,
        "UPDATE schema_version SET holder = $1, \
         ends_at = clock_timestamp() + $2 * interval '1 second' \
         WHERE holder = $1 OR ends_at < clock_timestamp() RETURNING version",
        &[Param::Text(holder), Param::F64(lease as f64)],
        deadline,
    )?;
    let Some(row) = taken.first() else { return Ok(Readiness::Busy) };
    let found = row.i64(0)?;
    for (step, migration) in (1..).zip(migrations).filter(|&(step, _)| step > found) {
        if found > 0 {
            log::info!("migrating the database from schema version {} to {step}", step - 1);
        }
        // The division fails if another process has the lease.
        let held = [Param::Text(holder), Param::I64(step - 1)];
        let mut statements = vec![Statement::new(
            "SELECT 1 / count(*) FROM (SELECT version FROM schema_version \
             WHERE holder = $1 AND version = $2 AND ends_at > clock_timestamp() FOR UPDATE) AS held",
            &held,
        )];
        statements.extend(
            migration.statements.iter().copied().flatten().map(|sql| Statement::plain(sql)),
        );
        let next = [Param::I64(step), Param::I64(migration.oldest), Param::F64(lease as f64)];
        statements.push(Statement::new(
            "UPDATE schema_version SET version = $1, oldest = $2, \
             ends_at = clock_timestamp() + $3 * interval '1 second'",
            &next,
        ));
        link.run(limits(), &statements, deadline)?;
    }
    let release = "UPDATE schema_version SET ends_at = '-infinity' WHERE holder = $1";
    one(link, release, &[Param::Text(holder)], deadline)?;
    Ok(Readiness::Ready)
}

/// Returns the version of the schema, and the oldest one whose programs may use it; `None` if there is no schema.
fn version(link: &mut Link, deadline: Instant) -> Result<Option<(i64, i64)>, PostgresError> {
    let table = "SELECT to_regclass('pumphouse.schema_version') IS NOT NULL";
    if !one(link, table, &[], deadline)?.only()?.bool(0)? {
        return Ok(None);
    }
    let found = one(link, "SELECT version, oldest FROM schema_version", &[], deadline)?;
    found.first().map(|row| Ok((row.i64(0)?, row.i64(1)?))).transpose()
}

/// Creates the schema with the row of its version. Replicas may do so at one time, and one of them gets an error then.
fn create(link: &mut Link, deadline: Instant) -> Result<(), PostgresError> {
    let statements = [
        Statement::plain("CREATE SCHEMA IF NOT EXISTS pumphouse"),
        Statement::plain(
            "CREATE TABLE IF NOT EXISTS pumphouse.schema_version (\
             only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), \
             version bigint NOT NULL, oldest bigint NOT NULL, holder text NOT NULL, \
             ends_at timestamptz NOT NULL)",
        ),
        Statement::plain(
            "INSERT INTO pumphouse.schema_version (version, oldest, holder, ends_at) \
             VALUES (0, 0, '', '-infinity') ON CONFLICT DO NOTHING",
        ),
    ];
    match link.run(limits(), &statements, deadline) {
        Err(error) if error.sqlstate().is_some_and(is_race) => {
            link.run(limits(), &statements, deadline).map(drop)
        }
        other => other.map(drop),
    }
}

/// Returns true for the errors of two creations at one time: unique_violation, duplicate_schema, duplicate_table,
/// duplicate_object.
fn is_race(sqlstate: &str) -> bool {
    matches!(sqlstate, "23505" | "42P06" | "42P07" | "42710")
}

fn one(
    link: &mut Link,
    sql: &str,
    params: &[Param<'_>],
    deadline: Instant,
) -> Result<Outcome, PostgresError> {
    let mut outcomes = link.run(limits(), &[Statement::new(sql, params)], deadline)?;
    Ok(outcomes.pop().unwrap_or_default())
}

fn limits() -> Limits {
    Limits { statement: STEP_TIMEOUT, lock: LOCK_TIMEOUT, idle: LOCK_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::fixture;
    use crate::store::Access;

    fn link(database: &fixture::Database) -> Link {
        Link::new(Access::new(database.target(), "test".into()).unwrap())
    }

    fn deadline() -> Instant {
        fixture::deadline()
    }

    #[test]
    fn replicas_that_start_at_one_time_create_the_schema_once() {
        let database = fixture::database();
        let prepared: Vec<Readiness> = std::thread::scope(|scope| {
            let replicas: Vec<_> = (0..4)
                .map(|n: i32| {
                    let mut link = link(&database);
                    scope.spawn(move || {
                        loop {
                            let readiness = prepare(&mut link, &n.to_string(), deadline()).unwrap();
                            if readiness != Readiness::Busy {
                                return readiness;
                            }
                        }
                    })
                })
                .collect();
            replicas.into_iter().map(|replica| replica.join().unwrap()).collect()
        });
        assert_eq!(prepared, vec![Readiness::Ready; 4]);
        assert_eq!(version(&mut link(&database), deadline()).unwrap(), Some((VERSION, 1)));
    }

    #[test]
    fn database_of_another_encoding_is_refused_with_the_command_that_creates_it() {
        let (database, name) = (fixture::database(), "latin");
        let server = hostile::postgres::Postgres::shared();
        let settings = "OWNER pumphouse TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
        for encoding in ["LATIN1", "SQL_ASCII"] {
            let name = format!("{name}_{encoding}").to_lowercase();
            let sql = format!("CREATE DATABASE {name} ENCODING '{encoding}' {settings}");
            server.psql("postgres", &sql);
            let target = database.0.url.replace(&database.0.name, &name);
            let target = crate::postgres::Target::parse(&target).unwrap();
            let access = Access::new(target, "test".into()).unwrap();
            let expected = Readiness::Encoding(encoding.to_owned());
            assert_eq!(access.prepare(deadline()).unwrap(), expected);
            assert!(!access.is_ready());
            let words = access.health().fault().unwrap().message;
            assert!(words.contains("createdb --encoding=UTF8 --template=template0"), "{words}");
            let found = access.inspect(fixture::AMPLE).unwrap();
            assert_eq!((found.refusal(), found.schema), (expected.refusal(), None), "for check");
        }
    }

    #[test]
    fn schema_is_expanded_beside_an_earlier_program_and_refused_once_it_is_contracted() {
        const EXPANDED: Migration = Migration {
            statements: &[&["ALTER TABLE pumphouse.series ADD COLUMN quality bigint"]],
            oldest: 1,
        };
        const CONTRACTED: Migration = Migration {
            statements: &[&["ALTER TABLE pumphouse.series DROP COLUMN period"]],
            oldest: VERSION + 2,
        };
        let first = || Migration { statements: &[tables::HISTORY_AND_LEASES], oldest: 1 };
        let database = fixture::database();
        let mut link = link(&database);
        let mut run = |steps: &[Migration], holder: &str| {
            migrate(&mut link, steps, holder, deadline()).unwrap()
        };
        assert_eq!(run(&[first()], "old"), Readiness::Ready);
        assert_eq!(run(&[first(), EXPANDED], "new"), Readiness::Ready);
        assert_eq!(run(&[first()], "old"), Readiness::Ready, "it goes on beside the new one");
        assert_eq!(run(&[first(), EXPANDED, CONTRACTED], "newest"), Readiness::Ready);
        let refused = run(&[first()], "old");
        assert_eq!(refused, Readiness::TooNew { found: VERSION + 2, oldest: VERSION + 2 });
        let words = refused.refusal().unwrap();
        assert!(words.contains("schema version 3") && words.contains("update it"), "{words}");
    }

    #[test]
    fn migration_that_fails_changes_nothing_and_another_replica_waits_for_its_lease() {
        const BROKEN: Migration = Migration {
            statements: &[&[
                "ALTER TABLE pumphouse.series ADD COLUMN quality bigint",
                "ALTER TABLE pumphouse.no_such_table ADD COLUMN quality bigint",
            ]],
            oldest: 1,
        };
        let first = || Migration { statements: &[tables::HISTORY_AND_LEASES], oldest: 1 };
        let database = fixture::database();
        let mut link = link(&database);
        migrate(&mut link, &[first()], "old", deadline()).unwrap();
        migrate(&mut link, &[first(), BROKEN], "new", deadline()).unwrap_err();
        assert_eq!(version(&mut link, deadline()).unwrap(), Some((1, 1)));
        let columns = "SELECT count(*) FROM information_schema.columns \
                       WHERE table_name = 'series' AND column_name = 'quality'";
        let columns = one(&mut link, columns, &[], deadline()).unwrap();
        assert_eq!(columns.only().unwrap().i64(0).unwrap(), 0);
        let other = migrate(&mut link, &[first(), BROKEN], "other", deadline()).unwrap();
        assert_eq!(other, Readiness::Busy, "the lease of the first one has not ended");
    }
}
