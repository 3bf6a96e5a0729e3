//! The parts of a reload that read files, on a thread of their own.
//!
//! A file may hang the thread that reads it: on a network file system, or in a named pipe. The main
//! thread must still follow a TERM then, so it never reads a file itself while the server runs.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{Again, Setup};
use crate::threads;

type Work = Box<dyn FnOnce() + Send>;

/// Handle to the thread `pw-reload`. Dropping it ends the thread, unless a read hangs: that one ends
/// with the process.
pub(super) struct SlowReload {
    work: Sender<Work>,
    again: Arc<Again>,
    read: Sender<Result<Setup, String>>,
    /// The setups that were read.
    pub(super) setups: Receiver<Result<Setup, String>>,
    /// True while a read waits for its begin. A file may change behind the read that is under way,
    /// so one more follows it, however often HUP comes meanwhile.
    is_waiting: Arc<AtomicBool>,
    /// Reads whose setup was not taken yet.
    reads: usize,
}

impl SlowReload {
    /// Makes the thread.
    pub(super) fn start(again: Again) -> io::Result<SlowReload> {
        // One read waits at most, and the main thread takes each setup at once.
        let (work, works) = unbounded::<Work>();
        let (read, setups) = unbounded();
        // Detached, as a read may hang: dropping `work` ends the thread, or the process does.
        threads::spawn_detached(threads::RELOAD, move || {
            for work in works {
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        })?;
        Ok(SlowReload {
            work,
            again: again.into(),
            read,
            setups,
            is_waiting: Arc::default(),
            reads: 0,
        })
    }

    /// Has the setup read anew. Returns false if a read that begins later than now is waiting
    /// already.
    pub(super) fn read(&mut self) -> bool {
        if self.is_waiting.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.reads += 1;
        let (again, read) = (Arc::clone(&self.again), self.read.clone());
        let is_waiting = Arc::clone(&self.is_waiting);
        self.run(move || {
            is_waiting.store(false, Ordering::Release);
            let setup = catch_unwind(AssertUnwindSafe(|| again().map_err(|it| it.to_string())));
            // The panic hook has logged it.
            let setup = setup.unwrap_or_else(|_| Err("a defect: the read panicked".to_owned()));
            // The server may have stopped meanwhile.
            let _ = read.send(setup);
        });
        true
    }

    /// Notes that one of [`SlowReload::setups`] was taken. Returns true if no read is left.
    pub(super) fn note_taken(&mut self) -> bool {
        self.reads -= 1;
        self.reads == 0
    }

    /// Runs `work` on the thread, behind what waits there.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) {
        // The thread takes work for as long as this handle lives.
        let _ = self.work.send(Box::new(work));
    }
}
