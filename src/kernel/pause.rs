//! Notices that this process did not run: it was stopped by a signal, its group was frozen, or the machine
//! was suspended.
//!
//! Afterwards every silence looks longer than it was, since the silent thread, or the server that is
//! probed, may not have run either. So a measure of silence counts only the time in which its observer has
//! run. On Linux, [`Instant`] stands still while the machine is suspended, but not while the process is
//! stopped.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock::{SuspendDetector, since_boot};

/// Time between two ticks of the server's watchdog.
pub const WATCHDOG_TICK: Duration = Duration::from_millis(250);

/// Guard of this process: a stop befalls all of its threads.
static PROCESS: StallGuard = StallGuard::new(WATCHDOG_TICK);

/// Returns the guard of this process, which the watchdog ticks.
pub fn process_guard() -> &'static StallGuard {
    &PROCESS
}

/// Returns how much of a silence that was measured now is sure: no more than the time for which this process
/// has run without a pause. Without a watchdog it is the whole silence.
pub fn sure(silence: Duration) -> Duration {
    PROCESS.sure(silence, Instant::now())
}

/// Longest delay of a thread on a busy machine that runs. A longer one means that the process was stopped.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// The same moment by the clock that stands still during a suspend and by the one that does not.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Time by the clock that stands still.
    pub instant: Instant,
    /// Time since boot.
    pub boot: Duration,
}

impl Moment {
    /// Reads both clocks.
    pub fn now() -> Moment {
        Moment { instant: Instant::now(), boot: since_boot() }
    }
}

/// Notices pauses between the steps of one thread.
#[derive(Debug)]
pub struct PauseDetector {
    latest: Instant,
    suspends: SuspendDetector,
}

impl PauseDetector {
    /// Returns a detector of pauses after `now`.
    pub fn new(now: Moment) -> PauseDetector {
        PauseDetector { latest: now.instant, suspends: SuspendDetector::new(now.boot, now.instant) }
    }

    /// Records a step, which was due at most `step` after the previous one. Returns the time for which the
    /// process or the machine did not run in between; `None` if both did.
    pub fn step(&mut self, now: Moment, step: Duration) -> Option<Duration> {
        let passed = now.instant.saturating_duration_since(self.latest);
        self.latest = now.instant;
        let suspended = self.suspends.suspended(now.boot, now.instant);
        let late = passed.saturating_sub(step);
        let stopped = if late > MAX_LATENESS { late } else { Duration::ZERO };
        let pause = stopped + suspended;
        (!pause.is_zero()).then_some(pause)
    }
}

/// Bounds measures of silence by the time for which the watchdog's ticks have come on time.
///
/// The watchdog ticks four times a second. Readers of a silence in other threads may look between the
/// resumption of the process and the watchdog's first tick, so they also compare its latest tick with
/// their own time.
#[derive(Debug)]
pub struct StallGuard {
    tick: Duration,
    /// `None` until the first tick: nothing is bounded then.
    state: Mutex<Option<Ticks>>,
}

#[derive(Debug, Clone, Copy)]
struct Ticks {
    punctual_since: Instant,
    latest: Instant,
    /// First time at which a reader found the latest tick late.
    late_since: Option<Instant>,
}

/// Time for which a reader finds the watchdog late after which it is the watchdog that is stuck, and not a
/// process that was stopped: that one ticks at once when it runs again.
const MAX_LATE: Duration = Duration::from_secs(10);

impl StallGuard {
    /// Returns a guard that expects a tick in every `tick` once the first has come.
    pub const fn new(tick: Duration) -> StallGuard {
        StallGuard { tick, state: Mutex::new(None) }
    }

    /// Records a tick of the watchdog.
    pub fn tick(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let punctual_since = match *state {
            Some(ticks) if !self.is_late(ticks, now) => ticks.punctual_since,
            _ => now,
        };
        *state = Some(Ticks { punctual_since, latest: now, late_since: None });
    }

    /// Ends the ticks, as the watchdog ends.
    pub fn end(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns how much of a silence that was measured at `now` is sure: no more than the time for which
    /// the process has run without a pause.
    pub fn sure(&self, silence: Duration, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ticks) = &mut *state else { return silence };
        if !self.is_late(*ticks, now) {
            return silence.min(now.saturating_duration_since(ticks.punctual_since));
        }
        let late_since = *ticks.late_since.get_or_insert(now);
        let late = now.saturating_duration_since(late_since);
        if late > MAX_LATE { silence.min(late) } else { Duration::ZERO }
    }

    fn is_late(&self, ticks: Ticks, now: Instant) -> bool {
        now.saturating_duration_since(ticks.latest) > self.tick + MAX_LATENESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(250);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pause_is_the_time_beyond_a_step_or_in_suspend() {
        let start = Moment::now();
        let at = |instant, boot| Moment {
            instant: start.instant + Duration::from_millis(instant),
            boot: start.boot + Duration::from_millis(boot),
        };
        let mut detector = PauseDetector::new(start);
        for (instant, boot, pause) in [
            (1000, 1000, None),
            (2900, 2900, None),
            // Stopped by a signal: both clocks go on.
            (8900, 8900, Some(5000)),
            (9900, 9900, None),
            // Suspended: one clock stands still.
            (10_900, 3_610_900, Some(3_600_000)),
            (11_900, 3_611_900, None),
        ] {
            let found = detector.step(at(instant, boot), seconds(1));
            assert_eq!(found, pause.map(Duration::from_millis), "{instant}");
        }
    }

    #[test]
    fn silence_is_sure_only_as_long_as_ticks_have_been_punctual() {
        let start = Instant::now();
        let at = |number: u32| start + number * TICK;
        let guard = StallGuard::new(TICK);
        assert_eq!(guard.sure(seconds(60), at(0)), seconds(60), "there is no watchdog");
        (0..=16).for_each(|number| guard.tick(at(number)));
        assert_eq!(guard.sure(seconds(60), at(16)), seconds(4));
        assert_eq!(guard.sure(seconds(2), at(16)), seconds(2));
        // The process is stopped for six seconds. A reader runs before the watchdog's tick.
        assert_eq!(guard.sure(seconds(6), at(40)), Duration::ZERO);
        guard.tick(at(40));
        assert_eq!(guard.sure(seconds(6), at(40)), Duration::ZERO);
        (41..=60).for_each(|number| guard.tick(at(number)));
        assert_eq!(guard.sure(seconds(11), at(60)), seconds(5));
        guard.end();
        assert_eq!(guard.sure(seconds(60), at(400)), seconds(60));
    }

    #[test]
    fn stuck_watchdog_hides_no_stuck_thread_for_ever() {
        let start = Instant::now();
        let guard = StallGuard::new(TICK);
        guard.tick(start);
        let sure = |after| guard.sure(seconds(after), start + seconds(after));
        assert_eq!(sure(10), Duration::ZERO);
        assert_eq!(sure(20), Duration::ZERO);
        assert_eq!(sure(21), seconds(11));
        assert_eq!(sure(70), seconds(60));
    }
}
