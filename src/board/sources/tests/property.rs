//! Invariants over random sequences of answers, restarts and steps of the clock.

use std::collections::HashMap;

use fastrand::Rng;

use super::*;
use crate::board::LastReading;
use crate::kernel::clock::CLOCK_TOLERANCE;

/// Number of sequences.
const RUNS: u64 = 300;

/// Returns an answer at `now`. Stamps are few, so that they recur, and some are far in the future or past.
fn answer(random: &mut Rng, now: i64) -> Result<Polled, PollError> {
    let stamps = [-5000, -300, 0, 300, 299, 1200, 4000, 40_000, 10_000_000_000, -1_000_000_000];
    let number = [50.0, 51.0, -9999.0, 1.7e308, 5e-324][random.usize(..5)];
    let minute = Duration::from_secs(60);
    match random.u8(..12) {
        0 => failure(ErrorKind::Timeout),
        1 => Ok(Polled::Unchanged),
        2 => level(Observed::absolute(t(now - random.i64(0..400))), number),
        3 => {
            // A value with its own time, beside one that was not sent.
            let observed = Some(Observed::absolute(t(stamps[random.usize(..stamps.len())])));
            let own = Value { observed, ..Value::number(number, Unit::Volt) };
            let values =
                vec![("level".into(), Value::missing(None, "sent as null")), ("own".into(), own)];
            let stamp = Observed::absolute(t(stamps[random.usize(..stamps.len())]));
            Ok(Polled::Reading(Reading { observed: stamp, values }))
        }
        4 if random.u8(..4) == 0 => {
            let age = Duration::from_secs(random.u64(0..1000));
            level(Observed::aged(t(now), age, minute), number)
        }
        _ => level(Observed::absolute(t(stamps[random.usize(..stamps.len())])), number),
    }
}

/// Returns the upstream's own stamp and the time that is shown.
fn stamp_and_time(view: &SourceView) -> Option<(Timestamp, Timestamp)> {
    let observed = view.reading.as_ref()?.observed;
    match observed.stamp {
        Stamp::Absolute(stamp) => Some((stamp, observed.at)),
        Stamp::Age { .. } | Stamp::Fetched => None,
    }
}

/// Returns true if the reading that was sent is the one that is shown.
fn is_shown(sent: &Reading, last: &LastReading) -> bool {
    let (sent, shown) = (sent.observed, last.observed);
    let is_near = shown.at.duration_since(sent.at) <= SignedDuration::from_secs(62);
    sent.stamp == shown.stamp && (is_near || !sent.stamp.is_by_machine())
}

#[test]
fn time_of_an_unchanged_stamp_never_moves_and_every_answer_parses() {
    for seed in 0..RUNS {
        let mut random = Rng::with_seed(seed);
        let with_trend = || SourceInfo {
            trends: vec![TrendSettings::of_fields(vec!["level".into(), "own".into()])],
            ..info("tank")
        };
        let mut sources = Sources::new(vec![with_trend(), info("weather")], true, m(0));
        // Time that each stamp has, since the clock was set last.
        let mut times: HashMap<Timestamp, Timestamp> = HashMap::new();
        let mut latest: Option<Timestamp> = None;
        // Answers in a row that were passed over: an earlier time may be shown after two.
        let mut passed_over = 0;
        let (mut now, mut step) = (0, 0);
        let mut trace: Vec<String> = Vec::new();
        for _ in 0..60 {
            now += random.i64(1..400);
            let point = time_point(t(now + step), now);
            match random.u8(..40) {
                0 => {
                    step += [-86_400, -30, 2, 30, 86_400][random.usize(..5)];
                    let _ = sources.expire(time_point(t(now + step), now));
                    (times, latest) = (HashMap::new(), None);
                    continue;
                }
                1 => {
                    let _ = sources.expire(point);
                    sources = restarted(&sources, point);
                    // Ages that are not held do not survive a restart.
                    times.retain(|stamp, _| {
                        stamp_and_time(&view(&sources, "tank"))
                            .is_some_and(|(held, _)| held == *stamp)
                    });
                }
                _ => {}
            }
            let outcome = answer(&mut random, now + step);
            trace.push(format!("{now}+{step}: {outcome:?}"));
            let before = sources.views().into_iter().next();
            let tank = report_at(&mut sources, "tank", point, outcome.clone());
            let context = || {
                let answers = trace[trace.len().saturating_sub(6)..].join("\n");
                format!("seed {seed}\n{answers}\nbefore: {before:?}")
            };
            if let Some((stamp, at)) = stamp_and_time(&tank) {
                let known = *times.entry(stamp).or_insert(at);
                // A clock that is ahead within the tolerance counts as right. A stamp that was in the future is
                // believed if it is sent again after another, once its time has come.
                let has_come = known < stamp && at == stamp;
                let is_known = at.duration_since(known).abs() <= CLOCK_TOLERANCE;
                assert!(is_known || has_come, "{}", context());
            }
            if let Some(last) = &tank.reading {
                let went_back = latest.is_some_and(|latest| last.observed.at < latest);
                assert!(!went_back || passed_over >= 2, "{}", context());
                passed_over = match &outcome {
                    Ok(Polled::Reading(reading)) if is_shown(reading, last) => 0,
                    Ok(Polled::Reading(_)) => passed_over + 1,
                    Ok(Polled::Unchanged) if passed_over > 0 && !went_back => passed_over + 1,
                    Ok(Polled::Unchanged) => 0,
                    Err(_) => passed_over,
                };
                latest = Some(last.observed.at);
                assert!(last.observed.at <= last.fetched_at, "{}", context());
                assert!(
                    last.fetched_at.duration_since(point.wall) <= CLOCK_TOLERANCE,
                    "{}",
                    context()
                );
            }
            let body = serde_json::to_vec(&sources.views()).unwrap();
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&body);
            assert!(parsed.is_ok(), "{}", context());
            for change in sources.take_changes() {
                if let Change::Observed(samples) = change {
                    let is_future =
                        |sample: &Sample| sample.at.duration_since(point.wall) > CLOCK_TOLERANCE;
                    assert!(!samples.iter().any(is_future), "{samples:?} {}", context());
                }
            }
        }
    }
}
