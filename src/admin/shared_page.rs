//! A page that one caller renders and all callers share (single flight).
//!
//! A page is rendered at most once a second. While a caller renders it, other callers get the
//! previous page if that is recent. Without a recent one, [`MAX_WAITERS`] callers wait for a
//! moment and the rest get [`Busy`].
//!
//! The lock is never held while a page is rendered. A rendering that hangs, as on a file of
//! `/proc`, therefore holds the one worker that renders, and no other.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Minimum time between two renderings.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum age of a previous page that callers get while the next one is rendered.
const MAX_AGE: Duration = Duration::from_secs(5);

/// Maximum wait for a rendering in progress, if there is no recent page.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// Maximum number of callers that wait for a rendering; each of them holds a worker.
pub(super) const MAX_WAITERS: usize = 1;

/// A rendered page.
#[derive(Debug, Clone)]
pub(super) struct Rendered<T> {
    pub(super) body: T,
    /// Start of the rendering: no value on the page is older.
    pub(super) begun: Instant,
}

/// The page is being rendered, there is no recent one, and too many callers wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy;

/// Renders a page at most once a second, by one caller at a time.
pub(super) struct SharedPage<T> {
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    latest: Option<Rendered<T>>,
    rendering: bool,
    waiting: usize,
}

impl<T> Default for SharedPage<T> {
    fn default() -> SharedPage<T> {
        let state = State { latest: None, rendering: false, waiting: 0 };
        SharedPage { state: Mutex::new(state), ended: Condvar::new() }
    }
}

impl<T: Clone> State<T> {
    fn latest_within(&self, age: Duration, now: Instant) -> Option<Rendered<T>> {
        let latest = self.latest.as_ref()?;
        (now.saturating_duration_since(latest.begun) < age).then(|| latest.clone())
    }
}

impl<T: Clone> SharedPage<T> {
    /// Returns the page, rendered by this call if no recent one can be shared.
    pub(super) fn get(&self, render: impl FnOnce() -> T) -> Result<Rendered<T>, Busy> {
        self.get_at(Instant::now(), render)
    }

    fn get_at(&self, now: Instant, render: impl FnOnce() -> T) -> Result<Rendered<T>, Busy> {
        let mut state = self.lock();
        if let Some(recent) = state.latest_within(INTERVAL, now) {
            return Ok(recent);
        }
        if state.rendering {
            return match state.latest_within(MAX_AGE, now) {
                Some(previous) => Ok(previous),
                None => self.wait(state, now),
            };
        }
        state.rendering = true;
        drop(state);
        // Ends the rendering even if it panics.
        let ending = Ending(self);
        let rendered = Rendered { body: render(), begun: now };
        self.lock().latest = Some(rendered.clone());
        drop(ending);
        Ok(rendered)
    }

    /// Waits for the rendering in progress, if fewer than [`MAX_WAITERS`] do so already.
    fn wait(&self, mut state: MutexGuard<'_, State<T>>, now: Instant) -> Result<Rendered<T>, Busy> {
        if state.waiting >= MAX_WAITERS {
            return Err(Busy);
        }
        state.waiting += 1;
        let waited = self.ended.wait_timeout_while(state, MAX_WAIT, |state| state.rendering);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        // Without a page the rendering is still in progress, or it panicked.
        state.latest_within(MAX_AGE, now).ok_or(Busy)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the rendering as ended when dropped.
struct Ending<'a, T: Clone>(&'a SharedPage<T>);

impl<T: Clone> Drop for Ending<'_, T> {
    fn drop(&mut self) {
        self.0.lock().rendering = false;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use bytes::Bytes;
    use crossbeam_channel::{Sender, bounded};

    use super::*;

    /// Renders a page in another thread until the returned sender is dropped.
    fn rendering_of<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        page: &'scope SharedPage<Bytes>,
        now: Instant,
        body: &'static str,
    ) -> (Sender<()>, thread::ScopedJoinHandle<'scope, Result<Rendered<Bytes>, Busy>>) {
        let (release, released) = bounded::<()>(0);
        let (begin, begun) = bounded::<()>(0);
        let rendering = scope.spawn(move || {
            page.get_at(now, || {
                drop(begin);
                let _ = released.recv();
                Bytes::from_static(body.as_bytes())
            })
        });
        let _ = begun.recv();
        (release, rendering)
    }

    fn must_not_render() -> Bytes {
        panic!("another caller renders")
    }

    #[test]
    fn page_requested_often_is_rendered_once_a_second() {
        let page = SharedPage::<Bytes>::default();
        let renderings = AtomicUsize::new(0);
        let render = || {
            renderings.fetch_add(1, Ordering::Relaxed);
            Bytes::new()
        };
        let start = Instant::now();
        for millis in [0, 1, 500, 999] {
            let rendered = page.get_at(start + Duration::from_millis(millis), render).unwrap();
            assert_eq!(rendered.begun, start);
        }
        assert_eq!(renderings.load(Ordering::Relaxed), 1);
        page.get_at(start + INTERVAL, render).unwrap();
        assert_eq!(renderings.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn caller_during_a_rendering_gets_the_previous_page_while_it_is_recent() {
        let page = SharedPage::<Bytes>::default();
        let start = Instant::now();
        page.get_at(start, || Bytes::from_static(b"first")).unwrap();
        thread::scope(|scope| {
            let (release, _) = rendering_of(scope, &page, start + INTERVAL, "second");
            let during = page.get_at(start + INTERVAL, must_not_render).unwrap();
            assert_eq!((&*during.body, during.begun), (&b"first"[..], start));
            let late = page.get_at(start + MAX_AGE, must_not_render);
            assert_eq!(late.unwrap_err(), Busy, "the previous page is too old");
            drop(release);
        });
        let after = page.get_at(start + INTERVAL, must_not_render).unwrap();
        assert_eq!(&*after.body, b"second");
    }

    #[test]
    fn callers_without_a_previous_page_wait_in_bounded_number_and_share_the_new_one() {
        let page = SharedPage::<Bytes>::default();
        let start = Instant::now();
        thread::scope(|scope| {
            let (release, first) = rendering_of(scope, &page, start, "one");
            let waiting: Vec<_> = (0..MAX_WAITERS)
                .map(|_| scope.spawn(|| page.get_at(start, must_not_render)))
                .collect();
            // Each waiter either has begun to wait, or has given up on a slow machine.
            while page.lock().waiting < MAX_WAITERS
                && !waiting.iter().any(|caller| caller.is_finished())
            {
                thread::yield_now();
            }
            if page.lock().waiting == MAX_WAITERS {
                let requested_at = Instant::now();
                let refused = page.get_at(start, must_not_render).unwrap_err();
                assert_eq!(refused, Busy);
                assert!(requested_at.elapsed() < Duration::from_secs(5), "it is refused at once");
            }
            drop(release);
            assert_eq!(&*first.join().unwrap().unwrap().body, b"one");
            for caller in waiting {
                match caller.join().unwrap() {
                    Ok(shared) => assert_eq!(&*shared.body, b"one"),
                    Err(Busy) => assert!(start.elapsed() > MAX_WAIT),
                }
            }
        });
    }

    #[test]
    fn rendering_that_hangs_holds_one_caller_and_no_other() {
        let page = SharedPage::<Bytes>::default();
        let start = Instant::now();
        thread::scope(|scope| {
            let (release, _) = rendering_of(scope, &page, start, "late");
            for _ in 0..2 {
                assert_eq!(page.get_at(start, must_not_render).unwrap_err(), Busy);
            }
            assert_eq!(page.lock().waiting, 0);
            drop(release);
        });
    }

    #[test]
    fn rendering_that_panics_leaves_the_next_caller_to_render() {
        let page = SharedPage::<Bytes>::default();
        let panicked =
            catch_unwind(AssertUnwindSafe(|| page.get(|| panic!("a defect, for the test"))));
        assert!(panicked.is_err());
        assert_eq!(&*page.get(|| Bytes::from_static(b"page")).unwrap().body, b"page");
    }
}
