//! How old the data is, and what HTTP headers and gates make of that.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use jiff::Timestamp;

use crate::board::{SourceView, State};

use super::conditional::Dates;
use super::deliver::Policy;
use super::problem::Problem;

/// The state of a source at `now`. The board publishes anew when a reading turns
/// stale; until that snapshot is in, what is past its time is told as stale already.
pub(super) fn state_at(source: &SourceView, now: Timestamp) -> State {
    match &source.reading {
        Some(reading) if source.state == State::Fresh && now >= reading.stale_at => State::Stale,
        _ => source.state,
    }
}

/// Whether a source that was published as fresh has turned stale since.
pub(super) fn overtaken(source: &SourceView, now: Timestamp) -> bool {
    state_at(source, now) != source.state
}

/// The freshness headers over some sources.
pub(super) fn policy<'a>(sources: impl Iterator<Item = &'a SourceView>, now: Timestamp) -> Policy {
    let mut observed: Option<Timestamp> = None;
    let mut changed: Option<Timestamp> = None;
    let mut good_for: Option<u64> = None;
    for source in sources {
        changed = changed.max(source.error.as_ref().map(|failure| failure.since));
        if let Some(reading) = &source.reading {
            // Last-Modified may not be later than Date (RFC 9110 8.8.2.1).
            let at = reading.observed.at.min(now);
            observed = observed.max(Some(at));
            changed = changed.max(Some(at));
            if now >= reading.stale_at {
                changed = changed.max(Some(reading.stale_at));
            } else {
                // A copy kept past this moment would call itself fresh.
                good_for = sooner(good_for, within_interval(source, reading.stale_at, now));
            }
        }
        if let Some(next) = source.next_poll_at {
            good_for = sooner(good_for, within_interval(source, next, now));
        }
    }
    let max_age = good_for.unwrap_or(0);
    Policy {
        cache_control: HeaderValue::try_from(format!(
            "max-age={max_age}, stale-if-error={STALE_IF_ERROR}"
        ))
        .expect("words and digits are a header value"),
        last_modified: observed.and_then(http_date),
        dates: changed.map(|changed| Dates { changed, now }),
    }
}

/// How long a cache may serve the last answer while this server does not, in seconds.
const STALE_IF_ERROR: u32 = 86_400;

/// The gate `max_age=`: a problem if any of these sources is older, or never answered.
pub(super) fn require<'a>(
    sources: impl Iterator<Item = &'a SourceView>,
    max_age: u64,
    now: Timestamp,
) -> Result<(), Problem> {
    let older = sources.filter(|source| match &source.reading {
        None => true,
        Some(reading) => seconds(reading.observed.at, now) > max_age,
    });
    let older: Vec<&SourceView> = older.collect();
    if older.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = older.iter().map(|source| &*source.name).collect();
    let detail = format!("Older than {max_age} seconds, or never answered: {}.", names.join(", "));
    Err(Problem::unavailable(detail).retry_after(retry_after(&older, now)).about(&older, now))
}

/// Seconds until every one of these sources will have been polled again, at least 1, and at most
/// the longest of their intervals.
pub(super) fn retry_after(sources: &[&SourceView], now: Timestamp) -> u64 {
    let waits = sources
        .iter()
        .filter_map(|source| Some(within_interval(source, source.next_poll_at?, now)));
    waits.max().unwrap_or(1).max(1)
}

/// Seconds until a moment of a source's future, at most its interval.
///
/// The moment was computed by the clock of an earlier time. If the clock has been set back since,
/// the difference is as long as that step, and a client would keep one reading for all of it.
fn within_interval(source: &SourceView, moment: Timestamp, now: Timestamp) -> u64 {
    // An interval below a second is for tests; the headers know whole seconds only.
    seconds(now, moment).min(source.interval.as_secs().max(1))
}

/// Whole seconds from one moment to a later one; 0 if it is not later.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

fn sooner(known: Option<u64>, other: u64) -> Option<u64> {
    Some(known.map_or(other, |known| known.min(other)))
}

/// `IMF-fixdate` (RFC 9110 5.6.7). It has four digits for the year, and `httpdate`
/// panics before 1970; a sensor's clock may be that wrong, and then is not told.
fn http_date(at: Timestamp) -> Option<HeaderValue> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(at.as_second()).ok().filter(|&seconds| seconds < YEAR_10000)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::{now, source_at, tank, waiting};

    #[test]
    fn age_gate_at_its_edge() {
        // The fixture's tank was observed 240 seconds before NOW.
        for (sources, max_age, passes) in [
            (vec![tank()], 240, true),
            (vec![tank()], 239, false),
            (vec![tank()], u64::MAX, true),
            (vec![waiting("well", "json")], u64::MAX, false),
            (vec![tank(), waiting("well", "json")], u64::MAX, false),
            (vec![], 0, true),
        ] {
            let outcome = require(sources.iter(), max_age, now());
            assert_eq!(outcome.is_ok(), passes, "{max_age}");
        }
    }

    #[test]
    fn caching_ends_at_the_next_poll_or_when_a_reading_turns_stale() {
        // Seconds from NOW to the next poll and to staleness.
        for (next_poll, stale, max_age) in
            [(61, 900, 61), (61, 30, 30), (-5, 900, 0), (61, -900, 61)]
        {
            let source = source_at(-1000, stale, next_poll);
            let policy = policy([source].iter(), now());
            let expected = format!("max-age={max_age}, stale-if-error=86400");
            assert_eq!(policy.cache_control, expected, "{next_poll} {stale}");
        }
    }

    #[test]
    fn clock_set_back_prolongs_no_answer_beyond_the_interval() {
        const INTERVAL: u64 = 300;
        // Seconds from NOW to the next poll and to staleness, as they look after a step back.
        for (next_poll, stale, max_age, retry) in [
            (241, 960, 241, 241),
            (300, 960, 300, 300),
            (301, 960, INTERVAL, INTERVAL),
            (31_536_000, 31_536_900, INTERVAL, INTERVAL),
            (i64::from(i32::MAX), 60, 60, INTERVAL),
            (-31_536_000, -31_536_000, 0, 1),
        ] {
            let mut source = source_at(-1000, stale, next_poll);
            source.interval = Duration::from_secs(INTERVAL);
            let policy = policy([source.clone()].iter(), now());
            let expected = format!("max-age={max_age}, stale-if-error=86400");
            assert_eq!(policy.cache_control, expected, "{next_poll} {stale}");
            assert_eq!(retry_after(&[&source], now()), retry, "{next_poll}");
            // Each source has its own interval; the answer is as good as the shortest of them.
            let hourly = SourceView { interval: Duration::from_secs(3600), ..source.clone() };
            let both = super::policy([hourly.clone(), source.clone()].iter(), now());
            assert_eq!(both.cache_control, expected, "{next_poll} {stale}");
        }
    }

    #[test]
    fn impossible_clocks_are_not_told_as_dates() {
        let mut ancient = tank();
        ancient.reading.as_mut().unwrap().observed.at = "1949-01-01T00:00:00Z".parse().unwrap();
        assert!(policy([ancient].iter(), now()).last_modified.is_none());
        let mut ahead = tank();
        ahead.reading.as_mut().unwrap().observed.at = "2099-01-01T00:00:00Z".parse().unwrap();
        let told = policy([ahead].iter(), now()).last_modified.unwrap();
        assert_eq!(told, "Sat, 31 Jan 2026 17:20:00 GMT");
    }

    #[test]
    fn what_turned_stale_since_its_publication_is_stale() {
        assert_eq!(state_at(&source_at(-100, 0, 10), now()), State::Stale);
        assert_eq!(state_at(&source_at(-100, 1, 10), now()), State::Fresh);
        assert_eq!(state_at(&waiting("well", "json"), now()), State::Waiting);
    }
}
