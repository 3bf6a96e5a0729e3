//! Run of equal values, for rules on flat sensors.

use crate::board::Datum;

/// Fewest observations of a run that counts as flat.
const MIN_OBSERVATIONS: u32 = 3;

/// Latest observations that have the same value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// Their value.
    pub(super) value: Datum,
    /// Time of the first one, in milliseconds since 1970, moved by the time in which there was no fresh observation.
    pub(super) since: i64,
    /// Time of the latest one.
    pub(super) latest: i64,
    /// Number of distinct ones.
    pub(super) observations: u32,
    /// True if the one before them had another value; false if none before them is known.
    pub(super) is_after_change: bool,
}

impl Run {
    /// Returns the run of one observation.
    pub(super) fn new(at: i64, value: Datum, is_after_change: bool) -> Run {
        Run { value, since: at, latest: at, observations: 1, is_after_change }
    }

    /// Adds an observation. Time after an observation counts up to `stale_after`, in milliseconds.
    ///
    /// A late or corrected one with another value ends the run. What was before it is not kept, so the next run begins
    /// with the latest observation.
    pub(super) fn push(&mut self, at: i64, value: &Datum, stale_after: i64) {
        match (self.value == *value, at > self.latest) {
            (true, true) => {
                self.since = self.since.saturating_add(excess(self.latest, at, stale_after));
                self.latest = at;
                self.observations = self.observations.saturating_add(1);
            }
            (true, false) => {}
            (false, true) => *self = Run::new(at, value.clone(), true),
            (false, false) if at == self.latest => *self = Run::new(at, value.clone(), true),
            (false, false) if at > self.since => {
                *self = Run::new(self.latest, self.value.clone(), true);
            }
            // Before the run.
            (false, false) => {}
        }
    }

    /// Adds observations before the run, earliest first. Those that are not before it change nothing.
    pub(super) fn backfill(
        &mut self,
        earlier: impl Iterator<Item = (i64, Datum)>,
        stale_after: i64,
    ) {
        if self.is_after_change {
            return;
        }
        let mut before: Option<Run> = None;
        for (at, value) in earlier.filter(|(at, _)| *at < self.since) {
            match &mut before {
                Some(run) => run.push(at, &value, stale_after),
                None => before = Some(Run::new(at, value, false)),
            }
        }
        match before {
            Some(run) if run.value == self.value => {
                self.since = run.since.saturating_add(excess(run.latest, self.since, stale_after));
                self.observations = self.observations.saturating_add(run.observations);
                self.is_after_change = run.is_after_change;
            }
            Some(_) => self.is_after_change = true,
            None => {}
        }
    }

    /// Returns the milliseconds over which the values have been equal; `None` with too few observations.
    pub(super) fn length(&self) -> Option<i64> {
        (self.observations >= MIN_OBSERVATIONS).then(|| self.latest.saturating_sub(self.since))
    }
}

/// Returns the milliseconds between two observations in which the first one was stale.
fn excess(from: i64, to: i64, stale_after: i64) -> i64 {
    to.saturating_sub(from).saturating_sub(stale_after).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Finite;

    const DAY: i64 = 86_400_000;

    fn number(number: f64) -> Datum {
        Datum::Number(Finite::new(number).unwrap())
    }

    #[test]
    fn run_grows_with_distinct_equal_observations() {
        let mut run = Run::new(0, number(5.0), false);
        run.push(10, &number(5.0), DAY);
        run.push(10, &number(5.0), DAY);
        assert_eq!(run.length(), None, "two observations");
        run.push(30, &number(5.0), DAY);
        assert_eq!(run.length(), Some(30));
        run.push(40, &number(6.0), DAY);
        assert_eq!(run, Run::new(40, number(6.0), true));
    }

    #[test]
    fn late_and_corrected_values_end_a_run() {
        let run = || {
            let mut run = Run::new(0, number(5.0), false);
            [10, 20].into_iter().for_each(|at| run.push(at, &number(5.0), DAY));
            run
        };
        for (at, value, expected) in [
            (15, 5.0, run()),
            (15, 6.0, Run::new(20, number(5.0), true)),
            (20, 6.0, Run::new(20, number(6.0), true)),
            (-5, 6.0, run()),
        ] {
            let mut changed = run();
            changed.push(at, &number(value), DAY);
            assert_eq!(changed, expected, "{at} {value}");
        }
    }

    #[test]
    fn recorded_observations_extend_a_run() {
        let backfilled = |past: &[(i64, f64)]| {
            let mut run = Run::new(100, number(5.0), false);
            run.backfill(past.iter().map(|&(at, value)| (at, number(value))), DAY);
            (run.since, run.observations, run.is_after_change)
        };
        assert_eq!(backfilled(&[]), (100, 1, false));
        assert_eq!(backfilled(&[(10, 5.0), (50, 5.0), (100, 7.0)]), (10, 3, false));
        assert_eq!(backfilled(&[(10, 4.0), (50, 5.0), (60, 5.0)]), (50, 3, true));
        assert_eq!(backfilled(&[(10, 5.0), (50, 4.0)]), (100, 1, true));
    }

    #[test]
    fn time_without_fresh_observations_does_not_count() {
        let mut run = Run::new(0, number(5.0), false);
        for at in [10, 20, 100] {
            run.push(at, &number(5.0), 15);
        }
        assert_eq!(run.length(), Some(20 + 15));
        let mut run = Run::new(100, number(5.0), false);
        run.backfill([(0, 5.0), (10, 5.0)].into_iter().map(|(at, n)| (at, number(n))), 15);
        assert_eq!(run.length(), Some(10 + 15));
    }
}
