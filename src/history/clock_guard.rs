//! Decides whether the clock of the machine can be right.
//!
//! A machine without a battery-backed clock boots in the past, and is set by NTP minutes later. While its clock
//! is earlier than the latest record, readings are held in memory rather than recorded with wrong times. A
//! clock that was ahead for a while leaves a record that is too late, though. If it is set back while the program
//! runs, the records since the previous step are known to be too late by that step, and hold nothing. If it was
//! set back while the program did not run, the record holds readings for a day, counted across restarts, and is
//! then taken to be wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

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
    /// Time of the latest record before the present setting of the clock.
    earlier: Option<i64>,
    /// Time of the latest record since the clock was set.
    recent: Option<i64>,
    /// Time for which this record has held readings, in earlier runs of the program.
    held: Duration,
    /// Time since boot at which the clock was first seen to be behind.
    behind_since: Option<Duration>,
}

impl ClockGuard {
    /// Returns the time of the latest record that is not known to be wrong.
    pub(super) fn latest(&self) -> Option<i64> {
        self.earlier.max(self.recent)
    }

    /// Returns how long readings have been held; 0 while the clock is plausible.
    pub(super) fn held(&self, since_boot: Duration) -> Duration {
        let present =
            self.behind_since.map_or(Duration::ZERO, |since| since_boot.saturating_sub(since));
        self.held.saturating_add(present)
    }

    /// Notes a record that was written while the clock was plausible. One that is later than the clock counts as
    /// one of now, so that a sensor whose clock is ahead does not make that of the machine look wrong.
    pub(super) fn note(&mut self, record: i64, now: Timestamp) {
        let record = record.min(now.as_second());
        self.recent = self.recent.max(Some(record));
    }

    /// Notes the latest record of a file that was opened, and how long it has held readings.
    pub(super) fn note_stored(&mut self, latest: Option<i64>, held: Duration) {
        self.earlier = self.earlier.max(latest);
        self.held = self.held.max(held);
    }

    /// Applies a step of the clock. After a step back, the records since the previous one were too late by it.
    /// After a step forward, they may be right: the new setting may be the wrong one.
    pub(super) fn step(&mut self, step: SignedDuration) {
        let back = step.as_secs().min(0);
        let recent = self.recent.take().map(|recent| recent.saturating_add(back));
        self.earlier = self.earlier.max(recent);
    }

    /// Judges the clock. `since_boot` is the time since boot, which counts time in suspend.
    pub(super) fn judge(&mut self, now: Timestamp, since_boot: Duration) -> Judgement {
        let now = now.as_second();
        let earliest = self.latest().unwrap_or(MIN_TIME).max(MIN_TIME);
        if now + TOLERANCE >= earliest {
            (self.behind_since, self.held) = (None, Duration::ZERO);
            return Judgement::Plausible;
        }
        // A clock that was never set is not right, however long it runs.
        if now < MIN_TIME {
            return Judgement::Behind(earliest);
        }
        self.behind_since.get_or_insert(since_boot);
        if self.held(since_boot) >= MAX_HOLD {
            // Not `None`: the next start would take the latest time in the file, which is that of the record.
            (self.earlier, self.recent) = (Some(now), None);
            (self.behind_since, self.held) = (None, Duration::ZERO);
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
        guard.note_stored(Some(RECORD), Duration::ZERO);
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
        assert_eq!(guard.latest(), Some(RECORD - HOUR));
        // A clock that was never set does not become right by waiting.
        guard.note_stored(Some(RECORD), Duration::ZERO);
        judge(&mut guard, 0, 0);
        assert_eq!(judge(&mut guard, 30 * HOUR, 30 * HOUR), Judgement::Behind(RECORD));
    }

    #[test]
    fn only_a_step_back_moves_the_records_since_the_previous_step() {
        let noted = |stored, steps: &[(i64, i64)]| {
            let mut guard = ClockGuard::default();
            guard.note_stored(stored, Duration::ZERO);
            for &(record, step) in steps {
                guard.note(record, Timestamp::from_second(record).unwrap());
                guard.step(SignedDuration::from_secs(step));
            }
            guard.latest()
        };
        let year = 365 * 24 * HOUR;
        assert_eq!(noted(None, &[(RECORD + year, -year)]), Some(RECORD));
        // Ahead for a while: right, a year ahead, and right again.
        assert_eq!(noted(None, &[(RECORD, year), (RECORD + year + 60, -year)]), Some(RECORD + 60));
        // A clock that loses its time while it runs does not make the records of earlier runs doubtful.
        assert_eq!(noted(Some(RECORD), &[(RECORD + HOUR, -year)]), Some(RECORD));
        assert_eq!(noted(None, &[(RECORD, HOUR)]), Some(RECORD));
    }

    #[test]
    fn hold_is_counted_across_restarts_but_not_before_2020() {
        let mut guard = ClockGuard::default();
        guard.note_stored(Some(RECORD), Duration::from_secs(13 * 3600));
        for (now, since_boot, expected) in [
            (RECORD - HOUR, HOUR, Judgement::Behind(RECORD)),
            (RECORD - HOUR, 11 * HOUR, Judgement::Behind(RECORD)),
            (RECORD - HOUR, 12 * HOUR, Judgement::RecordWrong(RECORD)),
        ] {
            assert_eq!(judge(&mut guard, now, since_boot), expected, "{since_boot}");
        }
        guard.note_stored(Some(RECORD), Duration::from_secs(13 * 3600));
        judge(&mut guard, HOUR, 0);
        assert_eq!(judge(&mut guard, RECORD - HOUR, 20 * HOUR), Judgement::Behind(RECORD));
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
