//! Commands of people: acknowledge, silence.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::command::CommandError;
use super::super::describe::{describe_silence, describe_silence_end};
use super::super::monitor::Phase;
use super::Evaluator;
use super::place::Place;
use crate::board::{Event, EventKind};
use crate::config::SourceSelection;

impl Evaluator {
    /// Notes that a person knows of the incidents of an alert, or of that of one source. Repeated, the first
    /// acknowledgement stays.
    ///
    /// # Errors
    /// There is no such alert, or it does not fire.
    pub fn acknowledge(
        &mut self,
        alert: &str,
        source: Option<&str>,
        by: &Arc<str>,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let rule = self.rule_named(alert)?;
        let firing: Vec<Place> = (0..self.rules[rule].subjects.len())
            .map(|subject| Place { rule, subject })
            .filter(|&place| {
                let subject = self.subject(place);
                let is_meant = source.is_none() || subject.key.source.as_deref() == source;
                is_meant && matches!(subject.monitor.state(), Phase::Firing)
            })
            .collect();
        if firing.is_empty() {
            return Err(CommandError::NotFiring);
        }
        for place in firing {
            if !self.subject_mut(place).monitor.acknowledge(by.clone(), now) {
                continue;
            }
            self.rules[rule].view = None;
            let incident = self.subject(place).monitor.incident().cloned();
            if let Some(incident) = incident.filter(|_| self.is_active) {
                self.record(EventKind::AlertAcknowledged, &incident, now);
                if let Some(known) = &incident.acknowledged {
                    self.state_acknowledgement(incident.id, known);
                }
                if self.acts(place) {
                    self.effects.incidents.push(incident);
                }
            }
            self.save(place);
            self.requeue(place);
        }
        Ok(())
    }

    /// Silences an alert until a time: it fires and ends, and its fire is not sent.
    ///
    /// # Errors
    /// There is no such alert.
    pub fn silence(
        &mut self,
        alert: &str,
        until: Timestamp,
        by: &str,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let rule = self.rule_named(alert)?;
        match self.shared.is_some() {
            true => self.state_silence(&alert.into(), Some(until), by, now),
            false => self.set_silence(rule, Some(until)),
        }
        self.record_command(
            rule,
            EventKind::AlertSilenced,
            describe_silence(alert, until, by),
            now,
        );
        Ok(())
    }

    /// Ends the silence of an alert, if there is one.
    ///
    /// # Errors
    /// There is no such alert.
    pub fn unsilence(&mut self, alert: &str, by: &str, now: Timestamp) -> Result<(), CommandError> {
        let rule = self.rule_named(alert)?;
        if self.rules[rule].silenced_until.is_some() {
            let detail = describe_silence_end(alert, by);
            self.record_command(rule, EventKind::AlertUnsilenced, detail, now);
        }
        if self.shared.is_some() {
            // Another replica may have set one that is not known here yet.
            self.state_silence(&alert.into(), None, by, now);
        } else if self.rules[rule].silenced_until.is_some() {
            self.end_silence(rule, now);
        }
        Ok(())
    }

    /// Records a command on an alert as a whole. It is an event of the source if the rule has one only.
    fn record_command(&mut self, rule: usize, kind: EventKind, detail: String, now: Timestamp) {
        let source = match self.rules[rule].rule.alert().rule.sources() {
            Some(SourceSelection::One(source)) => Some(source.clone()),
            _ => None,
        };
        if self.is_active {
            self.effects.events.push(Event { at: now, kind, source, detail: detail.into() });
        }
    }

    /// Ends the silences whose time has passed.
    pub(super) fn end_silences(&mut self, now: Timestamp) {
        for rule in 0..self.rules.len() {
            if self.rules[rule].silenced_until.is_some_and(|until| until <= now) {
                self.end_silence(rule, now);
            }
        }
    }

    /// Ends a silence, and sends what fires still: as new if it fired during the silence, else as a reminder.
    pub(super) fn end_silence(&mut self, rule: usize, now: Timestamp) {
        self.set_silence(rule, None);
        for subject in 0..self.rules[rule].subjects.len() {
            let place = Place { rule, subject };
            let subject = self.subject(place);
            if !subject.is_held {
                continue;
            }
            let Some(incident) = subject.monitor.incident() else { continue };
            if subject.announced.latest.is_none() {
                self.announce(place, now);
                self.save(place);
            } else if incident.acknowledged.is_none() {
                self.send_reminder(place, now);
            }
            self.requeue(place);
        }
    }

    pub(super) fn set_silence(&mut self, rule: usize, until: Option<Timestamp>) {
        let state = &mut self.rules[rule];
        state.silenced_until = until;
        state.view = None;
        let name = state.rule.alert().name.clone();
        if self.is_active && self.shared.is_none() {
            self.effects.silences.push((name, until));
        }
        for subject in 0..self.rules[rule].subjects.len() {
            self.requeue(Place { rule, subject });
        }
    }

    fn rule_named(&self, name: &str) -> Result<usize, CommandError> {
        let is_named = |state: &super::RuleState| *state.rule.alert().name == *name;
        self.rules.iter().position(is_named).ok_or(CommandError::UnknownAlert)
    }
}
