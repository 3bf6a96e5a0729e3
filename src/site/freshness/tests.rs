use http::HeaderValue;

use super::*;
use crate::site::fixture::{at, now, snapshot, source_at, tank, waiting};

fn cache_control(sources: &[SourceView]) -> HeaderValue {
    Freshness::assess(sources, now()).cache_policy().cache_control
}

#[test]
fn reading_at_the_edge_of_max_age_passes_and_a_second_older_is_rejected() {
    // The fixture's tank was observed 240 seconds before `now`.
    for (sources, max_age, passes) in [
        (vec![tank()], 240, true),
        (vec![tank()], 239, false),
        (vec![tank()], u64::MAX, true),
        (vec![waiting("well", "json")], u64::MAX, false),
        (vec![tank(), waiting("well", "json")], u64::MAX, false),
        (vec![], 0, true),
    ] {
        let outcome = Freshness::assess(&sources, now()).require_max_age(max_age);
        assert_eq!(outcome.is_ok(), passes, "{max_age}");
    }
}

#[test]
fn max_age_ends_at_the_next_poll_or_when_a_reading_turns_stale() {
    // Seconds from `now` to the next poll and to staleness.
    for (next_poll, stale, max_age) in [(61, 900, 61), (61, 30, 30), (-5, 900, 0), (61, -900, 61)] {
        let source = source_at(-1000, stale, next_poll);
        let expected = format!("max-age={max_age}, stale-if-error=86400");
        assert_eq!(cache_control(&[source]), expected, "{next_poll} {stale}");
    }
    // Its reading was kept over a restart, and its slot is known to the scheduler only.
    let kept = SourceView { next_poll_at: None, ..source_at(-100, 800, 61) };
    let expected = "max-age=0, stale-if-error=86400";
    assert_eq!(cache_control(std::slice::from_ref(&kept)), expected);
    assert_eq!(cache_control(&[source_at(-100, 800, 61), kept]), expected);
}

#[test]
fn response_after_the_clock_is_set_back_is_cached_for_the_interval_at_most() {
    const INTERVAL: u64 = 300;
    // Seconds from `now` to the next poll and to staleness, as they look after a step back.
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
        let expected = format!("max-age={max_age}, stale-if-error=86400");
        let sources = std::slice::from_ref(&source);
        assert_eq!(cache_control(sources), expected, "{next_poll} {stale}");
        assert_eq!(Freshness::assess(sources, now()).retry_after(), retry, "{next_poll}");
        // Each source has its own interval; the response is valid for the shortest of them.
        let hourly = SourceView { interval: Duration::from_secs(3600), ..source.clone() };
        assert_eq!(cache_control(&[hourly, source]), expected, "{next_poll} {stale}");
    }
}

#[test]
fn impossible_observation_time_is_not_sent_as_a_date() {
    let mut ancient = tank();
    ancient.reading.as_mut().unwrap().observed.at = "1949-01-01T00:00:00Z".parse().unwrap();
    let last_modified = |source| Freshness::assess([&source], now()).cache_policy().last_modified;
    assert!(last_modified(ancient).is_none());
    let mut ahead = tank();
    ahead.reading.as_mut().unwrap().observed.at = "2099-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(last_modified(ahead).unwrap(), "Sat, 31 Jan 2026 17:20:00 GMT");
}

#[test]
fn reading_that_turned_stale_since_the_snapshot_is_stale() {
    for (source, state, is_newer) in [
        (source_at(-100, 0, 10), State::Stale, true),
        (source_at(-100, 1, 10), State::Fresh, false),
        (waiting("well", "json"), State::Waiting, false),
    ] {
        assert_eq!(state_at(&source, now()), state);
        assert_eq!(is_behind(&snapshot(vec![source]), now()), is_newer);
    }
}

#[test]
fn snapshot_of_many_sources_is_behind_once_the_board_is_late() {
    for (count, seconds, expected) in [(30, 0, true), (31, 0, false), (31, 1, true)] {
        let sources = (0..count).map(|number| SourceView {
            name: format!("tank_{number}").into(),
            ..source_at(-100, -seconds, 10)
        });
        assert_eq!(is_behind(&snapshot(sources.collect()), now()), expected, "{count} {seconds}");
    }
    // The clock was set back since the publication.
    let fresh = snapshot(vec![tank()]);
    assert!(!is_behind(&fresh, at(-2)));
    assert!(is_behind(&fresh, at(-3)));
}

#[test]
fn times_of_a_fleet_give_the_headers_of_its_sources() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..2000 {
        let source = |number: usize, random: &mut fastrand::Rng| {
            let mut source = match random.u8(..5) {
                0 => waiting("x", "json"),
                _ => source_at(random.i64(-2000..1), random.i64(-500..900), random.i64(-5..600)),
            };
            source.name = format!("tank_{number}").into();
            source.interval = Duration::from_secs(random.u64(1..400));
            source.next_poll_at = source.next_poll_at.filter(|_| random.u8(..4) > 0);
            if random.bool() {
                source = crate::site::fixture::failing(source, crate::board::ErrorKind::Dns, "x");
            }
            source
        };
        let sources: Vec<SourceView> =
            (0..random.usize(0..5)).map(|number| source(number, &mut random)).collect();
        let later = at(random.i64(0..2));
        let whole = Freshness::assess(&sources, later);
        let fleet = FleetTimes::of(&sources.iter().cloned().collect(), now());
        let (whole_policy, policy) = (whole.cache_policy(), fleet.cache_policy(later));
        assert_eq!(whole_policy.cache_control, policy.cache_control);
        assert_eq!(whole_policy.last_modified, policy.last_modified);
        let max_age = random.u64(0..2000);
        let is_accepted = whole.require_max_age(max_age).is_ok();
        assert_eq!(fleet.are_within(max_age, later), is_accepted, "{max_age} {sources:?}");
    }
}
