//! Days keep every number, whatever is pruned, renamed, converted or moved to another time zone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One with a half hour, one with 45 minutes, and one whose clocks change by half an hour.
const ZONES: [&str; 5] =
    ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"];

const UNITS: [Unit; 2] = [Unit::Millimetre, Unit::Inch];

const OLD: &str = "rain_today";
const NEW: &str = "rain_daily";

#[derive(Debug, Clone)]
enum Action {
    /// Observes numbers, each some minutes after the one before.
    Observe(Vec<(i64, f64)>),
    /// Writes an observation again, as a restart does: the n-th before the latest.
    Repeat(usize),
    /// Corrects the latest observation.
    Correct(f64),
    /// Prunes single observations, or quarters as well, up to some minutes before the latest observation.
    Prune {
        quarters: bool,
        minutes: i64,
    },
    SetUnit(Unit),
    SetZone(&'static str),
    Rename,
}

fn action() -> impl Strategy<Value = Action> {
    let number = (0..3600_i32).prop_map(|tenths| f64::from(tenths) / 10.0);
    let observations = prop::collection::vec((1..300_i64, number.clone()), 1..20);
    let minutes = prop_oneof![0..300_i64, 0..4000_i64];
    prop_oneof![
        4 => observations.prop_map(Action::Observe),
        4 => prop_oneof![Just(0), 0..10_usize, 0..60_usize].prop_map(Action::Repeat),
        1 => number.prop_map(Action::Correct),
        3 => (any::<bool>(), minutes)
            .prop_map(|(quarters, minutes)| Action::Prune { quarters, minutes }),
        1 => prop::sample::select(&UNITS[..]).prop_map(Action::SetUnit),
        4 => prop::sample::select(&ZONES[..]).prop_map(Action::SetZone),
        1 => Just(Action::Rename),
    ]
}

/// Count, sum and rise of a series.
type Numbers = (i64, f64, f64);

/// Returns the numbers of all series by field and unit, from the days.
fn recorded(fixture: &Fixture) -> BTreeMap<(String, String), Numbers> {
    let sql = "SELECT field, unit, sum(count), sum(sum), total(amount) FROM day \
               JOIN series ON series = id GROUP BY id";
    let connection = Connection::open(&fixture.path).unwrap();
    let mut select = connection.prepare(sql).unwrap();
    let rows = select.query_map([], |row| {
        Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?, row.get(4)?)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn expected(series: &BTreeMap<(&str, &str), Vec<f64>>) -> BTreeMap<(String, String), Numbers> {
    let numbers = series.iter().map(|(&(field, unit), all)| {
        let rises = all.windows(2).map(|pair| match pair[1] >= 0.9 * pair[0] {
            true => pair[1] - pair[0],
            false => pair[1],
        });
        ((field.into(), unit.into()), (all.len() as i64, all.iter().sum(), rises.sum()))
    });
    numbers.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn days_keep_their_numbers_whatever_is_done_to_the_file(
        actions in prop::collection::vec(action(), 1..16),
    ) {
        let fixture = Fixture::new();
        let (mut zone, mut unit, mut at) = (TimeZone::UTC, Unit::Millimetre, START);
        let mut series: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
        // Those that can be repeated under their name.
        let mut observed: Vec<Sample> = Vec::new();
        // Units whose latest number was corrected: the number before may be pruned, and the rise is unknown.
        let mut corrected: BTreeSet<&str> = BTreeSet::new();
        let mut sources: Vec<SourceFields> = Vec::new();
        for action in actions {
            let mut samples = Vec::new();
            match action.clone() {
                Action::Observe(numbers) => for (minutes, number) in numbers {
                    at += minutes * 60;
                    series.entry((OLD, unit.as_str())).or_default().push(number);
                    samples.push(sample(OLD, at, number, unit));
                    observed.extend(samples.last().cloned());
                },
                Action::Repeat(n) => samples.extend(observed.iter().rev().nth(n).cloned()),
                Action::Correct(number) => if let Some(latest) = observed.last_mut() {
                    latest.value = Finite::new(number).unwrap();
                    let unit = latest.unit.unwrap().as_str();
                    *series.get_mut(&(OLD, unit)).unwrap().last_mut().unwrap() = number;
                    corrected.insert(unit);
                    samples.push(Sample { corrects: Corrects::Any, ..latest.clone() });
                },
                Action::Prune { quarters, minutes } => {
                    drop(Writer::open(&fixture.path, &zone, &sources, || {}).unwrap());
                    let tables = if quarters { &["raw", "quarter"][..] } else { &["raw"] };
                    let connection = Connection::open(&fixture.path).unwrap();
                    for table in tables {
                        let sql = format!("DELETE FROM {table} WHERE at < ?");
                        connection.execute(&sql, [at - minutes * 60]).unwrap();
                    }
                }
                Action::SetUnit(other) => unit = other,
                Action::SetZone(name) => zone = TimeZone::get(name).unwrap(),
                // Fields are renamed once.
                Action::Rename if !sources.is_empty() => {}
                Action::Rename => {
                    drop(Writer::open(&fixture.path, &zone, &sources, || {}).unwrap());
                    let sql = "INSERT OR REPLACE INTO meta (key, value) \
                               SELECT 'earlier_series', coalesce(max(id), 0) FROM series";
                    Connection::open(&fixture.path).unwrap().execute(sql, []).unwrap();
                    let renamed = vec![RenamedSeries { old: OLD, new: NEW, is_rate: false }];
                    sources.push(SourceFields { source: "tank".into(), renamed });
                    observed.clear();
                    series = series.into_iter().map(|((_, unit), all)| ((NEW, unit), all)).collect();
                }
            }
            let mut writer = Writer::open(&fixture.path, &zone, &sources, || {}).unwrap();
            writer.mend_days().unwrap();
            writer.write([&Entry::Samples(samples)]).unwrap();
            drop(writer);
            let (found, expected) = (recorded(&fixture), expected(&series));
            prop_assert!(found.keys().eq(expected.keys()), "{action:?}: {found:?}");
            for (key, (count, sum, rise)) in expected {
                let found = found[&key];
                prop_assert_eq!(found.0, count, "{:?} {:?}", &action, &key);
                prop_assert!((found.1 - sum).abs() < 1e-3, "{action:?} {key:?} {found:?} {sum}");
                let is_known = !corrected.contains(&*key.1);
                prop_assert!(!is_known || (found.2 - rise).abs() < 1e-3, "{action:?} {key:?} {found:?} {rise}");
            }
        }
    }
}
