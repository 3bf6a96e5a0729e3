//! Rate limits of sources that share an API key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config;

/// Assigns start times to requests, at least `every` apart.
///
/// Start times do not depend on the outcome of earlier requests, so a failing source does not delay the
/// others of its group. The wait is not part of the poll's deadline.
#[derive(Debug)]
pub(super) struct RateLimiter(Mutex<State>);

#[derive(Debug)]
struct State {
    every: Duration,
    /// Earliest start of the next request.
    next: Option<Instant>,
}

impl RateLimiter {
    pub(super) fn new(every: Duration) -> RateLimiter {
        RateLimiter(Mutex::new(State { every, next: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the next free start time that is not before `now`.
    pub(super) fn reserve(&self, now: Instant) -> Instant {
        let mut state = self.state();
        let start = state.next.map_or(now, |next| next.max(now));
        state.next = Some(start + state.every);
        start
    }

    /// Assigns no start time before `now` and one interval.
    pub(super) fn defer(&self, now: Instant) {
        let mut state = self.state();
        let earliest = now + state.every;
        state.next = Some(state.next.map_or(earliest, |next| next.max(earliest)));
    }
}

/// Rate limiters of all groups. They survive a reload, so that frequent reloads cannot exceed a limit.
///
/// The names of groups may contain API keys, so there is no `Debug`.
#[derive(Default)]
pub(super) struct RateLimiters(HashMap<String, Arc<RateLimiter>>);

impl RateLimiters {
    /// Returns the limiter of each source's group, in the order of the sources. If the sources of a group
    /// have different limits, the longest `every` applies to all.
    pub(super) fn of(&mut self, sources: &[Arc<config::Source>]) -> Vec<Option<Arc<RateLimiter>>> {
        let mut longest: HashMap<&str, Duration> = HashMap::new();
        for limit in sources.iter().filter_map(|source| source.rate_limit.as_ref()) {
            let every = longest.entry(limit.group.expose()).or_default();
            *every = limit.every.max(*every);
        }
        let mut former = std::mem::take(&mut self.0);
        for (group, every) in longest {
            let limiter = match former.remove(group) {
                Some(limiter) => {
                    limiter.state().every = every;
                    limiter
                }
                None => Arc::new(RateLimiter::new(every)),
            };
            self.0.insert(group.to_owned(), limiter);
        }
        let limiter = |limit: &config::RateLimit| self.0.get(limit.group.expose()).cloned();
        sources.iter().map(|source| source.rate_limit.as_ref().and_then(limiter)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_are_one_interval_apart_and_unused_ones_expire() {
        let second = Duration::from_secs(1);
        let limiter = RateLimiter::new(second);
        let start = Instant::now();
        assert_eq!(limiter.reserve(start), start);
        assert_eq!(limiter.reserve(start), start + second);
        assert_eq!(limiter.reserve(start + second / 2), start + 2 * second);
        assert_eq!(limiter.reserve(start + 60 * second), start + 60 * second);
        assert_eq!(limiter.reserve(start + 60 * second), start + 61 * second);
        limiter.defer(start + 70 * second);
        limiter.defer(start + 69 * second);
        assert_eq!(limiter.reserve(start + 70 * second), start + 71 * second);
    }

    #[test]
    fn sources_with_one_key_share_a_limiter_across_a_reload() {
        let config = r#"
            [[source]]
            name = "a"
            kind = "ambient"
            api_key = "k1"
            application_key = "x"
            [[source]]
            name = "b"
            kind = "json"
            url = "http://h/"
            values = { v = { pointer = "/v" } }
            [[source]]
            name = "c"
            kind = "ambient"
            api_key = "k1"
            application_key = "x"
            rate_limit = { group = "mine", every = "2s" }
            [[source]]
            name = "d"
            kind = "ambient"
            api_key = "k1"
            application_key = "y"
        "#;
        let sources = config::parse("p".as_ref(), config, &|_| None).unwrap().sources;
        let mut groups = RateLimiters::default();
        let limiters = groups.of(&sources);
        assert!(Arc::ptr_eq(limiters[0].as_ref().unwrap(), limiters[3].as_ref().unwrap()));
        assert!(limiters[1].is_none());
        let every = |at: usize| limiters[at].as_ref().unwrap().state().every;
        assert_eq!(every(2), Duration::from_secs(2));
        assert_eq!(every(0), Duration::from_secs(1));

        let start = Instant::now();
        let taken = limiters[0].as_ref().unwrap().reserve(start);
        let slower = config.replace(
            "api_key = \"k1\"\n            application_key = \"y\"",
            "api_key = \"k1\"\n            application_key = \"y\"\n\
             rate_limit = { group = \"ambient k1\", every = \"5s\" }",
        );
        let sources = config::parse("p".as_ref(), &slower, &|_| None).unwrap().sources;
        let renewed = groups.of(&sources);
        let first = renewed[0].as_ref().unwrap();
        assert_eq!(first.state().every, Duration::from_secs(5), "the strictest applies");
        assert_eq!(
            first.reserve(start),
            taken + Duration::from_secs(1),
            "the earlier reservation counts"
        );
    }
}
