//! The view of all alerts.

use std::cmp::Reverse;
use std::sync::Arc;

use super::super::view::{AlertView, AlertsView, SubjectView};
use super::{Evaluator, RuleState};
use crate::config::{AlertRule, SourceSelection};
use crate::order;

impl Evaluator {
    /// Returns the view of all alerts; `None` if nothing has changed since the last one.
    pub fn publish(&mut self) -> Option<AlertsView> {
        let is_active = self.is_active;
        let is_same = self.published_active == Some(is_active);
        if is_same && !self.is_recent_changed && self.rules.iter().all(|rule| rule.view.is_some()) {
            return None;
        }
        self.published_active = Some(is_active);
        self.published += 1;
        self.is_recent_changed = false;
        let view = |state: &mut RuleState| {
            let view = state.view.take().unwrap_or_else(|| Arc::new(view(state)));
            state.view = Some(view.clone());
            view
        };
        Some(AlertsView {
            version: self.published,
            alerts: self.rules.iter_mut().map(view).collect(),
            recent: self.recent.iter().cloned().collect(),
            is_active,
        })
    }
}

fn view(state: &RuleState) -> AlertView {
    let is_silenced = state.silenced_until.is_some();
    let mut subjects: Vec<SubjectView> =
        state.subjects.iter().filter_map(|subject| subject.view(is_silenced)).collect();
    order::sort_by(&mut subjects, |a, b| {
        (Reverse(a.state), a.since, &a.key).cmp(&(Reverse(b.state), b.since, &b.key))
    });
    let alert = state.rule.alert();
    let field = match &alert.rule {
        AlertRule::Field { field, .. } => Some(field.clone()),
        AlertRule::Source { .. } | AlertRule::Server(_) => None,
    };
    let source = match alert.rule.sources() {
        Some(SourceSelection::One(source)) => Some(source.clone()),
        _ => None,
    };
    AlertView {
        name: alert.name.clone(),
        rule: alert.clone(),
        severity: alert.severity,
        field,
        condition: state.rule.condition_text(),
        silenced_until: state.silenced_until,
        fault: fault(state, source.is_none()),
        source,
        inactive: state.subjects.iter().filter(|subject| subject.is_inactive()).count(),
        subjects,
    }
}

/// Returns the reason why the rule cannot be applied to some of its subjects. Of a rule over several sources, it names
/// the first of these.
fn fault(state: &RuleState, is_of_many: bool) -> Option<Arc<str>> {
    let mut faulty = state
        .subjects
        .iter()
        .filter_map(|subject| Some((subject.key.source.as_deref(), subject.monitor.fault()?)));
    let (source, fault) = faulty.next()?;
    let Some(source) = source.filter(|_| is_of_many) else {
        return Some(fault.to_string().into());
    };
    let more = match faulty.count() {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    Some(format!("not on {source}{more}: {fault}").into())
}
