//! Reads the states of other replicas in parts.
//!
//! Each part is read by a tick, which also renews the lease. A database far away, or one with thousands of sources, must
//! not delay the renewal, so the size of a part follows the time that ticks take, and a failure loses no part that was
//! read. Later states of each live instance come in the order of their versions. A *pass* reads the states of all
//! instances page by page, in the order of sources: those of instances that have ended, and what a promotion has lost.

use std::time::{Duration, Instant};

use crate::cluster::database::{self, PublishedState};

/// Time between two passes. A pass covers what a promotion has lost.
const PASS_INTERVAL: Duration = Duration::from_secs(30);

/// Fewest and most states of a part. One has about 1 KiB, or 4 KiB with many fields.
const LIMITS: (usize, usize) = (16, 512);

/// Most states of the first part.
const FIRST_LIMIT: usize = 32;

/// State of the reads.
#[derive(Debug)]
pub(super) struct Scan {
    /// Source after which the next page of the pass begins; `None` between two passes.
    after: Option<String>,
    /// Time of the end of the latest pass.
    passed_at: Option<Instant>,
    /// True if another pass is needed than the one that has begun.
    is_demanded: bool,
    /// True if the pass was demanded.
    is_urgent: bool,
    limit: usize,
}

impl Scan {
    pub(super) fn new() -> Scan {
        Scan {
            after: None,
            passed_at: None,
            is_demanded: true,
            is_urgent: false,
            limit: FIRST_LIMIT,
        }
    }

    /// Has the states of all sources read again.
    pub(super) fn demand(&mut self) {
        self.is_demanded = true;
    }

    /// Returns the most states of a part.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the source after which the page of this tick begins; `None` between two passes.
    pub(super) fn page(&mut self) -> Option<String> {
        let is_due = || self.passed_at.is_none_or(|at| at.elapsed() >= PASS_INTERVAL);
        if self.after.is_none() && (self.is_demanded || is_due()) {
            self.is_urgent = std::mem::take(&mut self.is_demanded);
            self.after = Some(String::new());
        }
        self.after.clone()
    }

    /// Notes the page that was read. Returns true if the next one is urgent.
    pub(super) fn read(&mut self, page: &[PublishedState], limit: usize) -> bool {
        if self.after.is_some() {
            self.after = page.last().filter(|_| page.len() >= limit).map(|row| row.source.clone());
            if self.after.is_none() {
                self.passed_at = Some(Instant::now());
            }
        }
        self.is_urgent && self.after.is_some()
    }

    /// Notes the time that a tick has taken, or that it has failed.
    pub(super) fn ticked(&mut self, took: Option<Duration>) {
        let (fewest, most) = LIMITS;
        match took {
            Some(took) if took <= database::TIMEOUT / 4 => self.limit *= 2,
            Some(took) if took <= database::TIMEOUT / 2 => {}
            _ => self.limit /= 2,
        }
        self.limit = self.limit.clamp(fewest, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> Vec<PublishedState> {
        let row = |name: &&str| PublishedState {
            source: (*name).to_owned(),
            instance: String::new(),
            version: 1,
            content: String::new(),
        };
        names.iter().map(row).collect()
    }

    #[test]
    fn pass_goes_on_after_a_failure_and_ends_with_a_page_that_is_not_full() {
        let mut scan = Scan::new();
        assert_eq!(scan.page().as_deref(), Some(""));
        assert!(scan.read(&rows(&["a", "b"]), 2));
        scan.ticked(None);
        scan.demand();
        assert_eq!(scan.page().as_deref(), Some("b"), "nothing is read twice");
        assert!(scan.read(&rows(&["c", "d"]), 2));
        assert_eq!(scan.page().as_deref(), Some("d"));
        assert!(!scan.read(&rows(&[]), 2));
        assert_eq!(scan.page().as_deref(), Some(""), "it was demanded meanwhile");
        assert!(!scan.read(&rows(&["a"]), 2));
        assert_eq!(scan.page(), None, "no pass is due");
        assert!(!scan.read(&[], 2));
        scan.passed_at = Some(Instant::now().checked_sub(PASS_INTERVAL).unwrap());
        assert_eq!(scan.page().as_deref(), Some(""));
        assert!(!scan.read(&rows(&["a", "b"]), 2), "a regular pass is not urgent");
        assert_eq!(scan.page().as_deref(), Some("b"));
    }

    #[test]
    fn size_of_a_part_follows_the_time_of_ticks() {
        let mut scan = Scan::new();
        let mut limits = |took: Option<u64>| {
            scan.ticked(took.map(Duration::from_millis));
            scan.limit()
        };
        let quick = [Some(1); 6].map(&mut limits);
        assert_eq!(quick, [64, 128, 256, 512, 512, 512]);
        assert_eq!([Some(500), Some(900), Some(1100), None].map(&mut limits), [512, 512, 256, 128]);
        assert_eq!([None; 5].map(&mut limits), [64, 32, 16, 16, 16]);
        assert_eq!([Some(900), Some(100)].map(&mut limits), [16, 32]);
    }
}
