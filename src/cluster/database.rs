//! The database's side of a tick: one pipeline, which is one transaction. The head of the module states what each
//! statement does, and why.

mod sql;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::sql::{
    ACQUIRE, ALL_LEASES, ALL_STATES, CAP_LEASES, DELETE_REPLICA, DIVISION_BY_ZERO, INSERT_MISSING,
    LEAVE_LEASES, LIVE_REPLICAS, LOCK_LEASES, LOCK_OWN_LEASES, LOCK_REPLICA, NEXT_POLLS, PRUNE,
    PUBLISH, RECENT_LEASES, RECONFIGURE, REGISTER, RELEASE, RENEW, REQUEST_POLLS, STATES_SINCE,
};
use super::exchange::{
    Acquired, LeaseRead, LeaseRow, LiveReplica, RECENT, Registration, Renewal, TickReply,
    TickRequest,
};
use super::instance::InstanceId;
use crate::postgres::{Limits, Outcome, Param, PostgresError, Row, Statement};
use crate::store::Link;
use crate::wall_clock;

/// Most time of a tick. The lease is valid for three times as long after it was sent.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// Most time of the last request at a stop.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_millis(800);

/// Most time of a statement and of a wait for a lock. Rows are locked for a round trip at most.
pub(super) const LIMITS: Limits =
    Limits { statement: TIMEOUT, lock: Duration::from_secs(1), idle: TIMEOUT };

/// State of a source as another replica has published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublishedState {
    pub(super) source: String,
    pub(super) instance: String,
    pub(super) version: i64,
    /// JSON of [`crate::board::SharedState`].
    pub(super) content: String,
}

/// States of sources that a tick reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StateRead {
    /// Those of all other instances.
    All,
    /// Those with a later version than the known one of an instance.
    Since(BTreeMap<String, i64>),
}

/// What a tick has read.
#[derive(Debug)]
pub(super) struct Ticked {
    pub(super) reply: TickReply,
    pub(super) states: Vec<PublishedState>,
    /// Time of the database.
    pub(super) now: Timestamp,
    /// Oldest version whose programs may use the schema.
    pub(super) oldest: i64,
}

/// Executes a tick.
///
/// # Errors
/// The database could not be reached, or refused a statement. It may have executed the tick all the same.
pub(super) fn tick(
    link: &mut Link,
    request: &TickRequest,
    states: &StateRead,
    reads_timeline: bool,
) -> Result<Ticked, PostgresError> {
    let deadline = Instant::now() + TIMEOUT;
    let me = request.instance.to_string();
    let ttl = Param::F64(request.ttl.as_secs_f64());
    let instance = Param::Text(&me);
    let name = Param::Text(&request.replica);
    let timeline = [
        // A new database has no timeline yet, and no leases that have to end.
        "UPDATE era SET timeline = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
         since = CASE WHEN timeline = '' THEN since ELSE now() END WHERE timeline <> substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) \
         OR since > clock_timestamp()",
        "SELECT timeline, extract(epoch FROM now() - since)::float8, \
         (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
         (SELECT oldest FROM schema_version) FROM era",
    ];
    let mut statements: Vec<Statement<'_>> = Vec::new();
    if reads_timeline {
        statements.push(Statement::plain(timeline[0]));
    }
    let era_at = statements.len();
    statements.push(Statement::plain(timeline[1]));

    let registration = match &request.renewal {
        Renewal::Register(registration) | Renewal::Reconfigure(registration) => {
            Some(RegistrationColumns::of(registration))
        }
        Renewal::Renew | Renewal::Leave => None,
    };
    let registered = registration.as_ref().map(|columns| {
        let digest = Param::I64(columns.digest);
        [instance, name, ttl, digest, Param::Texts(&columns.sources), Param::I64s(&columns.hashes)]
    });
    let renewed = [instance, ttl];
    match (&request.renewal, &registered) {
        (Renewal::Register(_), Some(params)) => {
            statements.push(Statement::new(REGISTER, params));
        }
        (_, Some(params)) => statements.push(Statement::new(RECONFIGURE, params)),
        (Renewal::Leave, None) => {
            let only_me = &renewed[..1];
            let leave = [LOCK_REPLICA, LOCK_OWN_LEASES, LEAVE_LEASES, DELETE_REPLICA];
            statements.extend(leave.map(|sql| Statement::new(sql, only_me)));
            link.run(LIMITS, &statements, Instant::now() + LEAVE_TIMEOUT)?;
            return Ok(Ticked {
                reply: TickReply::default(),
                states: Vec::new(),
                now: wall_clock::now(),
                oldest: 0,
            });
        }
        _ => statements.push(Statement::new(RENEW, &renewed)),
    }
    let cap = [ttl];
    statements.push(Statement::new(CAP_LEASES, &cap));

    let released: Vec<&str> = request.releases.iter().map(|(source, _)| &**source).collect();
    let epochs: Vec<i64> = request.releases.iter().map(|&(_, epoch)| epoch).collect();
    let acquired: Vec<&str> = request.acquisitions.iter().map(|source| &**source).collect();
    let requested: Vec<&str> = request.poll_requests.iter().map(|source| &**source).collect();
    let changed: Vec<&str> = released.iter().chain(&acquired).chain(&requested).copied().collect();
    let changed = [Param::Texts(&changed)];
    let releases = [Param::Texts(&released), Param::I64s(&epochs), instance];
    let acquisitions = [Param::Texts(&acquired), name, instance, ttl];
    let poll_requests = [Param::Texts(&requested)];
    if !acquired.is_empty() {
        statements.push(Statement::new(INSERT_MISSING, &acquisitions[..1]));
    }
    if !(released.is_empty() && acquired.is_empty() && requested.is_empty()) {
        // Replicas that change several leases lock them in one order.
        statements.push(Statement::new(LOCK_LEASES, &changed));
    }
    if !released.is_empty() {
        statements.push(Statement::new(RELEASE, &releases));
    }
    let acquired_at = statements.len();
    if !acquired.is_empty() {
        statements.push(Statement::new(ACQUIRE, &acquisitions));
        statements.push(Statement::new(NEXT_POLLS, &acquisitions[..1]));
    }
    if !requested.is_empty() {
        statements.push(Statement::new(REQUEST_POLLS, &poll_requests));
    }

    let known: Vec<i64> = request.known_digests.iter().map(|digest| digest.cast_signed()).collect();
    let known = [Param::I64s(&known)];
    let recent = [Param::F64(RECENT.as_secs_f64())];
    let read_at = statements.len();
    statements.push(Statement::new(LIVE_REPLICAS, &known));
    statements.push(match request.read {
        LeaseRead::All => Statement::plain(ALL_LEASES),
        LeaseRead::Recent => Statement::new(RECENT_LEASES, &recent),
    });
    let own = [instance];
    statements.push(Statement::new("SELECT count(*) FROM lease WHERE instance = $1", &own));
    let (instances, versions): (Vec<&str>, Vec<i64>) = match states {
        StateRead::All => (Vec::new(), Vec::new()),
        StateRead::Since(known) => {
            known.iter().map(|(instance, version)| (&**instance, *version)).unzip()
        }
    };
    let since = [Param::Texts(&instances), Param::I64s(&versions)];
    statements.push(match states {
        StateRead::All => Statement::new(ALL_STATES, &own),
        StateRead::Since(_) => Statement::new(STATES_SINCE, &since),
    });

    let outcomes = match link.run(LIMITS, &statements, deadline) {
        // The renewal has found no row: see `RENEW`.
        Err(error) if error.sqlstate() == Some(DIVISION_BY_ZERO) => {
            let reply = TickReply::default();
            return Ok(Ticked { reply, states: Vec::new(), now: wall_clock::now(), oldest: 0 });
        }
        outcomes => outcomes?,
    };
    let outcome = |at: usize| outcomes.get(at).ok_or(PostgresError::Closed);
    let era = outcome(era_at)?.only()?;
    let era_age = Duration::try_from_secs_f64(era.f64(1)?.max(0.0)).unwrap_or(Duration::MAX);
    let acquired = match acquired.is_empty() {
        true => Vec::new(),
        false => acquisitions_of(outcome(acquired_at)?, outcome(acquired_at + 1)?)?,
    };
    let reply = TickReply {
        is_registered: true,
        era: u64::from_str_radix(era.text(0)?, 16).unwrap_or(0),
        era_age: if reads_timeline { era_age } else { Duration::MAX },
        replicas: outcome(read_at)?.rows().map(replica).collect::<Result<_, _>>()?,
        leases: outcome(read_at + 1)?.rows().map(lease).collect::<Result<_, _>>()?,
        own_leases: usize::try_from(outcome(read_at + 2)?.only()?.i64(0)?).unwrap_or(0),
        acquired,
    };
    let states = outcome(read_at + 3)?.rows().map(state).collect::<Result<_, _>>()?;
    let now = Timestamp::from_microsecond(era.i64(2)?).unwrap_or_default();
    Ok(Ticked { reply, states, now, oldest: era.i64(3)? })
}

/// Returns true if the database lets this user read its timeline.
///
/// # Errors
/// The database could not be reached.
pub(super) fn may_read_timeline(link: &mut Link) -> Result<bool, PostgresError> {
    let sql = "SELECT has_function_privilege('pg_walfile_name(pg_lsn)', 'execute') \
               AND has_function_privilege('pg_current_wal_lsn()', 'execute')";
    let outcomes = link.run(LIMITS, &[Statement::plain(sql)], Instant::now() + TIMEOUT)?;
    outcomes.first().map_or(Ok(false), |outcome| outcome.only()?.bool(0))
}

/// A state to be published, with the epoch of its lease.
#[derive(Debug, Clone)]
pub(super) struct NewState {
    pub(super) source: Arc<str>,
    pub(super) epoch: i64,
    pub(super) content: String,
}

/// Publishes states of sources that this replica holds. The database ignores those whose lease another replica has, and
/// those of a request that arrives after a later one.
///
/// # Errors
/// The database could not be reached, or refused the statement.
pub(super) fn publish(
    link: &mut Link,
    instance: InstanceId,
    version: i64,
    states: &[NewState],
    deadline: Instant,
) -> Result<(), PostgresError> {
    let me = instance.to_string();
    let sources: Vec<&str> = states.iter().map(|state| &*state.source).collect();
    let epochs: Vec<i64> = states.iter().map(|state| state.epoch).collect();
    let contents: Vec<&str> = states.iter().map(|state| &*state.content).collect();
    let params = [
        Param::Text(&me),
        Param::I64(version),
        Param::Texts(&sources),
        Param::I64s(&epochs),
        Param::Texts(&contents),
    ];
    link.run(LIMITS, &[Statement::new(PUBLISH, &params)], deadline).map(drop)
}

/// Deletes the rows of instances that ended an hour ago. Those that have leases are needed: an instance that returns
/// must find its row, or else that another replica has its leases.
///
/// # Errors
/// The database could not be reached, or refused the statement.
pub(super) fn prune(link: &mut Link) -> Result<(), PostgresError> {
    link.run(LIMITS, &[Statement::plain(PRUNE)], Instant::now() + TIMEOUT).map(drop)
}

/// A configuration as columns.
struct RegistrationColumns<'r> {
    digest: i64,
    sources: Vec<&'r str>,
    hashes: Vec<i64>,
}

impl<'r> RegistrationColumns<'r> {
    fn of(registration: &'r Registration) -> RegistrationColumns<'r> {
        let hashes = registration.hashes.iter();
        RegistrationColumns {
            digest: registration.digest.cast_signed(),
            sources: hashes.clone().map(|(source, _)| &**source).collect(),
            hashes: hashes.map(|(_, hash)| hash.cast_signed()).collect(),
        }
    }
}

fn acquisitions_of(acquired: &Outcome, next: &Outcome) -> Result<Vec<Acquired>, PostgresError> {
    let mut next_polls = BTreeMap::new();
    for row in next.rows() {
        let wait = row.optional_f64(1)?;
        let wait = wait.and_then(|wait| Duration::try_from_secs_f64(wait.max(0.0)).ok());
        next_polls.insert(row.text(0)?, wait);
    }
    let of_row = |row: Row<'_>| {
        let source = row.text(0)?;
        let next_poll_in = next_polls.get(source).copied().flatten();
        Ok(Acquired { source: source.into(), next_poll_in })
    };
    acquired.rows().map(of_row).collect()
}

fn replica(row: Row<'_>) -> Result<LiveReplica, PostgresError> {
    let hashes = row.optional_texts(4)?.zip(row.optional_i64s(5)?).map(|(sources, hashes)| {
        let hashes = hashes.into_iter().map(i64::cast_unsigned);
        sources.into_iter().map(Into::into).zip(hashes).collect()
    });
    Ok(LiveReplica {
        name: row.text(0)?.into(),
        instance: instance(row.text(1)?)?,
        digest: row.i64(2)?.cast_unsigned(),
        hashes,
        configured_at: row.i64(3)?,
    })
}

fn lease(row: Row<'_>) -> Result<LeaseRow, PostgresError> {
    let holder = match row.optional_text(1)?.zip(row.optional_text(2)?) {
        Some((name, text)) => Some((name.into(), instance(text)?)),
        None => None,
    };
    Ok(LeaseRow {
        source: row.text(0)?.into(),
        holder,
        epoch: row.i64(3)?,
        poll_requests: row.i64(4)?,
    })
}

fn state(row: Row<'_>) -> Result<PublishedState, PostgresError> {
    Ok(PublishedState {
        source: row.text(0)?.to_owned(),
        instance: row.text(1)?.to_owned(),
        version: row.i64(2)?,
        content: row.text(3)?.to_owned(),
    })
}

fn instance(text: &str) -> Result<InstanceId, PostgresError> {
    text.parse().map_err(|error| PostgresError::Usage(format!("an instance {error}")))
}
