//! Target, TLS and identity that every connection to the database needs.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use jiff::tz::TimeZone;

use super::health::StoreHealth;
use super::link::Link;
use super::schema::{self, Readiness};
use crate::outbound::ThreadedResolver;
use crate::postgres::{Connection, PostgresError, PostgresTls, Target};
use crate::time_zone;

/// Address and credentials of the database, and what is known of its health. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Access(Arc<Inner>);

struct Inner {
    target: Target,
    resolver: ThreadedResolver,
    tls: PostgresTls,
    health: Arc<StoreHealth>,
    instance: Arc<str>,
    /// The replica that this process is; `None` for a command.
    replica: Option<OwnReplica>,
    /// True once the schema is one that this program can use.
    is_ready: AtomicBool,
    /// Time at which another replica was first seen to migrate the schema.
    busy_since: Mutex<Option<Instant>>,
    server: ArcSwapOption<Server>,
}

/// A replica, as far as others have to fit it.
#[derive(Debug, Clone)]
pub(super) struct OwnReplica {
    pub(super) name: Arc<str>,
    /// Identity of its time zone.
    pub(super) zone: Arc<str>,
}

/// Server of the latest connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Host and port, or path of a unix socket.
    pub(crate) host: String,
    /// Version, such as 150004.
    pub(crate) version: i64,
}

impl Access {
    /// Returns the access of the process `instance` to a database. Reads the certificates that it names.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub(crate) fn new(target: Target, instance: Arc<str>) -> Result<Access, PostgresError> {
        Access::with(target, instance, None)
    }

    /// Returns the access of a replica, which uses the database if the time zone of the others is its own.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub(crate) fn of_replica(
        target: Target,
        instance: Arc<str>,
        name: Arc<str>,
        zone: &TimeZone,
    ) -> Result<Access, PostgresError> {
        let zone = time_zone::identity(zone).into();
        Access::with(target, instance, Some(OwnReplica { name, zone }))
    }

    fn with(
        target: Target,
        instance: Arc<str>,
        replica: Option<OwnReplica>,
    ) -> Result<Access, PostgresError> {
        let tls = PostgresTls::load(&target)?;
        Ok(Access(Arc::new(Inner {
            target,
            resolver: ThreadedResolver::system(),
            tls,
            health: Arc::default(),
            instance,
            replica,
            is_ready: AtomicBool::new(false),
            busy_since: Mutex::default(),
            server: ArcSwapOption::empty(),
        })))
    }

    /// Creates or migrates the schema if it is older than this program, and notes whether this program can use it.
    ///
    /// # Errors
    /// The database cannot be reached, or refused a statement.
    pub(crate) fn prepare(&self, deadline: Instant) -> Result<Readiness, PostgresError> {
        let mut link = Link::new(self.clone());
        let mut readiness = schema::prepare(&mut link, self.instance(), deadline)?;
        if readiness == Readiness::Ready {
            if let Some(OwnReplica { name, zone }) = &self.0.replica {
                schema::claim_zone(&mut link, name, zone, deadline)?;
            }
            readiness = self.other_zone(&mut link, deadline)?.unwrap_or(readiness);
        }
        match readiness {
            Readiness::Busy => _ = self.busy_since().get_or_insert_with(Instant::now),
            _ => *self.busy_since() = None,
        }
        self.0.is_ready.store(readiness == Readiness::Ready, Ordering::Relaxed);
        match readiness.refusal() {
            Some(_) if self.is_being_migrated() => {}
            Some(refusal) => self.0.health.refuse(&refusal),
            None => self.0.health.accept(),
        }
        Ok(readiness)
    }

    /// Returns why the time zone of this replica does not fit the others; `None` if it does, or for a command.
    ///
    /// # Errors
    /// The database cannot be reached, or refused a statement.
    pub(super) fn other_zone(
        &self,
        link: &mut Link,
        deadline: Instant,
    ) -> Result<Option<Readiness>, PostgresError> {
        let Some(OwnReplica { name, zone }) = &self.0.replica else { return Ok(None) };
        let theirs = schema::other_zone(link, name, zone, deadline)?;
        Ok(theirs.map(|theirs| Readiness::OtherZone { theirs, ours: Arc::clone(zone) }))
    }

    /// Returns true if replicas with this identity of a time zone have another one than this.
    pub(crate) fn has_other_zone(&self, zone: &str) -> bool {
        self.0.replica.as_ref().is_some_and(|own| &*own.zone != zone)
    }

    fn busy_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true while another replica migrates the schema, for as long as one that ended meanwhile could hold the
    /// lease of a migration. This is no fault: replicas of a new version start beside the one that migrates.
    pub(crate) fn is_being_migrated(&self) -> bool {
        self.busy_since().is_some_and(|since| since.elapsed() < schema::LEASE)
    }

    /// Looks whether this program can use the schema, and changes nothing. Returns why it cannot; `None` if it can.
    ///
    /// # Errors
    /// The database cannot be reached, or refused a statement.
    pub(crate) fn look(&self, deadline: Instant) -> Result<Option<String>, PostgresError> {
        let mut link = Link::new(self.clone());
        let refusal = schema::refusal(&mut link, deadline)?;
        self.0.is_ready.store(refusal.is_none(), Ordering::Relaxed);
        Ok(refusal)
    }

    /// Returns true if both are known to be of one database.
    pub(crate) fn is_same(&self, other: &Access) -> bool {
        self.0.target.to_string() == other.0.target.to_string()
    }

    /// Returns true if the schema is one that this program can use, as of the latest look.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Relaxed)
    }

    /// Returns true if the latest call was answered and the schema can be used.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_ready() && self.0.health.is_up()
    }

    /// Returns true if the schema can be used, and the latest calls were answered and refused nothing that replicas share.
    pub(crate) fn is_well(&self) -> bool {
        self.is_usable() && self.0.health.fault().is_none()
    }

    /// Returns the database.
    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    pub(super) fn resolver(&self) -> &ThreadedResolver {
        &self.0.resolver
    }

    pub(super) fn tls(&self) -> &PostgresTls {
        &self.0.tls
    }

    /// Returns the server of the latest connection; `None` before the first one.
    pub(crate) fn server(&self) -> Option<Arc<Server>> {
        self.0.server.load_full()
    }

    /// Notes the server of a connection.
    pub(super) fn connected(&self, connection: &Connection) {
        let server = Server { host: connection.host().to_owned(), version: connection.version() };
        self.0.server.store(Some(Arc::new(server)));
    }

    /// Returns the health of the database.
    pub(crate) fn health(&self) -> &Arc<StoreHealth> {
        &self.0.health
    }

    /// Returns the random name of this process, by which rows name their writer.
    pub(crate) fn instance(&self) -> &Arc<str> {
        &self.0.instance
    }
}

#[cfg(test)]
impl Access {
    /// Notes that another replica migrates the schema.
    pub(crate) fn migrate_elsewhere(&self) {
        *self.busy_since() = Some(Instant::now());
    }

    /// Notes that a call failed.
    pub(crate) fn fail(&self, reason: &str) {
        self.0.health.failed(&PostgresError::Connect(reason.to_owned()));
    }
}

/// Shows the target without its password.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Access").field(&self.0.target).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::fixture::{Database, database, deadline};

    fn replica(database: &Database, name: &str, zone: &str) -> Access {
        let zone = TimeZone::get(zone).unwrap();
        Access::of_replica(database.target(), "test".into(), name.into(), &zone).unwrap()
    }

    #[test]
    fn migration_by_another_replica_is_a_fault_only_if_it_lasts_longer_than_its_lease() {
        let database = database();
        let access = Access::new(database.target(), "new".into()).unwrap();
        access.prepare(deadline()).unwrap();
        let hold = "UPDATE pumphouse.schema_version SET version = 0, holder = 'other', ends_at = 'infinity'";
        database.sql(hold);
        let access = Access::new(database.target(), "new".into()).unwrap();
        for _ in 0..2 {
            assert_eq!(access.prepare(deadline()).unwrap(), Readiness::Busy);
            assert_eq!((access.is_being_migrated(), access.is_ready()), (true, false));
            assert_eq!((access.health().fault(), access.health().outages()), (None, 0));
        }
        *access.busy_since() = Instant::now().checked_sub(schema::LEASE);
        access.prepare(deadline()).unwrap();
        assert!(!access.is_being_migrated());
        let words = access.health().fault().unwrap().message;
        assert_eq!(&*words, "another replica migrates the database");
        database.sql("UPDATE pumphouse.schema_version SET version = 1");
        assert_eq!(access.prepare(deadline()).unwrap(), Readiness::Ready);
        assert_eq!((access.is_being_migrated(), access.health().fault()), (false, None));
    }

    #[test]
    fn replica_of_another_time_zone_uses_the_database_only_while_no_other_one_runs() {
        let database = database();
        let own = replica(&database, "a", "Europe/Paris");
        assert_eq!(own.prepare(deadline()).unwrap(), Readiness::Ready, "it is the first one");
        let other = replica(&database, "c", "Europe/Rome");
        assert_eq!(other.prepare(deadline()).unwrap(), Readiness::Ready, "no other one runs");
        let insert = |name: &str| {
            let row = format!(
                "('{name}', '{name}', now() + interval '1 hour', 0, '{{}}', '{{}}', now())"
            );
            database.sql(&format!("INSERT INTO pumphouse.replica VALUES {row}"));
        };
        insert("a");
        assert_eq!(own.prepare(deadline()).unwrap(), Readiness::Ready, "its own earlier process");
        database.sql("DELETE FROM pumphouse.replica");
        assert_eq!(other.prepare(deadline()).unwrap(), Readiness::Ready, "the zone is changed");
        insert("b");
        let refused = own.prepare(deadline()).unwrap();
        let ours = "Europe/Paris".into();
        let expected = Readiness::OtherZone { theirs: "Europe/Rome".to_owned(), ours };
        assert_eq!((&refused, own.is_ready()), (&expected, false));
        let words = own.health().fault().unwrap().message;
        assert!(words.contains("Europe/Rome, and this one has Europe/Paris"), "{words}");
        let found = own.inspect(crate::postgres::fixture::AMPLE).unwrap();
        assert_eq!(found.refusal(), expected.refusal(), "for check");
        assert_eq!(other.prepare(deadline()).unwrap(), Readiness::Ready);
        assert_eq!([own, other].map(|access| access.has_other_zone("Europe/Rome")), [true, false]);
    }
}
