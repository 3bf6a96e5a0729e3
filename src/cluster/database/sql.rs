//! Statements of a tick. The head of `cluster` states what each one does, and why.

/// division_by_zero
pub(super) const DIVISION_BY_ZERO: &str = "22012";

/// Restores the row if other software has deleted it. As after a promotion, no lease is acquired for a while.
pub(super) const RESTORE_ERA: &str = "INSERT INTO era (timeline, since) SELECT '', now() \
    WHERE NOT EXISTS (SELECT 1 FROM era) ON CONFLICT DO NOTHING";

/// The timeline of the database. [`UPDATE_ERA`] has the same expression.
pub(super) const TIMELINE: &str = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

/// A new database has no timeline yet, and no leases that have to end. A time of the future is of a clock that was set
/// back.
pub(super) const UPDATE_ERA: &str = "UPDATE era SET timeline = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
    since = CASE WHEN timeline = '' THEN since ELSE now() END WHERE timeline <> substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) \
    OR since > clock_timestamp()";

/// The era, with the clock, the schema, and the time zone of the replicas.
pub(super) const ERA: &str = "SELECT timeline, extract(epoch FROM now() - since)::float8, \
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
    (SELECT oldest FROM schema_version), \
    (SELECT value FROM meta WHERE key = 'replicas_timezone') FROM era";

pub(super) const REGISTER: &str = "INSERT INTO replica (instance, name, ends_at, digest, sources, hashes, configured_at) \
    VALUES ($1, $2, now() + $3 * interval '1 second', $4, $5, $6, now()) \
    ON CONFLICT (instance) DO UPDATE SET ends_at = excluded.ends_at, digest = excluded.digest, \
    sources = excluded.sources, hashes = excluded.hashes, configured_at = excluded.configured_at";

/// The division fails if the database does not know the instance, which ends the transaction.
pub(super) const RENEW: &str = "WITH renewed AS (UPDATE replica SET ends_at = now() + $2 * interval '1 second' \
    WHERE instance = $1 RETURNING instance) SELECT 1 / count(*) FROM renewed";

/// Cuts leases of other replicas that end too late, because the clock of the database was set back. A row that its owner
/// renews is skipped: no tick waits for another one while it has locked its own row.
pub(super) const CAP_LEASES: &str = "UPDATE replica SET ends_at = clock_timestamp() + $1 * interval '1 second' \
    WHERE instance IN (SELECT instance FROM replica \
    WHERE ends_at > clock_timestamp() + $1 * interval '1 second' FOR UPDATE SKIP LOCKED)";

pub(super) const RECONFIGURE: &str = "WITH renewed AS (UPDATE replica SET name = $2, \
    ends_at = now() + $3 * interval '1 second', digest = $4, sources = $5, hashes = $6, \
    configured_at = now() WHERE instance = $1 RETURNING instance) \
    SELECT 1 / count(*) FROM renewed";

/// Waits for the end of an earlier tick of this instance, whose reply was lost: what it acquires must be released, too.
pub(super) const LOCK_REPLICA: &str = "SELECT instance FROM replica WHERE instance = $1 FOR UPDATE";

pub(super) const LOCK_OWN_LEASES: &str =
    "SELECT source FROM lease WHERE instance = $1 ORDER BY source FOR UPDATE";

pub(super) const DELETE_REPLICA: &str = "DELETE FROM replica WHERE instance = $1";

pub(super) const PRUNE: &str = "DELETE FROM replica WHERE ends_at < now() - interval '1 hour' \
    AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.instance = replica.instance)";

pub(super) const PRUNE_STATES: &str = "DELETE FROM current WHERE written_at < now() - interval '30 days' \
    AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.source = current.source AND lease.instance IS NOT NULL)";

/// Waits for no tick, which locks leases in the order of their sources.
pub(super) const PRUNE_LEASES: &str = "DELETE FROM lease WHERE source IN (SELECT source FROM lease \
    WHERE instance IS NULL AND changed_at < now() - interval '30 days' FOR UPDATE SKIP LOCKED)";

pub(super) const LEAVE_LEASES: &str = "UPDATE lease SET holder = NULL, instance = NULL, \
    changed_at = clock_timestamp() WHERE instance = $1";

pub(super) const INSERT_MISSING: &str = "INSERT INTO lease (source, epoch, changed_at) \
    SELECT source, 0, clock_timestamp() FROM unnest($1::text[]) AS wanted (source) \
    WHERE NOT EXISTS (SELECT 1 FROM lease WHERE lease.source = wanted.source) \
    ORDER BY source ON CONFLICT (source) DO NOTHING";

pub(super) const LOCK_LEASES: &str = "SELECT source FROM lease WHERE source = ANY ($1::text[]) \
    ORDER BY source FOR UPDATE";

pub(super) const RELEASE: &str = "UPDATE lease SET holder = NULL, instance = NULL, \
    changed_at = clock_timestamp() \
    FROM unnest($1::text[], $2::bigint[]) AS released (source, epoch) \
    WHERE lease.source = released.source AND lease.epoch = released.epoch AND lease.instance = $3";

pub(super) const ACQUIRE: &str = "WITH ended AS MATERIALIZED ( \
    SELECT instance FROM replica WHERE ends_at <= now() FOR SHARE SKIP LOCKED) \
    UPDATE lease SET holder = $2, instance = $3, epoch = epoch + 1, changed_at = clock_timestamp() \
    WHERE source = ANY ($1::text[]) \
    AND (instance IS NULL OR instance = $3 OR instance IN (SELECT instance FROM ended) \
    OR changed_at <= now() - $4 * interval '1 second' \
    AND NOT EXISTS (SELECT 1 FROM replica WHERE replica.instance = lease.instance)) \
    AND (SELECT since FROM era) <= now() - $4 * interval '1 second' RETURNING source";

/// Seconds to the next poll, as the current readings state it by the clock of the cluster. If that was set back, the
/// present is not before the time of the reading.
///
/// The content is not cast to JSON: a cast that fails would end the acquisition of all sources. Within a text of JSON
/// each quotation mark follows a backslash, so the pattern matches the member's name alone.
pub(super) const NEXT_POLLS: &str = "SELECT source, \
    substring(content FROM '\"next_poll_at\": *([0-9]{1,15})')::float8 / 1000 \
    - extract(epoch FROM greatest(clock_timestamp(), written_at))::float8 FROM current WHERE source = ANY ($1::text[])";

pub(super) const REQUEST_POLLS: &str = "UPDATE lease SET poll_requests = poll_requests + 1, \
    changed_at = clock_timestamp() WHERE source = ANY ($1::text[])";

pub(super) const LIVE_REPLICAS: &str = "SELECT name, instance, digest, \
    (extract(epoch FROM configured_at) * 1000000)::bigint, \
    CASE WHEN digest = ANY ($1::bigint[]) THEN NULL ELSE sources END, \
    CASE WHEN digest = ANY ($1::bigint[]) THEN NULL ELSE hashes END \
    FROM replica WHERE ends_at > now() ORDER BY instance";

pub(super) const ALL_LEASES: &str =
    "SELECT source, holder, instance, epoch, poll_requests FROM lease";

pub(super) const RECENT_LEASES: &str = "SELECT source, holder, instance, epoch, poll_requests FROM lease \
    WHERE changed_at > now() - $1 * interval '1 second'";

pub(super) const OWN_LEASES: &str = "SELECT count(*) FROM lease WHERE instance = $1";

/// Later states of each instance, those with the lowest versions first.
pub(super) const STATES_SINCE: &str = "SELECT later.* FROM unnest($1::text[], $2::bigint[]) \
    AS known (instance, version) CROSS JOIN LATERAL (\
    SELECT source, instance, version, content FROM current \
    WHERE current.instance = known.instance AND current.version > known.version \
    ORDER BY current.version LIMIT $3) AS later";

/// A page of the states of all other instances.
pub(super) const STATES_PAGE: &str = "SELECT source, instance, version, content FROM current \
    WHERE instance <> $1 AND source > $2 ORDER BY source LIMIT $3";

/// Each state has a version of its own, so that a reader may stop after any of them.
pub(super) const PUBLISH: &str = "WITH held AS MATERIALIZED (SELECT source, epoch FROM lease \
    WHERE instance = $1 AND source = ANY ($3::text[]) ORDER BY source FOR SHARE) \
    INSERT INTO current (source, instance, version, written_at, content) \
    SELECT source, $1, $2 + number, clock_timestamp(), content \
    FROM unnest($3::text[], $4::bigint[], $5::text[]) WITH ORDINALITY \
    AS published (source, epoch, content, number) \
    JOIN held USING (source, epoch) \
    ON CONFLICT (source) DO UPDATE SET instance = excluded.instance, version = excluded.version, \
    written_at = excluded.written_at, content = excluded.content \
    WHERE current.instance <> excluded.instance OR current.version < excluded.version";
