//! File with the sources that this replica holds, for a start while the database is away.
//!
//! The last holder of a source polls on while the database is away, also if its process is started again meanwhile. The
//! price is that of every unconfirmed poll: if the database is away for this machine alone, another replica has taken
//! the sources, and their polls are doubled until the database answers. A file that is older than [`MAX_AGE`] is
//! ignored: much may have changed hands since.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::data_lock::DataLock;
use crate::file_error::read_bounded;
use crate::logging::OnChange;
use crate::{private_file, wall_clock};

/// Greatest age of a file that is used.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Shortest time between two writes.
const WRITE_INTERVAL: Duration = Duration::from_secs(3);

/// Time after which the file is written again although nothing has changed, so that it does not grow too old.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Largest file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Sources with their epochs, sorted by name.
type Held = Vec<(Arc<str>, i64)>;

/// The file. Only the process that has the lock on the spool writes it.
#[derive(Debug)]
pub struct HeldFile {
    /// `None` without a spool.
    path: Option<PathBuf>,
    lock: Arc<DataLock>,
    /// What this process has written last, and when it tried to.
    written: Option<(Held, Instant)>,
    fault: OnChange<()>,
}

impl HeldFile {
    /// Returns the file at a path.
    pub fn new(path: Option<PathBuf>, lock: Arc<DataLock>) -> HeldFile {
        HeldFile { path, lock, written: None, fault: OnChange::new() }
    }

    /// Writes the sources if they have changed, at most once in a few seconds.
    pub(super) fn save(&mut self, held: Held) {
        let is_due = self.written.as_ref().is_none_or(|(written, at)| {
            let pause = if *written == held { MAX_PAUSE } else { WRITE_INTERVAL };
            at.elapsed() >= pause
        });
        if is_due {
            self.write(held);
        }
    }

    /// Writes that this replica holds nothing: it has released its sources.
    pub(super) fn forget(&mut self) {
        self.write(Vec::new());
    }

    fn write(&mut self, held: Held) {
        let Some(path) = self.path.as_deref().filter(|_| self.lock.is_ours()) else { return };
        let sources: Map<String, Value> =
            held.iter().map(|(source, epoch)| (source.to_string(), (*epoch).into())).collect();
        let saved_at = wall_clock::of_machine().as_second();
        let text = serde_json::json!({ "saved_at": saved_at, "sources": sources }).to_string();
        match private_file::replace(path, ".new", text.as_bytes()) {
            Ok(()) => _ = self.fault.clear(),
            Err(error) if self.fault.set(()) => log::error!(
                "cannot write the held sources to {}: {error}; a start while the database is away polls nothing",
                path.display()
            ),
            Err(_) => {}
        }
        self.written = Some((held, Instant::now()));
    }

    /// Returns the sources that an earlier process held, and logs what is done with them.
    pub(super) fn load(&self) -> Held {
        let Some(path) = &self.path else { return Vec::new() };
        match read(path) {
            Ok(held) if held.is_empty() => held,
            Ok(held) => {
                log::warn!(
                    "the database is away since the start: polling the {} sources that this replica held \
                     before, unconfirmed",
                    held.len()
                );
                held
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                log::warn!(
                    "the held sources in {} are not used: {error}; nothing is polled until the database \
                     answers",
                    path.display()
                );
                Vec::new()
            }
        }
    }
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

    fn held(sources: &[(&str, i64)]) -> Held {
        sources.iter().map(|(source, epoch)| ((*source).into(), *epoch)).collect()
    }

    fn file(folder: &Path) -> HeldFile {
        let lock = DataLock::of_database(&folder.join("spool.db"));
        lock.claim();
        HeldFile::new(Some(folder.join("held.json")), Arc::new(lock))
    }

    #[test]
    fn held_sources_are_read_back_and_written_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path());
        assert_eq!(file.load(), held(&[]), "there is no file");
        let sources = held(&[("cistern", 3), ("tank", 1)]);
        file.save(sources.clone());
        assert_eq!(file.load(), sources);
        file.save(held(&[("tank", 1)]));
        assert_eq!(file.load(), sources, "it was written a moment ago");
        file.written.as_mut().unwrap().1 -= WRITE_INTERVAL;
        file.save(held(&[("tank", 1)]));
        assert_eq!(file.load(), held(&[("tank", 1)]));
        file.forget();
        assert_eq!(file.load(), held(&[]));
    }

    #[test]
    fn file_that_is_old_or_damaged_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let now = wall_clock::of_machine().as_second();
        for (text, count) in [
            (format!("{{\"saved_at\":{},\"sources\":{{\"s\":1}}}}", now - 80_000), 1),
            (format!("{{\"saved_at\":{},\"sources\":{{\"s\":1}}}}", now - 90_000), 0),
            (format!("{{\"saved_at\":{},\"sources\":{{\"s\":1}}}}", now + 90_000), 0),
            (format!("{{\"saved_at\":{now}}}"), 0),
            ("{".to_owned(), 0),
        ] {
            std::fs::write(file.path.as_ref().unwrap(), &text).unwrap();
            assert_eq!(file.load().len(), count, "{text}");
        }
    }
}
