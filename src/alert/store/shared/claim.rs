//! The claim of this process on the notices that it has saved in a database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::alert::{Notice, NoticeKey};

/// Time from the end of a claim after which notices that were saved are sent all the same, if the database does not
/// answer: another replica may have sent them, and an alarm late or twice is better than none.
pub const CLAIM_GRACE: Duration = Duration::from_secs(5 * 60);

/// Notices that the channels of this process have, or had.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Those that were saved and are not sent.
    pub saved: Vec<Arc<Notice>>,
    /// Those that need not be sent any more, which the store has not been asked to delete yet.
    pub done: Vec<NoticeKey>,
}

/// Time up to which the notices that this process has saved are its own to send. Cheap to clone.
///
/// It is by the clock since boot, and ends before the database lets another replica have them.
#[derive(Debug, Clone)]
pub struct Claim(Option<Arc<AtomicU64>>);

impl Claim {
    /// Returns the claim of a process without replicas, which never ends.
    pub fn unlimited() -> Claim {
        Claim(None)
    }

    /// Returns a claim that ends at a time since boot, such as the present. [`Claim::extend`] continues it.
    pub fn until(end: Duration) -> Claim {
        let claim = Claim(Some(Arc::default()));
        claim.extend(end);
        claim
    }

    /// Lets the claim be valid up to a time since boot.
    pub fn extend(&self, until: Duration) {
        if let Some(end) = &self.0 {
            end.store(millis(until), Ordering::Release);
        }
    }

    /// Ends the claim at a time since boot, unless it ends earlier.
    pub fn end_by(&self, at: Duration) {
        if let Some(end) = &self.0 {
            end.fetch_min(millis(at), Ordering::AcqRel);
        }
    }

    /// Returns its end, as a time since boot; `None`: it never ends.
    pub fn end(&self) -> Option<Duration> {
        self.0.as_ref().map(|end| Duration::from_millis(end.load(Ordering::Acquire)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The claim of a process without replicas.
impl Default for Claim {
    fn default() -> Claim {
        Claim::unlimited()
    }
}
