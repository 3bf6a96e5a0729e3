//! Polls the certificate files, and replaces the certificates in use when they have changed.
//!
//! The thread `pw-certs` opens the files by their paths each time, so it follows symbolic links that were
//! replaced, as certbot replaces them. If a pair cannot be used, the certificates in use stay. The error is
//! logged only if the next poll finds the same one, because chain and key cannot be replaced in one step.
//!
//! A read may hang on a network file system or a named pipe, so no other thread waits for this one. Dropping
//! the handle ends the thread unless a read hangs. A reload passes other files to the same thread.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use jiff::Timestamp;

use super::LiveCertificates;
use crate::config::TlsFiles;
use crate::logging::OnChange;
use crate::threads;

/// Duration of a read beyond which it counts as hanging.
const MAX_READ: Duration = Duration::from_secs(5);

/// Function that is called when renewed certificates are in use.
pub type OnRenewed = Box<dyn Fn() + Send>;

/// Handle to the thread. Dropping it ends the thread, unless a read hangs: then the thread ends
/// with the process.
#[derive(Debug)]
pub struct CertificateWatcher {
    shared: Arc<Shared>,
    /// Wakes the thread when other files are to be polled; dropped to end it.
    wake: Sender<()>,
}

/// State shared by the thread and its handle.
#[derive(Debug)]
struct Shared {
    files: ArcSwap<TlsFiles>,
    /// Start of the read in progress.
    reading_since: Mutex<Option<Instant>>,
}

impl Shared {
    fn reading_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.reading_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CertificateWatcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        files: TlsFiles,
        live: Arc<LiveCertificates>,
        on_renewed: OnRenewed,
    ) -> io::Result<CertificateWatcher> {
        let shared = Arc::new(Shared {
            files: ArcSwap::from_pointee(files),
            reading_since: Mutex::default(),
        });
        let (wake, woken) = bounded(1);
        let poller = FilePoller {
            shared: Arc::clone(&shared),
            live,
            on_renewed,
            latest_error: None,
            failure: OnChange::new(),
            warned_at: Timestamp::now(),
        };
        // Detached, as a read may hang: dropping `wake` ends the thread, or the process does.
        threads::spawn_detached(threads::CERTIFICATES, move || poller.run(&woken))?;
        Ok(CertificateWatcher { shared, wake })
    }

    /// Polls `files` from now on, or as soon as the read in progress ends. If that read hangs, returns the time
    /// that it has taken so far.
    pub fn follow(&self, files: TlsFiles) -> Option<Duration> {
        if **self.shared.files.load() != files {
            self.shared.files.store(Arc::new(files));
            // If the channel is full, the thread has not received the previous wake-up yet.
            let _ = self.wake.try_send(());
        }
        let reading = self.shared.reading_since().map(|since| since.elapsed());
        reading.filter(|time| *time > MAX_READ)
    }
}

/// State of the thread.
struct FilePoller {
    shared: Arc<Shared>,
    live: Arc<LiveCertificates>,
    on_renewed: OnRenewed,
    /// Error of the latest poll.
    latest_error: Option<String>,
    failure: OnChange<String>,
    warned_at: Timestamp,
}

/// Minimum number of seconds between two warnings of the same expiry: a day.
const WARNING_INTERVAL: i64 = 24 * 60 * 60;

impl FilePoller {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            let check_every = self.shared.files.load().check_every;
            match woken.recv_timeout(check_every) {
                // Woken by `follow`: wait for the interval of the new files.
                Ok(()) => continue,
                Err(RecvTimeoutError::Timeout) => self.poll(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Timestamp::now();
            if now.as_second() - self.warned_at.as_second() >= WARNING_INTERVAL {
                self.warned_at = now;
                self.live.warn_of_expiry(now);
            }
        }
    }

    fn poll(&mut self) {
        *self.shared.reading_since() = Some(Instant::now());
        let files = self.shared.files.load_full();
        let latest = files.load();
        *self.shared.reading_since() = None;
        match latest {
            // A reload replaced the files during the read, and has loaded the new ones itself.
            _ if !Arc::ptr_eq(&files, &self.shared.files.load()) => self.clear_error(),
            Ok(latest) => {
                self.clear_error();
                let warnings = latest.warnings.clone();
                if self.live.replace(latest) {
                    warnings.iter().for_each(|warning| log::warn!("{warning}"));
                    (self.on_renewed)();
                }
            }
            Err(error) => self.note_failure(error.to_string()),
        }
    }

    /// Logs an error that two polls in a row have found.
    fn note_failure(&mut self, error: String) {
        if self.latest_error.as_ref() != Some(&error) {
            self.clear_error();
        } else if self.failure.set(error.clone()) {
            log::error!("cannot load renewed certificates: {error}; the certificates in use stay");
        }
        self.latest_error = Some(error);
    }

    fn clear_error(&mut self) {
        self.latest_error = None;
        self.failure.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CertificateFiles;
    use crate::config::self_signed::self_signed;

    fn write(files: &CertificateFiles, name: &str) -> (String, String) {
        let generated = self_signed(&[name.to_owned()]).unwrap();
        std::fs::write(&files.cert, &generated.cert_pem).unwrap();
        std::fs::write(&files.key, &generated.key_pem).unwrap();
        (generated.cert_pem, generated.key_pem)
    }

    #[test]
    fn renewed_files_replace_the_certificates_and_broken_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let default =
            CertificateFiles { cert: folder.path().join("c"), key: folder.path().join("k") };
        write(&default, "one.example");
        let files = TlsFiles {
            default: default.clone(),
            named: Vec::new(),
            check_every: std::time::Duration::from_secs(60),
            redirect_listen: Vec::new(),
        };
        let live = LiveCertificates::new(files.load().unwrap());
        let (renewals, renewed) = crossbeam_channel::unbounded();
        let shared =
            Shared { files: ArcSwap::from_pointee(files), reading_since: Mutex::default() };
        let mut poller = FilePoller {
            shared: Arc::new(shared),
            live: live.clone(),
            on_renewed: Box::new(move || renewals.send(()).unwrap()),
            latest_error: None,
            failure: OnChange::new(),
            warned_at: Timestamp::now(),
        };
        poller.poll();
        assert!(renewed.is_empty(), "the files are unchanged");

        let (_, old_key) = write(&default, "two.example");
        let new_key = std::fs::read(&default.key).unwrap();
        std::fs::write(&default.key, "half a k").unwrap();
        poller.poll();
        poller.poll();
        assert_eq!(live.info()[0].names, ["one.example"]);
        assert!(poller.failure.is_set(), "logged by the second poll");

        std::fs::write(&default.key, new_key).unwrap();
        poller.poll();
        assert_eq!((live.info()[0].names[0].as_str(), renewed.len()), ("two.example", 1));
        assert!(!poller.failure.is_set());
        drop(old_key);
    }

    #[test]
    fn hanging_read_blocks_no_caller_and_other_files_are_polled_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let files = |name: &str| TlsFiles {
            default: CertificateFiles {
                cert: folder.path().join(name),
                key: folder.path().join("k"),
            },
            named: Vec::new(),
            check_every: Duration::from_millis(1),
            redirect_listen: Vec::new(),
        };
        let before = files("c");
        write(&before.default, "one.example");
        let live = LiveCertificates::new(before.load().unwrap());
        let pipe = files("pipe");
        let created =
            std::process::Command::new("mkfifo").arg(&pipe.default.cert).status().unwrap();
        assert!(created.success());
        let (renewals, renewed) = crossbeam_channel::unbounded();
        let watcher = CertificateWatcher::start(
            pipe.clone(),
            live.clone(),
            Box::new(move || {
                let _ = renewals.send(());
            }),
        )
        .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while watcher.shared.reading_since().is_none() {
            assert!(Instant::now() < deadline, "the pipe is not read");
            std::thread::yield_now();
        }
        assert_eq!(watcher.follow(pipe.clone()), None, "the read is not yet considered hanging");
        let long_ago = Instant::now().checked_sub(2 * MAX_READ);
        *watcher.shared.reading_since() = long_ago;
        write(&before.default, "two.example");
        assert!(watcher.follow(before).is_some_and(|hung| hung > MAX_READ));
        // The read ends only now, and the thread polls the other files.
        std::fs::write(&pipe.default.cert, "").unwrap();
        renewed.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(live.info()[0].names, ["two.example"]);
        drop(watcher);
    }
}
