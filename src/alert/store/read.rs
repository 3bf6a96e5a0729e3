//! Reads of past incidents, by a thread and a connection of their own that hold up no write.
//!
//! A disk that hangs holds up the thread `pw-alert-reads`, and no worker: a handler waits for its result for
//! [`MAX_WAIT`] at most, and not at all while an earlier read takes longer than that.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::shared::SharedStoreError;
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
    /// The database cannot be read.
    #[error("the incidents cannot be read: {0}")]
    Database(SharedStoreError),
}

/// Reads at most a number of incidents of an alert, the latest fire first: those before an incident, or the latest ones.
pub type Find =
    Box<dyn Fn(&str, Option<IncidentId>, usize) -> Result<Vec<Incident>, IncidentsError> + Send>;

/// Returns the read of a file.
pub(super) fn find_in_file(path: PathBuf) -> Find {
    // Opening takes less than a millisecond, and no idle connection has to be kept.
    Box::new(move |alert, before, limit| {
        let file = schema::open_to_read(&path)?;
        Ok(load::incidents(&file, alert, before, limit)?)
    })
}

/// Result of a read.
type Found = Result<Vec<Incident>, IncidentsError>;

/// A read to do, and the place for its result.
struct Request {
    alert: String,
    before: Option<IncidentId>,
    limit: usize,
    /// Time after which no handler waits for the result.
    until: Instant,
    found: Arc<Mutex<Option<Found>>>,
    done: Sender<()>,
}

/// Reads that wait, and the start of the one in progress.
#[derive(Default)]
struct Queue {
    waiting: Vec<Request>,
    begun: Option<Instant>,
}

/// Handle to the thread that reads. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reads {
    queue: Arc<Mutex<Queue>>,
    wake: Sender<()>,
}

/// The thread `pw-alert-reads`.
pub(super) struct Reader {
    find: Find,
    queue: Arc<Mutex<Queue>>,
    woken: Receiver<()>,
}

impl Reads {
    /// Returns a handle, and the thread to run.
    pub(super) fn new(find: Find) -> (Reads, Reader) {
        let (wake, woken) = bounded(1);
        let queue = Arc::<Mutex<Queue>>::default();
        (Reads { queue: queue.clone(), wake }, Reader { find, queue, woken })
    }

    /// Returns incidents of an alert, the latest fire first. Waits for [`MAX_WAIT`] at most.
    pub(super) fn incidents(
        &self,
        alert: &str,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, IncidentsError> {
        let (done, is_done) = bounded(1);
        let (until, found) = (Instant::now() + MAX_WAIT, Arc::default());
        let alert = alert.to_owned();
        let request = Request { alert, before, limit, until, found: Arc::clone(&found), done };
        {
            let mut queue = lock(&self.queue);
            let hangs = queue.begun.is_some_and(|begun| begun.elapsed() >= MAX_WAIT);
            if hangs || queue.waiting.len() >= MAX_WAITING {
                return Err(IncidentsError::Slow);
            }
            queue.waiting.push(request);
        }
        // If it is full, the thread has not received the previous wake-up yet.
        let _ = self.wake.try_send(());
        // Without the signal, there is no result.
        let _ = is_done.recv_timeout(MAX_WAIT);
        lock(&found).take().ok_or(IncidentsError::Slow)?
    }
}

impl Reader {
    pub(super) fn run(self, stopped: &StopToken) {
        loop {
            select! {
                recv(stopped) -> _ => return,
                recv(self.woken) -> _ => self.read_all(),
            }
        }
    }

    /// Does the reads that wait, the latest first. Skips those that no handler waits for any more.
    fn read_all(&self) {
        loop {
            let request = {
                let mut queue = lock(&self.queue);
                queue.begun = None;
                let Some(request) = queue.waiting.pop() else { return };
                if Instant::now() >= request.until {
                    continue;
                }
                queue.begun = Some(Instant::now());
                request
            };
            let Request { alert, before, limit, found, done, .. } = request;
            let incidents = (self.find)(&alert, before, limit);
            *lock(&found) = Some(incidents);
            let _ = done.try_send(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_that_hangs_delays_one_handler_and_no_later_one() {
        let (reads, reader) = Reads::new(find_in_file(PathBuf::new()));
        // A disk that hangs: the thread does not run.
        assert!(matches!(reads.incidents("leak", None, 9), Err(IncidentsError::Slow)));
        lock(&reader.queue).begun = Instant::now().checked_sub(MAX_WAIT);
        assert!(matches!(reads.incidents("leak", None, 9), Err(IncidentsError::Slow)));
        assert_eq!(lock(&reader.queue).waiting.len(), 1, "the second request did not wait");
    }

    #[test]
    fn request_that_no_handler_waits_for_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (reads, reader) = Reads::new(find_in_file(folder.path().join("none.db")));
        assert!(matches!(reads.incidents("leak", None, 9), Err(IncidentsError::Slow)));
        let late = lock(&reader.queue).waiting[0].found.clone();
        reader.read_all();
        assert!(lock(&late).is_none() && lock(&reader.queue).waiting.is_empty());
        reader.woken.recv().unwrap();
        let found = std::thread::scope(|scope| {
            let read = scope.spawn(|| reads.incidents("leak", None, 9));
            reader.woken.recv().unwrap();
            reader.read_all();
            read.join().unwrap()
        });
        assert!(matches!(found, Err(IncidentsError::Store(_))), "there is no file");
        assert!(lock(&reader.queue).begun.is_none());
    }
}
