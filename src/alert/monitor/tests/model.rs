//! Arbitrary sequences of observations, restarts, reloads and settings of the clock.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::super::Memory;
use super::*;
use crate::alert::rule::moved;
use crate::alert::{FailureSight, SourceSight};
use crate::board::State;

#[derive(Debug, Clone)]
enum Step {
    /// The clock advances, and the source has a new observation of that age.
    Observe { after: i64, age: i64, value: Seen },
    /// The latest observation is seen again.
    Repeat,
    /// The latest observation has another value.
    Correct(Seen),
    /// The clock advances.
    Tick(i64),
    /// The monitor is asked when it is due, and ticks then.
    TickWhenDue,
    /// A person answers.
    Acknowledge,
    /// The rule is changed and changed back.
    Reload,
    /// The process is killed: what was saved with the latest transition is restored.
    Kill,
    /// The clock is set by seconds, and the monitor learns of it, or not.
    SetClock(i64, bool),
    /// The unit of the field changes.
    Unit(bool),
}

#[derive(Debug, Clone, Copy)]
enum Seen {
    Value(f64),
    Stale(f64),
    Null,
}

fn seen() -> impl Strategy<Value = Seen> {
    let value = || {
        prop_oneof![
            2 => Just(299.0),
            1 => proptest::sample::select(&[250.0, 299.0, 299.9, 300.0, 303.0, 306.0, 350.0][..]),
            1 => 200.0..400.0,
        ]
    };
    prop_oneof![
        8 => value().prop_map(Seen::Value),
        1 => value().prop_map(Seen::Stale),
        1 => Just(Seen::Null),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    const YEAR: i64 = 366 * 86_400;
    let after = || prop_oneof![0_i64..60, 0_i64..1800, 0_i64..40_000];
    let age = prop_oneof![4 => Just(0_i64), 2 => 0_i64..2000, 1 => -100_000_i64..0];
    let set = prop_oneof![-7200_i64..7200, -20 * YEAR..20 * YEAR, Just(i64::MIN), Just(i64::MAX)];
    prop_oneof![
        12 => (after(), age, seen()).prop_map(|(after, age, value)| Step::Observe { after, age, value }),
        2 => Just(Step::Repeat),
        2 => seen().prop_map(Step::Correct),
        2 => after().prop_map(Step::Tick),
        2 => Just(Step::TickWhenDue),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::Reload),
        2 => Just(Step::Kill),
        1 => (set, any::<bool>()).prop_map(|(step, is_told)| Step::SetClock(step, is_told)),
        1 => any::<bool>().prop_map(Step::Unit),
    ]
}

fn rules() -> Vec<Alert> {
    let within = HOUR;
    let (by, clear) = (gallons(40.0), None);
    let fields = [
        below(300.0, None),
        FieldCondition::Outside { low: gallons(260.0), high: gallons(340.0), clear: None },
        FieldCondition::Falls { by, within, clear },
        FieldCondition::Rises { by, within, clear },
        FieldCondition::NoRise { by, within },
        FieldCondition::Flat { over: 10 * MINUTE },
    ];
    let mut rules: Vec<Alert> = fields.into_iter().map(on_field).collect();
    rules.push(on_source(SourceCondition::Stale));
    rules.push(on_source(SourceCondition::Failing { over: 10 * MINUTE }));
    rules
}

fn rule() -> impl Strategy<Value = Alert> {
    let hold = prop_oneof![Just(Duration::ZERO), Just(10 * MINUTE)];
    let between = prop_oneof![Just(None), Just(Some("00:00-04:30")), Just(Some("22:00-07:00"))];
    (proptest::sample::select(rules()), hold, between).prop_map(|(alert, hold, between)| Alert {
        hold,
        between: between.map(|between| between.parse().unwrap()),
        ..alert
    })
}

/// Invariants after each step.
struct Model {
    bench: Bench,
    /// State as of the latest transition.
    disk: Option<String>,
    fired: BTreeSet<IncidentId>,
    open: Option<IncidentId>,
    latest: Option<(Timestamp, Seen)>,
    /// True once a value has met the condition of a rule that is lower than a threshold.
    was_below: bool,
}

impl Model {
    fn new(alert: Alert) -> Model {
        Model {
            bench: Bench::new(alert),
            disk: None,
            fired: BTreeSet::new(),
            open: None,
            latest: None,
            was_below: false,
        }
    }

    fn apply(&mut self, step: &Step) {
        let seconds = |seconds: i64| SignedDuration::from_secs(seconds);
        match *step {
            Step::Observe { after, age, value } => {
                self.bench.now = moved(self.bench.now, seconds(after));
                self.latest = Some((moved(self.bench.now, seconds(-age)), value));
                self.look();
            }
            Step::Repeat => self.look(),
            Step::Correct(value) => {
                self.latest = self.latest.map(|(at, _)| (at, value));
                self.look();
            }
            Step::Tick(after) => self.tick(moved(self.bench.now, seconds(after))),
            Step::TickWhenDue => {
                if let Some(due) = self.bench.due() {
                    self.tick(due.max(self.bench.now));
                    // Ticking must not be due for ever at the same time.
                    for _ in 0..3 {
                        match self.bench.due() {
                            Some(due) if due <= self.bench.now => self.tick(self.bench.now),
                            _ => return,
                        }
                    }
                    panic!("due again and again at {}", self.bench.now);
                }
            }
            Step::Acknowledge => {
                let (monitor, now) = (&mut self.bench.monitor, self.bench.now);
                let is_known = monitor.incident().is_some_and(|i| i.acknowledged.is_some());
                let is_new = monitor.acknowledge("ada".into(), now);
                assert_eq!(is_new, self.open.is_some() && !is_known);
                self.disk = monitor.saved();
            }
            Step::Reload => {
                let ended = self.bench.monitor.withdraw(self.bench.now);
                self.follow(ended);
                self.bench.monitor = Monitor::new();
                self.disk = None;
            }
            Step::Kill => {
                let disk = self.disk.as_deref();
                self.bench.monitor =
                    disk.map_or_else(Monitor::new, |disk| Monitor::restore(disk).unwrap());
            }
            Step::SetClock(by, is_told) => {
                self.bench.now = moved(self.bench.now, seconds(by));
                if is_told {
                    self.bench.monitor.redate(seconds(by));
                }
            }
            Step::Unit(is_litre) => {
                self.bench.unit = Some(if is_litre { Unit::Litre } else { Unit::UsGallon });
            }
        }
        self.check();
    }

    /// Returns what would follow if the process were restarted before the call, and the call's own result.
    fn twice(&mut self, call: impl Fn(&mut Bench) -> Option<Transition>) {
        let monitor = &self.bench.monitor;
        let saved = monitor.saved();
        let mut restored =
            saved.map_or_else(Monitor::new, |saved| Monitor::restore(&saved).unwrap());
        if monitor.state() == Phase::Inactive {
            // The history has the window, and the board has the state of the source.
            if matches!(monitor.memory, Memory::Window(_)) {
                restored.memory = monitor.memory.clone();
            }
            restored.unit = monitor.unit;
            restored.clock = monitor.clock.clone();
        }
        let mut twin = Bench {
            rule: self.bench.rule.clone(),
            monitor: restored,
            now: self.bench.now,
            next_id: self.bench.next_id,
            unit: self.bench.unit,
            over_time: self.bench.over_time,
        };
        let expected = call(&mut twin);
        let transition = call(&mut self.bench);
        assert_eq!(transition, expected, "after a restart");
        assert_eq!(self.bench.monitor.status, twin.monitor.status, "after a restart");
        self.follow(transition);
    }

    fn tick(&mut self, at: Timestamp) {
        self.twice(|bench| bench.tick(at));
    }

    fn look(&mut self) {
        let Some((at, value)) = self.latest else { return };
        let litres = if self.bench.unit == Some(Unit::Litre) { 3.785_411_784 } else { 1.0 };
        let (datum, is_stale) = match value {
            Seen::Value(value) => (Some(number(value * litres)), false),
            Seen::Stale(value) => (Some(number(value * litres)), true),
            Seen::Null => (None, false),
        };
        if let Some(AlertRule::Source { .. }) = Some(&self.bench.rule.alert().rule) {
            let is_failing = !matches!(value, Seen::Value(_));
            let failure = FailureSight { since: at, failures: 1, message: "connection refused" };
            let sight = SourceSight {
                state: if is_stale { State::Stale } else { State::Fresh },
                stale_at: Some(moved(at, SignedDuration::from_mins(15))),
                observed_at: Some(at),
                waiting_until: start(),
                fetched_at: (!is_failing).then_some(self.bench.now),
                failing: is_failing.then_some(failure),
            };
            return self.twice(|bench| bench.observe(&Sight::Source(sight)));
        }
        // Rounding of the conversion may move a value by its last digit.
        self.was_below |= matches!(value, Seen::Value(value) if value < 300.0 + 1e-9);
        let before = self.bench.monitor.status.clone();
        let sight = FieldSight { is_stale, ..self.bench.sight(at, datum.as_ref()) };
        self.twice(|bench| bench.observe(&Sight::Field(sight)));
        if !matches!(value, Seen::Value(_)) && self.bench.rule.alert().between.is_none() {
            assert_eq!(self.bench.monitor.status, before, "null and stale values change nothing");
        }
    }

    fn follow(&mut self, transition: Option<Transition>) {
        match &transition {
            None => return,
            Some(Transition::Fired(incident)) => {
                assert!(self.fired.insert(incident.id), "fired twice");
                assert_eq!(self.open.replace(incident.id), None, "two incidents are open");
            }
            Some(Transition::Ended(incident)) => {
                assert_eq!(self.open.take(), Some(incident.id), "ended, but not open");
            }
            Some(Transition::Pending | Transition::Cleared) => assert_eq!(self.open, None),
        }
        self.disk = self.bench.monitor.saved();
    }

    fn check(&self) {
        let incident = self.bench.monitor.incident();
        assert_eq!(incident.map(|incident| incident.id), self.open, "an incident was lost");
        assert!(incident.is_none_or(|incident| incident.ended.is_none()));
        let condition = self.bench.rule.field_condition();
        if matches!(condition, Some(FieldCondition::Below { .. })) && !self.was_below {
            assert_eq!(self.bench.monitor.state(), Phase::Inactive, "no value was below");
        }
    }
}

proptest! {
    #[test]
    fn incident_fires_once_and_ends_at_most_once(
        alert in rule(),
        steps in proptest::collection::vec(step(), 1..50),
    ) {
        let mut model = Model::new(alert);
        for step in &steps {
            model.apply(step);
        }
    }
}

#[test]
fn model_reaches_incidents_of_each_rule() {
    let mut runner = TestRunner::deterministic();
    let steps = proptest::collection::vec(step(), 50);
    for alert in rules() {
        let mut fired = 0;
        for _ in 0..20 {
            let mut model = Model::new(alert.clone());
            steps.new_tree(&mut runner).unwrap().current().iter().for_each(|s| model.apply(s));
            fired += model.fired.len();
        }
        assert!(fired > 0, "{alert:?}");
    }
}
