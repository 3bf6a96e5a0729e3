//! Polls per interval, counted from their times.

use std::fmt;
use std::time::{Duration, Instant};

/// Counts of the polls of sources within a window of time.
///
/// The time between two polls of a source is rounded to whole intervals, so a poll that is late by less than half an
/// interval counts as one in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of polls.
    pub polls: usize,
    /// Number of polls that follow another one of their source.
    pub followed: usize,
    /// Number of intervals between the first and the last poll of each source.
    pub intervals: usize,
    /// Number of polls less than half an interval after the one before.
    pub doubled: usize,
    /// Number of intervals without a poll.
    pub left_out: usize,
    /// Longest time without a poll of a source.
    pub longest_gap: Duration,
}

impl Tally {
    /// Counts the polls of one source from `since` to `until`.
    pub fn of(
        times: impl IntoIterator<Item = Instant>,
        interval: Duration,
        since: Instant,
        until: Instant,
    ) -> Tally {
        let mut tally = Tally::default();
        let mut last: Option<Instant> = None;
        for at in times.into_iter().filter(|at| (since..=until).contains(at)) {
            let gap = at.duration_since(last.unwrap_or(since));
            match last {
                None => tally.left_out += edge(gap, interval),
                Some(_) => {
                    let intervals = rounded(gap, interval);
                    tally.followed += 1;
                    tally.intervals += intervals;
                    tally.doubled += usize::from(intervals == 0);
                    tally.left_out += intervals.saturating_sub(1);
                }
            }
            tally.polls += 1;
            tally.longest_gap = tally.longest_gap.max(gap);
            last = Some(at);
        }
        let gap = until.duration_since(last.unwrap_or(since));
        tally.left_out += edge(gap, interval);
        tally.longest_gap = tally.longest_gap.max(gap);
        tally
    }

    /// Adds the counts of another source.
    #[must_use]
    pub fn and(self, other: Tally) -> Tally {
        Tally {
            polls: self.polls + other.polls,
            followed: self.followed + other.followed,
            intervals: self.intervals + other.intervals,
            doubled: self.doubled + other.doubled,
            left_out: self.left_out + other.left_out,
            longest_gap: self.longest_gap.max(other.longest_gap),
        }
    }

    /// Returns the number of polls per interval.
    pub fn per_interval(&self) -> f64 {
        self.followed as f64 / self.intervals.max(1) as f64
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} polls, {:.3} per interval, {} doubled, {} left out, longest gap {:.1} s",
            self.polls,
            self.per_interval(),
            self.doubled,
            self.left_out,
            self.longest_gap.as_secs_f64()
        )
    }
}

/// Returns a time in intervals, rounded.
fn rounded(gap: Duration, interval: Duration) -> usize {
    // Both are of a test's length.
    (gap.as_secs_f64() / interval.as_secs_f64()).round() as usize
}

/// Returns the number of intervals without a poll before the first poll or after the last one, where one may be due.
fn edge(gap: Duration, interval: Duration) -> usize {
    (gap.as_secs_f64() / interval.as_secs_f64() - 0.5).max(0.0).floor() as usize
}
