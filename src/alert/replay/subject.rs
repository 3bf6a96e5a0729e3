//! One rule on one source during a replay.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::fault::Fault;
use super::super::incident::{EndReason, IncidentId, SubjectKey};
use super::super::monitor::{Monitor, Names, Transition};
use super::super::rule::Rule;
use super::super::sight::Sight;
use super::report::ReplayedIncident;
use crate::config::AlertRule;

/// Shortest time between two looks by the clock, as in the server.
const MIN_WAIT: SignedDuration = SignedDuration::from_millis(100);

/// One rule on one source, with the incidents so far.
pub(super) struct Subject {
    rule: Arc<Rule>,
    key: SubjectKey,
    title: Arc<str>,
    monitor: Monitor,
    /// True if the state may change by the clock.
    has_clock: bool,
    due: Option<Timestamp>,
    incidents: Vec<ReplayedIncident>,
    next_id: u64,
    is_coarse: bool,
}

impl Subject {
    pub(super) fn new(rule: Arc<Rule>, key: SubjectKey, title: Arc<str>) -> Subject {
        let is_on_field = matches!(rule.alert().rule, AlertRule::Field { .. });
        Subject {
            has_clock: !is_on_field || rule.alert().between.is_some(),
            rule,
            key,
            title,
            monitor: Monitor::new(),
            due: None,
            incidents: Vec::new(),
            next_id: 0,
            is_coarse: false,
        }
    }

    /// Returns the rule.
    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Returns the reason why the condition could not be applied to the latest value.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.monitor.fault()
    }

    /// Returns the incidents in the order in which they fired.
    pub(super) fn into_incidents(self) -> Vec<ReplayedIncident> {
        self.incidents
    }

    /// Shows an input to the rule, after what happens by the clock until then. `is_coarse` is true for a quarter of an
    /// hour.
    pub(super) fn observe(
        &mut self,
        sight: &Sight<'_>,
        now: Timestamp,
        zone: &TimeZone,
        is_coarse: bool,
    ) {
        self.advance(now, zone);
        self.is_coarse = is_coarse;
        let ended = self.step(|monitor, rule, new_id, names| {
            monitor.observe(rule, sight, now, zone, new_id, names)
        });
        // The input may belong to the next hours.
        if ended == Some(EndReason::OutsideHours) {
            self.step(|monitor, rule, new_id, names| {
                monitor.observe(rule, sight, now, zone, new_id, names)
            });
        }
        if self.has_clock {
            self.due = self.monitor.due(&self.rule, zone);
        }
    }

    /// Follows the clock up to a time.
    pub(super) fn advance(&mut self, to: Timestamp, zone: &TimeZone) {
        while let Some(due) = self.due.filter(|&due| due <= to) {
            self.step(|monitor, rule, new_id, names| monitor.tick(rule, due, zone, new_id, names));
            let soonest = due.saturating_add(MIN_WAIT).unwrap_or(Timestamp::MAX);
            self.due = self.monitor.due(&self.rule, zone).map(|next| next.max(soonest));
        }
    }

    /// Calls the monitor, and notes an incident that begins or ends. Returns the reason of an end.
    fn step(
        &mut self,
        call: impl FnOnce(
            &mut Monitor,
            &Rule,
            &mut dyn FnMut() -> IncidentId,
            &Names<'_>,
        ) -> Option<Transition>,
    ) -> Option<EndReason> {
        let field = match &self.rule.alert().rule {
            AlertRule::Field { field, .. } => Some(field),
            AlertRule::Source { .. } | AlertRule::Server(_) => None,
        };
        let names = Names { key: &self.key, title: &self.title, field };
        let next_id = &mut self.next_id;
        let mut new_id = || {
            *next_id += 1;
            IncidentId(*next_id)
        };
        match call(&mut self.monitor, &self.rule, &mut new_id, &names)? {
            Transition::Pending => None,
            // The hours can end a state before it fires, too.
            Transition::Cleared => Some(EndReason::OutsideHours),
            Transition::Fired(incident) => {
                self.incidents.push(ReplayedIncident {
                    source: self.key.source.clone().unwrap_or_default(),
                    since: incident.since,
                    fired_at: incident.fired_at,
                    at_fire: incident.at_fire.clone(),
                    ended: None,
                    is_from_quarters: self.is_coarse,
                });
                None
            }
            Transition::Ended(incident) => {
                let ended = incident.ended?;
                if let Some(latest) = self.incidents.last_mut() {
                    latest.ended = Some(ended);
                }
                Some(ended.reason)
            }
        }
    }
}
