//! Bounded pool of read-only connections.
//!
//! A connection that reads from a hanging disk blocks its thread in the kernel. The size of the pool is
//! therefore the number of workers that a hanging disk can block. The other workers continue to serve.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use rusqlite::Connection;

use super::error::ReadError;
use super::executor::Queries;
use super::postgres::ServerReader;
use super::schema;
use crate::store::Access;

/// Rows of a page. A download whose client does not read holds one page for each series.
const FILE_PAGE_ROWS: usize = 128;

/// The same for the shared database.
const SERVER_PAGE_ROWS: usize = 500;

/// Longest wait for a reader while all of them are in use.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// Subject of a read.
#[derive(Debug)]
pub enum Origin {
    /// A file of this machine.
    File(PathBuf),
    /// The database that replicas share, with the most time of a query.
    Server(Access, Duration),
}

/// Connection of a reader.
#[derive(Debug)]
pub(super) enum ReaderConnection {
    File(Connection),
    Server(ServerReader),
}

/// Pool of the readers of one store.
#[derive(Debug)]
pub struct ReaderPool {
    origin: Origin,
    /// One message for each free reader. `None` stands for a connection that is not open.
    free: Receiver<Option<ReaderConnection>>,
    returned: Sender<Option<ReaderConnection>>,
}

impl ReaderPool {
    /// Returns a pool of `size` readers, at least one. Each connection is opened by its first use.
    pub fn new(origin: Origin, size: usize) -> ReaderPool {
        let size = size.max(1);
        let (returned, free) = bounded(size);
        for _ in 0..size {
            // The channel has room for `size` messages.
            let _ = returned.send(None);
        }
        ReaderPool { origin, free, returned }
    }

    /// Borrows a reader; blocks up to 250 ms. For commands and for threads that serve no client.
    pub(super) fn borrow(&self) -> Result<Reader<'_>, ReadError> {
        self.lend(self.free.recv_timeout(MAX_WAIT).map_err(|_| ReadError::Busy)?)
    }

    fn lend(&self, connection: Option<ReaderConnection>) -> Result<Reader<'_>, ReadError> {
        if let Origin::Server(access, _) = &self.origin
            && !access.is_usable()
        {
            let _ = self.returned.send(connection);
            return Err(ReadError::Away);
        }
        // Created before the connection is opened: if that fails, dropping it returns the reader to the pool.
        let mut reader = Reader { pool: self, connection };
        if reader.connection.is_none() {
            reader.connection = Some(match &self.origin {
                Origin::File(path) => ReaderConnection::File(schema::open_to_read(path)?),
                Origin::Server(access, time) => {
                    ReaderConnection::Server(ServerReader::with_timeout(access, *time))
                }
            });
        }
        Ok(reader)
    }
}

/// A borrowed connection. Dropping it returns it to the pool. Its queries are in `queries`.
#[derive(Debug)]
pub(super) struct Reader<'pool> {
    pool: &'pool ReaderPool,
    connection: Option<ReaderConnection>,
}

impl Reader<'_> {
    /// Returns the connection for queries.
    pub(super) fn db(&self) -> &dyn Queries {
        match self.connection.as_ref().expect("`lend` opens the connection") {
            ReaderConnection::File(connection) => connection,
            ReaderConnection::Server(reader) => reader,
        }
    }

    /// Returns the connection to a file; `None` if the rows are in a database that replicas share.
    pub(super) fn file(&self) -> Option<&Connection> {
        match &self.connection {
            Some(ReaderConnection::File(connection)) => Some(connection),
            _ => None,
        }
    }

    /// Returns the number of rows that one query reads at most: a query of the shared database costs a round trip.
    pub(super) fn page_rows(&self) -> usize {
        match &self.connection {
            Some(ReaderConnection::Server(_)) => SERVER_PAGE_ROWS,
            _ => FILE_PAGE_ROWS,
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let _ = self.pool.returned.send(self.connection.take());
    }
}

/// Wait of a worker for a reader. It blocks no thread: the worker retries in later pieces of work until 250 ms
/// have passed.
#[derive(Debug, Default)]
pub struct ReaderWait {
    since: Option<Instant>,
}

impl ReaderWait {
    /// Borrows a reader; returns `None` while all are in use.
    ///
    /// # Errors
    /// No reader became free in time, or the file cannot be opened.
    pub(super) fn try_borrow<'p>(
        &mut self,
        pool: &'p ReaderPool,
    ) -> Result<Option<Reader<'p>>, ReadError> {
        match pool.free.try_recv() {
            Ok(connection) => {
                self.since = None;
                pool.lend(connection).map(Some)
            }
            Err(TryRecvError::Empty)
                if self.since.get_or_insert_with(Instant::now).elapsed() < MAX_WAIT =>
            {
                Ok(None)
            }
            Err(_) => Err(ReadError::Busy),
        }
    }
}
