//! The brief scoreboard, for log lines and for programs that need no source by name.
//!
//! It has the counts of all sources, and of each long list only the entries that may explain an incident. Its
//! size therefore does not depend on the number of sources.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::report::{Channel, Poller, Report, Source};
use crate::board::State;
use crate::order;
use crate::upstream::Phase;

/// Maximum number of entries of a list.
pub const MAX_LISTED: usize = 20;

impl Report {
    /// Removes what exceeds [`MAX_LISTED`] entries: first the sources, pollers and channels that are well.
    pub(super) fn abridge(&mut self) {
        self.sources_unlisted = abridged(&mut self.sources, is_troubled, |source| {
            Reverse(source.error.as_ref().map_or(0, |error| error.failures))
        });
        let is_polling = |poller: &Poller| poller.phase == Phase::Polling.as_str();
        self.pollers_unlisted = abridged(&mut self.pollers, is_polling, |poller| {
            Reverse((poller.seconds * 1e3) as u64)
        });
        if let Some(leases) = &mut self.leases {
            leases.sources_unlisted = abridged(
                &mut leases.sources,
                |lease| !lease.is_settled(),
                |lease| lease.holder.is_some(),
            );
            leases.live.truncate(MAX_LISTED);
        }
        let is_waiting = |channel: &Channel| channel.is_troubled() || channel.waiting > 0;
        self.channels_unlisted = abridged(&mut self.channels, is_waiting, |channel| {
            Reverse((channel.is_troubled(), channel.waiting))
        });
        let unlisted = self.stuck.len().saturating_sub(MAX_LISTED);
        if unlisted > 0 {
            self.stuck.truncate(MAX_LISTED);
            self.stuck.push(format!("{unlisted} more"));
        }
    }
}

/// Returns true if a source is not fresh, or its latest poll failed.
fn is_troubled(source: &Source) -> bool {
    source.error.is_some() || source.state != State::Fresh.as_str()
}

/// Abridges a long list to those entries that are worth listing, in the order of `rank`. Returns the number of
/// entries removed.
fn abridged<T, R: Ord>(
    list: &mut Vec<T>,
    is_worth_listing: impl Fn(&T) -> bool,
    rank: impl Fn(&T) -> R,
) -> u64 {
    let length = list.len();
    if length > MAX_LISTED {
        list.retain(is_worth_listing);
        order::sort_by_key(list, rank);
        list.truncate(MAX_LISTED);
    }
    (length - list.len()) as u64
}

/// Returns the number of sources by state, and of those whose latest poll failed.
pub(super) fn counts(sources: &[Source]) -> BTreeMap<Cow<'static, str>, u64> {
    let states = State::VARIANTS.iter().map(|state| {
        let is_in_state = |source: &&Source| source.state == state.as_str();
        (state.as_str().into(), sources.iter().filter(is_in_state).count() as u64)
    });
    let failing = sources.iter().filter(|source| source.error.is_some()).count() as u64;
    order::gathered(states.chain([("failing".into(), failing)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::scoreboard::report::SourceError;

    fn source(number: usize, state: &'static str, failures: u64) -> Source {
        let error = SourceError { failures, ..SourceError::default() };
        Source {
            source: format!("s{number}"),
            state: state.into(),
            age_seconds: None,
            error: (failures > 0).then_some(error),
        }
    }

    fn poller(number: usize, phase: &'static str) -> Poller {
        Poller { source: format!("s{number}"), phase: phase.into(), seconds: number as f64 }
    }

    #[test]
    fn brief_scoreboard_has_the_same_size_with_any_number_of_sources() {
        let length = |sources: usize| {
            let state = |number: usize| ["fresh", "stale"][number % 2];
            let mut report = Report {
                sources: (0..sources).map(|at| source(at, state(at), at as u64 % 5)).collect(),
                pollers: (0..sources)
                    .map(|at| poller(at, ["waiting", "polling"][at % 2]))
                    .collect(),
                stuck: (0..sources).map(|at| format!("poller s{at} for 12 s")).collect(),
                ..Report::default()
            };
            report.abridge();
            serde_json::to_string(&report).unwrap().len()
        };
        assert!(length(10_000) < length(100) + 500, "{} {}", length(100), length(10_000));
    }

    #[test]
    fn sources_with_most_failures_and_longest_polls_are_listed_first() {
        let mut report = Report::default();
        report.sources.extend((0..3000).map(|at| source(at, "fresh", 0)));
        report.sources[7] = source(7, "stale", 0);
        report.sources[2000] = source(2000, "fresh", 9);
        report.pollers.extend((0..3000).map(|at| poller(at, "waiting")));
        report.pollers[5] = poller(5, "polling");
        report.pollers[6] = poller(6, "polling");
        report.abridge();
        let sources: Vec<&str> = report.sources.iter().map(|one| one.source.as_str()).collect();
        let pollers: Vec<&str> = report.pollers.iter().map(|one| one.source.as_str()).collect();
        assert_eq!((sources, pollers), (vec!["s2000", "s7"], vec!["s6", "s5"]));
        assert_eq!((report.sources_unlisted, report.pollers_unlisted), (2998, 2998));
    }

    #[test]
    fn few_sources_are_all_listed_in_their_order() {
        let mut report = Report::default();
        report.sources.extend((0..MAX_LISTED).map(|at| source(at, "fresh", at as u64 % 3)));
        report.abridge();
        assert_eq!(report.sources[1].source, "s1");
        assert_eq!((report.sources.len(), report.sources_unlisted), (MAX_LISTED, 0));
    }

    #[test]
    fn counts_are_those_of_all_sources() {
        let sources = [
            source(0, "fresh", 0),
            source(1, "fresh", 2),
            source(2, "stale", 1),
            source(3, "x", 0),
        ];
        let counts: Vec<(String, u64)> =
            counts(&sources).into_iter().map(|(name, count)| (name.into_owned(), count)).collect();
        let expected = [("failing", 2), ("fresh", 2), ("stale", 1), ("waiting", 0)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
    }
}
