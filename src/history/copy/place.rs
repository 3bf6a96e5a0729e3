//! The two ends of a copy.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::error::CopyError;
use crate::data_lock::{Claim, DataLock};
use crate::history::error::StoreError;
use crate::history::executor::{Executor, Queries};
use crate::history::meta;
use crate::history::postgres::{ServerReader, ServerTarget};
use crate::history::schema;
use crate::history::writer::Writer;
use crate::store::{Access, Readiness};

/// Most time of a query.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Most time of the creation of the tables.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// Store of a history.
#[derive(Debug, Clone)]
pub(crate) enum CopyPlace {
    /// A file of this machine.
    File(PathBuf),
    /// A database that replicas share.
    Server(Access),
}

impl CopyPlace {
    /// Returns true if both are known to be one store.
    pub(super) fn is_same(&self, other: &CopyPlace) -> bool {
        match (self, other) {
            (CopyPlace::File(one), CopyPlace::File(other)) => {
                one == other
                    || one
                        .canonicalize()
                        .ok()
                        .is_some_and(|one| other.canonicalize().is_ok_and(|other| one == other))
            }
            (CopyPlace::Server(one), CopyPlace::Server(other)) => one.is_same(other),
            _ => false,
        }
    }

    pub(super) fn open_to_read(&self) -> Result<Box<dyn Queries>, CopyError> {
        match self {
            CopyPlace::File(path) => {
                let connection = schema::open_to_read(path).map_err(CopyError::Read)?;
                if !schema::is_current(&connection).map_err(CopyError::Read)? {
                    return Err(CopyError::Earlier(path.clone()));
                }
                Ok(Box::new(connection))
            }
            CopyPlace::Server(access) => {
                let deadline = Instant::now() + PREPARE_TIMEOUT;
                let refusal = access.look(deadline).map_err(CopyError::Database)?;
                if let Some(refusal) = refusal {
                    return Err(CopyError::Schema(refusal));
                }
                Ok(Box::new(ServerReader::with_timeout(access, READ_TIMEOUT)))
            }
        }
    }
}

/// Store that is written to.
pub(super) enum Target {
    /// A file, with the lock on it.
    File {
        connection: Connection,
        _lock: DataLock,
    },
    Server(ServerTarget),
}

impl Target {
    /// Opens the store, and creates its tables if it has none.
    pub(super) fn open(place: &CopyPlace, zone: &TimeZone) -> Result<Target, CopyError> {
        match place {
            CopyPlace::File(path) => {
                let lock = DataLock::of_database(path);
                match lock.claim() {
                    Claim::Ours => {}
                    Claim::Held(holder) => return Err(CopyError::Held(path.clone(), holder)),
                    Claim::NoPlace(fault) => return Err(CopyError::NoPlace(fault)),
                    Claim::Unlocked(reason) => log::warn!("{reason}"),
                }
                let writer = Writer::open(path, zone, &[], || {}).map_err(CopyError::Write)?;
                let connection = writer.into_connection();
                // What a power cut takes is copied again.
                let relaxed = connection.pragma_update(None, "synchronous", "normal");
                relaxed.map_err(|error| CopyError::Write(error.into()))?;
                Ok(Target::File { connection, _lock: lock })
            }
            CopyPlace::Server(access) => {
                let deadline = Instant::now() + PREPARE_TIMEOUT;
                match access.prepare(deadline).map_err(CopyError::Database)? {
                    Readiness::Ready => Ok(Target::Server(ServerTarget::new(access.clone()))),
                    other => Err(CopyError::Schema(other.refusal().unwrap_or_default())),
                }
            }
        }
    }

    /// Runs `work`, perhaps several times, in a transaction that nothing else writes the series in.
    pub(super) fn transaction(
        &mut self,
        series: Option<i64>,
        times: &mut dyn Iterator<Item = i64>,
        work: &mut dyn FnMut(&dyn Executor) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        match self {
            Target::File { connection, .. } => {
                let transaction = connection.transaction()?;
                let rows = work(&*transaction)?;
                transaction.commit()?;
                Ok(rows)
            }
            Target::Server(server) => server.transaction(series, times, work),
        }
    }

    /// Notes the time zone of the days, if there is none. Returns that of the store if it is another one.
    pub(super) fn adopt_zone(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let mut found = None;
        self.transaction(None, &mut [].into_iter(), &mut |db| {
            match meta::get(db, meta::TIME_ZONE)? {
                None => meta::set(db, meta::TIME_ZONE, name)?,
                stored => found = stored.filter(|stored| stored != name),
            }
            Ok(0)
        })?;
        Ok(found)
    }

    /// Notes the time of the latest record.
    pub(super) fn adopt_latest(&mut self, latest: Option<i64>) -> Result<(), StoreError> {
        let Some(latest) = latest else { return Ok(()) };
        let done = self.transaction(None, &mut [].into_iter(), &mut |db| {
            if meta::number(db, meta::LATEST)?.is_none_or(|known| known < latest) {
                meta::set(db, meta::LATEST, &latest.to_string())?;
            }
            Ok(0)
        });
        done.map(|_| ())
    }

    /// Returns true if the numbers of events are those of a database, which gives them.
    pub(super) fn gives_numbers(&self) -> bool {
        matches!(self, Target::Server(_))
    }
}
