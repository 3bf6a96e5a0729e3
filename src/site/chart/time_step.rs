//! Round local times at which an axis of time may have ticks, with their labels.

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use super::tick::Tick;
use crate::order;
use crate::time_zone;

/// Interval between ticks of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeStep {
    Minutes(i64),
    Hours(i64),
    Days(i64),
    Months(i64),
}

impl TimeStep {
    /// All steps, the finest first.
    pub(super) const ALL: [TimeStep; 17] = [
        TimeStep::Minutes(10),
        TimeStep::Minutes(30),
        TimeStep::Hours(1),
        TimeStep::Hours(2),
        TimeStep::Hours(4),
        TimeStep::Hours(6),
        TimeStep::Hours(12),
        TimeStep::Days(1),
        TimeStep::Days(2),
        TimeStep::Days(5),
        TimeStep::Days(10),
        TimeStep::Days(14),
        TimeStep::Months(1),
        TimeStep::Months(2),
        TimeStep::Months(3),
        TimeStep::Months(6),
        TimeStep::Months(12),
    ];

    /// Returns the approximate seconds of the step.
    const fn seconds(self) -> i64 {
        match self {
            TimeStep::Minutes(minutes) => minutes * 60,
            TimeStep::Hours(hours) => hours * 3600,
            TimeStep::Days(days) => days * 86_400,
            TimeStep::Months(months) => months * 30 * 86_400,
        }
    }

    /// Returns true if the ticks of this step are at the start of days.
    const fn is_of_days(self) -> bool {
        matches!(self, TimeStep::Days(_) | TimeStep::Months(_))
    }

    /// Returns the ticks of a window; `None` if no chart has room for them.
    pub(super) fn ticks(self, from: i64, to: i64, zone: &TimeZone) -> Option<Vec<Tick<i64>>> {
        const MAX_TICKS: i64 = 60;
        if (to - from) / self.seconds() > MAX_TICKS {
            return None;
        }
        let mut at = first(from, self, zone)?;
        let mut ticks: Vec<Tick<i64>> = Vec::new();
        loop {
            let ambiguous = zone.to_ambiguous_timestamp(at);
            let Ok(earliest) = ambiguous.compatible() else { break };
            if earliest.as_second() > to {
                break;
            }
            let later = match ambiguous.offset() {
                AmbiguousOffset::Fold { .. } if !self.is_of_days() => ambiguous.later().ok(),
                _ => None,
            };
            // Clocks that go forward skip some times of day. A day then starts at the time after these.
            let is_skipped = zone.to_datetime(earliest) != at && at.time() != Time::midnight();
            for moment in [Some(earliest).filter(|_| !is_skipped), later].into_iter().flatten() {
                let second = moment.as_second();
                if (from..=to).contains(&second) {
                    ticks.push(Tick { at: second, label: label(moment, self, zone) });
                }
            }
            let Some(next) = next(at, self) else { break };
            at = next;
        }
        // A local time that occurs twice, such as 1:30, comes again after 2:00 has come once.
        order::sort_by_key(&mut ticks, |tick| tick.at);
        ticks.dedup_by_key(|tick| tick.at);
        Some(ticks)
    }
}

/// Returns a round local time that is not after `from`, and from which the steps are counted.
fn first(from: i64, step: TimeStep, zone: &TimeZone) -> Option<DateTime> {
    let date = zone.to_datetime(Timestamp::from_second(from).ok()?).date();
    let date = match step {
        TimeStep::Minutes(_) | TimeStep::Hours(_) | TimeStep::Days(1) => date,
        // Counted from the first of the month, so that ticks do not move from day to day.
        TimeStep::Days(_) | TimeStep::Months(1) => date.first_of_month(),
        TimeStep::Months(_) => date.first_of_year(),
    };
    Some(date.at(0, 0, 0, 0))
}

fn next(at: DateTime, step: TimeStep) -> Option<DateTime> {
    let next = match step {
        TimeStep::Minutes(minutes) => at.checked_add(minutes.minutes()),
        TimeStep::Hours(hours) => at.checked_add(hours.hours()),
        TimeStep::Months(months) => at.checked_add(months.months()),
        TimeStep::Days(days) => {
            let next = at.checked_add(days.days()).ok()?;
            // The count restarts at the first of each month, and a tick shortly before that is
            // left out: the 31st and the 1st would overlap.
            let is_month_end = i64::from(next.date().days_in_month() - next.day()) < days / 2;
            let is_new_month = next.month() != at.month();
            return Some(match is_new_month || (days > 1 && is_month_end) {
                true if is_new_month && days > 1 => next.date().first_of_month().at(0, 0, 0, 0),
                true if days > 1 => next.date().last_of_month().tomorrow().ok()?.at(0, 0, 0, 0),
                _ => next,
            });
        }
    };
    next.ok()
}

/// Returns the label of a tick. It has the abbreviation of the zone where the local time occurs twice.
fn label(moment: Timestamp, step: TimeStep, zone: &TimeZone) -> String {
    let local = zone.to_datetime(moment);
    // The clocks may skip midnight, so a day may start at another time.
    let is_day_start = step.is_of_days() || {
        let midnight = zone.to_timestamp(local.date().at(0, 0, 0, 0));
        midnight.is_ok_and(|midnight| midnight == moment)
    };
    let form = match step {
        TimeStep::Minutes(_) | TimeStep::Hours(_) if !is_day_start => "%H:%M",
        TimeStep::Minutes(_) | TimeStep::Hours(_) | TimeStep::Days(1) => "%a %-d",
        TimeStep::Days(_) => "%-d %b",
        TimeStep::Months(12) => "%Y",
        TimeStep::Months(_) if local.month() == 1 => "%b %Y",
        TimeStep::Months(_) => "%b",
    };
    let mut text = local.strftime(form).to_string();
    if !is_day_start && let Some(distinction) = time_zone::distinction(zone, moment) {
        text.push(' ');
        text.push_str(&distinction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture::ZONES;
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn times_that_the_clocks_skip_are_left_out_and_those_that_occur_twice_have_two_ticks() {
        // Two hours apart, 2:00 is left out, rather than 3:00 and 4:00 shown.
        let (from, to) = (second("2026-03-28T22:30:00Z"), second("2026-03-29T04:20:00Z"));
        let ticks = TimeStep::Hours(2).ticks(from, to, &zone("Europe/Zurich")).unwrap();
        let found: Vec<&str> = ticks.iter().map(|tick| &*tick.label).collect();
        assert_eq!(found, ["Sun 29", "04:00", "06:00"]);
        // By half an hour, at 2:00: there are two times 1:30.
        let zone = zone("Australia/Lord_Howe");
        let (from, to) = (second("2026-04-04T14:00:00Z"), second("2026-04-04T16:00:00Z"));
        let ticks = TimeStep::Minutes(30).ticks(from, to, &zone).unwrap();
        let found: Vec<&str> = ticks.iter().map(|tick| &*tick.label).collect();
        assert_eq!(found, ["01:00", "01:30 UTC+11:00", "01:30 UTC+10:30", "02:00", "02:30"]);
        assert!(ticks.iter().zip(&ticks[1..]).all(|(one, next)| next.at - one.at == 1800));
    }

    #[test]
    fn ticks_of_days_are_at_the_start_of_each_day_of_the_calendar() {
        for name in ZONES {
            let zone = zone(name);
            let to = second("2026-12-31T12:00:00Z");
            let ticks = TimeStep::Days(1).ticks(to - 60 * DAY, to, &zone).unwrap();
            let mut calendar = crate::history::Calendar::new(zone.clone());
            assert!(ticks.len() >= 60, "{name}");
            for tick in &ticks {
                assert_eq!(calendar.day(tick.at).0, tick.at, "{name}: {}", tick.label);
            }
        }
    }
}
