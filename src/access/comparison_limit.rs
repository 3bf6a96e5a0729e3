//! Sliding-window limit of password comparisons per second, over all callers of a class.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::key::Fingerprint;

const WINDOW: Duration = Duration::from_secs(1);

/// Most comparisons in any second.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerSecond {
    pub(super) all: usize,
    /// Most comparisons of one group.
    pub(super) of_group: usize,
}

/// Times and groups of the comparisons of the last second.
#[derive(Debug, Default)]
pub(super) struct ComparisonLimit(VecDeque<(Instant, Fingerprint)>);

impl ComparisonLimit {
    /// Counts a comparison. Returns false, and counts none, if the limit for the last second is reached.
    pub(super) fn take(&mut self, group: Fingerprint, allowed: PerSecond, now: Instant) -> bool {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= WINDOW;
        while self.0.front().is_some_and(|(at, _)| is_over(*at)) {
            self.0.pop_front();
        }
        let used = self.0.iter().filter(|(_, other)| *other == group).count();
        if self.0.len() >= allowed.all || used >= allowed.of_group {
            return false;
        }
        self.0.push_back((now, group));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: PerSecond = PerSecond { all: 20, of_group: 10 };

    #[test]
    fn comparisons_in_any_second_are_within_the_limit() {
        let (mut limit, start) = (ComparisonLimit::default(), Instant::now());
        let mut granted = Vec::new();
        for step in 0..5000_u32 {
            let now = start + Duration::from_millis(step.into());
            let mut group = [0; 32];
            group[..4].copy_from_slice(&step.to_be_bytes());
            if limit.take(group, ALLOWED, now) {
                granted.push(now);
            }
            assert!(limit.0.len() <= 20);
        }
        assert_eq!(granted.len(), 100);
        for window in granted.windows(21) {
            assert!(window[20] - window[0] >= WINDOW);
        }
    }

    #[test]
    fn group_at_its_share_leaves_the_rest_to_others() {
        let (mut limit, now) = (ComparisonLimit::default(), Instant::now());
        let granted = (0..100).filter(|_| limit.take([1; 32], ALLOWED, now)).count();
        assert_eq!(granted, 10);
        let others = (2..100).filter(|number| limit.take([*number; 32], ALLOWED, now)).count();
        assert_eq!(others, 10);
    }
}
