//! The database's side of the exchange of sessions and failed guesses: see [`Gate::take_outgoing`] and `store::schema`.
//!
//! It is one transaction after each tick. Replicas insert and delete rows in one order or skip locked ones, so
//! none waits for another for longer than a round trip.

use std::time::{Duration, Instant};

use super::instance::InstanceId;
use crate::access::{CountRow, EndedRow, Incoming, KeyRow, Outgoing, SecretRow};
use crate::postgres::{Limits, Outcome, Param, PostgresError, Row, Statement};
use crate::store::Link;

/// Most time of an exchange. The next tick waits for it.
const TIMEOUT: Duration = Duration::from_secs(1);

const LIMITS: Limits =
    Limits { statement: TIMEOUT, lock: Duration::from_millis(500), idle: TIMEOUT };

/// Writes rows, and reads those of the other replicas. `process` names the writer of the counts.
///
/// # Errors
/// The database could not be reached, or refused a statement. It may have taken the rows all the same.
pub(super) fn exchange(
    link: &mut Link,
    process: InstanceId,
    sent: &Outgoing,
) -> Result<Incoming, PostgresError> {
    let Outgoing { since, secrets, keys, ended, counts } = sent;
    let names: Vec<&str> = secrets.iter().map(|row| &*row.name).collect();
    let values: Vec<&[u8]> = secrets.iter().map(|row| &row.value[..]).collect();
    let secret_columns = [Param::Texts(&names), Param::ByteArrays(&values)];

    let accounts: Vec<&str> = keys.iter().map(|row| &*row.account).collect();
    let passwords: Vec<&[u8]> = keys.iter().map(|row| &row.password[..]).collect();
    let generations: Vec<i64> = keys.iter().map(|row| row.generation).collect();
    let key_ids: Vec<&[u8]> = keys.iter().map(|row| &row.id[..]).collect();
    let sealed: Vec<&[u8]> = keys.iter().map(|row| &row.sealed[..]).collect();
    let are_retired: Vec<Option<bool>> = keys.iter().map(|row| Some(row.is_retired)).collect();
    let key_columns = [
        Param::Texts(&accounts),
        Param::ByteArrays(&passwords),
        Param::I64s(&generations),
        Param::ByteArrays(&key_ids),
        Param::ByteArrays(&sealed),
        Param::Bools(&are_retired),
    ];

    let ids: Vec<&[u8]> = ended.iter().map(|row| &row.id[..]).collect();
    let signers: Vec<&[u8]> = ended.iter().map(|row| &row.key[..]).collect();
    let expiries: Vec<i64> = ended.iter().map(|row| row.expires).collect();
    let ended_columns =
        [Param::ByteArrays(&ids), Param::ByteArrays(&signers), Param::I64s(&expiries)];

    let kinds: Vec<i64> = counts.iter().map(|row| row.kind.into()).collect();
    let fingerprints: Vec<&[u8]> = counts.iter().map(|row| &row.key[..]).collect();
    let versions: Vec<i64> = counts.iter().map(|row| row.version).collect();
    let failures: Vec<i64> = counts.iter().map(|row| row.failures.into()).collect();
    let since_ages: Vec<i64> = counts.iter().map(|row| row.since_age).collect();
    let latest_ages: Vec<i64> = counts.iter().map(|row| row.latest_age).collect();
    let tags: Vec<i64> = counts.iter().map(|row| row.tag.into()).collect();
    let keeps: Vec<i64> = counts.iter().map(|row| row.keep).collect();
    let own = Param::Bytes(process.as_bytes());
    let count_columns = [
        Param::I64s(&kinds),
        Param::ByteArrays(&fingerprints),
        Param::I64s(&versions),
        Param::I64s(&failures),
        Param::I64s(&since_ages),
        Param::I64s(&latest_ages),
        Param::I64s(&tags),
        Param::I64s(&keeps),
        own,
    ];

    let writes = [
        (INSERT_SECRETS, &secret_columns[..], secrets.is_empty()),
        (INSERT_KEYS, &key_columns[..], keys.is_empty()),
        (INSERT_ENDED, &ended_columns[..], ended.is_empty()),
        (INSERT_COUNTS, &count_columns[..], counts.is_empty()),
    ];
    let writes = writes.into_iter().filter(|(.., is_empty)| !is_empty);
    let mut statements: Vec<Statement<'_>> =
        writes.map(|(sql, params, _)| Statement::new(sql, params)).collect();
    let read_at = statements.len();
    let since = Param::optional(*since, Param::I64);
    let (since_only, keys_read, counts_read) =
        ([since], [since, Param::Texts(&accounts)], [since, own]);
    statements.extend([
        Statement::plain(READ_NOW),
        Statement::plain("SELECT name, value FROM secret"),
        Statement::new(READ_KEYS, &keys_read),
        Statement::new(READ_ENDED, &since_only),
        Statement::new(READ_COUNTS, &counts_read),
    ]);

    let outcomes = link.run(LIMITS, &statements, Instant::now() + TIMEOUT)?;
    let [now, secrets, keys, ended, counts] = &outcomes[read_at..] else {
        return Err(PostgresError::Closed);
    };
    let now = now.only()?;
    Ok(Incoming {
        now: now.i64(0)?,
        replicas: usize::try_from(now.i64(1)?).unwrap_or(0).max(1),
        secrets: all(secrets, secret)?,
        keys: all(keys, key)?,
        ended: all(ended, ended_session)?,
        counts: all(counts, count)?,
    })
}

/// Deletes rows that concern no caller any more, a bounded number of each kind. Returns true if there may be more.
///
/// # Errors
/// The database could not be reached, or refused a statement.
pub(super) fn prune(link: &mut Link) -> Result<bool, PostgresError> {
    let most = [Param::I64(MOST_COUNTS)];
    let statements = [
        Statement::plain(PRUNE_ENDED),
        Statement::plain(PRUNE_KEYS),
        Statement::plain(PRUNE_COUNTS),
        Statement::new(PRUNE_SURPLUS, &most),
    ];
    let outcomes = link.run(LIMITS, &statements, Instant::now() + TIMEOUT)?;
    Ok(outcomes.iter().any(|outcome| outcome.affected() >= MAX_PRUNED))
}

/// Most rows of a kind that are deleted at once, so that a flood of them ends no tick.
const MAX_PRUNED: u64 = 1_000;

/// Most counts that are kept: a flood of guesses must not fill the database.
const MOST_COUNTS: i64 = 16_384;

const INSERT_SECRETS: &str = "INSERT INTO secret (name, value) \
    SELECT * FROM unnest($1::text[], $2::bytea[]) AS new (name, value) ORDER BY name \
    ON CONFLICT (name) DO NOTHING";

const INSERT_KEYS: &str = "INSERT INTO session_key AS known \
    (account, password, generation, id, sealed, is_retired, changed_at) \
    SELECT account, password, generation, id, sealed, is_retired, now() \
    FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bytea[], $6::boolean[]) \
    AS new (account, password, generation, id, sealed, is_retired) ORDER BY account, password \
    ON CONFLICT (account, password) DO UPDATE SET generation = excluded.generation, \
    id = excluded.id, sealed = excluded.sealed, is_retired = excluded.is_retired, \
    changed_at = excluded.changed_at \
    WHERE known.generation < excluded.generation \
    OR known.generation = excluded.generation AND excluded.is_retired AND NOT known.is_retired";

const INSERT_ENDED: &str = "INSERT INTO ended_session (id, key, expires_at, added_at) \
    SELECT id, key, expires_at, now() FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) \
    AS new (id, key, expires_at) ORDER BY id ON CONFLICT (id) DO NOTHING";

const INSERT_COUNTS: &str = "INSERT INTO guess_count AS known \
    (kind, key, instance, version, failures, since, latest, tag, ends_at, changed_at) \
    SELECT kind::smallint, key, $9, version, failures::integer, \
    now() - since_age * interval '1 millisecond', now() - latest_age * interval '1 millisecond', \
    tag::smallint, now() + keep * interval '1 millisecond', now() \
    FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
    $7::bigint[], $8::bigint[]) \
    AS new (kind, key, version, failures, since_age, latest_age, tag, keep) ORDER BY kind, key \
    ON CONFLICT (kind, key, instance) DO UPDATE SET version = excluded.version, \
    failures = excluded.failures, since = excluded.since, latest = excluded.latest, \
    tag = excluded.tag, ends_at = excluded.ends_at, changed_at = excluded.changed_at \
    WHERE known.version < excluded.version";

const READ_NOW: &str = "SELECT (extract(epoch FROM now()) * 1000000)::bigint, \
    (SELECT count(*) FROM replica WHERE ends_at > now())";

/// Condition that a row was changed at the time of the first parameter or later.
macro_rules! since {
    ($column:literal) => {
        concat!(
            "($1::bigint IS NULL OR ",
            $column,
            " >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond')"
        )
    };
}

const READ_KEYS: &str = concat!(
    "SELECT account, password, generation, id, sealed, is_retired FROM session_key WHERE ",
    since!("changed_at"),
    " OR account = ANY ($2::text[]) ORDER BY changed_at DESC LIMIT 4096"
);

const READ_ENDED: &str = concat!(
    "SELECT id, key, expires_at FROM ended_session WHERE ",
    since!("added_at"),
    " AND expires_at > extract(epoch FROM now())::bigint - 86400"
);

const READ_COUNTS: &str = concat!(
    "SELECT instance, kind, key, version, failures, \
     greatest(extract(epoch FROM now() - since) * 1000, 0)::bigint, \
     greatest(extract(epoch FROM now() - latest) * 1000, 0)::bigint, tag, \
     (extract(epoch FROM ends_at - now()) * 1000)::bigint \
     FROM guess_count WHERE instance <> $2 AND ends_at > now() AND ",
    since!("changed_at"),
    " ORDER BY failures DESC LIMIT 4096"
);

/// Sessions that have expired, and those whose key is retired. A key may follow its sessions by an exchange.
const PRUNE_ENDED: &str = "DELETE FROM ended_session WHERE id IN (SELECT id FROM ended_session \
    WHERE expires_at < extract(epoch FROM now())::bigint - 86400 \
    OR added_at < now() - interval '1 minute' AND NOT EXISTS (SELECT 1 FROM session_key \
    WHERE session_key.id = ended_session.key AND NOT session_key.is_retired) \
    LIMIT 1000 FOR UPDATE SKIP LOCKED)";

const PRUNE_KEYS: &str = "DELETE FROM session_key WHERE (account, password) IN \
    (SELECT account, password FROM session_key WHERE is_retired \
    AND changed_at < now() - interval '400 days' LIMIT 1000 FOR UPDATE SKIP LOCKED)";

const PRUNE_COUNTS: &str = "DELETE FROM guess_count WHERE (kind, key, instance) IN \
    (SELECT kind, key, instance FROM guess_count WHERE ends_at <= now() \
    LIMIT 1000 FOR UPDATE SKIP LOCKED)";

const PRUNE_SURPLUS: &str = "DELETE FROM guess_count WHERE (kind, key, instance) IN \
    (SELECT kind, key, instance FROM guess_count WHERE (kind, key, instance) IN \
    (SELECT kind, key, instance FROM guess_count ORDER BY failures DESC, latest DESC OFFSET $1) \
    LIMIT 1000 FOR UPDATE SKIP LOCKED)";

fn all<T>(
    outcome: &Outcome,
    read: impl Fn(Row<'_>) -> Result<T, PostgresError>,
) -> Result<Vec<T>, PostgresError> {
    outcome.rows().map(read).collect()
}

fn secret(row: Row<'_>) -> Result<SecretRow, PostgresError> {
    Ok(SecretRow { name: row.text(0)?.to_owned(), value: bytes(row, 1)? })
}

fn key(row: Row<'_>) -> Result<KeyRow, PostgresError> {
    Ok(KeyRow {
        account: row.text(0)?.to_owned(),
        password: bytes(row, 1)?,
        generation: row.i64(2)?,
        id: bytes(row, 3)?,
        sealed: bytes(row, 4)?,
        is_retired: row.bool(5)?,
    })
}

fn ended_session(row: Row<'_>) -> Result<EndedRow, PostgresError> {
    Ok(EndedRow { id: bytes(row, 0)?, key: bytes(row, 1)?, expires: row.i64(2)? })
}

fn count(row: Row<'_>) -> Result<([u8; 16], CountRow), PostgresError> {
    let count = CountRow {
        kind: narrow(row, 1)?,
        key: bytes(row, 2)?,
        version: row.i64(3)?,
        failures: narrow(row, 4)?,
        since_age: row.i64(5)?,
        latest_age: row.i64(6)?,
        tag: narrow(row, 7)?,
        keep: row.i64(8)?,
    };
    Ok((bytes(row, 0)?, count))
}

fn bytes<const N: usize>(row: Row<'_>, column: usize) -> Result<[u8; N], PostgresError> {
    row.bytes(column)?.try_into().map_err(|_| unexpected(column))
}

fn narrow<T: TryFrom<i64>>(row: Row<'_>, column: usize) -> Result<T, PostgresError> {
    T::try_from(row.i64(column)?).map_err(|_| unexpected(column))
}

/// The table's constraints exclude it.
fn unexpected(column: usize) -> PostgresError {
    PostgresError::Usage(format!("column {column} of a row of sessions or guesses is out of range"))
}
