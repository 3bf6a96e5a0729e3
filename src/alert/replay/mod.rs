//! Replay of rules over recorded history: the incidents that they would have had.
//!
//! Each rule has a [`Monitor`](super::Monitor) for each of its sources, as in the server. The recorded observations
//! of a source are merged by time, page by page, and shown to the monitors with their own time as the present.
//! Between two of them, the monitors follow the clock. Nothing happens in a gap, as rules do not fire on stale values.
//!
//! # Rows
//! Where retention has deleted single observations, quarters of an hour replace them (`quarter`). Days are too coarse
//! and are left out. [`Extent`] says where each begins.
//!
//! # Derived values
//! Trends are not recorded. They are computed again, by the code that computes them in the server, from the
//! observations of the fields that they follow (`trend`).
//!
//! # Sources
//! Rules on stale and failing sources follow the recorded events (`events`).
//!
//! # Not replayed
//! Texts and states of the server are not recorded. Trends of amounts, such as rain, are not computed again. See
//! [`Unreplayable`].

mod error;
mod event_log;
mod events;
mod feed;
mod fields;
mod plan;
mod quarter;
mod report;
mod subject;
mod trend;

use std::sync::Arc;

use jiff::Timestamp;

use self::event_log::EventLog;
use self::feed::Feed;
use self::fields::FieldReplay;
use self::plan::SourcePlan;
use self::subject::Subject;
use super::incident::SubjectKey;
use super::rule::Rule;
use crate::config::{
    Alert, AlertRule, Config, FieldCondition, FieldOrigin, Scalar, Source, TrendSettings,
};
use crate::history::History;
use crate::units::OverTime;

pub use self::error::ReplayError;
pub use self::report::{
    Extent, FLAP, Replay, ReplayedAlert, ReplayedIncident, Summary, Unreplayable,
};

/// Applies rules of a configuration to the history from `from` to `to`.
///
/// # Errors
/// The history cannot be read.
pub fn replay(
    history: &History,
    config: &Config,
    alerts: &[Arc<Alert>],
    (from, to): (Timestamp, Timestamp),
) -> Result<Replay, ReplayError> {
    let rules: Vec<Arc<Rule>> =
        alerts.iter().map(|alert| Arc::new(Rule::new(alert.clone()))).collect();
    let mut replayed: Vec<ReplayedAlert> =
        rules.iter().map(|rule| ReplayedAlert::new(rule, unreplayable(rule, config))).collect();
    let watches_sources = |rule: &Arc<Rule>| matches!(rule.alert().rule, AlertRule::Source { .. });
    let log = match rules.iter().any(watches_sources) {
        true => EventLog::read(history, from, to)?,
        false => EventLog::default(),
    };
    for source in &config.sources {
        let of_source = rules
            .iter()
            .zip(&mut replayed)
            .filter(|(rule, alert)| alert.unreplayable.is_none() && selects(rule, source));
        let mut of_source: Vec<(&Arc<Rule>, &mut ReplayedAlert)> = of_source.collect();
        for (rule, alert) in of_source.iter_mut().filter(|(rule, _)| watches_sources(rule)) {
            let mut subject = subject(rule, source);
            events::replay(&mut subject, log.of(&source.name), source, &config.site.timezone, to);
            alert.extents.push(Extent::of_events(source.name.clone()));
            alert.add(subject.into_incidents(), from);
        }
        of_source.retain(|(rule, _)| !watches_sources(rule));
        if !of_source.is_empty() {
            replay_fields(history, config, source, of_source, (from, to))?;
        }
    }
    replayed.iter_mut().for_each(ReplayedAlert::sort);
    Ok(Replay { from, to, alerts: replayed })
}

/// Replays the rules on fields of one source.
fn replay_fields(
    history: &History,
    config: &Config,
    source: &Source,
    rules: Vec<(&Arc<Rule>, &mut ReplayedAlert)>,
    (from, to): (Timestamp, Timestamp),
) -> Result<(), ReplayError> {
    let plan = SourcePlan::of(source, rules.iter().map(|(rule, _)| &***rule));
    let begin = from.saturating_sub(plan.lookback()).unwrap_or(Timestamp::MIN);
    let mut feeds = Vec::with_capacity(plan.fields().len());
    for field in plan.fields() {
        feeds.push(Feed::open(history, &source.name, field, (begin, to))?);
    }
    let subjects = rules.iter().map(|(rule, _)| subject(rule, source)).collect();
    let mut fields = FieldReplay::new(source, &plan, &feeds, subjects, &config.site.timezone);
    let mut moment = Vec::new();
    while let Some(at) = feed::next_moment(&mut feeds, &mut moment)? {
        fields.observe(at, &moment);
    }
    let extent = |fields: &[usize]| {
        let mut extents = fields.iter().map(|&field| feeds[field].extent(&source.name, from));
        let first = extents.next();
        first
            .filter(|extent| !extent.is_empty())
            .or_else(|| extents.find(|other| !other.is_empty()))
    };
    let none = || Extent { rows: Some(0), ..Extent::of_events(source.name.clone()) };
    let extents: Vec<Extent> =
        plan.watched().map(|fields| extent(fields).unwrap_or_else(none)).collect();
    for (((_, alert), subject), extent) in rules.into_iter().zip(fields.finish(to)).zip(extents) {
        alert.extents.push(Extent { fault: subject.fault(), ..extent });
        alert.add(subject.into_incidents(), from);
    }
    Ok(())
}

fn subject(rule: &Arc<Rule>, source: &Source) -> Subject {
    let key = SubjectKey {
        alert: rule.alert().name.clone(),
        source: Some(source.name.clone()),
        replica: None,
    };
    Subject::new(rule.clone(), key, source.title.clone())
}

/// Returns true if a rule watches a source, or a field that the source can have and whose values can be replayed.
fn selects(rule: &Rule, source: &Source) -> bool {
    match &rule.alert().rule {
        AlertRule::Field { sources, field, .. } => {
            sources.selects(&source.name, source.group.as_deref())
                && match source.origin_of(field) {
                    Some(FieldOrigin::Upstream) => true,
                    Some(FieldOrigin::Trend(trend)) => !is_of_amount(trend, source),
                    Some(FieldOrigin::UpstreamText) | None => false,
                }
        }
        AlertRule::Source { sources, .. } => sources.selects(&source.name, source.group.as_deref()),
        AlertRule::Server(_) => false,
    }
}

/// Returns true if a trend follows an amount, whose period is not read back from the history.
fn is_of_amount(trend: &TrendSettings, source: &Source) -> bool {
    trend.fields.iter().any(|field| source.over_time_of(field) == OverTime::Sum)
}

/// Returns the reason why a rule cannot be replayed on any of its sources.
fn unreplayable(rule: &Rule, config: &Config) -> Option<Unreplayable> {
    match &rule.alert().rule {
        AlertRule::Server(_) => Some(Unreplayable::Server),
        AlertRule::Source { .. } => None,
        AlertRule::Field {
            condition:
                FieldCondition::Equals(Scalar::Text(_)) | FieldCondition::NotEquals(Scalar::Text(_)),
            ..
        } => Some(Unreplayable::Text),
        AlertRule::Field { .. } if config.sources.iter().any(|source| selects(rule, source)) => {
            None
        }
        AlertRule::Field { field, .. } => {
            let mut origins = config.sources.iter().filter_map(|source| source.origin_of(field));
            Some(match origins.any(|origin| matches!(origin, FieldOrigin::Trend(_))) {
                true => Unreplayable::AmountTrend,
                false => Unreplayable::Text,
            })
        }
    }
}

#[cfg(test)]
mod tests;
