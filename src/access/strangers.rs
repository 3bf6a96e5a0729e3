//! Bounds the passwords of unknown callers that are compared in any second, over all addresses.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::key::Fingerprint;

const WINDOW: Duration = Duration::from_secs(1);

/// Times of the latest comparisons, as many as the limit allows in a second, each with the
/// neighbourhood of its caller (IPv4 /24, IPv6 /48).
#[derive(Debug, Default)]
pub(super) struct StrangerLimit(VecDeque<(Instant, Fingerprint)>);

impl StrangerLimit {
    /// Counts a comparison, unless there were `limit` in the last second.
    ///
    /// One neighbourhood gets half of the limit at most, so an attacker who owns one, with its
    /// 65,536 networks of IPv6, leaves the other half to everybody else.
    pub(super) fn take(&mut self, neighbourhood: Fingerprint, limit: usize, now: Instant) -> bool {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= WINDOW;
        while self.0.front().is_some_and(|(at, _)| is_over(*at)) {
            self.0.pop_front();
        }
        let share = limit.div_ceil(2);
        let used = self.0.iter().filter(|(_, other)| *other == neighbourhood).count();
        if self.0.len() >= limit || used >= share {
            return false;
        }
        self.0.push_back((now, neighbourhood));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_the_limit() {
        let (mut strangers, start) = (StrangerLimit::default(), Instant::now());
        let mut granted = Vec::new();
        for step in 0..5000_u32 {
            let now = start + Duration::from_millis(step.into());
            let mut neighbourhood = [0; 32];
            neighbourhood[..4].copy_from_slice(&step.to_be_bytes());
            if strangers.take(neighbourhood, 20, now) {
                granted.push(now);
            }
            assert!(strangers.0.len() <= 20);
        }
        assert_eq!(granted.len(), 100);
        for window in granted.windows(21) {
            assert!(window[20] - window[0] >= WINDOW);
        }
    }

    #[test]
    fn one_neighbourhood_gets_half() {
        let (mut strangers, now) = (StrangerLimit::default(), Instant::now());
        let granted = (0..100).filter(|_| strangers.take([1; 32], 20, now)).count();
        assert_eq!(granted, 10);
        let others = (2..100).filter(|number| strangers.take([*number; 32], 20, now)).count();
        assert_eq!(others, 10);
        assert!(
            StrangerLimit::default().take([1; 32], 1, now),
            "a limit of one is no limit of none"
        );
    }
}
