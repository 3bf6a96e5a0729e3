//! The thread `pw-sessions`: writes signing keys and sign-outs to disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Shared, State, file};
use crate::data_lock::DataLock;
use crate::threads::{self, OwnedThread};

/// Time between two attempts while the file cannot be written.
const RETRY: Duration = Duration::from_secs(10);

/// Time between two looks at the lock while another process has it.
const LOCK_RETRY: Duration = Duration::from_millis(250);

/// Handle to the thread. Dropping it writes the latest state and joins the thread.
pub struct SessionWriter {
    shared: Arc<Shared>,
    thread: Option<OwnedThread>,
}

impl SessionWriter {
    pub(super) fn start(
        shared: Arc<Shared>,
        path: PathBuf,
        lock: Arc<DataLock>,
    ) -> io::Result<SessionWriter> {
        SessionWriter::start_by(shared, |shared| {
            OwnedThread::spawn(threads::SESSIONS, move |_| run(&shared, &path, &lock))
        })
    }

    /// Starts the thread by `spawn`. If that fails, the state is reset, so that no sign-out waits for it.
    pub(super) fn start_by(
        shared: Arc<Shared>,
        spawn: impl FnOnce(Arc<Shared>) -> io::Result<OwnedThread>,
    ) -> io::Result<SessionWriter> {
        let had_file = {
            let mut state = shared.state();
            (state.has_writer, state.is_stopping) = (true, false);
            std::mem::replace(&mut state.has_file, true)
        };
        match spawn(Arc::clone(&shared)) {
            Ok(thread) => Ok(SessionWriter { shared, thread: Some(thread) }),
            Err(error) => {
                let mut state = shared.state();
                (state.has_file, state.has_writer) = (had_file, false);
                shared.saved.notify_all();
                drop(state);
                Err(error)
            }
        }
    }
}

impl Drop for SessionWriter {
    fn drop(&mut self) {
        self.shared.state().is_stopping = true;
        self.shared.changed.notify_all();
        drop(self.thread.take());
        self.shared.state().has_writer = false;
        self.shared.saved.notify_all();
    }
}

/// Writes each new version of the keys until the handle is dropped.
fn run(shared: &Shared, path: &Path, lock: &DataLock) {
    let mut state = shared.state();
    loop {
        if !lock.is_ours() {
            state.must_adopt = true;
            note_held(shared, &mut state, path, lock);
            if state.is_stopping {
                return;
            }
            state = pause(shared, state, LOCK_RETRY);
            continue;
        }
        if state.must_adopt {
            state = adopt_stored(shared, state, path);
        }
        let is_idle = |state: &mut State| state.version == state.written && !state.is_stopping;
        state = shared.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        if state.version == state.written {
            return;
        }
        // The lock may have been lost during the wait.
        if lock.is_ours() {
            state = write(shared, state, path);
            if state.failure.is_set() {
                if state.is_stopping {
                    return;
                }
                state = pause(shared, state, RETRY);
            }
        }
    }
}

/// Waits until the time is over or the handle is dropped.
fn pause<'a>(
    shared: &Shared,
    state: MutexGuard<'a, State>,
    time: Duration,
) -> MutexGuard<'a, State> {
    let is_running = |state: &mut State| !state.is_stopping;
    let waited = shared.changed.wait_timeout_while(state, time, is_running);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// Reports once that the file is not written, if there is something to write: another process writes it, or the
/// history has no place, which the recorder logs.
fn note_held(shared: &Shared, state: &mut State, path: &Path, lock: &DataLock) {
    if state.version == state.written || !state.failure.set(()) {
        return;
    }
    shared.saved.notify_all();
    if lock.has_place() {
        log::warn!(
            "sessions are not written to {}, as another process writes it; sign-outs here are stored once \
             it ends",
            path.display()
        );
    }
}

/// Adds the keys and sign-outs that another process has stored meanwhile.
fn adopt_stored<'a>(
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
    path: &Path,
) -> MutexGuard<'a, State> {
    drop(state);
    let stored = file::load(path, true);
    let mut state = shared.state();
    state.must_adopt = false;
    if stored.is_some_and(|stored| state.keys.adopt(stored)) {
        state.version += 1;
    }
    state
}

/// Writes the latest version. No request waits for the state meanwhile.
fn write<'a>(
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
    path: &Path,
) -> MutexGuard<'a, State> {
    let (bytes, version) = (file::encode(&state.keys), state.version);
    drop(state);
    let outcome = file::write(path, &bytes);
    let mut state = shared.state();
    match outcome {
        Ok(()) => {
            if state.failure.clear() {
                log::info!("sessions are written to {} again", path.display());
            }
            state.written = version;
        }
        Err(error) => {
            if state.failure.set(()) {
                log::error!(
                    "cannot write sessions to {}: {error}; a restart would undo sign-outs",
                    path.display()
                );
            }
        }
    }
    shared.saved.notify_all();
    state
}
