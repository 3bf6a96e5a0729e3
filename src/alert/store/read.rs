//! Reads of past incidents, by a thread and a connection of their own that hold up no write.
//!
//! A disk that hangs holds up the thread `pw-alert-reads`, and no worker: a handler waits for its result for
//! [`MAX_WAIT`] at most, and not at all while an earlier read takes longer than that.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::{load, schema};
use crate::alert::{Incident, IncidentId};
use crate::history::StoreError;
use crate::threads::StopToken;

/// Longest wait for a read. One takes some milliseconds.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// Most reads that wait. Workers wait for them, and there are fewer of these on most machines.
const MAX_WAITING: usize = 16;

/// Incidents cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IncidentsError {
    /// The file is not open: it cannot be opened, or another process has it.
    #[error("the file of the alerts is not open")]
    Closed,
    /// The disk does not answer in time.
    #[error("the disk does not answer within {} ms", MAX_WAIT.as_millis())]
    Slow,
    /// The file cannot be read.
    #[error("the incidents cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Result of a read.
type Found = Result<Vec<Incident>, StoreError>;

/// A read to do, and the channel for its result.
struct Request {
    alert: String,
    before: Option<IncidentId>,
    limit: usize,
    /// Time after which no handler waits for the result.
    until: Instant,
    reply: Sender<Found>,
}

/// Handle to the thread that reads. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reads {
    requests: Sender<Request>,
    /// Start of the read in progress.
    begun: Arc<Mutex<Option<Instant>>>,
}

/// The thread `pw-alert-reads`.
pub(super) struct Reader {
    path: PathBuf,
    requests: Receiver<Request>,
    begun: Arc<Mutex<Option<Instant>>>,
}

impl Reads {
    /// Returns a handle, and the thread to run.
    pub(super) fn new(path: PathBuf) -> (Reads, Reader) {
        let (requests, received) = bounded(MAX_WAITING);
        let begun = Arc::default();
        let reader = Reader { path, requests: received, begun: Arc::clone(&begun) };
        (Reads { requests, begun }, reader)
    }

    /// Returns incidents of an alert, the latest fire first. Waits for [`MAX_WAIT`] at most.
    pub(super) fn incidents(
        &self,
        alert: &str,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, IncidentsError> {
        if lock(&self.begun).is_some_and(|begun| begun.elapsed() >= MAX_WAIT) {
            return Err(IncidentsError::Slow);
        }
        let (reply, found) = bounded(1);
        let until = Instant::now() + MAX_WAIT;
        let request = Request { alert: alert.to_owned(), before, limit, until, reply };
        self.requests.try_send(request).map_err(|_| IncidentsError::Slow)?;
        Ok(found.recv_deadline(until).map_err(|_| IncidentsError::Slow)??)
    }
}

impl Reader {
    pub(super) fn run(self, stopped: &StopToken) {
        loop {
            select! {
                recv(stopped) -> _ => return,
                recv(self.requests) -> request => match request {
                    Ok(request) => self.read(request),
                    Err(_) => return,
                },
            }
        }
    }

    fn read(&self, request: Request) {
        let Request { alert, before, limit, until, reply } = request;
        if Instant::now() >= until {
            return;
        }
        *lock(&self.begun) = Some(Instant::now());
        // Opening takes less than a millisecond, and no idle connection has to be kept.
        let found = schema::open_to_read(&self.path)
            .and_then(|file| load::incidents(&file, &alert, before, limit));
        *lock(&self.begun) = None;
        // A handler that has waited too long is gone.
        let _ = reply.try_send(found);
    }
}

fn lock(begun: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_that_hangs_delays_one_handler_and_no_later_one() {
        let (reads, reader) = Reads::new(PathBuf::new());
        // A disk that hangs: the thread does not run.
        let first = reads.incidents("leak", None, 9);
        assert!(matches!(first, Err(IncidentsError::Slow)));
        *lock(&reader.begun) = Instant::now().checked_sub(MAX_WAIT);
        assert!(matches!(reads.incidents("leak", None, 9), Err(IncidentsError::Slow)));
        assert_eq!(reader.requests.len(), 1, "the second request did not wait");
    }

    #[test]
    fn request_that_no_handler_waits_for_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (reads, reader) = Reads::new(folder.path().join("none.db"));
        assert!(matches!(reads.incidents("leak", None, 9), Err(IncidentsError::Slow)));
        let late = reader.requests.recv().unwrap();
        let (reply, found) = bounded(1);
        reader.read(Request { reply: reply.clone(), ..late });
        assert!(found.is_empty());
        let until = Instant::now() + Duration::from_secs(60);
        reader.read(Request { alert: "leak".into(), before: None, limit: 9, until, reply });
        assert!(found.recv().unwrap().is_err(), "there is no file");
    }
}
