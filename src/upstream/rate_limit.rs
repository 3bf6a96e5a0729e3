//! The pace of sources that share an API's key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{self, Secret};

/// The next free moment of a group. A moment is taken when a request is about to begin, and
/// the request's own fate changes nothing: one source's trouble does not delay another's.
#[derive(Debug)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    every: Duration,
    next: Option<Instant>,
}

impl Pace {
    fn new(every: Duration) -> Pace {
        Pace(Mutex::new(State { every, next: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next free moment that is not before `now`.
    pub(super) fn take(&self, now: Instant) -> Instant {
        let mut state = self.state();
        let moment = state.next.map_or(now, |next| next.max(now));
        state.next = Some(moment + state.every);
        moment
    }
}

/// The paces of all groups. They outlive a change of the configuration, so that a reload is no
/// way around a limit.
#[derive(Debug, Default)]
pub(super) struct Paces(Vec<(Secret, Arc<Pace>)>);

impl Paces {
    /// The pace of each source's group, in the order of the sources. Where sources of a group
    /// name different limits, the strictest holds for all.
    pub(super) fn of(&mut self, sources: &[config::Source]) -> Vec<Option<Arc<Pace>>> {
        let limits = || sources.iter().filter_map(|source| source.rate_limit.as_ref());
        let mut groups: Vec<(Secret, Arc<Pace>)> = Vec::new();
        for group in limits().map(|limit| &limit.group) {
            if groups.iter().any(|(known, _)| known == group) {
                continue;
            }
            let same = limits().filter(|limit| limit.group == *group);
            let every = same.map(|limit| limit.every).max().unwrap_or_default();
            let known = self.0.iter().find(|(known, _)| known == group);
            let pace = match known {
                Some((_, pace)) => {
                    pace.state().every = every;
                    Arc::clone(pace)
                }
                None => Arc::new(Pace::new(every)),
            };
            groups.push((group.clone(), pace));
        }
        self.0 = groups;
        let pace = |limit: &config::RateLimit| {
            self.0.iter().find(|(group, _)| *group == limit.group).map(|(_, pace)| pace.clone())
        };
        sources.iter().map(|source| source.rate_limit.as_ref().and_then(pace)).collect()
    }
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
        let mut groups = Paces::default();
        let paces = groups.of(&sources);
        assert!(Arc::ptr_eq(paces[0].as_ref().unwrap(), paces[3].as_ref().unwrap()));
        assert!(paces[1].is_none());
        let every = |at: usize| paces[at].as_ref().unwrap().state().every;
        assert_eq!(every(2), Duration::from_secs(2));
        assert_eq!(every(0), Duration::from_secs(1));

        let start = Instant::now();
        let taken = paces[0].as_ref().unwrap().take(start);
        let slower = config.replace(
            "api_key = \"k1\"\n            application_key = \"y\"",
            "api_key = \"k1\"\n            application_key = \"y\"\n\
             rate_limit = { group = \"ambient k1\", every = \"5s\" }",
        );
        let sources = config::parse("p".as_ref(), &slower, &|_| None).unwrap().sources;
        let renewed = groups.of(&sources);
        let first = renewed[0].as_ref().unwrap();
        assert_eq!(first.state().every, Duration::from_secs(5), "the strictest holds");
        assert_eq!(first.take(start), taken + Duration::from_secs(1), "what was taken stays taken");
    }
}
