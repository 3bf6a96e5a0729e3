//! Polls the certificate files, and replaces the certificates in use when they have changed.
//!
//! The thread `pw-certs` opens the files by their paths each time, so it follows symbolic links that were
//! replaced, as certbot replaces them. If a pair cannot be used, the certificates in use stay. The error is
//! logged and reported only if the next poll fails, too, because chain and key cannot be replaced in one
//! step. That poll follows within a minute, however long the configured interval is.
//!
//! A read may hang on a network file system or a named pipe, so no other thread waits for this one. Dropping
//! the handle ends the thread unless a read hangs. A reload passes other files to the same thread.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use jiff::Timestamp;

use super::{CertificateInfo, Certificates, LiveCertificates};
use crate::config::TlsFiles;
use crate::threads;
use crate::wall_clock;

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
    live: Arc<LiveCertificates>,
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
        let shared = Arc::new(Shared { files: ArcSwap::from_pointee(files), live });
        let (wake, woken) = bounded(1);
        let poller = FilePoller {
            shared: Arc::clone(&shared),
            on_renewed,
            failing_since: None,
            warned_at: wall_clock::now(),
        };
        // Detached, as a read may hang: dropping `wake` ends the thread, or the process does.
        threads::spawn_detached(threads::CERTIFICATES, move || poller.run(&woken))?;
        Ok(CertificateWatcher { shared, wake })
    }

    /// Polls `files` from now on, or as soon as the read in progress ends. If that read hangs, returns the time
    /// that it has taken so far.
    pub fn follow(&self, files: TlsFiles) -> Option<Duration> {
        let files = Arc::new(files);
        // Also if they are equal: the keys that name them may be in other lines.
        if self.shared.files.swap(Arc::clone(&files)) != files {
            // If the channel is full, the thread has not received the previous wake-up yet.
            let _ = self.wake.try_send(());
        }
        self.shared.live.renewal.hanging_read()
    }
}

/// State of the thread.
struct FilePoller {
    shared: Arc<Shared>,
    on_renewed: OnRenewed,
    /// Time of the first poll that failed since the last one that succeeded.
    failing_since: Option<Timestamp>,
    warned_at: Timestamp,
}

/// Minimum number of seconds between two warnings of the same expiry: a day.
const WARNING_INTERVAL: i64 = 24 * 60 * 60;

/// Longest interval between two polls while they fail, so that a failure and its end are soon reported.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(60);

impl FilePoller {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            match woken.recv_timeout(self.interval()) {
                // Woken by `follow`: wait for the interval of the new files, which have not failed.
                Ok(()) => {
                    self.failing_since = None;
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => self.poll(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if wall_clock::now().as_second() - self.warned_at.as_second() >= WARNING_INTERVAL {
                self.warn_of_expiry();
            }
        }
    }

    fn warn_of_expiry(&mut self) {
        self.warned_at = wall_clock::now();
        self.shared.live.warn_of_expiry(self.warned_at);
    }

    /// Returns the time until the next poll.
    fn interval(&self) -> Duration {
        let check_every = self.shared.files.load().check_every;
        match self.failing_since {
            Some(_) => check_every.min(MAX_RETRY_INTERVAL),
            None => check_every,
        }
    }

    fn poll(&mut self) {
        let live = Arc::clone(&self.shared.live);
        live.renewal.record_read(Some((Instant::now(), wall_clock::now())));
        let files = self.shared.files.load_full();
        let latest = Certificates::load(&files);
        live.renewal.record_read(None);
        match latest {
            // A reload replaced the files during the read, and has loaded the new ones itself.
            _ if !Arc::ptr_eq(&files, &self.shared.files.load()) => self.failing_since = None,
            Ok(latest) => {
                self.failing_since = None;
                let before = live.info();
                let is_renewed = live.replace(latest);
                let infos = live.info();
                if is_renewed || *before != *infos {
                    infos.iter().for_each(CertificateInfo::log_problems);
                }
                if is_renewed {
                    (self.on_renewed)();
                    // Renewed is not yet valid: the chain may be an old one.
                    self.warn_of_expiry();
                }
            }
            Err(error) => self.note_failure(error.to_string()),
        }
    }

    /// Logs and records an error if the poll before failed, too.
    fn note_failure(&mut self, error: String) {
        let Some(since) = self.failing_since else {
            self.failing_since = Some(wall_clock::now());
            return;
        };
        if self.shared.live.renewal.record_failure(error.clone(), since) {
            for line in error.lines() {
                log::error!(
                    "cannot load renewed certificates: {line}; the certificates in use stay"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::renewal::MAX_READ;
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
        let file = |name: &str| folder.path().join(name).into();
        let default = CertificateFiles { cert: file("c"), key: file("k") };
        write(&default, "one.example");
        let files = TlsFiles {
            default: default.clone(),
            named: Vec::new(),
            check_every: 720 * MAX_RETRY_INTERVAL,
            redirect_listen: Vec::new(),
            expected_names: Vec::new(),
        };
        let live = LiveCertificates::new(Certificates::load(&files).unwrap());
        let (renewals, renewed) = crossbeam_channel::unbounded();
        let shared = Shared { files: ArcSwap::from_pointee(files), live: live.clone() };
        let mut poller = FilePoller {
            shared: Arc::new(shared),
            on_renewed: Box::new(move || renewals.send(()).unwrap()),
            failing_since: None,
            warned_at: Timestamp::now(),
        };
        poller.poll();
        assert!(renewed.is_empty(), "the files are unchanged");

        write(&default, "two.example");
        let new_key = std::fs::read(&default.key).unwrap();
        std::fs::write(&default.key, "half a k").unwrap();
        poller.poll();
        assert_eq!(live.renewal_failure(), None, "chain and key are replaced one after the other");
        assert_eq!(poller.interval(), MAX_RETRY_INTERVAL, "a failure is confirmed soon");
        poller.poll();
        assert_eq!(live.info()[0].names, ["one.example"]);
        let failure = live.renewal_failure().expect("two polls failed");
        assert!(failure.error.contains("the file has no PEM section"), "{failure:?}");

        // Another error does not hide that loads fail, and not since when.
        std::fs::write(&default.key, "").unwrap();
        poller.poll();
        let changed = live.renewal_failure().expect("three polls failed");
        assert!(changed.error.contains("the file is empty"), "{changed:?}");
        assert_eq!(changed.since, failure.since);

        std::fs::write(&default.key, new_key).unwrap();
        poller.poll();
        assert_eq!((live.info()[0].names[0].as_str(), renewed.len()), ("two.example", 1));
        assert_eq!(live.renewal_failure(), None);
        assert_eq!(poller.interval(), 720 * MAX_RETRY_INTERVAL);

        // The mode of the key is no part of its contents.
        let mode = |mode| {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&default.key, permissions).unwrap();
        };
        for (bits, problems) in [(0o644, 1), (0o600, 0)] {
            mode(bits);
            poller.poll();
            assert_eq!(live.info()[0].problems.len(), problems, "{bits:o}");
        }
        assert_eq!(renewed.len(), 1, "the same certificates are no renewal");
    }

    #[test]
    fn hanging_read_blocks_no_caller_and_other_files_are_polled_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let files = |name: &str| TlsFiles {
            default: CertificateFiles {
                cert: folder.path().join(name).into(),
                key: folder.path().join("k").into(),
            },
            named: Vec::new(),
            check_every: Duration::from_millis(1),
            redirect_listen: Vec::new(),
            expected_names: Vec::new(),
        };
        let before = files("c");
        write(&before.default, "one.example");
        let live = LiveCertificates::new(Certificates::load(&before).unwrap());
        let pipe = files("pipe");
        hostile::folder::make_pipe(&pipe.default.cert);
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
        while !live.renewal.is_reading() {
            assert!(Instant::now() < deadline, "the pipe is not read");
            std::thread::yield_now();
        }
        assert_eq!(watcher.follow(pipe.clone()), None, "the read is not yet considered hanging");
        assert_eq!(live.renewal_failure(), None);
        let long_ago = Instant::now().checked_sub(2 * MAX_READ).unwrap();
        live.renewal.record_read(Some((long_ago, Timestamp::UNIX_EPOCH)));
        let failure = live.renewal_failure().expect("the read hangs");
        assert!(failure.error.contains("has not ended for 10 s"), "{failure:?}");
        assert_eq!(failure.since, Timestamp::UNIX_EPOCH);
        write(&before.default, "two.example");
        assert!(watcher.follow(before).is_some_and(|hung| hung > MAX_READ));
        // The read ends only now, and the thread polls the other files.
        std::fs::write(&pipe.default.cert, "").unwrap();
        renewed.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(live.info()[0].names, ["two.example"]);
        drop(watcher);
    }
}
