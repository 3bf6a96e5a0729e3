//! Run of equal values, for rules on flat sensors.

use crate::board::Datum;

/// Fewest observations of a run that counts as flat.
const MIN_OBSERVATIONS: u32 = 3;

/// Latest observations that have the same value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// Their value.
    pub(super) value: Datum,
    /// Time of the first one, in milliseconds since 1970.
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

    /// Adds an observation.
    ///
    /// A late or corrected one with another value ends the run. What was before it is not kept, so the next run begins
    /// with the latest observation.
    pub(super) fn push(&mut self, at: i64, value: &Datum) {
        match (self.value == *value, at > self.latest) {
            (true, true) => {
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
    pub(super) fn backfill(&mut self, earlier: impl Iterator<Item = (i64, Datum)>) {
        if self.is_after_change {
            return;
        }
        let mut before: Option<Run> = None;
        for (at, value) in earlier.filter(|(at, _)| *at < self.since) {
            match &mut before {
                Some(run) => run.push(at, &value),
                None => before = Some(Run::new(at, value, false)),
            }
        }
        match before {
            Some(run) if run.value == self.value => {
                self.since = run.since;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Finite;

    fn number(number: f64) -> Datum {
        Datum::Number(Finite::new(number).unwrap())
    }

    #[test]
    fn run_grows_with_distinct_equal_observations() {
        let mut run = Run::new(0, number(5.0), false);
        run.push(10, &number(5.0));
        run.push(10, &number(5.0));
        assert_eq!(run.length(), None, "two observations");
        run.push(30, &number(5.0));
        assert_eq!(run.length(), Some(30));
        run.push(40, &number(6.0));
        assert_eq!(run, Run::new(40, number(6.0), true));
    }

    #[test]
    fn late_and_corrected_values_end_a_run() {
        let run = || {
            let mut run = Run::new(0, number(5.0), false);
            [10, 20].into_iter().for_each(|at| run.push(at, &number(5.0)));
            run
        };
        for (at, value, expected) in [
            (15, 5.0, run()),
            (15, 6.0, Run::new(20, number(5.0), true)),
            (20, 6.0, Run::new(20, number(6.0), true)),
            (-5, 6.0, run()),
        ] {
            let mut changed = run();
            changed.push(at, &number(value));
            assert_eq!(changed, expected, "{at} {value}");
        }
    }

    #[test]
    fn recorded_observations_extend_a_run() {
        let backfilled = |past: &[(i64, f64)]| {
            let mut run = Run::new(100, number(5.0), false);
            run.backfill(past.iter().map(|&(at, value)| (at, number(value))));
            (run.since, run.observations, run.is_after_change)
        };
        assert_eq!(backfilled(&[]), (100, 1, false));
        assert_eq!(backfilled(&[(10, 5.0), (50, 5.0), (100, 7.0)]), (10, 3, false));
        assert_eq!(backfilled(&[(10, 4.0), (50, 5.0), (60, 5.0)]), (50, 3, true));
        assert_eq!(backfilled(&[(10, 5.0), (50, 4.0)]), (100, 1, true));
    }
}
