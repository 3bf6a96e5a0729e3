//! Warnings that cannot flood the log.

use std::fmt;
use std::time::{Duration, Instant};

/// Least time between two lines.
const PERIOD: Duration = Duration::from_secs(1);

/// Logs at most one line a second, with the number of lines left out since the one before.
#[derive(Debug, Default)]
pub struct LogThrottle {
    latest: Option<Instant>,
    left_out: u64,
}

impl LogThrottle {
    /// Logs a warning, unless the last line is less than a second old.
    pub fn warn(&mut self, message: fmt::Arguments<'_>) {
        match self.admit(Instant::now()) {
            None => {}
            Some(0) => log::warn!("{message}"),
            Some(more) => log::warn!("{message} ({more} more like it since the last line)"),
        }
    }

    /// Returns the number of lines left out since the last one if a line may be logged now, else `None`.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.latest.is_some_and(|latest| now < latest + PERIOD) {
            self.left_out += 1;
            return None;
        }
        self.latest = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_within_a_second_are_left_out_and_counted() {
        let mut throttle = LogThrottle::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let left_out = [0, 1, 999, 1000, 1001, 2500].map(|millis| throttle.admit(at(millis)));
        assert_eq!(left_out, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
