//! A body with all sources that is assembled on request and shared by all who request it.
//!
//! One request at a time works on a body, in slices of a few milliseconds, and any request that waits for the
//! body may do the next slice. Of a few sources a body is of the latest snapshot. Of many it may be late
//! ([`max_lateness`]): a thousand sources, of which one changes every few milliseconds, cost one assembly a
//! second however many clients request it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use arc_swap::ArcSwapOption;

use crate::board::Snapshot;
use crate::site::freshness::{FleetTimes, max_lateness};
use crate::site::problem::Problem;
use crate::site::rendered::Rendered;

/// Renders bodies in slices. It may keep what the next body can use again.
pub(super) trait Builder {
    /// Begins a body of a snapshot.
    fn begin(&mut self, snapshot: &Snapshot, is_compressed: bool);

    /// Does a few milliseconds of work on the body. Returns the body once it is complete.
    fn advance(
        &mut self,
        snapshot: &Snapshot,
        is_compressed: bool,
    ) -> Option<Result<Rendered, Problem>>;
}

/// The latest body, and the one in progress.
pub(in crate::site) struct Assembly<B> {
    latest: ArcSwapOption<Assembled>,
    progress: Mutex<Progress<B>>,
    /// Cloned into each request that waits.
    waiting: Arc<()>,
}

/// A request that waits for a body. While there is one, the body in progress is completed, however long that takes.
pub(super) struct Waiting {
    /// Time of the request, by which the lateness of a body is measured.
    since: Instant,
    _counted: Arc<()>,
}

/// A body of a snapshot.
pub(super) struct Assembled {
    pub(super) rendered: Rendered,
    /// Times of the sources in it.
    pub(super) times: FleetTimes,
    version: u64,
    begun: Instant,
    is_compressed: bool,
}

struct Progress<B> {
    builder: B,
    pass: Option<Pass>,
}

/// A body in progress.
struct Pass {
    snapshot: Arc<Snapshot>,
    begun: Instant,
    is_compressed: bool,
}

/// Body that a request needs.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) is_compressed: bool,
}

impl<B: Builder> Assembly<B> {
    pub(in crate::site) fn new(builder: B) -> Assembly<B> {
        let progress = Mutex::new(Progress { builder, pass: None });
        Assembly { latest: ArcSwapOption::default(), progress, waiting: Arc::default() }
    }

    /// Returns the handle of a request that waits from now on.
    pub(super) fn wait(&self) -> Waiting {
        self.wait_since(Instant::now())
    }

    fn wait_since(&self, since: Instant) -> Waiting {
        Waiting { since, _counted: Arc::clone(&self.waiting) }
    }

    /// Returns the latest body if it satisfies the request.
    pub(super) fn latest(&self, wanted: Wanted<'_>) -> Option<Arc<Assembled>> {
        self.latest_at(wanted, Instant::now)
    }

    /// Calls `now` only if the body is not of the latest snapshot: most requests need no clock.
    fn latest_at(
        &self,
        wanted: Wanted<'_>,
        now: impl FnOnce() -> Instant,
    ) -> Option<Arc<Assembled>> {
        let latest = self.latest.load_full()?;
        let Assembled { version, begun, is_compressed, .. } = *latest;
        is_sufficient((version, begun, is_compressed), wanted, now).then_some(latest)
    }

    /// Does a slice of work, unless another request is at it. Returns the body if it is complete.
    pub(super) fn try_advance(
        &self,
        wanted: Wanted<'_>,
    ) -> Option<Result<Arc<Assembled>, Problem>> {
        let progress = match self.progress.try_lock() {
            Ok(progress) => progress,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.advance_at(progress, wanted, None, Instant::now())
    }

    /// Does a slice of work, after the slice of another request if one is at it. Returns the body if it is
    /// complete.
    pub(super) fn advance(
        &self,
        wanted: Wanted<'_>,
        waiting: &Waiting,
    ) -> Option<Result<Arc<Assembled>, Problem>> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.advance_at(progress, wanted, Some(waiting), Instant::now())
    }

    fn advance_at(
        &self,
        mut progress: MutexGuard<'_, Progress<B>>,
        wanted: Wanted<'_>,
        waiting: Option<&Waiting>,
        now: Instant,
    ) -> Option<Result<Arc<Assembled>, Problem>> {
        let since = waiting.map_or(now, |waiting| waiting.since);
        // Another request may have completed it meanwhile.
        if let Some(latest) = self.latest_at(wanted, || since) {
            return Some(Ok(latest));
        }
        let Progress { builder, pass } = &mut *progress;
        // Beside the handle of the assembly and that of this request.
        let has_others = Arc::strong_count(&self.waiting) > 1 + usize::from(waiting.is_some());
        // A pass that is too late for this request is completed for those that wait. If each newer request began it
        // anew, none would be completed where that takes longer than a body may be late. After a panic of the
        // builder no pass is left, and the next one begins anew.
        let pass_in_progress =
            pass.take().filter(|pass| has_others || pass.satisfies(wanted, since));
        let current = pass_in_progress.unwrap_or_else(|| {
            let Wanted { snapshot, is_compressed } = wanted;
            builder.begin(snapshot, is_compressed);
            Pass { snapshot: Arc::clone(snapshot), begun: now, is_compressed }
        });
        match builder.advance(&current.snapshot, current.is_compressed) {
            None => {
                *pass = Some(current);
                None
            }
            Some(Err(problem)) => Some(Err(problem)),
            Some(Ok(rendered)) => {
                let is_satisfied = current.satisfies(wanted, since);
                let Pass { snapshot, begun, is_compressed } = current;
                let times = FleetTimes::of(&snapshot.sources, snapshot.published_at);
                let version = snapshot.version;
                let assembled = Assembled { rendered, times, version, begun, is_compressed };
                let assembled = Arc::new(assembled);
                self.latest.store(Some(Arc::clone(&assembled)));
                is_satisfied.then_some(Ok(assembled))
            }
        }
    }
}

impl Pass {
    fn satisfies(&self, wanted: Wanted<'_>, since: Instant) -> bool {
        is_sufficient((self.snapshot.version, self.begun, self.is_compressed), wanted, || since)
    }
}

/// Returns true if a body of that version, begun at that time and perhaps compressed, satisfies a request.
fn is_sufficient(
    (version, begun, is_compressed): (u64, Instant, bool),
    wanted: Wanted<'_>,
    now: impl FnOnce() -> Instant,
) -> bool {
    let has_form = is_compressed || !wanted.is_compressed;
    let max_lateness = max_lateness(wanted.snapshot.sources.len());
    let is_late =
        || max_lateness.is_zero() || now().saturating_duration_since(begun) >= max_lateness;
    has_form && (version == wanted.snapshot.version || !is_late())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;
    use crate::board::SourceView;
    use crate::site::fixture::{snapshot, tank};
    use crate::site::media_type::PLAIN;

    /// Renders the version of a snapshot, in some slices.
    #[derive(Default)]
    struct Versions {
        slices: usize,
        left: usize,
        begun: Vec<u64>,
        is_broken: bool,
    }

    impl Builder for Versions {
        fn begin(&mut self, snapshot: &Snapshot, _: bool) {
            self.left = self.slices;
            self.begun.push(snapshot.version);
        }

        fn advance(&mut self, snapshot: &Snapshot, _: bool) -> Option<Result<Rendered, Problem>> {
            assert!(!self.is_broken, "a defect, for the test");
            self.left = self.left.checked_sub(1)?;
            let body = snapshot.version.to_string();
            (self.left == 0).then(|| Ok(Rendered::new(PLAIN, body)))
        }
    }

    fn assembly(slices: usize) -> Assembly<Versions> {
        Assembly::new(Versions { slices, ..Versions::default() })
    }

    fn fleet(count: usize, version: u64) -> Arc<Snapshot> {
        let source = |number| SourceView { name: format!("t_{number}").into(), ..tank() };
        Arc::new(Snapshot { version, ..snapshot((0..count).map(source).collect()) })
    }

    /// Does slices until the body is complete. Returns it, and the number of slices.
    fn complete(
        assembly: &Assembly<Versions>,
        snapshot: &Arc<Snapshot>,
        is_compressed: bool,
        now: Instant,
    ) -> (String, usize) {
        for slice in 1..100 {
            let progress = assembly.progress.lock().unwrap();
            let wanted = Wanted { snapshot, is_compressed };
            if let Some(assembled) = assembly.advance_at(progress, wanted, None, now) {
                let body = assembled.ok().unwrap().rendered.identity.body.clone();
                return (String::from_utf8(body.to_vec()).unwrap(), slice);
            }
        }
        panic!("it never ends")
    }

    #[test]
    fn body_of_few_sources_is_of_the_latest_snapshot_and_of_many_at_most_a_second_late() {
        let start = Instant::now();
        let soon = start + Duration::from_millis(999);
        let late = start + Duration::from_secs(1);
        for (count, at_once, later) in [(30, "2", "2"), (31, "1", "2"), (3000, "1", "2")] {
            let assembly = assembly(1);
            assert_eq!(complete(&assembly, &fleet(count, 1), false, start).0, "1");
            let newer = fleet(count, 2);
            assert_eq!(complete(&assembly, &newer, false, soon).0, at_once, "{count}");
            assert_eq!(complete(&assembly, &newer, false, late).0, later, "{count}");
        }
    }

    #[test]
    fn body_is_assembled_once_for_all_requests_of_its_snapshot() {
        let (assembly, start) = (assembly(3), Instant::now());
        let newest = fleet(1, 7);
        let wanted = Wanted { snapshot: &newest, is_compressed: false };
        assert!(assembly.latest(wanted).is_none());
        assert!(assembly.try_advance(wanted).is_none(), "the first of three slices");
        // Another request continues with the second one.
        assert_eq!(complete(&assembly, &newest, false, start), ("7".to_owned(), 2));
        assert!(assembly.latest(wanted).is_some());
        assert_eq!(complete(&assembly, &newest, false, start).1, 1);
        assert_eq!(assembly.progress.lock().unwrap().builder.begun, [7]);
        // The compressed form is a body of its own, which satisfies the others too.
        let compressed = Wanted { is_compressed: true, ..wanted };
        assert!(assembly.latest(compressed).is_none());
        complete(&assembly, &newest, true, start);
        assert!(assembly.latest(compressed).is_some() && assembly.latest(wanted).is_some());
        assert_eq!(assembly.progress.lock().unwrap().builder.begun, [7, 7]);
    }

    #[test]
    fn body_in_progress_that_became_too_late_is_begun_anew() {
        let (assembly, start) = (assembly(2), Instant::now());
        let (old, new) = (fleet(40, 1), fleet(40, 2));
        let wanted = Wanted { snapshot: &old, is_compressed: false };
        let progress = assembly.progress.lock().unwrap();
        assert!(assembly.advance_at(progress, wanted, None, start).is_none());
        // Its clients are gone, and the next request comes seconds later.
        let later = start + Duration::from_secs(9);
        assert_eq!(complete(&assembly, &new, false, later), ("2".to_owned(), 2));
    }

    #[test]
    fn body_that_takes_longer_than_it_may_be_late_is_completed_for_the_requests_that_wait() {
        let (assembly, start) = (assembly(5), Instant::now());
        let slice = Duration::from_millis(600);
        let mut waiting: Vec<(u32, Waiting)> = Vec::new();
        let mut answers = 0;
        for step in 0..40 {
            let now = start + slice * step;
            let newest = fleet(40, u64::from(step) + 1);
            let wanted = Wanted { snapshot: &newest, is_compressed: step % 4 == 0 };
            if step % 2 == 0 {
                waiting.push((step, assembly.wait_since(now)));
            }
            // The request that came last does the slice.
            let progress = assembly.progress.lock().unwrap();
            let (_, last) = waiting.last().unwrap();
            let _ = assembly.advance_at(progress, wanted, Some(last), now);
            let wanted = Wanted { is_compressed: false, ..wanted };
            waiting.retain(|(asked, handle)| {
                let body = assembly.latest_at(wanted, || handle.since);
                if let Some(body) = &body {
                    answers += 1;
                    let late = handle.since.saturating_duration_since(body.begun);
                    assert!(late < Duration::from_secs(1), "{late:?}");
                    assert!(step - asked < 10, "request {asked} waited until {step}");
                }
                body.is_none()
            });
            if waiting.is_empty() {
                waiting.push((step, assembly.wait_since(now)));
            }
        }
        assert!(answers >= 15, "{answers}");
    }

    #[test]
    fn request_does_not_wait_for_a_slice_in_progress_unless_it_has_a_permit() {
        let (assembly, newest) = (assembly(1), fleet(1, 1));
        let wanted = Wanted { snapshot: &newest, is_compressed: false };
        let progress = assembly.progress.lock().unwrap();
        assert!(assembly.try_advance(wanted).is_none());
        drop(progress);
        assert!(assembly.try_advance(wanted).is_some());
    }

    #[test]
    fn panic_of_a_builder_leaves_the_next_request_to_begin_anew() {
        let (assembly, newest) = (assembly(1), fleet(1, 1));
        let wanted = Wanted { snapshot: &newest, is_compressed: false };
        assembly.progress.lock().unwrap().builder.is_broken = true;
        let waiting = assembly.wait();
        let panicked =
            catch_unwind(AssertUnwindSafe(|| assembly.advance(wanted, &waiting).is_some()));
        assert!(panicked.is_err());
        // The lock is poisoned now.
        assembly.progress.lock().unwrap_or_else(PoisonError::into_inner).builder.is_broken = false;
        assert!(assembly.try_advance(wanted).is_some());
    }
}
