//! Rate limit of log lines, one token bucket for each callsite.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use log::{Level, Record};

use super::caps::Rate;
use super::format::Layout;
use crate::order;

/// Most callsites with a bucket of their own; further ones share one bucket a level. The code has fewer
/// callsites.
const MAX_CALLSITES: usize = 1024;

/// Buckets of all callsites that have logged.
#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    buckets: Mutex<HashMap<Callsite, Bucket>>,
    /// Number of lines suppressed since the start.
    suppressed: AtomicU64,
}

/// Place in the code that logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Callsite {
    Line(&'static str, u32, Level),
    /// Callsite of a record without file and line.
    Target(String, Level),
    /// Callsites beyond [`MAX_CALLSITES`].
    Further(Level),
}

/// Token bucket in the form of the generic cell rate algorithm: one instant in place of a count.
#[derive(Debug)]
struct Bucket {
    /// Time at which the bucket is full again.
    full_at: Instant,
    target: String,
    line: Option<u32>,
    /// Number of lines suppressed since the last summary.
    suppressed: u64,
}

/// Summary of the suppressed lines of one callsite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suppressed {
    /// Level of the lines.
    pub(super) level: Level,
    /// Module, and the line if known: `rustls::msgs::handshake:348`.
    pub(super) callsite: String,
    /// Number of lines.
    pub(super) count: u64,
}

impl RateLimiter {
    /// Returns true if the line may be written at `now`; else counts it as suppressed.
    pub(super) fn admit(&self, record: &Record<'_>, rate: Rate, now: Instant) -> bool {
        let mut buckets = self.buckets();
        let mut callsite = Callsite::of(record);
        if buckets.len() >= MAX_CALLSITES && !buckets.contains_key(&callsite) {
            callsite = Callsite::Further(record.level());
        }
        let bucket = match buckets.entry(callsite) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Bucket {
                full_at: now,
                target: record.target().to_owned(),
                line: record.line(),
                suppressed: 0,
            }),
        };
        let admitted = bucket.take(rate, now);
        if !admitted {
            bucket.suppressed += 1;
            self.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Returns the number of lines suppressed since the start.
    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }

    /// Returns the callsites whose lines were suppressed since the last call.
    pub(super) fn take_suppressed(&self) -> Vec<Suppressed> {
        let mut taken: Vec<Suppressed> = self
            .buckets()
            .iter_mut()
            .filter(|(_, bucket)| bucket.suppressed > 0)
            .map(|(callsite, bucket)| Suppressed {
                level: callsite.level(),
                callsite: bucket.name(callsite),
                count: std::mem::take(&mut bucket.suppressed),
            })
            .collect();
        order::sort_by(&mut taken, |a, b| a.callsite.cmp(&b.callsite));
        taken
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<Callsite, Bucket>> {
        // A panic while it was held leaves a bucket with a wrong count at worst.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Suppressed {
    /// Formats the summary as a line.
    pub(super) fn note(&self, layout: Layout) -> String {
        let Suppressed { level, callsite, count } = self;
        layout.note(*level, format_args!("{count} more lines from {callsite} suppressed: too many"))
    }
}

impl Callsite {
    fn of(record: &Record<'_>) -> Callsite {
        match (record.file_static(), record.line()) {
            (Some(file), Some(line)) => Callsite::Line(file, line, record.level()),
            _ => Callsite::Target(record.target().to_owned(), record.level()),
        }
    }

    fn level(&self) -> Level {
        match self {
            Callsite::Line(_, _, level) | Callsite::Target(_, level) | Callsite::Further(level) => {
                *level
            }
        }
    }
}

impl Bucket {
    /// Takes a token. Returns false if there is none.
    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let missing = self.full_at.saturating_duration_since(now);
        if missing > rate.interval * rate.burst.saturating_sub(1) {
            return false;
        }
        self.full_at = self.full_at.max(now) + rate.interval;
        true
    }

    fn name(&self, callsite: &Callsite) -> String {
        match (callsite, self.line) {
            (Callsite::Further(_), _) => "further callsites".to_owned(),
            (_, Some(line)) => format!("{}:{line}", self.target),
            (_, None) => self.target.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(10) };

    fn record(line: u32, level: Level) -> Record<'static> {
        Record::builder()
            .level(level)
            .target("rustls::msgs")
            .file_static(Some("msgs.rs"))
            .line(Some(line))
            .build()
    }

    #[test]
    fn callsite_may_log_a_burst_and_then_one_line_in_each_interval() {
        let limiter = RateLimiter::default();
        let start = Instant::now();
        let admitted = |millis| {
            let now = start + Duration::from_millis(millis);
            limiter.admit(&record(1, Level::Warn), RATE, now)
        };
        let passed: Vec<bool> =
            [0, 0, 1, 2, 9_999, 10_000, 10_001, 20_000, 20_001, 60_000, 60_000, 60_000, 60_000]
                .map(admitted)
                .to_vec();
        let expected =
            [true, true, true, false, false, true, false, true, false, true, true, true, false];
        assert_eq!(passed, expected);
        assert_eq!(limiter.suppressed(), 5);
    }

    #[test]
    fn callsite_has_a_bucket_of_its_own_and_is_named_in_the_summary() {
        let limiter = RateLimiter::default();
        let now = Instant::now();
        for _ in 0..5 {
            limiter.admit(&record(1, Level::Warn), RATE, now);
        }
        assert!(limiter.admit(&record(2, Level::Warn), RATE, now), "another line");
        assert!(limiter.admit(&record(1, Level::Error), RATE, now), "another level");
        let summary =
            Suppressed { level: Level::Warn, callsite: "rustls::msgs:1".to_owned(), count: 2 };
        assert_eq!(limiter.take_suppressed(), [summary]);
        assert_eq!(limiter.take_suppressed(), []);
        assert_eq!(limiter.suppressed(), 2, "the total stays");
    }

    #[test]
    fn callsites_without_a_line_are_bounded_in_number() {
        let limiter = RateLimiter::default();
        let now = Instant::now();
        let mut passed = 0;
        for number in 0..10 * MAX_CALLSITES {
            let target = format!("made up {number}");
            let record = Record::builder().level(Level::Warn).target(&target).build();
            passed += usize::from(limiter.admit(&record, RATE, now));
        }
        assert!(limiter.buckets().len() <= MAX_CALLSITES + 5);
        assert_eq!(passed, MAX_CALLSITES + 3, "those beyond share one bucket");
        let summaries = limiter.take_suppressed();
        assert_eq!(summaries.len(), 1);
        assert_eq!(summaries[0].callsite, "further callsites");
    }
}
