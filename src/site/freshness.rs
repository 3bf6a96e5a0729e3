//! Freshness: how far the readings of a request can be trusted, decided once.
//!
//! A handler assesses its sources once, at the moment of the request, and carries the result along:
//! the gate `max_age=`, the states in the body, `Cache-Control` and `Last-Modified`, and the problem
//! of a source without a usable reading all come from the same [`Freshness`]. So the parts of one
//! response cannot contradict each other.

use std::time::Duration;

use jiff::Timestamp;

use super::content::CachePolicy;
use super::problem::{AffectedSource, Problem};
use crate::board::{LastReading, Snapshot, SourceView, State, Value};
use crate::kernel::clock::CLOCK_TOLERANCE;
use crate::timestamp::Rfc3339;

/// Returns the state of a source at `now`.
///
/// The board publishes a snapshot when a reading turns stale. Until that snapshot is in, a reading
/// past its time counts as stale already. So does one whose time is in the future: its age is not known.
pub(super) fn state_at(source: &SourceView, now: Timestamp) -> State {
    let is_past =
        |reading: &LastReading| now >= reading.stale_at || is_later(reading.observed.at, now);
    match &source.reading {
        Some(reading) if source.state == State::Fresh && is_past(reading) => State::Stale,
        _ => source.state,
    }
}

/// Most sources of which every response states what holds at its moment.
const ALWAYS_CURRENT: usize = 30;

/// Longest time by which a response about more sources is late.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// Most sources that a problem lists.
const MAX_LISTED: usize = 20;

/// Returns the longest time by which a response about all of that many sources may be late. With thousands, one
/// changes every few milliseconds, and a body is rendered once a second for all who request it.
pub(super) fn max_lateness(sources: usize) -> Duration {
    if sources <= ALWAYS_CURRENT { Duration::ZERO } else { MAX_LATENESS }
}

/// Returns true if a snapshot does not state what holds at `now`, and the board is late with the next one: a
/// reading has turned stale since, or the clock was set back.
pub(super) fn is_behind(snapshot: &Snapshot, now: Timestamp) -> bool {
    let Snapshot { sources, published_at, next_due, .. } = snapshot;
    let lateness = max_lateness(sources.len());
    let is_due = |due: Timestamp| due.saturating_add(lateness).is_ok_and(|due| due <= now);
    next_due.is_some_and(is_due) || is_later(*published_at, now)
}

/// Returns the state at `now` of a source that has the selected values only: that of the oldest of them.
pub(super) fn selected_state_at(source: &SourceView, now: Timestamp) -> State {
    Assessment::of_selected(source, now).state
}

/// Returns the time at which a value turns stale: by its own time if it has one, else with its reading.
pub(super) fn stale_at(reading: &LastReading, value: &Value) -> Timestamp {
    let Some(own) = value.observed else { return reading.stale_at };
    let stale_after = reading.stale_at.duration_since(reading.observed.at);
    own.at.saturating_add(stale_after).unwrap_or(reading.stale_at)
}

/// Returns true if a value is too old at `now`, by its own time or by that of its reading, or if its time is
/// in the future.
pub(super) fn is_value_stale(source: &SourceView, value: &Value, now: Timestamp) -> bool {
    let is_past = |reading: &LastReading| {
        now >= stale_at(reading, value) || is_later(observed_at(reading, value), now)
    };
    state_at(source, now) == State::Stale || source.reading.as_ref().is_some_and(is_past)
}

/// Freshness of some sources at one moment.
pub(super) struct Freshness<'a> {
    now: Timestamp,
    sources: Vec<Assessment<'a>>,
}

#[derive(Clone, Copy)]
struct Times {
    observed_at: Timestamp,
    stale_at: Timestamp,
}

/// Freshness of one source.
#[derive(Clone)]
struct Assessment<'a> {
    source: &'a SourceView,
    state: State,
    /// Time of the oldest value that was requested, and the time at which it turns stale.
    times: Option<Times>,
    /// Seconds until the next poll, if one is due.
    next_poll_in: Option<u64>,
}

impl<'a> Freshness<'a> {
    /// Assesses sources at `now`.
    pub(super) fn assess(
        sources: impl IntoIterator<Item = &'a SourceView>,
        now: Timestamp,
    ) -> Freshness<'a> {
        let assess = |source: &'a SourceView| {
            let observed_at = source.reading.as_ref().map(|reading| reading.observed.at);
            Assessment::new(source, observed_at, now)
        };
        Freshness { now, sources: sources.into_iter().map(assess).collect() }
    }

    /// Assesses selected values of sources at `now`: a value with a time of its own has the age of that. The
    /// sources have the selected values only.
    pub(super) fn assess_selected(
        sources: impl IntoIterator<Item = &'a SourceView>,
        now: Timestamp,
    ) -> Freshness<'a> {
        let assess = |source| Assessment::of_selected(source, now);
        Freshness { now, sources: sources.into_iter().map(assess).collect() }
    }

    /// Assesses one value of a source at `now`.
    pub(super) fn assess_value(
        source: &'a SourceView,
        value: &Value,
        now: Timestamp,
    ) -> Freshness<'a> {
        let observed_at = source.reading.as_ref().map(|reading| observed_at(reading, value));
        Freshness { now, sources: vec![Assessment::new(source, observed_at, now)] }
    }

    /// Returns the state of a source, or the published one if the source was not assessed.
    pub(super) fn state_of(&self, source: &SourceView) -> State {
        let found = self.sources.iter().find(|assessed| assessed.source.name == source.name);
        found.map_or(source.state, |assessed| assessed.state)
    }

    /// Rejects the request if a source is older than `max_age` seconds or never answered.
    pub(super) fn require_max_age(&self, max_age: u64) -> Result<(), Problem> {
        let is_older = |times: Times| is_older(times.observed_at, self.now, max_age);
        let older = self.subset(|assessed| assessed.times.is_none_or(is_older));
        if older.sources.is_empty() {
            return Ok(());
        }
        let names = older.listed(|assessed| assessed.source.name.to_string());
        Err(older.unavailable(format!("Older than {max_age} seconds, or never answered: {names}.")))
    }

    /// Rejects the request if a value that was observed at `at` is older than `max_age` seconds.
    pub(super) fn require_max_age_of(&self, at: Timestamp, max_age: u64) -> Result<(), Problem> {
        if is_older(at, self.now, max_age) {
            let at = Rfc3339(at);
            let detail = format!("Older than {max_age} seconds: the value is of {at}.");
            return Err(self.unavailable(detail));
        }
        Ok(())
    }

    /// Rejects the request unless every source is fresh.
    pub(super) fn require_fresh(&self) -> Result<(), Problem> {
        let unready = self.subset(|assessed| assessed.state != State::Fresh);
        if unready.sources.is_empty() {
            return Ok(());
        }
        let states = unready
            .listed(|assessed| format!("{} is {}", assessed.source.name, assessed.state.as_str()));
        Err(unready.unavailable(format!("{states}.")))
    }

    /// Returns the text of each source, of a fleet those of the first ones and the number of the others.
    fn listed(&self, text: impl Fn(&Assessment<'a>) -> String) -> String {
        let listed: Vec<String> = self.sources.iter().take(MAX_LISTED).map(text).collect();
        match self.sources.len().saturating_sub(MAX_LISTED) {
            0 => listed.join(", "),
            others => format!("{} and {others} others", listed.join(", ")),
        }
    }

    /// Returns a 503 about these sources, with the time of their next polls as `Retry-After`.
    pub(super) fn unavailable(&self, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
        let affected = |assessed: &Assessment<'_>| AffectedSource {
            name: assessed.source.name.to_string(),
            state: assessed.state.as_str(),
            observed_at: assessed.times.map(|times| Rfc3339(times.observed_at)),
        };
        let affected = self.sources.iter().take(MAX_LISTED).map(affected).collect();
        Problem::unavailable(detail).retry_after(self.retry_after()).concerning(affected)
    }

    /// Returns the seconds until each source will have been polled again: at least 1, and at most
    /// the longest of their intervals.
    fn retry_after(&self) -> u64 {
        self.sources.iter().filter_map(|assessed| assessed.next_poll_in).max().unwrap_or(1).max(1)
    }

    /// Returns the caching headers of a body about these sources.
    pub(super) fn cache_policy(&self) -> CachePolicy {
        let mut times = FleetTimes::new(self.now);
        self.sources.iter().for_each(|assessed| times.add(assessed.source, assessed.times));
        times.cache_policy(self.now)
    }

    fn subset(&self, is_member: impl Fn(&Assessment<'a>) -> bool) -> Freshness<'a> {
        let members = self.sources.iter().filter(|assessed| is_member(assessed)).cloned().collect();
        Freshness { now: self.now, sources: members }
    }
}

impl<'a> Assessment<'a> {
    /// Assesses a source that has the selected values only, by the oldest of them.
    fn of_selected(source: &'a SourceView, now: Timestamp) -> Assessment<'a> {
        let oldest = source.reading.as_ref().map(|reading| {
            let times = source.values().map(|(_, value)| observed_at(reading, value));
            // One whose age is not known comes before the oldest.
            let oldest = times.min_by_key(|at| (!is_later(*at, now), *at));
            oldest.unwrap_or(reading.observed.at)
        });
        Assessment::new(source, oldest, now)
    }

    /// Assesses a source whose oldest requested value was observed at `observed_at`.
    fn new(
        source: &'a SourceView,
        observed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Assessment<'a> {
        let times = source.reading.as_ref().zip(observed_at).map(|(reading, observed_at)| {
            // A value turns stale at the age at which the reading does.
            let stale_after = reading.stale_at.duration_since(reading.observed.at);
            let stale_at = observed_at.saturating_add(stale_after).unwrap_or(Timestamp::MAX);
            Times { observed_at, stale_at }
        });
        let is_stale =
            times.is_some_and(|times| now >= times.stale_at || is_later(times.observed_at, now));
        let state = match state_at(source, now) {
            State::Fresh if is_stale => State::Stale,
            state => state,
        };
        let next_poll_in =
            source.next_poll_at.map(|next| within_interval(source.interval, next, now));
        Assessment { source, state, times, next_poll_in }
    }
}

/// Returns the time of a value: its own, or that of the reading.
fn observed_at(reading: &LastReading, value: &Value) -> Timestamp {
    value.observed.unwrap_or(reading.observed).at
}

/// Returns the seconds until a moment of a source's future, at most its interval.
///
/// The moment was computed with an earlier reading of the clock. If the clock has been set back since,
/// the difference includes that step, and a client would cache one reading for as long.
fn within_interval(interval: Duration, moment: Timestamp, now: Timestamp) -> u64 {
    // An interval below a second is for tests; the headers know whole seconds only.
    seconds(now, moment).min(interval.as_secs().max(1))
}

/// Returns the whole seconds from one moment to a later one; 0 if it is not later.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

/// Returns true if an observation is older than `max_age` seconds, or if its age is not known: it is then in the
/// future, because the clock of this machine is behind.
fn is_older(at: Timestamp, now: Timestamp, max_age: u64) -> bool {
    seconds(at, now) > max_age || is_later(at, now)
}

/// Returns true if a time is in the future.
pub(super) fn is_later(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > CLOCK_TOLERANCE
}

mod fleet_times;
#[cfg(test)]
mod tests;

pub(super) use fleet_times::FleetTimes;
