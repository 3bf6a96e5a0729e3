//! A warning that cannot flood the log.

use std::fmt;
use std::time::{Duration, Instant};

/// At most one line in this time.
const PERIOD: Duration = Duration::from_secs(1);

/// Lets at most one line a second into the log, and says how many it left out.
#[derive(Debug, Default)]
pub struct LogThrottle {
    latest: Option<Instant>,
    left_out: u64,
}

impl LogThrottle {
    /// Logs a warning, unless one was logged just now.
    pub fn warn(&mut self, message: fmt::Arguments<'_>) {
        self.warn_at(Instant::now(), message);
    }

    fn warn_at(&mut self, now: Instant, message: fmt::Arguments<'_>) -> bool {
        let admitted = self.admit(now);
        match admitted {
            None => {}
            Some(0) => log::warn!("{message}"),
            Some(more) => log::warn!("{message} ({more} more like it since the last line)"),
        }
        admitted.is_some()
    }

    /// Whether there may be a line now: then how many were left out since the last one.
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
    fn one_line_a_second_and_the_rest_counted() {
        let mut throttle = LogThrottle::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let logged: Vec<bool> = [0, 1, 999, 1000, 1001, 2500]
            .map(|millis| throttle.warn_at(at(millis), format_args!("full")))
            .to_vec();
        assert_eq!(logged, [true, false, false, true, false, true]);
        assert_eq!(throttle.left_out, 0);
    }
}
