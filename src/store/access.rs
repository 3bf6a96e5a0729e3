//! What every connection to the database needs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;

use super::health::StoreHealth;
use super::link::Link;
use super::schema::{self, Readiness};
use crate::outbound::ThreadedResolver;
use crate::postgres::{Connection, PostgresError, PostgresTls, Target};

/// Address and credentials of the database, and what is known of its health. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Access(Arc<Inner>);

struct Inner {
    target: Target,
    resolver: ThreadedResolver,
    tls: PostgresTls,
    health: Arc<StoreHealth>,
    instance: Arc<str>,
    /// True once the schema is one that this program can use.
    is_ready: AtomicBool,
    server: ArcSwapOption<Server>,
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
        let tls = PostgresTls::load(&target)?;
        let (resolver, health) = (ThreadedResolver::system(), Arc::default());
        let is_ready = AtomicBool::new(false);
        let server = ArcSwapOption::empty();
        Ok(Access(Arc::new(Inner { target, resolver, tls, health, instance, is_ready, server })))
    }

    /// Creates or migrates the schema if it is older than this program, and notes whether this program can use it.
    ///
    /// # Errors
    /// The database cannot be reached, or refused a statement.
    pub(crate) fn prepare(&self, deadline: Instant) -> Result<Readiness, PostgresError> {
        let mut link = Link::new(self.clone());
        let readiness = schema::prepare(&mut link, self.instance(), deadline)?;
        self.0.is_ready.store(readiness == Readiness::Ready, Ordering::Relaxed);
        match readiness.refusal() {
            Some(refusal) => self.0.health.refuse(&refusal),
            None => self.0.health.accept(),
        }
        Ok(readiness)
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
