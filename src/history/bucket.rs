//! What a span of time looked like: the smallest, largest, mean and last number.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::units::Unit;

/// A point of a series: a single observation, or several of them rolled up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// When it begins; of a single observation, when that was made. Seconds since 1970.
    pub at: i64,
    /// The smallest number.
    pub min: f64,
    /// The largest number.
    pub max: f64,
    /// The sum of the numbers, for the mean.
    pub sum: f64,
    /// The number observed last.
    pub last: f64,
    /// How many there are, at least 1.
    pub count: u64,
}

impl Bucket {
    /// A single observation.
    pub const fn single(at: i64, value: f64) -> Bucket {
        Bucket { at, min: value, max: value, sum: value, last: value, count: 1 }
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        // A count is far below 2^52.
        self.sum / self.count as f64
    }

    /// Takes in a later one; this one's beginning stays.
    pub fn merge(&mut self, later: &Bucket) {
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.sum += later.sum;
        self.last = later.last;
        self.count += later.count;
    }

    /// The same in another unit; itself where the units measure different things.
    pub fn converted(self, from: Option<Unit>, to: Option<Unit>) -> Bucket {
        let (Some(from), Some(to)) = (from, to) else { return self };
        if from == to {
            return self;
        }
        let convert = |number: f64| from.convert(number, to);
        let parts =
            (convert(self.min), convert(self.max), convert(self.mean()), convert(self.last));
        let (Some(min), Some(max), Some(mean), Some(last)) = parts else { return self };
        Bucket { min, max, sum: mean * self.count as f64, last, ..self }
    }
}

/// Seconds of the buckets that are kept between single observations and whole days.
pub const QUARTER: i64 = 15 * 60;

/// Seconds of a day that is neither the first nor the last of summer time.
pub const DAY: i64 = 24 * 60 * 60;

/// Days as a place's calendar has them: 23 or 25 hours long when the clocks change.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    /// The day that was looked up last, as most lookups are of the same one.
    day: (i64, i64),
}

impl Calendar {
    /// The calendar of a time zone.
    pub fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, day: (0, 0) }
    }

    /// When the day of that moment begins and ends.
    pub fn day(&mut self, at: i64) -> (i64, i64) {
        if !(self.day.0..self.day.1).contains(&at) {
            self.day = self.looked_up(at).unwrap_or_else(|| {
                // Beyond the years that the calendar knows.
                let start = at.div_euclid(DAY) * DAY;
                (start, start + DAY)
            });
        }
        self.day
    }

    fn looked_up(&self, at: i64) -> Option<(i64, i64)> {
        let date = self.zone.to_datetime(Timestamp::from_second(at).ok()?).date();
        let start = self.midnight(date)?;
        let end = self.midnight(date.tomorrow().ok()?)?;
        (start..end).contains(&at).then_some((start, end))
    }

    /// The first moment of a date; where the clocks skip midnight, that which follows.
    fn midnight(&self, date: Date) -> Option<i64> {
        Some(self.zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second())
    }

    /// When the step of that moment begins. Steps shorter than a day are counted from midnight;
    /// longer ones are whole days, counted from 1 January 1970.
    pub fn step(&mut self, at: i64, step: i64) -> i64 {
        let (midnight, _) = self.day(at);
        if step < DAY {
            return midnight + (at - midnight).div_euclid(step) * step;
        }
        let days = step / DAY;
        if days == 1 {
            return midnight;
        }
        // Noon is on the same date of the count whatever the clocks do at night.
        let number = (midnight + self.offset(midnight)).div_euclid(DAY);
        let first = number.div_euclid(days) * days;
        let guess = midnight - (number - first) * DAY + DAY / 2;
        self.day(guess).0
    }

    /// Seconds that the place's clocks are ahead of UTC.
    fn offset(&self, at: i64) -> i64 {
        let Ok(at) = Timestamp::from_second(at) else { return 0 };
        i64::from(self.zone.to_offset(at).seconds())
    }
}

/// Joins consecutive buckets that fall into the same step.
#[derive(Debug)]
pub struct Merger {
    calendar: Calendar,
    step: i64,
    open: Option<Bucket>,
}

impl Merger {
    /// A merger to steps of that many seconds.
    pub fn new(calendar: Calendar, step: i64) -> Merger {
        Merger { calendar, step: step.max(1), open: None }
    }

    /// Takes in the next bucket; a step that is thereby complete comes out.
    pub fn push(&mut self, bucket: Bucket) -> Option<Bucket> {
        let at = self.calendar.step(bucket.at, self.step);
        match &mut self.open {
            Some(open) if open.at == at => {
                open.merge(&bucket);
                None
            }
            open => open.replace(Bucket { at, ..bucket }),
        }
    }

    /// The step that was still open.
    pub fn finish(&mut self) -> Option<Bucket> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn calendar(zone: &str) -> Calendar {
        Calendar::new(TimeZone::get(zone).unwrap())
    }

    #[test]
    fn a_merged_bucket_tells_of_all() {
        let mut bucket = Bucket::single(0, 4.0);
        for (at, value) in [(60, 1.0), (120, 7.0), (180, 6.0)] {
            bucket.merge(&Bucket::single(at, value));
        }
        assert_eq!(bucket, Bucket { at: 0, min: 1.0, max: 7.0, sum: 18.0, last: 6.0, count: 4 });
        assert_eq!(bucket.mean(), 4.5);
        let celsius = bucket.converted(Some(Unit::Celsius), Some(Unit::Fahrenheit));
        assert_eq!((celsius.min, celsius.max, celsius.mean()), (33.8, 44.6, 40.1));
        assert_eq!(bucket.converted(Some(Unit::Celsius), Some(Unit::Inch)), bucket);
    }

    #[test]
    fn days_are_those_of_the_place() {
        // Clocks went forward on 8 March 2026 and go back on 1 November 2026.
        for (zone, at, start, hours) in [
            ("UTC", "2026-03-08T12:00:00Z", "2026-03-08T00:00:00Z", 24),
            ("America/Los_Angeles", "2026-03-08T08:00:00Z", "2026-03-08T08:00:00Z", 23),
            ("America/Los_Angeles", "2026-03-09T06:59:59Z", "2026-03-08T08:00:00Z", 23),
            ("America/Los_Angeles", "2026-03-09T07:00:00Z", "2026-03-09T07:00:00Z", 24),
            ("America/Los_Angeles", "2026-11-01T20:00:00Z", "2026-11-01T07:00:00Z", 25),
            ("Asia/Kathmandu", "2026-03-08T00:00:00Z", "2026-03-07T18:15:00Z", 24),
            // Midnight does not exist there on that day.
            ("America/Havana", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", 23),
        ] {
            let start = seconds(start);
            assert_eq!(
                calendar(zone).day(seconds(at)),
                (start, start + hours * 3600),
                "{zone} {at}"
            );
        }
    }

    #[test]
    fn steps_begin_at_midnight() {
        for (at, step, start) in [
            ("2026-03-08T09:59:59Z", 3600, "2026-03-08T09:00:00Z"),
            // Three hours from midnight, which is four o'clock on that day.
            ("2026-03-08T11:00:00Z", 3 * 3600, "2026-03-08T11:00:00Z"),
            ("2026-03-08T10:59:00Z", 3 * 3600, "2026-03-08T08:00:00Z"),
            ("2026-03-09T06:00:00Z", DAY, "2026-03-08T08:00:00Z"),
            // 20,520 days after 1 January 1970, which is a whole number of tens.
            ("2026-03-08T09:00:00Z", 10 * DAY, "2026-03-08T08:00:00Z"),
            ("2026-03-17T20:00:00Z", 10 * DAY, "2026-03-08T08:00:00Z"),
            ("2026-03-18T07:00:00Z", 10 * DAY, "2026-03-18T07:00:00Z"),
        ] {
            let found = calendar("America/Los_Angeles").step(seconds(at), step);
            assert_eq!(found, seconds(start), "{at} {step}");
        }
    }

    #[test]
    fn step_of_a_25_hour_day_is_the_whole_day() {
        // The clocks of 1 November 2026 are set back at two o'clock.
        let found = calendar("America/Los_Angeles").step(seconds("2026-11-02T07:30:00Z"), DAY);
        assert_eq!(found, seconds("2026-11-01T07:00:00Z"));
    }

    #[test]
    fn steps_of_days_east_of_utc_count_dates_of_the_place() {
        // Midnight of 8 March 2026, day 20,520, which is a whole number of tens.
        let midnight = "2026-03-07T11:00:00Z";
        for at in [midnight, "2026-03-17T10:59:59Z"] {
            let found = calendar("Pacific/Auckland").step(seconds(at), 10 * DAY);
            assert_eq!(found, seconds(midnight), "{at}");
        }
    }

    #[test]
    fn gaps_stay_gaps() {
        let mut merger = Merger::new(calendar("UTC"), 900);
        let mut merged = Vec::new();
        for at in [0, 300, 600, 900, 7200, 7500] {
            merged.extend(merger.push(Bucket::single(at, at as f64)));
        }
        merged.extend(merger.finish());
        let seen: Vec<_> = merged.iter().map(|it| (it.at, it.count, it.last)).collect();
        assert_eq!(seen, [(0, 3, 600.0), (900, 1, 900.0), (7200, 2, 7500.0)]);
    }
}
