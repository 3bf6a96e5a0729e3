//! Atomics, locks and the clock of the scheduler: those of std, or those of the model checker.
//!
//! In unit tests with the feature `model` every type here is loom's. So the models check the very
//! code that serves, and not a copy of it. The documentation of `models` lists what is explored. All
//! other builds have the types of std, with the feature too, as loom's panic outside of a model.
//!
//! loom treats `SeqCst` loads and stores as `AcqRel`, but models `fence(SeqCst)` in full. Where the
//! scheduler needs the total order it therefore uses fences.

use std::time::Instant;

#[cfg(all(test, feature = "model"))]
pub(super) use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(not(all(test, feature = "model")))]
pub(super) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
pub(super) use std::sync::{PoisonError, TryLockError};

/// Returns the current time.
#[cfg(not(all(test, feature = "model")))]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Returns the same time at each call: a model must take the same course whenever it is repeated.
#[cfg(all(test, feature = "model"))]
pub(super) fn now() -> Instant {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *START
}

/// Locks a mutex whose critical sections leave its data consistent even if they panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
