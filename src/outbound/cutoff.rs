//! End of calls that wait, by another thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval at which a call that waits reads its [`Cutoff`].
pub(super) const CUTOFF_INTERVAL: Duration = Duration::from_millis(100);

/// Time at which calls end, whatever their deadlines. It is set once the program ends. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cutoff(Arc<Mutex<Option<Instant>>>);

impl Cutoff {
    /// Sets the time, also for calls that wait.
    pub(crate) fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Returns the time; `None` if it was not set.
    pub(crate) fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;
    use crate::outbound::{DeadlineStream, ThreadedResolver};

    #[test]
    fn call_that_waits_ends_at_the_cutoff_of_another_thread() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let far = Instant::now() + Duration::from_secs(600);
        let resolver = ThreadedResolver::system();
        let mut stream = DeadlineStream::connect("127.0.0.1", port, &resolver, far).unwrap();
        let cutoff = Cutoff::default();
        stream.end_at(cutoff.clone());
        let reader = thread::spawn(move || stream.read(&mut [0]).unwrap_err().kind());
        thread::sleep(2 * CUTOFF_INTERVAL);
        assert!(!reader.is_finished(), "it waits for the peer");
        cutoff.set(Instant::now());
        assert_eq!(reader.join().unwrap(), ErrorKind::TimedOut);
        drop(listener);
    }
}
