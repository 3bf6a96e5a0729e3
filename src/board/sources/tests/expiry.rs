//! The queue of expiries, the index by name and the published views, against a naive scan of all sources.

use std::collections::HashMap;

use fastrand::Rng;

use super::*;

/// Number of sequences.
const RUNS: u64 = 100;

/// Returns a random configuration: sources in any order, some with another kind or other settings.
fn configuration(random: &mut Rng) -> Vec<SourceInfo> {
    let mut names: Vec<usize> = (0..90).filter(|_| random.u8(..8) > 0).collect();
    random.shuffle(&mut names);
    let source = |number| SourceInfo {
        kind: if random.u8(..9) == 0 { "nws" } else { "json" },
        stale_after: Duration::from_secs([60, 900, 901, 86_400][random.usize(..4)]),
        configuration: random.u32(1..3),
        ..info(&format!("tank_{number}"))
    };
    names.into_iter().map(source).collect()
}

/// Returns everything of a view but its version.
fn content(view: &SourceView) -> String {
    format!("{:?}", SourceView { version: 0, ..view.clone() })
}

/// Asserts what holds after each step.
fn assert_consistent(sources: &Sources, now: Timestamp, context: &str) {
    let naive: BTreeSet<(Timestamp, usize)> = sources
        .sources
        .iter()
        .zip(0..)
        .filter_map(|(source, position)| Some((source.due_at()?, position)))
        .collect();
    assert_eq!(sources.due, naive, "{context}");
    assert!(sources.next_due().is_none_or(|due| due > now), "{context}");
    for (source, position) in sources.sources.iter().zip(0..) {
        let view = source.view();
        assert_eq!(sources.roster.position(&view.name), Some(position), "{context}");
        let is_past = view.reading.as_ref().is_some_and(|reading| now >= reading.stale_at);
        assert!(!is_past || view.state != State::Fresh, "{context}");
    }
}

#[test]
fn snapshot_and_next_expiry_are_those_of_a_naive_scan_over_random_reports_reloads_and_steps() {
    for seed in 0..RUNS {
        let mut random = Rng::with_seed(seed);
        let mut sources = Sources::new(configuration(&mut random), true, m(0));
        let mut before: HashMap<Arc<str>, Arc<SourceView>> = HashMap::new();
        let (mut now, mut step) = (0, 0);
        for version in 1..120 {
            now += [0, 1, 7, 61, 900][random.usize(..5)];
            let mut point = time_point(t(now + step), now);
            let action = random.u8(..40);
            match action {
                0 => {
                    step += [-7200, -30, 30, 7200][random.usize(..4)];
                    point = time_point(t(now + step), now);
                }
                1 => sources.renew(configuration(&mut random), point),
                2 => {
                    let saved = saved_readings(&sources);
                    let ahead = time_point(t(now + step - random.i64(0..5000)), now);
                    sources = Sources::new(configuration(&mut random), true, ahead);
                    sources.restore(saved, ahead);
                    point = ahead;
                    step = seconds(ahead.wall) - now;
                    before.clear();
                }
                _ => {
                    let name = format!("tank_{}", random.usize(..90));
                    let stamp =
                        t(now + step - [0, 59, 60, 899, 900, -40, -4000][random.usize(..7)]);
                    let outcome = match random.u8(..5) {
                        0 => failure(ErrorKind::Timeout),
                        1 => Ok(Polled::Unchanged),
                        _ => level(Observed::absolute(stamp), random.f64()),
                    };
                    let next_poll_at = point.wall;
                    let source = name.as_str().into();
                    let is_known =
                        sources.apply(Report { source, at: point, outcome, next_poll_at }, point);
                    assert_eq!(is_known, sources.sources.iter().any(|it| *it.view().name == *name));
                }
            }
            let _ = sources.expire(point);
            let context = format!("seed {seed}, version {version}, action {action}");
            assert_consistent(&sources, point.wall, &context);
            // Some inputs are not published one by one.
            if random.bool() {
                continue;
            }
            let published = sources.publish(version, point.wall);
            let views: Vec<&SourceView> = published.iter().collect();
            assert_eq!(views.len(), sources.sources.len());
            assert!(published.by_name().is_sorted_by_key(|view| view.name.clone()));
            for (view, source) in views.into_iter().zip(&sources.sources) {
                assert!(std::ptr::eq(view, source.view()), "{context}");
                assert!(std::ptr::eq(published.get(&view.name).unwrap(), view), "{context}");
                if let Some(earlier) = before.get(&view.name) {
                    let is_equal = content(view) == content(earlier);
                    // Bodies are kept by the version: a change without a new one would never be seen.
                    assert!(is_equal || view.version == version, "{context}");
                    assert!(view.version >= earlier.version, "{context}");
                }
            }
            before = published.by_name().map(|view| (view.name.clone(), view.clone())).collect();
        }
    }
}
