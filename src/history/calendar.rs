//! Days and steps of a time zone.
//!
//! A day lasts from one midnight to the next by the site's clocks: 23 or 25 hours when they change.
//! All times are seconds since 1970.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Seconds of a quarter of an hour.
pub const QUARTER: i64 = 15 * 60;

/// Seconds of a day on which the clocks do not change.
pub const DAY: i64 = 24 * 60 * 60;

/// Days of a time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    /// Start and end of the day that was looked up last, cached because most lookups are of the same day.
    day: (i64, i64),
}

impl Calendar {
    /// Returns the calendar of a time zone.
    pub fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, day: (0, 0) }
    }

    /// Returns the start and the end of the day that contains `at`.
    pub fn day(&mut self, at: i64) -> (i64, i64) {
        if !(self.day.0..self.day.1).contains(&at) {
            self.day = self.look_up(at).unwrap_or_else(|| {
                // Outside of the years that jiff supports: a day of UTC.
                let start = at.div_euclid(DAY) * DAY;
                (start, start + DAY)
            });
        }
        self.day
    }

    fn look_up(&self, at: i64) -> Option<(i64, i64)> {
        let date = self.zone.to_datetime(Timestamp::from_second(at).ok()?).date();
        let start = self.midnight(date)?;
        let end = self.midnight(date.tomorrow().ok()?)?;
        (start..end).contains(&at).then_some((start, end))
    }

    /// Returns the start of a date: midnight, or the time to which the clocks skip it.
    fn midnight(&self, date: Date) -> Option<i64> {
        Some(self.zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second())
    }

    /// Returns the start of the step that contains `at`.
    ///
    /// Steps shorter than a day are counted from midnight. Longer steps are whole days, counted from
    /// 1 January 1970.
    pub fn step(&mut self, at: i64, step: i64) -> i64 {
        let (midnight, _) = self.day(at);
        if step < DAY {
            return midnight + (at - midnight).div_euclid(step) * step;
        }
        let days = step / DAY;
        if days == 1 {
            return midnight;
        }
        // Noon, which a change of the clocks at night cannot move to another date.
        let number = (midnight + self.offset(midnight)).div_euclid(DAY);
        let first = number.div_euclid(days) * days;
        let guess = midnight - (number - first) * DAY + DAY / 2;
        self.day(guess).0
    }

    /// Returns the offset of the zone from UTC, in seconds.
    fn offset(&self, at: i64) -> i64 {
        let Ok(at) = Timestamp::from_second(at) else { return 0 };
        i64::from(self.zone.to_offset(at).seconds())
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
    fn day_lasts_from_midnight_to_midnight_of_the_zone() {
        // Clocks went forward on 8 March 2026 and go back on 1 November 2026.
        for (zone, at, start, hours) in [
            ("UTC", "2026-03-08T12:00:00Z", "2026-03-08T00:00:00Z", 24),
            ("America/Los_Angeles", "2026-03-08T08:00:00Z", "2026-03-08T08:00:00Z", 23),
            ("America/Los_Angeles", "2026-03-09T06:59:59Z", "2026-03-08T08:00:00Z", 23),
            ("America/Los_Angeles", "2026-03-09T07:00:00Z", "2026-03-09T07:00:00Z", 24),
            ("America/Los_Angeles", "2026-11-01T20:00:00Z", "2026-11-01T07:00:00Z", 25),
            ("Asia/Kathmandu", "2026-03-08T00:00:00Z", "2026-03-07T18:15:00Z", 24),
            ("Europe/Zurich", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", 25),
            ("Pacific/Chatham", "2026-09-26T20:00:00Z", "2026-09-26T11:15:00Z", 23),
            ("Pacific/Chatham", "2026-04-04T20:00:00Z", "2026-04-04T10:15:00Z", 25),
            // The clocks skip midnight.
            ("America/Havana", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", 23),
            ("America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", 23),
            // Midnight occurs twice.
            ("America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", 25),
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
    fn days_of_half_an_hour_more_or_less_follow_each_other() {
        let mut calendar = calendar("Australia/Lord_Howe");
        for (at, minutes) in
            [("2026-04-05T02:00:00Z", 24 * 60 + 30), ("2026-10-04T02:00:00Z", 23 * 60 + 30)]
        {
            let (start, end) = calendar.day(seconds(at));
            assert_eq!(end - start, minutes * 60);
            assert_eq!(calendar.day(start - 1).1, start);
            assert_eq!(calendar.day(end).0, end);
        }
    }

    #[test]
    fn step_starts_at_a_multiple_of_its_length_after_midnight() {
        for (at, step, start) in [
            ("2026-03-08T09:59:59Z", 3600, "2026-03-08T09:00:00Z"),
            // Three hours after midnight; the clocks show 4:00.
            ("2026-03-08T11:00:00Z", 3 * 3600, "2026-03-08T11:00:00Z"),
            ("2026-03-08T10:59:00Z", 3 * 3600, "2026-03-08T08:00:00Z"),
            ("2026-03-09T06:00:00Z", DAY, "2026-03-08T08:00:00Z"),
            // 20,520 days after 1 January 1970, a multiple of ten.
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
    fn step_of_several_days_east_of_utc_counts_dates_of_the_zone() {
        // Midnight of 8 March 2026, day 20,520, a multiple of ten.
        let midnight = "2026-03-07T11:00:00Z";
        for at in [midnight, "2026-03-17T10:59:59Z"] {
            let found = calendar("Pacific/Auckland").step(seconds(at), 10 * DAY);
            assert_eq!(found, seconds(midnight), "{at}");
        }
    }
}
