//! The pace of sources that share an API's key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config;

/// The next free moment of a group. A moment is taken when a request is about to begin, and
/// the request's own fate changes nothing: one source's trouble does not delay another's.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(every: Duration) -> Pace {
        Pace { every, next: Mutex::new(None) }
    }

    /// Takes the next free moment that is not before `now`.
    pub(super) fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = next.map_or(now, |next| next.max(now));
        *next = Some(moment + self.every);
        moment
    }
}

/// The pace of each source's group, in the order of the sources. Where sources of a group name
/// different limits, the strictest holds for all.
pub(super) fn paces(sources: &[config::Source]) -> Vec<Option<Arc<Pace>>> {
    let mut strictest: HashMap<&str, Duration> = HashMap::new();
    for limit in sources.iter().filter_map(|source| source.rate_limit.as_ref()) {
        let every = strictest.entry(limit.group.expose()).or_default();
        *every = limit.every.max(*every);
    }
    let groups: HashMap<&str, Arc<Pace>> =
        strictest.into_iter().map(|(group, every)| (group, Arc::new(Pace::new(every)))).collect();
    let pace = |limit: &config::RateLimit| groups.get(limit.group.expose()).cloned();
    sources.iter().map(|source| source.rate_limit.as_ref().and_then(pace)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_apart_and_not_saved_up() {
        let second = Duration::from_secs(1);
        let pace = Pace::new(second);
        let start = Instant::now();
        assert_eq!(pace.take(start), start);
        assert_eq!(pace.take(start), start + second);
        assert_eq!(pace.take(start + second / 2), start + 2 * second);
        assert_eq!(pace.take(start + 60 * second), start + 60 * second);
        assert_eq!(pace.take(start + 60 * second), start + 61 * second);
    }

    #[test]
    fn groups_are_by_key() {
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
        let paces = paces(&sources);
        assert!(Arc::ptr_eq(paces[0].as_ref().unwrap(), paces[3].as_ref().unwrap()));
        assert!(paces[1].is_none());
        assert_eq!(paces[2].as_ref().unwrap().every, Duration::from_secs(2));
        assert_eq!(paces[0].as_ref().unwrap().every, Duration::from_secs(1));
    }
}
