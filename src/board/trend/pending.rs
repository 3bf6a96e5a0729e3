//! Observations of a tank that have not been searched for refills, because its capacity is not known yet.
//!
//! Usually the capacity comes with the first reading after the recorded observations. If it never comes, the
//! observations would accumulate, so the older they are, the fewer of them are kept: of each cell, whose
//! length is a share of its age, the minimum and the maximum. A refill is a rise between such extremes, so
//! its amount stays exact unless a cell has several refills.

/// Most observations: 5 KiB.
const MAX_PENDING: usize = 320;

/// Most observations after a reduction, so that the next one is not due at once.
const MAX_REDUCED: usize = MAX_PENDING * 3 / 4;

/// Length of a cell as a share of its age, before more is needed to get below [`MAX_REDUCED`].
const CELLS_PER_AGE: i64 = 32;

/// Observations with their numbers, earliest first.
#[derive(Debug, Default)]
pub(super) struct Pending(Vec<(i64, f64)>);

impl Pending {
    /// Adds an observation, which must be later than all others.
    pub(super) fn push(&mut self, at: i64, number: f64) {
        if self.0.len() >= MAX_PENDING {
            self.reduce(at);
        }
        if self.0.len() == self.0.capacity() {
            // Not doubled beyond the limit.
            self.0.reserve_exact((self.0.len() + 1).min(MAX_PENDING - self.0.len()));
        }
        self.0.push((at, number));
    }

    /// Returns all observations, and keeps none.
    pub(super) fn take(&mut self) -> Vec<(i64, f64)> {
        std::mem::take(&mut self.0)
    }

    /// Drops the observations from `at` on.
    pub(super) fn drop_from(&mut self, at: i64) {
        self.0.retain(|&(pending, _)| pending < at);
    }

    /// Moves the times from `first` on by `step` seconds, after the clock that gave them was set.
    pub(super) fn redate(&mut self, first: i64, step: i64) {
        for (at, _) in self.0.iter_mut().filter(|(at, _)| *at >= first) {
            *at = at.saturating_add(step);
        }
    }

    /// Keeps the extremes of cells, which are doubled in length until few enough are left: the last of them
    /// has all observations.
    fn reduce(&mut self, now: i64) {
        let mut per_age = CELLS_PER_AGE;
        while self.0.len() > MAX_REDUCED && per_age > 0 {
            let observations = self.take();
            let mut cell: Option<Cell> = None;
            for (at, number) in observations {
                match &mut cell {
                    Some(cell) if at <= cell.end => cell.add(at, number),
                    _ => {
                        self.0.extend(cell.iter().flat_map(Cell::extremes));
                        let length = now.saturating_sub(at) / per_age;
                        cell = Some(Cell::new(at, number, at.saturating_add(length)));
                    }
                }
            }
            self.0.extend(cell.iter().flat_map(Cell::extremes));
            per_age /= 2;
        }
    }
}

#[cfg(test)]
impl Pending {
    /// Returns the allocated bytes.
    pub(super) fn allocated(&self) -> usize {
        self.0.capacity() * size_of::<(i64, f64)>()
    }
}

/// Extremes of the observations in a span of time.
struct Cell {
    end: i64,
    /// The last minimum: a rise begins there.
    min: (i64, f64),
    /// The first maximum: a rise ends there.
    max: (i64, f64),
}

impl Cell {
    fn new(at: i64, number: f64, end: i64) -> Cell {
        Cell { end, min: (at, number), max: (at, number) }
    }

    fn add(&mut self, at: i64, number: f64) {
        if number <= self.min.1 {
            self.min = (at, number);
        }
        if number > self.max.1 {
            self.max = (at, number);
        }
    }

    /// Returns the extremes in order of time, or the only observation.
    fn extremes(&self) -> impl Iterator<Item = (i64, f64)> + use<> {
        let (first, second) =
            if self.min.0 <= self.max.0 { (self.min, self.max) } else { (self.max, self.min) };
        [Some(first), Some(second).filter(|second| second.0 != first.0)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::refills::{Refill, Refills};
    use super::*;

    const QUARTER: i64 = 15 * 60;
    const DAY: i64 = 86_400;

    /// Returns the last refill of a tank of 1,000 that is filled at `filled`, of two months of observations.
    fn last_refill(interval: i64, filled: &[i64]) -> Option<Refill> {
        let mut pending = Pending::default();
        let (mut content, mut refills) = (900.0, Refills::new(50.0));
        for at in (0..60 * DAY).step_by(interval as usize) {
            let is_filled = filled.iter().any(|filled| (0..2 * 3600).contains(&(at - filled)));
            content +=
                interval as f64 * if is_filled { 400.0 / 7200.0 } else { -20.0 / DAY as f64 };
            pending.push(at, content + f64::from((at / interval % 3) as i32));
        }
        assert!(pending.allocated() <= 5 * 1024, "{}", pending.allocated());
        pending.take().into_iter().for_each(|(at, number)| refills.push(at, number));
        refills.last()
    }

    #[test]
    fn refill_is_found_among_more_observations_than_are_kept() {
        for interval in [30, QUARTER, 3600] {
            for days_ago in [1, 10, 50] {
                let filled = (60 - days_ago) * DAY;
                let found = last_refill(interval, &[5 * DAY, filled]).expect("a refill");
                let share = days_ago * DAY / CELLS_PER_AGE * 3;
                assert!((found.at - filled).abs() <= share + 7200, "{days_ago} {found:?} {filled}");
                assert!((found.amount - 400.0).abs() < 10.0, "{interval} {days_ago} {found:?}");
            }
        }
        assert_eq!(last_refill(QUARTER, &[]), None);
    }
}
