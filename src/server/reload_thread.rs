//! The thread `pw-reload`, which does the parts of a reload that read files.
//!
//! A read may hang: on a network file system, or in a named pipe. The main thread must still act
//! on TERM then, so it reads no file while the server runs. It sends jobs to this thread, and
//! takes the setups that were read from a channel.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::setup::{Setup, SetupErrors, SetupLoader};
use crate::kernel::pause;
use crate::threads;

/// Duration of a read beyond which it counts as hanging.
const MAX_READ: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// Handle to the thread. Dropping it ends the thread, unless a read hangs: then the thread ends
/// with the process.
pub(super) struct ReloadThread {
    jobs: Sender<Job>,
    loader: Arc<SetupLoader>,
    loaded: Sender<Result<Setup, SetupErrors>>,
    /// Setups that were read, or why they cannot be used.
    pub(super) setups: Receiver<Result<Setup, SetupErrors>>,
    /// True while a read is queued and has not begun. The read in progress may have passed a file
    /// before that file changed, so one more follows it, however many HUPs come meanwhile.
    read_is_queued: Arc<AtomicBool>,
    /// Number of reads whose setup was not taken yet.
    untaken: usize,
    /// Start of the read in progress.
    reading: Arc<Mutex<Option<Instant>>>,
    /// Start of the latest read that was reported as hanging.
    reported: Option<Instant>,
}

impl ReloadThread {
    /// Starts the thread.
    pub(super) fn start(loader: SetupLoader) -> io::Result<ReloadThread> {
        // At most one read is queued, and the main thread takes each setup at once.
        let (jobs, queued) = unbounded::<Job>();
        let (loaded, setups) = unbounded();
        // Detached, as a read may hang: dropping `jobs` ends the thread, or the process does.
        threads::spawn_detached(threads::RELOAD, move || {
            for job in queued {
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(ReloadThread {
            jobs,
            loader: loader.into(),
            loaded,
            setups,
            read_is_queued: Arc::default(),
            untaken: 0,
            reading: Arc::default(),
            reported: None,
        })
    }

    /// Queues a read of the setup. Returns false if a read that has not begun is queued already.
    pub(super) fn read_setup(&mut self) -> bool {
        if self.read_is_queued.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.untaken += 1;
        let (loader, loaded) = (Arc::clone(&self.loader), self.loaded.clone());
        let (read_is_queued, reading) =
            (Arc::clone(&self.read_is_queued), Arc::clone(&self.reading));
        let record = move |start| *reading.lock().unwrap_or_else(PoisonError::into_inner) = start;
        self.run(move || {
            record(Some(Instant::now()));
            read_is_queued.store(false, Ordering::Release);
            let setup = catch_unwind(AssertUnwindSafe(|| loader.load()));
            let setup = setup.unwrap_or_else(|_| Err(SetupErrors::panicked()));
            record(None);
            // The server may have stopped meanwhile.
            let _ = loaded.send(setup);
        });
        true
    }

    /// Notes that one of [`ReloadThread::setups`] was taken. Returns true if no read is left.
    pub(super) fn note_setup_taken(&mut self) -> bool {
        self.untaken -= 1;
        self.untaken == 0
    }

    /// Returns the start of the read in progress.
    pub(super) fn reading_since(&self) -> Option<Instant> {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the start of the read in progress if it hangs and this was not returned before.
    pub(super) fn new_hanging_read(&mut self) -> Option<Instant> {
        // A read cannot end while the process is paused.
        let hangs = |start: &Instant| pause::sure(start.elapsed()) > MAX_READ;
        let start = self.reading_since().filter(hangs)?;
        (self.reported.replace(start) != Some(start)).then_some(start)
    }

    /// Runs `job` on the thread, after the jobs queued before it.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The thread receives jobs until this handle is dropped.
        let _ = self.jobs.send(Box::new(job));
    }
}
