//! Divides a window into spans that are read from one table each.
//!
//! A quarter or a day that the window cuts is not read as a whole: its part is read from the next finer
//! rows. The points of a window therefore have what lies inside the window, and nothing else.

use super::bucket::Tier;
use super::calendar::{Calendar, QUARTER};
use super::plan::Coverage;
use super::rebuild::quarter_of;

/// A span of time that is read from one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) tier: Tier,
    /// First second.
    pub(super) from: i64,
    /// Second after the last.
    pub(super) to: i64,
}

/// Returns the first start of a quarter at or after a time.
const fn next_quarter(at: i64) -> i64 {
    quarter_of(at + QUARTER - 1)
}

/// Returns the segments of a window that is read from `tier`, in order. Parts for which retention has left no
/// rows that are fine enough have none.
pub(super) fn segments(
    (from, to): (i64, i64),
    tier: Tier,
    coverage: Coverage,
    calendar: &mut Calendar,
) -> Vec<Segment> {
    let mut segments = Vec::new();
    match tier {
        Tier::Raw => segments.push(Segment { tier, from, to }),
        Tier::Quarter => push_quarters(&mut segments, from, to, coverage),
        Tier::Day => {
            let (start, end) = calendar.day(from);
            let first = if start == from { start } else { end };
            let (last, _) = calendar.day(to);
            if first < last {
                // A day has the quarters that begin in it.
                push_quarters(&mut segments, from, next_quarter(first), coverage);
                segments.push(Segment { tier, from: first, to: last });
                push_quarters(&mut segments, next_quarter(last), to, coverage);
            } else {
                push_quarters(&mut segments, from, to, coverage);
            }
        }
    }
    segments
}

/// Adds the segments of a span that is read from quarters of an hour.
fn push_quarters(segments: &mut Vec<Segment>, from: i64, to: i64, coverage: Coverage) {
    let (first, last) = (next_quarter(from), quarter_of(to));
    let mut push = |tier, from, to| {
        let covered = match tier {
            Tier::Raw => from >= coverage.raw,
            _ => from >= coverage.quarters,
        };
        if from < to && covered {
            segments.push(Segment { tier, from, to });
        }
    };
    if first <= last {
        push(Tier::Raw, from, first);
        push(Tier::Quarter, first, last);
        push(Tier::Raw, last, to);
    } else {
        push(Tier::Raw, from, to);
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::history::DAY;

    #[test]
    fn window_is_divided_at_the_borders_of_coarser_rows() {
        use Tier::{Day, Quarter, Raw};
        const ALL: Coverage = Coverage::ALL;
        let pruned = Coverage { raw: 100 * DAY, quarters: 50 * DAY };
        for (from, to, tier, coverage, expected) in [
            (7, 20, Raw, ALL, &[(Raw, 7, 20)][..]),
            (0, 1800, Quarter, ALL, &[(Quarter, 0, 1800)]),
            (7, 1807, Quarter, ALL, &[(Raw, 7, 900), (Quarter, 900, 1800), (Raw, 1800, 1807)]),
            (7, 800, Quarter, ALL, &[(Raw, 7, 800)]),
            (7, 907, Quarter, ALL, &[(Raw, 7, 900), (Raw, 900, 907)]),
            (0, 2 * DAY, Day, ALL, &[(Day, 0, 2 * DAY)]),
            (
                7,
                2 * DAY + 907,
                Day,
                ALL,
                &[
                    (Raw, 7, 900),
                    (Quarter, 900, DAY),
                    (Day, DAY, 2 * DAY),
                    (Quarter, 2 * DAY, 2 * DAY + 900),
                    (Raw, 2 * DAY + 900, 2 * DAY + 907),
                ],
            ),
            (900, 1800, Day, ALL, &[(Quarter, 900, 1800)]),
            (0, 900, Day, ALL, &[(Quarter, 0, 900)]),
            // The parts of quarters and of days that retention has left no rows for are missing.
            (
                60 * DAY + 7,
                60 * DAY + 1807,
                Quarter,
                pruned,
                &[(Quarter, 60 * DAY + 900, 60 * DAY + 1800)],
            ),
            (DAY + 900, 4 * DAY, Day, pruned, &[(Day, 2 * DAY, 4 * DAY)]),
        ] {
            let mut calendar = Calendar::new(TimeZone::UTC);
            let found = segments((from, to), tier, coverage, &mut calendar);
            let found: Vec<_> = found.iter().map(|part| (part.tier, part.from, part.to)).collect();
            assert_eq!(found, expected, "{from} {to} {tier:?}");
        }
    }
}
