mod conditions;
mod hours;
mod model;
mod observations;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Monitor, Names, Phase, Transition};
use crate::alert::{EndReason, FieldSight, IncidentId, Rule, Sight, SubjectKey, TimeToEmpty};
use crate::board::{Datum, Finite};
use crate::config::{
    Alert, AlertRule, FieldCondition, Limit, Severity, SourceCondition, SourceSelection,
};
use crate::units::{OverTime, Unit};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Age at which observations turn stale: none does in these tests, but where they say so.
const STALE_AFTER: Duration = Duration::from_secs(366 * 86_400);

/// Begin of the tests: midnight in the zone of the tests.
fn start() -> Timestamp {
    "2026-02-03T08:00:00Z".parse().unwrap()
}

/// Returns the time of a minute of the test.
fn minute(minute: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minute)
}

fn zone() -> TimeZone {
    TimeZone::get("America/Los_Angeles").unwrap()
}

fn gallons(number: f64) -> Limit {
    Limit { number, unit: Some(Unit::UsGallon) }
}

fn number(number: f64) -> Datum {
    Datum::Number(Finite::new(number).unwrap())
}

fn below(threshold: f64, clear: Option<f64>) -> FieldCondition {
    FieldCondition::Below { threshold: gallons(threshold), clear: clear.map(gallons) }
}

fn alert(rule: AlertRule) -> Alert {
    Alert::new("tank", Severity::Critical, rule)
}

fn on_field(condition: FieldCondition) -> Alert {
    let sources = SourceSelection::One("tank".into());
    alert(AlertRule::Field { sources, field: "volume".into(), condition })
}

fn on_source(condition: SourceCondition) -> Alert {
    alert(AlertRule::Source { sources: SourceSelection::All, condition })
}

/// A rule with its monitor and the time of the test.
struct Bench {
    rule: Rule,
    monitor: Monitor,
    now: Timestamp,
    next_id: u64,
    unit: Option<Unit>,
    over_time: OverTime,
    stale_after: Duration,
}

impl Bench {
    fn new(alert: Alert) -> Bench {
        Bench {
            rule: Rule::new(Arc::new(alert)),
            monitor: Monitor::new(),
            now: start(),
            next_id: 1,
            unit: Some(Unit::UsGallon),
            over_time: OverTime::Mean,
            stale_after: STALE_AFTER,
        }
    }

    fn of(condition: FieldCondition) -> Bench {
        Bench::new(on_field(condition))
    }

    fn holding(condition: FieldCondition, hold: Duration) -> Bench {
        Bench::new(Alert { hold, ..on_field(condition) })
    }

    fn sight<'a>(&self, at: Timestamp, value: Option<&'a Datum>) -> FieldSight<'a> {
        FieldSight {
            observed_at: at,
            is_by_machine: false,
            value,
            unit: self.unit,
            over_time: self.over_time,
            is_stale: false,
            stale_after: self.stale_after,
            rate: None,
            time_to_empty: TimeToEmpty::Unknown,
        }
    }

    fn observe(&mut self, sight: &Sight<'_>) -> Option<Transition> {
        let Bench { rule, monitor, now, next_id, .. } = self;
        with_names(next_id, |new_id, names| {
            monitor.observe(rule, sight, *now, &zone(), new_id, names)
        })
    }

    fn tick(&mut self, at: Timestamp) -> Option<Transition> {
        self.now = at;
        let Bench { rule, monitor, now, next_id, .. } = self;
        with_names(next_id, |new_id, names| monitor.tick(rule, *now, &zone(), new_id, names))
    }

    fn due(&self) -> Option<Timestamp> {
        self.monitor.due(&self.rule, &zone())
    }

    /// Shows a value that was observed at a minute and is seen at once.
    fn value(&mut self, at: i64, value: f64) -> Option<Transition> {
        self.now = minute(at);
        self.value_seen_later(at, value)
    }

    /// Shows a value that was observed at a minute, at the present time.
    fn value_seen_later(&mut self, at: i64, value: f64) -> Option<Transition> {
        let value = number(value);
        let sight = self.sight(minute(at), Some(&value));
        self.observe(&Sight::Field(sight))
    }

    /// Shows values in turn, and returns what each leads to: see [`letter`].
    fn letters(&mut self, values: &[(i64, f64)]) -> String {
        values.iter().map(|&(at, value)| letter(self.value(at, value).as_ref())).collect()
    }

    fn restart(&mut self) {
        let saved = self.monitor.saved();
        self.monitor = saved.map_or_else(Monitor::new, |saved| Monitor::restore(&saved).unwrap());
    }
}

fn with_names<T>(
    next_id: &mut u64,
    call: impl FnOnce(&mut dyn FnMut() -> IncidentId, &Names<'_>) -> T,
) -> T {
    let key = SubjectKey { alert: "tank".into(), source: Some("tank".into()), replica: None };
    let (title, field): (Arc<str>, Arc<str>) = ("Tank".into(), "volume".into());
    let mut new_id = || {
        *next_id += 1;
        IncidentId(*next_id)
    };
    call(&mut new_id, &Names { key: &key, title: &title, field: Some(&field) })
}

/// Returns a transition as a letter: `.` none, `P` pending, `c` cleared, `F` fired, `r` resolved, `o` outside of the
/// hours, `w` withdrawn.
fn letter(transition: Option<&Transition>) -> char {
    match transition {
        None => '.',
        Some(Transition::Pending) => 'P',
        Some(Transition::Cleared) => 'c',
        Some(Transition::Fired(_)) => 'F',
        Some(Transition::Ended(incident)) => match incident.ended.unwrap().reason {
            EndReason::Resolved => 'r',
            EndReason::OutsideHours => 'o',
            EndReason::Withdrawn => 'w',
            EndReason::Duplicate => 'd',
        },
    }
}

#[test]
fn inactive_monitor_of_a_threshold_is_small() {
    // Without a window, a monitor has nothing on the heap.
    assert!(size_of::<Monitor>() <= 200, "{}", size_of::<Monitor>());
}
