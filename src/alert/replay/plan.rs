//! Fields of a source that its rules need.

use std::sync::Arc;
use std::time::Duration;

use super::super::rule::{Rule, signed};
use crate::config::{AlertRule, FieldCondition, FieldOrigin, Source, TrendSettings};

/// Input of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// A recorded field, by its position.
    Recorded(usize),
    /// A recorded field with the time until a tank is empty, by their positions.
    Content { field: usize, trend: usize },
    /// A value that a trend derives.
    Derived { trend: usize, name: Arc<str> },
}

/// Trend that a rule needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedTrend {
    pub(super) settings: TrendSettings,
    /// Positions of the fields that it follows, in the order of preference.
    pub(super) followed: Vec<usize>,
    /// Position of the level in per cent, by which a capacity is computed.
    pub(super) level: Option<usize>,
}

/// Fields and trends that the rules on a source need.
#[derive(Debug, Default)]
pub(super) struct SourcePlan {
    fields: Vec<Arc<str>>,
    trends: Vec<PlannedTrend>,
    inputs: Vec<Input>,
    lookback: Duration,
}

impl SourcePlan {
    /// Returns the plan of rules, each of which is on a field that the source has.
    pub(super) fn of<'a>(source: &Source, rules: impl Iterator<Item = &'a Rule>) -> SourcePlan {
        let mut plan = SourcePlan::default();
        for rule in rules {
            let AlertRule::Field { field, condition, .. } = &rule.alert().rule else { continue };
            let input = match (condition, source.origin_of(field), source.tank_trend()) {
                (_, Some(FieldOrigin::Trend(trend)), _) => {
                    Input::Derived { trend: plan.trend(trend), name: field.clone() }
                }
                (FieldCondition::EmptyWithin { .. }, _, Some(tank)) => {
                    Input::Content { trend: plan.trend(tank), field: plan.field(field) }
                }
                _ => Input::Recorded(plan.field(field)),
            };
            plan.inputs.push(input);
            plan.lookback = plan.lookback.max(rule.window().unwrap_or_default());
        }
        plan
    }

    /// Returns the names of the fields to read.
    pub(super) fn fields(&self) -> &[Arc<str>] {
        &self.fields
    }

    /// Returns the trends to compute.
    pub(super) fn trends(&self) -> &[PlannedTrend] {
        &self.trends
    }

    /// Returns the input of each rule.
    pub(super) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Returns for each rule the positions of the fields of which one is its input.
    pub(super) fn watched(&self) -> impl Iterator<Item = &[usize]> {
        self.inputs.iter().map(|input| match input {
            Input::Recorded(field) | Input::Content { field, .. } => std::slice::from_ref(field),
            Input::Derived { trend, .. } => &self.trends[*trend].followed,
        })
    }

    /// Returns the time before the replayed one whose observations the rules need.
    pub(super) fn lookback(&self) -> jiff::SignedDuration {
        signed(self.lookback)
    }

    fn field(&mut self, name: &Arc<str>) -> usize {
        if let Some(known) = self.fields.iter().position(|field| field == name) {
            return known;
        }
        self.fields.push(name.clone());
        self.fields.len() - 1
    }

    fn trend(&mut self, settings: &TrendSettings) -> usize {
        if let Some(known) = self.trends.iter().position(|trend| trend.settings == *settings) {
            return known;
        }
        let followed = settings.fields.iter().map(|field| self.field(field)).collect();
        let level = settings.tank.map(|_| self.field(&"level".into()));
        let longest = settings.changes.iter().copied().fold(settings.rate_over, Duration::max);
        // A quarter longer, since the value at the start of a change is interpolated.
        self.lookback = self.lookback.max(longest + longest / 4);
        self.trends.push(PlannedTrend { settings: settings.clone(), followed, level });
        self.trends.len() - 1
    }
}
