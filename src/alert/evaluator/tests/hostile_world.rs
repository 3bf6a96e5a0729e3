//! Arbitrary observations, kills, reloads, commands and clocks: no incident is lost or doubled.

use proptest::prelude::*;

use super::*;

/// A step of the world.
#[derive(Debug, Clone)]
enum Step {
    /// An observation of a source, some minutes before the present; `None`: null.
    Report(bool, i64, Option<u16>),
    Pass(i64),
    SetClock(i64),
    /// Killed before what followed from the latest look was saved, or after.
    Kill {
        is_saved: bool,
    },
    /// A reload or a restart with other rules.
    Configure {
        rules: u8,
        is_reload: bool,
    },
    Acknowledge,
    Silence(i64),
    Unsilence,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gallons =
        prop_oneof![Just(100_u16), Just(299), Just(300), Just(349), Just(350), 0..800_u16];
    let step = prop_oneof![
        8 => (any::<bool>(), prop_oneof![4 => Just(0), 1 => -5..60_i64], proptest::option::weighted(0.9, gallons))
            .prop_map(|(is_a, ago, gallons)| Step::Report(is_a, ago, gallons)),
        4 => (1..30_i64).prop_map(Step::Pass),
        1 => (-3_000_000..3_000_000_i64).prop_map(Step::SetClock),
        2 => any::<bool>().prop_map(|is_saved| Step::Kill { is_saved }),
        1 => (0..4_u8, any::<bool>()).prop_map(|(rules, is_reload)| Step::Configure { rules, is_reload }),
        1 => Just(Step::Acknowledge),
        1 => (1..100_i64).prop_map(Step::Silence),
        1 => Just(Step::Unsilence),
    ];
    proptest::collection::vec(step, 1..120)
}

fn rules(number: u8) -> Vec<Alert> {
    let hold = Duration::from_secs(600);
    match number {
        0 => vec![low(SourceSelection::All), stale(SourceSelection::All)],
        1 => vec![Alert { hold, repeat: vec![hold], ..low(SourceSelection::All) }],
        2 => vec![stale(one("b")), low(one("a"))],
        _ => vec![Alert {
            between: Some("06:00-18:00".parse().unwrap()),
            ..low(SourceSelection::All)
        }],
    }
}

/// Checks all notices that were saved and all incidents in the file.
fn check(world: &World, notices: &[Arc<Notice>]) -> Result<(), TestCaseError> {
    let mut fires: BTreeMap<(Arc<str>, IncidentId), usize> = BTreeMap::new();
    let mut ends = fires.clone();
    for notice in notices {
        let place = (notice.key.channel.clone(), notice.key.incident);
        match notice.key.kind {
            NoticeKind::Fired => *fires.entry(place).or_default() += 1,
            NoticeKind::Ended => {
                prop_assert!(fires.contains_key(&place), "an end before its fire");
                *ends.entry(place).or_default() += 1;
            }
            NoticeKind::Reminder => {
                prop_assert!(fires.contains_key(&place), "a reminder before the fire");
                prop_assert!(!ends.contains_key(&place), "a reminder after the end");
            }
        }
    }
    prop_assert!(fires.values().all(|count| *count == 1), "{fires:?}");
    prop_assert!(ends.values().all(|count| *count == 1), "{ends:?}");
    for (_, id) in fires.keys() {
        let incident = world.incidents.get(id);
        prop_assert!(incident.is_some(), "a message about an incident that the file lacks");
    }
    for incident in world.incidents.values().filter(|incident| incident.ended.is_some()) {
        for channel in ["phone", "mail"] {
            let place = (Arc::from(channel), incident.id);
            let both = (fires.contains_key(&place), ends.contains_key(&place));
            prop_assert!(both.0 == both.1, "{channel} got the fire or the end only: {incident:?}");
        }
    }
    // At most one incident of a subject is open.
    let mut open: Vec<&SubjectKey> = world
        .incidents
        .values()
        .filter(|incident| incident.ended.is_none())
        .map(|incident| &incident.subject)
        .collect();
    let count = open.len();
    open.sort_unstable();
    open.dedup();
    prop_assert_eq!(open.len(), count, "two open incidents of a subject");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_incident_is_lost_or_doubled(steps in steps()) {
        let mut configuration = 0;
        let mut world = World::new(rules(configuration));
        let mut notices = Vec::new();
        for step in steps {
            match step {
                Step::Report(is_a, ago, gallons) => {
                    let source = if is_a { "a" } else { "b" };
                    let minute = world.minute - ago;
                    world.report_at(source, minute, gallons.map(f64::from));
                }
                Step::Pass(minutes) => world.pass(minutes),
                Step::SetClock(minutes) => world.set_clock(minutes),
                Step::Kill { is_saved } => {
                    world.see();
                    if is_saved {
                        world.save();
                    }
                    world.restart(rules(configuration));
                }
                Step::Configure { rules: number, is_reload } => {
                    configuration = number;
                    let now = world.now();
                    match is_reload {
                        true => world.evaluator.renew(settings(rules(number)), now),
                        false => world.restart(rules(number)),
                    }
                    world.save();
                }
                Step::Acknowledge => {
                    let now = world.now().wall;
                    let _ = world.evaluator.acknowledge("tank_low", None, &"ann".into(), now);
                    world.save();
                }
                Step::Silence(minutes) => {
                    let now = world.now().wall;
                    let until = now + SignedDuration::from_mins(minutes);
                    let _ = world.evaluator.silence("tank_low", until, "ann", now);
                    world.save();
                }
                Step::Unsilence => {
                    let now = world.now().wall;
                    let _ = world.evaluator.unsilence("tank_low", "ann", now);
                    world.save();
                }
            }
            world.look();
            notices.append(&mut world.notices);
            check(&world, &notices)?;
        }
        // Everything is well in the end, and all incidents end with it.
        world.restart(Vec::new());
        notices.append(&mut world.notices);
        check(&world, &notices)?;
        let is_open = world.incidents.values().any(|incident| incident.ended.is_none());
        prop_assert!(!is_open, "an incident that never ends");
    }
}
