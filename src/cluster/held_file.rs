//! File with the sources that this replica holds, for a start while the database is away.
//!
//! The last holder of a source polls on while the database is away, also if its process is started again meanwhile. The
//! price is that of every unconfirmed poll: if the database is away for this machine alone, another replica has taken
//! the sources, and their polls are doubled until the database answers. A file that is older than [`MAX_AGE`] is
//! ignored: much may have changed hands since.
//!
//! A disk may hang, and the leases must be renewed meanwhile. So the thread `pw-held` reads the file once and writes it,
//! and nothing waits for it for long.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::data_lock::DataLock;
use crate::file_error::read_bounded;
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread};
use crate::{private_file, wall_clock};

/// Greatest age of a file that is used.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Shortest time between two writes.
const WRITE_INTERVAL: Duration = Duration::from_secs(3);

/// Time after which the file is written again although nothing has changed, so that it does not grow too old.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Longest wait for the last write.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// Largest file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Sources with their epochs, sorted by name.
type Held = Vec<(Arc<str>, i64)>;

/// Handle to the file. Dropping it waits until the thread has written what was saved last, unless the disk hangs.
#[derive(Debug)]
pub struct HeldFile(Option<Handle>);

#[derive(Debug)]
struct Handle {
    lock: Arc<DataLock>,
    /// Content of the file at the start.
    loaded: Receiver<io::Result<Held>>,
    path: PathBuf,
    /// List that was passed to the thread last, and the time.
    saved: Option<(Held, Instant)>,
    /// The list that the thread writes next. A later one replaces it.
    next: Receiver<Held>,
    lists: Sender<Held>,
    thread: OwnedThread,
}

impl HeldFile {
    /// Returns the file at a path, and starts its thread; without a path, a file that is never written.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(path: Option<PathBuf>, lock: Arc<DataLock>) -> io::Result<HeldFile> {
        let Some(path) = path else { return Ok(HeldFile(None)) };
        HeldFile::start_with(path, lock, |path, bytes| private_file::replace(path, ".new", bytes))
    }

    fn start_with(
        path: PathBuf,
        lock: Arc<DataLock>,
        write: impl Fn(&Path, &[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<HeldFile> {
        let (load, loaded) = bounded(1);
        let (lists, next) = bounded(1);
        let (file, waiting) = (path.clone(), next.clone());
        let thread = OwnedThread::spawn(threads::HELD, move |_| {
            // The receiver lives as long as the channel of the lists.
            let _ = load.send(read(&file));
            let mut fault = OnChange::new();
            for held in waiting {
                match write(&file, text(&held).as_bytes()) {
                    Ok(()) => _ = fault.clear(),
                    Err(error) if fault.set(()) => log::error!(
                        "cannot write the held sources to {}: {error}; a start while the database is away polls \
                         nothing",
                        file.display()
                    ),
                    Err(_) => {}
                }
            }
        })?;
        let handle = Handle { lock, loaded, path, saved: None, next, lists, thread };
        Ok(HeldFile(Some(handle)))
    }

    /// Has the sources written if they have changed, at most once in a few seconds. Only the process that has the lock
    /// on the spool writes the file.
    pub(super) fn save(&mut self, held: Held) {
        let Some(handle) = &mut self.0 else { return };
        let is_due = handle.saved.as_ref().is_none_or(|(saved, at)| {
            let pause = if *saved == held { MAX_PAUSE } else { WRITE_INTERVAL };
            at.elapsed() >= pause
        });
        if is_due {
            handle.pass_on(held);
        }
    }

    /// Has it written that this replica holds nothing: it has released its sources.
    pub(super) fn forget(&mut self) {
        if let Some(handle) = &mut self.0 {
            handle.pass_on(Vec::new());
        }
    }

    /// Returns the sources that an earlier process held, and logs what is done with them; `None` while the file is being
    /// read, and once it was returned.
    pub(super) fn load(&self) -> Option<Held> {
        let Some(Handle { loaded, path, .. }) = &self.0 else { return Some(Vec::new()) };
        match loaded.try_recv().ok()? {
            Ok(held) if held.is_empty() => Some(held),
            Ok(held) => {
                log::warn!(
                    "the database is away since the start: polling the {} sources that this replica held \
                     before, unconfirmed",
                    held.len()
                );
                Some(held)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Vec::new()),
            Err(error) => {
                log::warn!(
                    "the held sources in {} are not used: {error}; nothing is polled until the database \
                     answers",
                    path.display()
                );
                Some(Vec::new())
            }
        }
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        if let Some(Handle { lists, thread, .. }) = self.0.take() {
            drop(lists);
            // A thread that hangs in a write is left to the end of the process.
            let _ = thread.join_deadline(Instant::now() + END_TIMEOUT);
        }
    }
}

impl Handle {
    /// Passes a list to the thread, in place of one that waits there.
    fn pass_on(&mut self, held: Held) {
        if self.lock.is_ours() {
            let _replaced = self.next.try_recv();
            // The channel has room: this is the only sender.
            let _ = self.lists.try_send(held.clone());
            self.saved = Some((held, Instant::now()));
        }
    }
}

/// Returns the content of the file.
fn text(held: &Held) -> String {
    let sources: Map<String, Value> =
        held.iter().map(|(source, epoch)| (source.to_string(), (*epoch).into())).collect();
    let saved_at = wall_clock::of_machine().as_second();
    serde_json::json!({ "saved_at": saved_at, "sources": sources }).to_string()
}

fn read(path: &Path) -> io::Result<Held> {
    let bytes = read_bounded(path, MAX_BYTES)?;
    let file: Value = serde_json::from_slice(&bytes)?;
    let saved_at = file.get("saved_at").and_then(Value::as_i64);
    let sources = file.get("sources").and_then(Value::as_object);
    let (Some(saved_at), Some(sources)) = (saved_at, sources) else {
        return Err(io::Error::other("it has no \"saved_at\" or no \"sources\""));
    };
    let age =
        SignedDuration::from_secs(wall_clock::of_machine().as_second().saturating_sub(saved_at));
    // The clock may have been set back since.
    if age.abs() > MAX_AGE {
        return Err(io::Error::other(format!("saved {age:#} ago, which is more than a day")));
    }
    let held =
        sources.iter().map(|(source, epoch)| (source.as_str().into(), epoch.as_i64().unwrap_or(0)));
    Ok(held.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: Duration = Duration::from_secs(20);

    fn held(sources: &[(&str, i64)]) -> Held {
        sources.iter().map(|(source, epoch)| ((*source).into(), *epoch)).collect()
    }

    fn lock(folder: &Path) -> Arc<DataLock> {
        let lock = DataLock::of_database(&folder.join("spool.db"));
        lock.claim();
        Arc::new(lock)
    }

    fn file(folder: &Path) -> HeldFile {
        HeldFile::start(Some(folder.join("held.json")), lock(folder)).unwrap()
    }

    /// Returns what a process that starts now reads.
    fn loaded(folder: &Path) -> Held {
        let file = file(folder);
        let begun = Instant::now();
        loop {
            if let Some(held) = file.load() {
                return held;
            }
            assert!(begun.elapsed() < AMPLE, "the file is not read");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn held_sources_are_read_back_and_written_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(loaded(folder), held(&[]), "there is no file");
        let mut written = file(folder);
        let sources = held(&[("cistern", 3), ("tank", 1)]);
        written.save(sources.clone());
        written.save(held(&[("tank", 1)]));
        drop(written);
        assert_eq!(loaded(folder), sources, "the second list came a moment after the first");
        let mut written = file(folder);
        written.save(sources);
        written.0.as_mut().unwrap().saved.as_mut().unwrap().1 -= WRITE_INTERVAL;
        written.save(held(&[("tank", 1)]));
        drop(written);
        assert_eq!(loaded(folder), held(&[("tank", 1)]));
        file(folder).forget();
        assert_eq!(loaded(folder), held(&[]));
    }

    #[test]
    fn disk_that_hangs_delays_no_call_and_gets_the_latest_list_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let (begin, begun) = bounded(10);
        let (release, disk) = bounded(0);
        let path = folder.path().join("held.json");
        let mut file = HeldFile::start_with(path, lock(folder.path()), move |_, bytes| {
            begin.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            disk.recv().map_err(io::Error::other)
        })
        .unwrap();
        for epoch in 1..5 {
            file.save(held(&[("tank", epoch)]));
            file.0.as_mut().unwrap().saved.as_mut().unwrap().1 -= WRITE_INTERVAL;
            if epoch == 1 {
                assert!(begun.recv_timeout(AMPLE).unwrap().contains("\"tank\":1"));
            }
        }
        assert!(begun.is_empty(), "the first write has not ended");
        release.send(()).unwrap();
        assert!(begun.recv_timeout(AMPLE).unwrap().contains("\"tank\":4"));
        release.send(()).unwrap();
    }

    #[test]
    fn file_that_is_old_or_damaged_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let now = wall_clock::of_machine().as_second();
        for (text, count) in [
            (format!("{{\"saved_at\":{},\"sources\":{{\"s\":1}}}}", now - 80_000), 1),
            (format!("{{\"saved_at\":{},\"sources\":{{\"s\":1}}}}", now - 90_000), 0),
            (format!("{{\"saved_at\":{},\"sources\":{{\"s\":1}}}}", now + 90_000), 0),
            (format!("{{\"saved_at\":{now}}}"), 0),
            ("{".to_owned(), 0),
        ] {
            std::fs::write(folder.path().join("held.json"), &text).unwrap();
            assert_eq!(loaded(folder.path()).len(), count, "{text}");
        }
    }
}
