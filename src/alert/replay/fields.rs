//! Rules on the fields of one source during a replay: pure, without I/O and without a clock.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::evaluator::time_to_empty;
use super::super::monitor::MIN_RECORDED_GAP;
use super::super::sight::{FieldSight, Sight, TimeToEmpty};
use super::feed::{Feed, Row};
use super::plan::{Input, SourcePlan};
use super::quarter::{Order, observations};
use super::subject::Subject;
use super::trend::{Field, TrendReplay};
use crate::board::{Datum, Finite, Value};
use crate::config::{AlertRule, Source};
use crate::units::{OverTime, Unit};

/// Field of a trend: the hours until a tank is empty.
const TIME_TO_EMPTY: &str = "time_to_empty";

/// A rule with its input.
struct Watcher {
    input: Input,
    /// Name of the rate of its field, of a rule on the time until a tank is empty.
    rate: Option<String>,
    order: Order,
    over_time: OverTime,
    subject: Subject,
}

/// The rules on the fields of a source.
pub(super) struct FieldReplay<'a> {
    zone: &'a TimeZone,
    stale_after: Duration,
    fields: Vec<Field>,
    /// Latest number of each field.
    previous: Vec<Option<f64>>,
    trends: Vec<TrendReplay>,
    /// True for each trend that has derived values at this time.
    is_derived: Vec<bool>,
    watchers: Vec<Watcher>,
}

impl<'a> FieldReplay<'a> {
    /// Returns the rules of a plan before the first observation. `subjects` are in its order.
    pub(super) fn new(
        source: &Source,
        plan: &SourcePlan,
        feeds: &[Feed],
        subjects: Vec<Subject>,
        zone: &'a TimeZone,
    ) -> FieldReplay<'a> {
        let named = plan.fields().iter().zip(feeds);
        let fields = named.map(|(name, feed)| (name.clone(), feed.unit())).collect();
        let trends = plan.trends().iter().cloned();
        let watcher = |(input, subject): (&Input, Subject)| {
            let AlertRule::Field { field, condition, .. } = &subject.rule().alert().rule else {
                return None;
            };
            let over_time = match input {
                Input::Recorded(field) | Input::Content { field, .. } => feeds[*field].over_time(),
                // The trend computes rates and changes, none of which is a counter.
                Input::Derived { .. } => OverTime::Mean,
            };
            let rate = matches!(input, Input::Content { .. }).then(|| format!("{field}_rate"));
            let order = Order::of(condition, over_time == OverTime::Increase);
            Some(Watcher { input: input.clone(), rate, order, over_time, subject })
        };
        FieldReplay {
            zone,
            stale_after: source.stale_after,
            fields,
            previous: vec![None; feeds.len()],
            is_derived: vec![false; plan.trends().len()],
            trends: trends.map(|planned| TrendReplay::new(source, planned)).collect(),
            watchers: plan.inputs().iter().zip(subjects).filter_map(watcher).collect(),
        }
    }

    /// Shows the rows of a time to the rules. The calls are in order of time.
    pub(super) fn observe(&mut self, at: i64, rows: &[Option<Row>]) {
        let Ok(now) = Timestamp::from_second(at) else { return };
        for (trend, is_derived) in self.trends.iter_mut().zip(&mut self.is_derived) {
            *is_derived = trend.observe(now, rows, &self.fields);
        }
        for watcher in &mut self.watchers {
            let Watcher { input, rate, order, over_time, subject } = watcher;
            let (zone, stale_after) = (self.zone, self.stale_after);
            match input {
                Input::Recorded(field) => {
                    let Some(row) = &rows[*field] else { continue };
                    let unit = self.fields[*field].1;
                    for (at, number) in observations(&row.bucket, *order, self.previous[*field]) {
                        let Ok(at) = Timestamp::from_second(at) else { continue };
                        let value = Datum::Number(number);
                        let sight = Sight::Field(FieldSight {
                            stale_after: stale_after.max(gap(row.is_quarter)),
                            ..sight(at, Some(&value), unit, *over_time)
                        });
                        subject.observe(&sight, at, zone, row.is_quarter);
                    }
                }
                Input::Content { field, trend } => {
                    let Some(row) = &rows[*field] else { continue };
                    let trend = &self.trends[*trend];
                    let rate = rate.as_deref().and_then(|rate| number(trend.value(rate)?));
                    let hours = time_to_empty(trend.value(TIME_TO_EMPTY), rate);
                    let value = Finite::new(row.bucket.last).map(Datum::Number);
                    let rate = rate.and_then(|(rate, unit)| Some((rate, unit?)));
                    let seen = sight(now, value.as_ref(), self.fields[*field].1, *over_time);
                    let stale_after = stale_after.max(gap(row.is_quarter));
                    let time_to_empty = hours;
                    let sight = FieldSight { rate, time_to_empty, stale_after, ..seen };
                    let sight = Sight::Field(sight);
                    subject.observe(&sight, now, zone, row.is_quarter);
                }
                Input::Derived { trend, name } => {
                    if !self.is_derived[*trend] {
                        continue;
                    }
                    let Some(value) = self.trends[*trend].value(name) else { continue };
                    let is_coarse = rows.iter().flatten().any(|row| row.is_quarter);
                    let datum = value.datum.as_ref();
                    let stale_after = stale_after.max(gap(is_coarse));
                    let seen = sight(now, datum, value.unit, *over_time);
                    let sight = Sight::Field(FieldSight { stale_after, ..seen });
                    subject.observe(&sight, now, zone, is_coarse);
                }
            }
        }
        for (previous, row) in self.previous.iter_mut().zip(rows) {
            *previous = row.map(|row| row.bucket.last).or(*previous);
        }
    }

    /// Follows the clock up to the end of the replay, and returns the rules in the order of the plan.
    pub(super) fn finish(self, to: Timestamp) -> Vec<Subject> {
        let zone = self.zone;
        let finished = self.watchers.into_iter().map(|mut watcher| {
            watcher.subject.advance(to, zone);
            watcher.subject
        });
        finished.collect()
    }
}

/// Returns the time up to which the next row may be expected: two quarters of an hour, or none.
fn gap(is_quarter: bool) -> Duration {
    if is_quarter { MIN_RECORDED_GAP } else { Duration::ZERO }
}

/// Returns a sight of a value that is not stale.
fn sight<'v>(
    observed_at: Timestamp,
    value: Option<&'v Datum>,
    unit: Option<Unit>,
    over_time: OverTime,
) -> FieldSight<'v> {
    FieldSight {
        observed_at,
        is_by_machine: false,
        value,
        unit,
        over_time,
        is_stale: false,
        stale_after: Duration::ZERO,
        rate: None,
        time_to_empty: TimeToEmpty::Unknown,
    }
}

/// Returns the number and the unit of a value.
fn number(value: &Value) -> Option<(Finite, Option<Unit>)> {
    match value {
        Value { datum: Some(Datum::Number(number)), unit, .. } => Some((*number, *unit)),
        _ => None,
    }
}
