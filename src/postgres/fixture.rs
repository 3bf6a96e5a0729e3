//! Databases for unit tests, on one server for all of them.

use std::time::{Duration, Instant};

use hostile::postgres::Postgres;

use super::{Connection, Limits, PostgresTls, Statement, Target};
use crate::outbound::ThreadedResolver;

/// Time that no working server needs.
pub(crate) const AMPLE: Duration = Duration::from_secs(60);

/// A database of one test, which is empty.
pub(crate) struct Database(pub(crate) hostile::postgres::Database);

/// Creates a database. The first call starts the server.
pub(crate) fn database() -> Database {
    Database(Postgres::shared().database())
}

impl Database {
    /// Returns the target over TCP, with the password.
    pub(crate) fn target(&self) -> Target {
        Target::parse(&self.0.url).unwrap()
    }

    /// Connects as the owner of the database.
    pub(crate) fn connect(&self) -> Connection {
        connect(&self.target()).unwrap()
    }

    /// Runs a statement as the owner. Returns the first column of the first row, which is a text; empty without rows.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let statements = [Statement::plain(sql)];
        let outcomes = self.connect().run(Limits::all(AMPLE), &statements, deadline()).unwrap();
        outcomes[0].first().map_or_else(String::new, |row| row.text(0).unwrap().to_owned())
    }
}

/// Connects to a target.
pub(crate) fn connect(target: &Target) -> Result<Connection, super::PostgresError> {
    let tls = PostgresTls::load(target)?;
    Connection::connect(target, &ThreadedResolver::system(), &tls, deadline())
}

/// Returns the deadline of a call that succeeds.
pub(crate) fn deadline() -> Instant {
    Instant::now() + AMPLE
}
