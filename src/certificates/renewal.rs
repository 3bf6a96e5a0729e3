//! State of the renewal: whether the certificate files could be loaded the last time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::kernel::pause;

/// Duration of a read beyond which it counts as hanging.
pub(super) const MAX_READ: Duration = Duration::from_secs(5);

/// Reason why renewed certificates are not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalFailure {
    /// The error, with one line for each file. It contains paths, so it is for the operator only.
    pub error: String,
    /// Time of the first attempt that failed.
    pub since: Timestamp,
}

/// Outcome of the latest attempt to load the certificate files.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    failure: Mutex<Option<RenewalFailure>>,
    /// Start of the read in progress.
    reading: Mutex<Option<(Instant, Timestamp)>>,
}

impl Renewal {
    /// Records a failure. Returns true if its error is new. The time of an earlier one stays.
    pub(super) fn record_failure(&self, error: String, since: Timestamp) -> bool {
        let mut failure = lock(&self.failure);
        let since = failure.as_ref().map_or(since, |failure| failure.since);
        let is_new = failure.as_ref().is_none_or(|failure| failure.error != error);
        *failure = Some(RenewalFailure { error, since });
        is_new
    }

    pub(super) fn record_success(&self) {
        *lock(&self.failure) = None;
    }

    /// Records that a read begins or, with `None`, that it has ended.
    pub(super) fn record_read(&self, start: Option<(Instant, Timestamp)>) {
        *lock(&self.reading) = start;
    }

    /// Returns true while the files are read.
    #[cfg(test)]
    pub(super) fn is_reading(&self) -> bool {
        lock(&self.reading).is_some()
    }

    /// Returns the time that the read in progress has taken, if it hangs.
    pub(super) fn hanging_read(&self) -> Option<Duration> {
        self.reading_since().map(|(start, _)| time_since(start))
    }

    /// Returns the failure that lasts: an error, or a read that does not end.
    pub(super) fn failure(&self) -> Option<RenewalFailure> {
        if let Some((start, since)) = self.reading_since() {
            let seconds = time_since(start).as_secs();
            let error = format!("a read of the certificate files has not ended for {seconds} s");
            return Some(RenewalFailure { error, since });
        }
        lock(&self.failure).clone()
    }

    /// Returns the start of a read that hangs.
    fn reading_since(&self) -> Option<(Instant, Timestamp)> {
        (*lock(&self.reading)).filter(|(start, _)| time_since(*start) > MAX_READ)
    }
}

/// Returns the time since the start of a read, but not from before a pause of the process, in which the read
/// could not end.
fn time_since(start: Instant) -> Duration {
    pause::sure(start.elapsed())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
