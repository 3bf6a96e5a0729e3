//! Decides whether the clock of the machine can be right.
//!
//! A machine without a battery-backed clock boots in the past, and is set by NTP minutes later. While its clock
//! is earlier than the latest record, readings are held in memory rather than recorded with wrong times. A
//! clock that was ahead for a while leaves a record that is too late, though. It must not hold readings for
//! ever: after a day, the record is taken to be wrong.

use std::time::Duration;

use jiff::Timestamp;

use crate::kernel::clock::MIN_TIME;

/// Longest time for which readings are held because of a late record.
const MAX_HOLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Difference from the latest record that does not count: sensors round their times.
const TOLERANCE: i64 = 2;

/// Judgement of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The clock can be right.
    Plausible,
    /// The clock is earlier than this time, at which it was right already.
    Behind(i64),
    /// The clock has been earlier than this record for a day, so the record is wrong.
    RecordWrong(i64),
}

/// Compares the clock with the latest record.
#[derive(Debug, Default)]
pub(super) struct ClockGuard {
    /// Time of the latest record.
    latest: Option<i64>,
    /// Time since boot at which the clock was first seen to be behind.
    behind_since: Option<Duration>,
}

impl ClockGuard {
    /// Returns the time of the latest record that is not known to be wrong.
    pub(super) fn latest(&self) -> Option<i64> {
        self.latest
    }

    /// Notes a record that was written while the clock was plausible. One that is later than the clock counts as
    /// one of now, so that a sensor whose clock is ahead does not make that of the machine look wrong.
    pub(super) fn note(&mut self, record: i64, now: Timestamp) {
        let record = record.min(now.as_second());
        self.latest = Some(self.latest.map_or(record, |latest| latest.max(record)));
    }

    /// Notes the latest record of a file that was opened.
    pub(super) fn note_stored(&mut self, latest: Option<i64>) {
        self.latest = self.latest.max(latest);
    }

    /// Judges the clock. `since_boot` is the time since boot, which counts time in suspend.
    pub(super) fn judge(&mut self, now: Timestamp, since_boot: Duration) -> Judgement {
        let now = now.as_second();
        let earliest = self.latest.unwrap_or(MIN_TIME).max(MIN_TIME);
        if now + TOLERANCE >= earliest {
            self.behind_since = None;
            return Judgement::Plausible;
        }
        let since = *self.behind_since.get_or_insert(since_boot);
        // A clock that was never set is not right, however long it runs.
        if now >= MIN_TIME && since_boot.saturating_sub(since) >= MAX_HOLD {
            self.latest = None;
            self.behind_since = None;
            return Judgement::RecordWrong(earliest);
        }
        Judgement::Behind(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: i64 = 1_773_014_400;
    const HOUR: i64 = 3600;

    fn judge(guard: &mut ClockGuard, now: i64, since_boot: i64) -> Judgement {
        let since_boot = Duration::from_secs(since_boot.unsigned_abs());
        guard.judge(Timestamp::from_second(now).unwrap(), since_boot)
    }

    #[test]
    fn clock_before_the_latest_record_is_behind_for_a_day_at_most() {
        let mut guard = ClockGuard::default();
        assert_eq!(judge(&mut guard, 0, 0), Judgement::Behind(MIN_TIME), "never set");
        assert_eq!(judge(&mut guard, RECORD, 0), Judgement::Plausible, "no record");
        guard.note_stored(Some(RECORD));
        for (now, since_boot, expected) in [
            (RECORD - 2, HOUR, Judgement::Plausible),
            (RECORD - 3, 2 * HOUR, Judgement::Behind(RECORD)),
            (RECORD - HOUR, 25 * HOUR, Judgement::Behind(RECORD)),
            // In between it was right.
            (RECORD + HOUR, 25 * HOUR, Judgement::Plausible),
            (RECORD - HOUR, 26 * HOUR, Judgement::Behind(RECORD)),
            (RECORD - HOUR, 49 * HOUR, Judgement::Behind(RECORD)),
            (RECORD - HOUR, 50 * HOUR, Judgement::RecordWrong(RECORD)),
            (RECORD - HOUR, 51 * HOUR, Judgement::Plausible),
        ] {
            assert_eq!(judge(&mut guard, now, since_boot), expected, "{now} {since_boot}");
        }
        assert_eq!(guard.latest(), None);
        // A clock that was never set does not become right by waiting.
        guard.note_stored(Some(RECORD));
        judge(&mut guard, 0, 0);
        assert_eq!(judge(&mut guard, 30 * HOUR, 30 * HOUR), Judgement::Behind(RECORD));
    }

    #[test]
    fn record_later_than_the_clock_counts_as_one_of_now() {
        let mut guard = ClockGuard::default();
        guard.note(RECORD + HOUR, Timestamp::from_second(RECORD).unwrap());
        assert_eq!(guard.latest(), Some(RECORD));
        guard.note(RECORD - HOUR, Timestamp::from_second(RECORD).unwrap());
        assert_eq!(guard.latest(), Some(RECORD));
    }
}
