//! The thread `pw-alert-store`: opens the file once this process has the lock, and writes what waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::changes::Opened;
use super::file::AlertFile;
use super::handle::{OnOpen, OnSaved, Shared};
use super::health::StoreFault;
use crate::data_lock::{Claim, DataLock, Holder, write_fault};
use crate::history::{FaultKind, StoreError, set_aside};
use crate::logging::OnChange;
use crate::threads::StopToken;
use crate::wall_clock;

/// Interval between two attempts to open the file, and between two checks of the lock.
const REOPEN_INTERVAL: Duration = Duration::from_secs(60);

/// Interval between two attempts to get the lock from another process, for [`HANDOVER`].
const CLAIM_INTERVAL: Duration = Duration::from_millis(250);

/// Time in which a former process ends, usually.
const HANDOVER: Duration = Duration::from_secs(30);

/// Wait after the first write that fails. It doubles up to [`MAX_RETRY`].
const MIN_RETRY: Duration = Duration::from_secs(1);

/// Longest wait after a write that fails.
const MAX_RETRY: Duration = Duration::from_secs(30);

/// State of the thread.
pub(super) struct StoreThread {
    shared: Arc<Shared>,
    woken: Receiver<()>,
    lock: Arc<DataLock>,
    on_open: OnOpen,
    on_saved: OnSaved,
    /// `None` while the file is not open.
    file: Option<AlertFile>,
    /// True if the states of the file were loaded since this process has the lock: those in memory are later.
    has_loaded: bool,
    /// Time since which another process has the lock.
    held_since: Option<Instant>,
    /// The reason that `on_open` has got; `None` if it has got none since the file was open.
    reported: OnChange<Arc<str>>,
    failure: OnChange<Arc<str>>,
    retry: Option<Retry>,
}

/// Wait after a write that failed.
#[derive(Clone, Copy)]
struct Retry {
    at: Instant,
    wait: Duration,
}

impl StoreThread {
    pub(super) fn new(
        shared: Arc<Shared>,
        woken: Receiver<()>,
        lock: Arc<DataLock>,
        on_open: OnOpen,
        on_saved: OnSaved,
    ) -> StoreThread {
        StoreThread {
            shared,
            woken,
            lock,
            on_open,
            on_saved,
            file: None,
            has_loaded: false,
            held_since: None,
            reported: OnChange::new(),
            failure: OnChange::new(),
            retry: None,
        }
    }

    pub(super) fn run(mut self, stop: &StopToken) {
        self.open();
        let mut check_at = Instant::now() + self.check_interval();
        loop {
            let now = Instant::now();
            if now >= check_at {
                match self.file {
                    Some(_) => self.check(),
                    None => self.open(),
                }
                check_at = Instant::now() + self.check_interval();
            }
            if self.shared.take_suspicion() {
                self.verify();
            }
            if self.file.is_some() && self.retry.is_none_or(|retry| now >= retry.at) {
                self.write();
            }
            let wait = self.wait(check_at);
            select! {
                recv(stop) -> _ => break,
                recv(self.woken) -> _ => {}
                default(wait) => {}
            }
        }
        if self.file.is_none() && self.shared.count() > 0 {
            // The fault of the disk may have just ended.
            self.open();
        }
        self.write();
        self.shared.end("on the disk");
    }

    /// Returns the time until the thread has work that nothing wakes it for.
    fn wait(&mut self, check_at: Instant) -> Duration {
        let now = Instant::now();
        if self.retry.is_none() && self.prune_some() {
            return Duration::ZERO;
        }
        let retry_at = self.retry.map_or(check_at, |retry| retry.at);
        check_at.min(retry_at).saturating_duration_since(now)
    }

    fn check_interval(&self) -> Duration {
        match self.held_since {
            Some(since) if since.elapsed() < HANDOVER => CLAIM_INTERVAL,
            _ => REOPEN_INTERVAL,
        }
    }

    /// Takes the lock, or checks that this process still has it. Returns false if it must not write.
    fn claim(&mut self) -> bool {
        match self.lock.claim() {
            Claim::Ours | Claim::Unlocked(_) => {
                self.held_since = None;
                self.shared.end_standby();
                true
            }
            Claim::NoPlace(fault) => {
                self.close();
                self.held_since = None;
                self.shared.end_standby();
                let message = format!("alerts are not saved: {fault}");
                self.fail(FaultKind::NoPlace, message);
                false
            }
            Claim::Held(holder) => {
                self.close();
                self.stand_by(holder);
                false
            }
        }
    }

    fn stand_by(&mut self, holder: Holder) {
        let is_new = self.held_since.is_none();
        self.held_since.get_or_insert_with(Instant::now);
        self.has_loaded = false;
        self.shared.stand_by(holder.clone());
        if is_new {
            log::info!("another process evaluates the alerts: {holder}");
            self.reported.clear();
            self.failure.clear();
            (self.on_open)(Opened::Standby(holder));
        }
    }

    fn close(&mut self) {
        self.shared.set_open(false);
        (self.file, self.retry) = (None, None);
    }

    /// Opens the file, if this process has the lock, and loads it the first time. Replaces a damaged file.
    fn open(&mut self) {
        if !self.claim() {
            return;
        }
        if self.has_loaded {
            return self.reopen();
        }
        let path = self.shared.path.clone();
        let open = || {
            let file = AlertFile::open(&path)?;
            let loaded = file.load()?;
            Ok((file, loaded))
        };
        let opened = match open() {
            Err(error) if StoreError::is_damage(&error) => {
                self.set_aside(&error).and_then(|()| open())
            }
            other => other,
        };
        match opened {
            Ok((file, mut loaded)) => {
                self.shared.remove_replaced(&mut loaded);
                self.has_loaded = true;
                self.adopt(file);
                (self.on_open)(Opened::Loaded(loaded));
            }
            Err(error) => self.fail_to_open(&error),
        }
    }

    fn adopt(&mut self, file: AlertFile) {
        (self.file, self.retry) = (Some(file), None);
        self.reported.clear();
        self.shared.set_open(true);
        self.succeed();
    }

    fn fail_to_open(&mut self, error: &StoreError) {
        let path = &self.shared.path;
        let (kind, reason) = match write_fault(path) {
            Some(fault) => (FaultKind::from(&fault), fault.to_string()),
            None => (FaultKind::from(error), error.to_string()),
        };
        let message = format!("cannot open the file of the alerts {}: {reason}", path.display());
        self.fail(kind, message);
    }

    /// Reports an error with which the file is not open.
    fn fail(&mut self, kind: FaultKind, message: String) {
        let message: Arc<str> = message.into();
        self.report(kind, Arc::clone(&message));
        if self.reported.set(Arc::clone(&message)) {
            (self.on_open)(Opened::Failed(message));
        }
    }

    /// Checks that this process has the lock, and that its file is the one at the path.
    fn check(&mut self) {
        if self.claim() && self.file.as_ref().is_some_and(AlertFile::is_replaced) {
            log::error!(
                "the file of the alerts {} was removed or replaced; it is written anew",
                self.shared.path.display()
            );
            self.close();
            self.reopen();
        }
    }

    /// Opens the file again: a new one, or the one before at a place that was away. The states in memory are later.
    fn reopen(&mut self) {
        let path = self.shared.path.clone();
        let opened = match AlertFile::open(&path) {
            Err(error) if StoreError::is_damage(&error) => {
                self.set_aside(&error).and_then(|()| AlertFile::open(&path))
            }
            other => other,
        };
        match opened {
            Ok(file) => {
                self.has_loaded = true;
                self.adopt(file);
                (self.on_open)(Opened::Replaced);
            }
            Err(error) => self.fail_to_open(&error),
        }
    }

    /// Checks the file, since a read has met damage.
    fn verify(&mut self) {
        if let Some(Err(error)) = self.file.as_ref().map(AlertFile::verify)
            && error.is_damage()
        {
            self.replace(&error);
        }
    }

    /// Writes the changes that wait.
    fn write(&mut self) {
        let Some(file) = &mut self.file else { return };
        let Some(pending) = self.shared.take() else { return };
        match file.write(&pending) {
            Ok(()) => {
                self.shared.written();
                self.retry = None;
                self.succeed();
                let saved = pending.saved_notices();
                if !saved.is_empty() {
                    (self.on_saved)(&saved);
                }
            }
            Err(error) => {
                self.shared.put_back(pending);
                let earlier = self.retry.map_or(Duration::ZERO, |retry| retry.wait);
                let wait = (earlier * 2).clamp(MIN_RETRY, MAX_RETRY);
                self.retry = Some(Retry { at: Instant::now() + wait, wait });
                let path = self.shared.path.display();
                let message = format!(
                    "the alerts cannot be saved in {path}: {error}; messages are sent from memory"
                );
                self.report(FaultKind::from(&error), message.into());
                if error.is_damage() {
                    self.replace(&error);
                }
            }
        }
    }

    /// Deletes some old incidents. Returns true if more are left.
    fn prune_some(&mut self) -> bool {
        let Some(file) = self.file.as_mut().filter(|file| file.is_prune_due()) else {
            return false;
        };
        if let Err(error) = file.prune_some() {
            log::warn!("old incidents cannot be deleted: {error}");
            file.skip_prune();
        }
        file.is_prune_due()
    }

    /// Renames a damaged file and creates a new one.
    fn replace(&mut self, cause: &StoreError) {
        self.close();
        match self.set_aside(cause) {
            Ok(()) => self.reopen(),
            Err(error) => self.fail_to_open(&error),
        }
    }

    fn set_aside(&self, cause: &StoreError) -> Result<(), StoreError> {
        let path = &self.shared.path;
        let aside = set_aside(path, wall_clock::now())
            .map_err(|error| StoreError::File(path.clone(), error))?;
        log::error!(
            "the file of the alerts {} is damaged ({cause}); it was set aside as {}, and a new one is created",
            path.display(),
            aside.display()
        );
        Ok(())
    }

    /// Publishes an error, and logs it if it is another one than before.
    fn report(&mut self, kind: FaultKind, message: Arc<str>) {
        if self.failure.set(Arc::clone(&message)) {
            log::error!("{message}");
        }
        self.shared.set_error(StoreFault { since: wall_clock::now(), kind, message });
    }

    fn succeed(&mut self) {
        self.shared.clear_error();
        if self.failure.clear() {
            log::info!("the alerts are saved again");
        }
    }
}

#[cfg(test)]
mod tests;
