//! The database's side of a tick: one pipeline, which is one transaction. The head of the module states what each
//! statement does, and why.

mod rows;
mod sql;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::rows::RowReader;
use self::sql::{
    ACQUIRE, ALL_LEASES, CAP_LEASES, DELETE_REPLICA, DIVISION_BY_ZERO, ERA, INSERT_MISSING,
    LEAVE_LEASES, LIVE_REPLICAS, LOCK_LEASES, LOCK_OWN_LEASES, LOCK_REPLICA, NEXT_POLLS,
    OWN_LEASES, PRUNE, PRUNE_LEASES, PRUNE_STATES, PUBLISH, RECENT_LEASES, RECONFIGURE, REGISTER,
    RELEASE, RENEW, REQUEST_POLLS, RESTORE_ERA, STATES_PAGE, STATES_SINCE, TIMELINE, UPDATE_ERA,
};
use super::exchange::{LeaseRead, RECENT, Registration, Renewal, TickReply, TickRequest};
use super::instance::InstanceId;
use crate::postgres::{Limits, Param, PostgresError, Statement};
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

/// States of sources that a tick reads, in two parts of a limited size.
#[derive(Debug, Default)]
pub(super) struct StateRead {
    /// Latest known version of each instance whose later states are read.
    pub(super) since: BTreeMap<String, i64>,
    /// Source after which a page of the states of all other instances begins; `None` to read no page.
    pub(super) after: Option<String>,
    /// Most states of each part.
    pub(super) limit: usize,
}

impl StateRead {
    /// Returns the most states of one instance, whose share does not depend on the others.
    pub(super) fn limit_of_instance(&self) -> usize {
        (self.limit / self.since.len().max(1)).max(1)
    }
}

/// Rows that a tick has read.
#[derive(Debug)]
pub(super) struct Ticked {
    pub(super) reply: TickReply,
    /// Later states of instances, in the order of the versions of each.
    pub(super) later: Vec<PublishedState>,
    /// Page of the states of all instances.
    pub(super) page: Vec<PublishedState>,
    /// Time of the database.
    pub(super) now: Timestamp,
    /// Oldest version whose programs may use the schema.
    pub(super) oldest: i64,
    /// Time zone of the replicas.
    pub(super) zone: Option<String>,
    /// Row of a lease or a replica that cannot be read, with the reason, if there is one.
    pub(super) unreadable: Option<String>,
}

impl Ticked {
    /// Returns a reply of which nothing was read.
    fn unread() -> Ticked {
        Ticked {
            reply: TickReply::default(),
            later: Vec::new(),
            page: Vec::new(),
            now: wall_clock::now(),
            oldest: 0,
            zone: None,
            unreadable: None,
        }
    }
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
    let mut statements = vec![Statement::plain(RESTORE_ERA)];
    if reads_timeline {
        statements.push(Statement::plain(UPDATE_ERA));
    }
    let era_at = statements.len();
    statements.push(Statement::plain(ERA));

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
            return Ok(Ticked::unread());
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
    statements.push(Statement::new(OWN_LEASES, &own));
    let (instances, versions): (Vec<&str>, Vec<i64>) =
        states.since.iter().map(|(instance, version)| (&**instance, *version)).unzip();
    let limit = |limit: usize| Param::I64(i64::try_from(limit).unwrap_or(i64::MAX));
    let share = limit(states.limit_of_instance());
    let since = [Param::Texts(&instances), Param::I64s(&versions), share];
    statements.push(Statement::new(STATES_SINCE, &since));
    let page = [instance, Param::Text(states.after.as_deref().unwrap_or("")), limit(states.limit)];
    if states.after.is_some() {
        statements.push(Statement::new(STATES_PAGE, &page));
    }

    let outcomes = match link.run(LIMITS, &statements, deadline) {
        // The renewal has found no row: see `RENEW`.
        Err(error) if error.sqlstate() == Some(DIVISION_BY_ZERO) => return Ok(Ticked::unread()),
        outcomes => outcomes?,
    };
    let outcome = |at: usize| outcomes.get(at).ok_or(PostgresError::Closed);
    let era = outcome(era_at)?.only()?;
    let era_age = Duration::try_from_secs_f64(era.f64(1)?.max(0.0)).unwrap_or(Duration::MAX);
    let acquired = match acquired.is_empty() {
        true => Vec::new(),
        false => rows::acquisitions(outcome(acquired_at)?, outcome(acquired_at + 1)?)?,
    };
    let mut reader = RowReader::default();
    let reply = TickReply {
        is_registered: true,
        era: u64::from_str_radix(era.text(0)?, 16).unwrap_or(0),
        era_age: if reads_timeline { era_age } else { Duration::MAX },
        replicas: reader.replicas(outcome(read_at)?),
        leases: reader.leases(outcome(read_at + 1)?)?,
        own_leases: usize::try_from(outcome(read_at + 2)?.only()?.i64(0)?).unwrap_or(0),
        acquired,
    };
    Ok(Ticked {
        reply,
        later: rows::states(outcome(read_at + 3)?)?,
        page: match states.after {
            Some(_) => rows::states(outcome(read_at + 4)?)?,
            None => Vec::new(),
        },
        now: Timestamp::from_microsecond(era.i64(2)?).unwrap_or_default(),
        oldest: era.optional_i64(3)?.unwrap_or(0),
        zone: era.optional_text(4)?.map(str::to_owned),
        unreadable: reader.unreadable,
    })
}

/// Returns true if this user can read the timeline of the database. Hosted services may grant the functions and refuse
/// their execution, which would fail every tick.
///
/// # Errors
/// The database could not be reached, or is short of something.
pub(super) fn may_read_timeline(link: &mut Link) -> Result<bool, PostgresError> {
    match link.run(LIMITS, &[Statement::plain(TIMELINE)], Instant::now() + TIMEOUT) {
        Ok(_) => Ok(true),
        Err(PostgresError::Server(error)) if !error.is_fatal && !error.is_transient() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A state to be published, with the epoch of its lease.
#[derive(Debug, Clone)]
pub(super) struct NewState {
    pub(super) source: Arc<str>,
    pub(super) epoch: i64,
    pub(super) content: String,
}

/// Publishes states of sources that this replica holds, with the versions after `version`. The database ignores those
/// whose lease another replica has, and those of a request that arrives after a later one.
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
/// must find its row, or else that another replica has its leases. Deletes also the states and leases of sources that no
/// replica has held for 30 days: all replicas would read them for ever.
///
/// # Errors
/// The database could not be reached, or refused the statement.
pub(super) fn prune(link: &mut Link) -> Result<(), PostgresError> {
    let statements = [PRUNE, PRUNE_STATES, PRUNE_LEASES].map(Statement::plain);
    link.run(LIMITS, &statements, Instant::now() + TIMEOUT).map(drop)
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
