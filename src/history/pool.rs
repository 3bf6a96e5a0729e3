//! Bounded pool of read-only connections.
//!
//! A connection that reads from a hanging disk blocks its thread in the kernel. The size of the pool is
//! therefore the number of workers that a hanging disk can block. The other workers continue to serve.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use rusqlite::Connection;

use super::error::ReadError;
use super::executor::Executor;
use super::schema;

/// Longest wait for a reader while all of them are in use.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// Pool of the readers of one file.
#[derive(Debug)]
pub struct ReaderPool {
    path: PathBuf,
    /// One message for each free reader. `None` stands for a connection that is not open.
    free: Receiver<Option<Connection>>,
    returned: Sender<Option<Connection>>,
}

impl ReaderPool {
    /// Returns a pool of `size` readers, at least one. Each connection is opened by its first use.
    pub fn new(path: &Path, size: usize) -> ReaderPool {
        let size = size.max(1);
        let (returned, free) = bounded(size);
        for _ in 0..size {
            // The channel has room for `size` messages.
            let _ = returned.send(None);
        }
        ReaderPool { path: path.to_owned(), free, returned }
    }

    /// Borrows a reader; blocks up to 250 ms. For commands and for threads that serve no client.
    pub(super) fn borrow(&self) -> Result<Reader<'_>, ReadError> {
        self.lend(self.free.recv_timeout(MAX_WAIT).map_err(|_| ReadError::Busy)?)
    }

    fn lend(&self, connection: Option<Connection>) -> Result<Reader<'_>, ReadError> {
        // Created before the connection is opened: if that fails, dropping it returns the reader to the pool.
        let mut reader = Reader { pool: self, connection };
        if reader.connection.is_none() {
            reader.connection = Some(schema::open_to_read(&self.path)?);
        }
        Ok(reader)
    }
}

/// A borrowed connection. Dropping it returns it to the pool. Its queries are in `queries`.
#[derive(Debug)]
pub(super) struct Reader<'pool> {
    pool: &'pool ReaderPool,
    connection: Option<Connection>,
}

impl Reader<'_> {
    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("`lend` opens the connection")
    }

    /// Returns the connection for queries.
    pub(super) fn db(&self) -> &dyn Executor {
        self.connection()
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
