//! The certificates in use: what they say of themselves, and their renewal while the server
//! runs.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use jiff::Timestamp;
use rustls::ServerConfig;

use crate::config::{CertificateInfo, Certificates, TlsFiles};
use crate::engine::tls::{LiveIdentities, TlsError, live_server_config};
use crate::logging::OnChange;
use crate::threads;

/// A certificate that expires sooner is warned of.
pub const EXPIRES_SOON_DAYS: i64 = 14;

/// A read of the files that takes longer counts as one that hangs.
const MAX_READ: Duration = Duration::from_secs(5);

/// What the public listeners show, replaceable at any time.
#[derive(Debug)]
pub struct LiveCertificates {
    identities: Arc<LiveIdentities>,
    told: ArcSwap<Vec<CertificateInfo>>,
    loaded: Mutex<Certificates>,
}

impl LiveCertificates {
    /// Begins with these.
    pub fn new(certificates: Certificates) -> Arc<LiveCertificates> {
        Arc::new(LiveCertificates {
            identities: LiveIdentities::new(certificates.identities.clone()),
            told: ArcSwap::from_pointee(certificates.told.clone()),
            loaded: Mutex::new(certificates),
        })
    }

    /// What the listeners speak TLS with; it always shows the latest certificates.
    ///
    /// # Errors
    /// The system has no randomness for the keys of session tickets.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        live_server_config(Arc::clone(&self.identities))
    }

    /// What the certificates in use say of themselves, the default one first.
    pub fn told(&self) -> Arc<Vec<CertificateInfo>> {
        self.told.load_full()
    }

    /// Shows these from now on; false when they are those that it shows already.
    pub fn renew(&self, latest: Certificates) -> bool {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.same_as(&latest) {
            return false;
        }
        self.identities.replace(latest.identities.clone());
        self.told.store(Arc::new(latest.told.clone()));
        *loaded = latest;
        true
    }

    /// Whole days until the first of them expires, if that is soon; negative once it has.
    pub fn expires_soon(&self, now: Timestamp) -> Option<i64> {
        let told = self.told.load();
        let soonest = told.iter().map(|certificate| certificate.days_left(now)).min();
        soonest.filter(|days| *days < EXPIRES_SOON_DAYS)
    }

    /// Logs which expire soon, or have expired.
    pub fn warn_of_expiry(&self, now: Timestamp) {
        for certificate in &*self.told() {
            let (names, days) = (certificate.names.join(", "), certificate.days_left(now));
            if days < 0 {
                log::error!("the certificate for {names} has expired: clients will refuse it");
            } else if days < EXPIRES_SOON_DAYS {
                log::warn!("the certificate for {names} expires in {days} days");
            }
        }
    }
}

/// Told when renewed certificates are in use.
pub type Renewed = Box<dyn Fn() + Send>;

/// Handle to the thread `pw-certs`, which looks for renewed files. It reads them by their names each
/// time, so symbolic links that were replaced, as certbot does it, are followed.
///
/// A read may hang: on a network file system, or in a named pipe. So no other thread waits for this
/// one: dropping the handle ends it, unless it hangs, and other files are handed to the same thread.
#[derive(Debug)]
pub struct CertificateWatch {
    shared: Arc<Shared>,
    /// Wakes the thread up for other files; dropped to end it.
    wake: Sender<()>,
}

/// State between the thread and its handle.
#[derive(Debug)]
struct Shared {
    files: ArcSwap<TlsFiles>,
    /// Start of the read that is under way.
    reading_since: Mutex<Option<Instant>>,
}

impl Shared {
    fn reading_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.reading_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CertificateWatch {
    /// Starts to look.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(
        files: TlsFiles,
        live: Arc<LiveCertificates>,
        renewed: Renewed,
    ) -> io::Result<CertificateWatch> {
        let shared = Arc::new(Shared {
            files: ArcSwap::from_pointee(files),
            reading_since: Mutex::default(),
        });
        let (wake, woken) = bounded(1);
        let watcher = Watcher {
            shared: Arc::clone(&shared),
            live,
            renewed,
            latest_error: None,
            failure: OnChange::new(),
            warned_at: Timestamp::now(),
        };
        // Detached, as a read may hang: dropping `wake` ends the thread, or the process does.
        threads::spawn_detached(threads::CERTIFICATES, move || watcher.run(&woken))?;
        Ok(CertificateWatch { shared, wake })
    }

    /// Looks at these files from now on, or as soon as the read that is under way ends. Returns the
    /// time that this read has taken, if it hangs.
    pub fn follow(&self, files: TlsFiles) -> Option<Duration> {
        if **self.shared.files.load() != files {
            self.shared.files.store(Arc::new(files));
            // If there is no room, the thread has not taken the previous wake-up yet.
            let _ = self.wake.try_send(());
        }
        let reading = self.shared.reading_since().map(|since| since.elapsed());
        reading.filter(|time| *time > MAX_READ)
    }
}

struct Watcher {
    shared: Arc<Shared>,
    live: Arc<LiveCertificates>,
    renewed: Renewed,
    /// Error of the latest read.
    latest_error: Option<String>,
    failure: OnChange<String>,
    warned_at: Timestamp,
}

/// Between two warnings of the same expiry.
const DAY_SECONDS: i64 = 24 * 60 * 60;

impl Watcher {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            let check_every = self.shared.files.load().check_every;
            match woken.recv_timeout(check_every) {
                // Other files: their interval begins now.
                Ok(()) => continue,
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Timestamp::now();
            if now.as_second() - self.warned_at.as_second() >= DAY_SECONDS {
                self.warned_at = now;
                self.live.warn_of_expiry(now);
            }
        }
    }

    fn look(&mut self) {
        *self.shared.reading_since() = Some(Instant::now());
        let files = self.shared.files.load_full();
        let latest = files.load();
        *self.shared.reading_since() = None;
        match latest {
            // Those of the files that are followed now are in use already.
            _ if !Arc::ptr_eq(&files, &self.shared.files.load()) => self.clear_error(),
            Ok(latest) => {
                self.clear_error();
                let notices = latest.notices.clone();
                if self.live.renew(latest) {
                    notices.iter().for_each(|notice| log::warn!("{notice}"));
                    (self.renewed)();
                }
            }
            Err(error) => {
                let error = error.to_string();
                // Seen once, it may be a renewal under way: a new chain beside the old key.
                if self.latest_error.as_ref() != Some(&error) {
                    self.clear_error();
                } else if self.failure.set(error.clone()) {
                    log::error!("the certificates in use stay: {error}");
                }
                self.latest_error = Some(error);
            }
        }
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
        let made = self_signed(&[name.to_owned()]).unwrap();
        std::fs::write(&files.cert, &made.cert_pem).unwrap();
        std::fs::write(&files.key, &made.key_pem).unwrap();
        (made.cert_pem, made.key_pem)
    }

    #[test]
    fn what_expires_first_is_told_once_it_is_soon() {
        let made = self_signed(&["a.example".to_owned()]).unwrap();
        let mut certificates = Certificates::from_pem(&made.cert_pem, &made.key_pem).unwrap();
        let later = certificates.told[0].clone();
        let days = |days: i64| jiff::SignedDuration::from_hours(24 * days);
        let sooner = CertificateInfo { not_after: later.not_after - days(30), ..later.clone() };
        certificates.told.push(sooner.clone());
        let live = LiveCertificates::new(certificates);
        for (left, expected) in [(14, None), (13, Some(13)), (0, Some(0)), (-2, Some(-2))] {
            assert_eq!(live.expires_soon(sooner.not_after - days(left)), expected);
        }
    }

    #[test]
    fn renewed_files_are_taken_up_and_broken_ones_are_not() {
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
        let mut watcher = Watcher {
            shared: Arc::new(shared),
            live: live.clone(),
            renewed: Box::new(move || renewals.send(()).unwrap()),
            latest_error: None,
            failure: OnChange::new(),
            warned_at: Timestamp::now(),
        };
        watcher.look();
        assert!(renewed.is_empty(), "nothing is new");

        let (_, old_key) = write(&default, "two.example");
        let new_key = std::fs::read(&default.key).unwrap();
        std::fs::write(&default.key, "half a k").unwrap();
        watcher.look();
        watcher.look();
        assert_eq!(live.told()[0].names, ["one.example"]);
        assert!(watcher.failure.is_set(), "the second read logs the error");

        std::fs::write(&default.key, new_key).unwrap();
        watcher.look();
        assert_eq!((live.told()[0].names[0].as_str(), renewed.len()), ("two.example", 1));
        assert!(!watcher.failure.is_set());
        drop(old_key);
    }

    #[test]
    fn read_that_hangs_is_waited_for_by_no_one_and_other_files_are_followed_behind_it() {
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
        let made = std::process::Command::new("mkfifo").arg(&pipe.default.cert).status().unwrap();
        assert!(made.success());
        let (renewals, renewed) = crossbeam_channel::unbounded();
        let watch = CertificateWatch::start(
            pipe.clone(),
            live.clone(),
            Box::new(move || {
                let _ = renewals.send(());
            }),
        )
        .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while watch.shared.reading_since().is_none() {
            assert!(Instant::now() < deadline, "the pipe is read");
            std::thread::yield_now();
        }
        assert_eq!(watch.follow(pipe.clone()), None, "it has not hung for long");
        let long_ago = Instant::now().checked_sub(2 * MAX_READ);
        *watch.shared.reading_since() = long_ago;
        write(&before.default, "two.example");
        assert!(watch.follow(before).is_some_and(|hung| hung > MAX_READ));
        // Only now the read ends, and the thread looks at the other files.
        std::fs::write(&pipe.default.cert, "").unwrap();
        renewed.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(live.told()[0].names, ["two.example"]);
        drop(watch);
    }
}
