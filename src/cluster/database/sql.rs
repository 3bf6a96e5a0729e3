//! Statements of a tick. The head of `cluster` states what each one does, and why.

/// division_by_zero
pub(super) const DIVISION_BY_ZERO: &str = "22012";

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
pub(super) const NEXT_POLLS: &str = "SELECT source, (content::json ->> 'next_poll_at')::float8 / 1000 \
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

pub(super) const ALL_STATES: &str =
    "SELECT source, instance, version, content FROM current WHERE instance <> $1";

pub(super) const STATES_SINCE: &str = "SELECT current.source, current.instance, current.version, \
    current.content FROM unnest($1::text[], $2::bigint[]) AS known (instance, version) \
    JOIN current ON current.instance = known.instance AND current.version > known.version";

pub(super) const PUBLISH: &str = "WITH held AS MATERIALIZED (SELECT source, epoch FROM lease \
    WHERE instance = $1 AND source = ANY ($3::text[]) ORDER BY source FOR SHARE) \
    INSERT INTO current (source, instance, version, written_at, content) \
    SELECT source, $1, $2, clock_timestamp(), content \
    FROM unnest($3::text[], $4::bigint[], $5::text[]) AS published (source, epoch, content) \
    JOIN held USING (source, epoch) \
    ON CONFLICT (source) DO UPDATE SET instance = excluded.instance, version = excluded.version, \
    written_at = excluded.written_at, content = excluded.content \
    WHERE current.instance <> excluded.instance OR current.version < excluded.version";
