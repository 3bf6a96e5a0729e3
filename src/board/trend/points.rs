//! Compact store of points in order of time.
//!
//! A point takes 12 bytes, or 20 where its level differs from its number: times are 32-bit offsets from a
//! base, with a flag in the top bit. 3,000 sources with a day of points would otherwise need hundreds of MiB.

/// Flag in a stored time: the clock of this machine gave it.
const BY_MACHINE: u32 = 1 << 31;

/// Most seconds between the base and a point: 68 years, far more than the longest span of a trend.
const MAX_OFFSET: i64 = BY_MACHINE as i64 - 1;

/// An observation with its level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Time in seconds since 1970.
    pub(super) at: i64,
    /// Measured number.
    pub(super) number: f64,
    /// Level of the field: see [`super::samples`].
    pub(super) level: f64,
    /// True if the time was read from this machine's clock, by this process.
    pub(super) is_by_machine: bool,
}

/// Points, earliest first, no two at the same time.
#[derive(Debug)]
pub(super) struct Points {
    base: i64,
    /// Seconds from `base`, with [`BY_MACHINE`].
    times: Vec<u32>,
    numbers: Vec<f64>,
    /// Levels; `None` if the level of each point is its number.
    levels: Option<Vec<f64>>,
}

impl Points {
    /// Returns an empty store. `has_levels` is true if levels differ from numbers.
    pub(super) fn new(has_levels: bool) -> Points {
        let levels = has_levels.then(Vec::new);
        Points { base: 0, times: Vec::new(), numbers: Vec::new(), levels }
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Returns the point at `index`.
    pub(super) fn get(&self, index: usize) -> Option<Point> {
        let number = *self.numbers.get(index)?;
        let level = match &self.levels {
            Some(levels) => *levels.get(index)?,
            None => number,
        };
        let stored = *self.times.get(index)?;
        let is_by_machine = stored & BY_MACHINE != 0;
        Some(Point { at: self.time(stored), number, level, is_by_machine })
    }

    pub(super) fn first(&self) -> Option<Point> {
        self.get(0)
    }

    pub(super) fn last(&self) -> Option<Point> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Returns the points from `index` on.
    pub(super) fn iter_from(&self, index: usize) -> impl Iterator<Item = Point> {
        (index..self.len()).filter_map(|index| self.get(index))
    }

    /// Returns the number of points before `at`, which is the index of the first that is not.
    pub(super) fn count_before(&self, at: i64) -> usize {
        self.times.partition_point(|&stored| self.time(stored) < at)
    }

    /// Adds a point, which must be later than all others. Drops the points that are earlier by more than 68
    /// years.
    pub(super) fn push(&mut self, point: Point) {
        if self.times.is_empty() {
            self.base = point.at;
        }
        let offset = self.offset(point.at).unwrap_or_else(|| self.rebase(point.at));
        self.times.push(if point.is_by_machine { offset | BY_MACHINE } else { offset });
        self.numbers.push(point.number);
        if let Some(levels) = &mut self.levels {
            levels.push(point.level);
        }
    }

    /// Drops the points from `index` on.
    pub(super) fn truncate(&mut self, index: usize) {
        self.times.truncate(index);
        self.numbers.truncate(index);
        if let Some(levels) = &mut self.levels {
            levels.truncate(index);
        }
    }

    /// Drops the first `count` points.
    pub(super) fn drop_first(&mut self, count: usize) {
        let count = count.min(self.len());
        self.times.drain(..count);
        self.numbers.drain(..count);
        if let Some(levels) = &mut self.levels {
            levels.drain(..count);
        }
    }

    /// Drops points whose neighbours are near each other: no gap of more than `max_gap(age)` seconds arises,
    /// where the age is that of the gap's end at the time of the last point. Keeps the first point and the last
    /// two, since the last one may be corrected and continues the level of the one before it.
    pub(super) fn thin(&mut self, max_gap: impl Fn(i64) -> i64) {
        let at = |points: &Points, index: usize| points.times.get(index).map(|&t| points.time(t));
        let Some(latest) = self.last().map(|point| point.at) else { return };
        let mut kept: usize = 0;
        for index in 0..self.len() {
            let before = kept.checked_sub(1).and_then(|before| at(self, before));
            let is_near = match (before, at(self, index + 1)) {
                (Some(before), Some(after)) => after - before <= max_gap(latest - after),
                _ => false,
            };
            if is_near && index + 2 < self.len() {
                continue;
            }
            self.times.swap(kept, index);
            self.numbers.swap(kept, index);
            if let Some(levels) = &mut self.levels {
                levels.swap(kept, index);
            }
            kept += 1;
        }
        self.truncate(kept);
    }

    /// Makes place for `count` points in all and for no more.
    pub(super) fn set_capacity(&mut self, count: usize) {
        set_capacity(&mut self.times, count);
        set_capacity(&mut self.numbers, count);
        if let Some(levels) = &mut self.levels {
            set_capacity(levels, count);
        }
    }

    fn time(&self, stored: u32) -> i64 {
        self.base.saturating_add(i64::from(stored & !BY_MACHINE))
    }

    fn offset(&self, at: i64) -> Option<u32> {
        let offset =
            at.checked_sub(self.base).filter(|offset| (0..=MAX_OFFSET).contains(offset))?;
        u32::try_from(offset).ok()
    }

    /// Counts times from the first point that can be kept beside one at `at`. Returns the offset of that.
    fn rebase(&mut self, at: i64) -> u32 {
        self.drop_first(self.count_before(at.saturating_sub(MAX_OFFSET)));
        let base = self.first().map_or(at, |first| first.at);
        let moved = u32::try_from(base.saturating_sub(self.base)).unwrap_or(0);
        self.times.iter_mut().for_each(|stored| *stored -= moved);
        self.base = base;
        self.offset(at).unwrap_or(0)
    }
}

#[cfg(test)]
impl Points {
    /// Returns the allocated bytes.
    pub(super) fn allocated(&self) -> usize {
        let levels = self.levels.as_ref().map_or(0, Vec::capacity);
        self.times.capacity() * size_of::<u32>()
            + (self.numbers.capacity() + levels) * size_of::<f64>()
    }
}

fn set_capacity<T>(items: &mut Vec<T>, count: usize) {
    items.shrink_to(count);
    items.reserve_exact(count.saturating_sub(items.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64) -> Point {
        Point { at, number: at as f64, level: -(at as f64), is_by_machine: at % 2 == 0 }
    }

    fn points(times: impl IntoIterator<Item = i64>) -> Points {
        let mut points = Points::new(true);
        times.into_iter().for_each(|at| points.push(point(at)));
        points
    }

    fn times(points: &Points) -> Vec<i64> {
        points.iter_from(0).map(|point| point.at).collect()
    }

    #[test]
    fn points_are_read_as_they_were_added() {
        for start in [-5, 0, 1_770_000_000, i64::MIN, i64::MAX - 4] {
            let expected: Vec<Point> = (0..4).map(|n| point(start + n)).collect();
            let stored = points((0..4).map(|n| start + n));
            assert_eq!(stored.iter_from(0).collect::<Vec<_>>(), expected);
            assert_eq!((stored.first(), stored.last()), (Some(expected[0]), Some(expected[3])));
            assert_eq!(stored.get(4), None);
            assert_eq!(stored.count_before(start + 2), 2);
        }
        let mut numbers = Points::new(false);
        numbers.push(Point { level: 7.0, ..point(7) });
        assert_eq!(numbers.last(), Some(Point { level: 7.0, ..point(7) }));
    }

    #[test]
    fn points_too_far_apart_for_one_base_are_dropped() {
        let year = 366 * 86_400;
        let mut stored = points([0, 60 * year, 61 * year, 100 * year]);
        assert_eq!(times(&stored), [60 * year, 61 * year, 100 * year]);
        assert_eq!(stored.last(), Some(point(100 * year)));
        stored.push(point(i64::MAX));
        assert_eq!(times(&stored), [i64::MAX]);
    }

    #[test]
    fn thinning_leaves_no_gap_longer_than_allowed_but_those_that_were() {
        let mut stored = points((0..=20).chain(40..=60));
        stored.thin(|age| if age < 10 { 0 } else { 4 });
        let after_gap = [40, 44, 48, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60];
        assert_eq!(times(&stored), [&[0, 4, 8, 12, 16, 20][..], &after_gap].concat());
        stored.thin(|_| 1000);
        assert_eq!(times(&stored), [0, 59, 60], "the first and the last two are kept");
        stored.iter_from(0).for_each(|kept| assert_eq!(kept, point(kept.at)));
    }

    #[test]
    fn capacity_is_given_back() {
        let mut stored = points(0..1000);
        stored.drop_first(990);
        stored.set_capacity(20);
        assert!(stored.allocated() <= 20 * (4 + 8 + 8), "{}", stored.allocated());
        assert_eq!(times(&stored), (990..1000).collect::<Vec<_>>());
    }
}
