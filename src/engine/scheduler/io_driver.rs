//! The I/O driver: one poller that idle workers take turns blocking on. The
//! [`scheduler`](super) explains the pattern.

use std::time::Duration;

use super::poller::{Poller, Wake as _};
use super::sync::{AtomicBool, AtomicU64, Mutex, Ordering, PoisonError, TryLockError, fence};

/// A poller, and the means to lead with it.
pub(super) struct IoDriver<P: Poller> {
    poller: Mutex<P>,
    waker: P::Waker,
    parked: AtomicBool,
    /// Number of calls of [`IoDriver::park`] that got the driver.
    parks: AtomicU64,
}

impl<P: Poller> IoDriver<P> {
    pub(super) fn new(poller: P, waker: P::Waker) -> IoDriver<P> {
        IoDriver {
            poller: Mutex::new(poller),
            waker,
            parked: AtomicBool::new(false),
            parks: AtomicU64::new(0),
        }
    }

    /// Returns true while a worker is in [`IoDriver::park`]: it is blocked, or will check the run
    /// queue before it blocks.
    ///
    /// A producer must order its push before this load by a [`fence`] (`SeqCst`).
    pub(super) fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Relaxed)
    }

    /// Returns the number of times that a worker came to park. It grows as long as workers make
    /// progress.
    pub(super) fn parks(&self) -> u64 {
        self.parks.load(Ordering::Relaxed)
    }

    /// Ends the current call of [`IoDriver::park`], or the next one if there is none.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Blocks until at least one connection is ready, then passes the events to `dispatch`.
    ///
    /// Returns false without blocking if another thread holds the driver. `may_block` is evaluated
    /// after the worker has announced that it parks. So either it sees what a producer has pushed
    /// before, or the producer sees that a worker is parked, and wakes it.
    pub(super) fn park(&self, may_block: impl FnOnce() -> bool, dispatch: impl FnOnce(&P)) -> bool {
        self.with_poller(|poller| {
            self.parks.fetch_add(1, Ordering::Relaxed);
            self.parked.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            poller.poll(if may_block() { None } else { Some(Duration::ZERO) });
            self.parked.store(false, Ordering::Relaxed);
            dispatch(poller);
        })
    }

    /// Passes the events that are there to `dispatch`, without blocking.
    ///
    /// Returns false if another thread holds the driver.
    pub(super) fn poll_now(&self, dispatch: impl FnOnce(&P)) -> bool {
        self.with_poller(|poller| {
            poller.poll(Some(Duration::ZERO));
            dispatch(poller);
        })
    }

    fn with_poller(&self, use_poller: impl FnOnce(&mut P)) -> bool {
        let mut poller = match self.poller.try_lock() {
            Ok(poller) => poller,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => return false,
        };
        use_poller(&mut poller);
        true
    }
}
