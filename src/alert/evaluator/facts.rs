//! Commands as facts that replicas share: acknowledgements and silences.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::incident::{Acknowledgement, IncidentId};
use super::super::shared::{Acknowledged, Silence, whole_milliseconds};
use super::Evaluator;
use super::place::Place;

/// Acknowledgements of incidents that are not known yet, above which those are dropped.
const MAX_ACKNOWLEDGEMENTS: usize = 1_000;

impl Evaluator {
    /// States that a person knows of an incident, for all replicas.
    pub(super) fn state_acknowledgement(&mut self, incident: IncidentId, by: &Acknowledgement) {
        let Some(sharing) = &mut self.shared else { return };
        sharing.acknowledgements.insert(incident, by.clone());
        self.effects.shared.acknowledgements.push(Acknowledged { incident, by: by.clone() });
    }

    /// Applies an acknowledgement that another replica has stated. The holder of the source saves it.
    pub(super) fn merge_acknowledgement(&mut self, fact: Acknowledged) {
        let Acknowledged { incident, by } = fact;
        let has_ended = self.recent.iter().any(|ended| ended.id == incident);
        let Some(sharing) = self.shared.as_mut().filter(|_| !has_ended) else { return };
        let known = sharing.acknowledgements.entry(incident).or_insert_with(|| by.clone());
        if (by.at, &by.by) < (known.at, &known.by) {
            known.clone_from(&by);
        }
        let is_of = |place: &Place| {
            let known = self.subject(*place).monitor.incident();
            known.is_some_and(|known| known.id == incident)
        };
        if let Some(place) = self.places().into_iter().find(is_of) {
            if self.subject_mut(place).monitor.merge_acknowledgement(&by) {
                self.rules[place.rule].view = None;
                self.save_with_incident(place);
            }
        } else if let Some(sharing) = &mut self.shared
            && sharing.acknowledgements.len() > MAX_ACKNOWLEDGEMENTS
        {
            let open = &sharing.open;
            sharing.acknowledgements.retain(|id, _| open.contains_key(id));
        }
    }

    /// Saves an acknowledgement that the row of the incident lacks, as its former holder had not learnt of it.
    pub(super) fn save_acknowledgement(&mut self, place: Place) {
        let (Some(sharing), Some(incident)) =
            (&self.shared, self.subject(place).monitor.incident())
        else {
            return;
        };
        let row = sharing.open.get(&incident.id);
        if incident.acknowledged.is_some()
            && row.is_none_or(|row| row.acknowledged != incident.acknowledged)
        {
            self.save_with_incident(place);
        }
    }

    /// Saves an incident that was changed, if this process holds its source.
    fn save_with_incident(&mut self, place: Place) {
        if self.acts(place) {
            self.effects.incidents.extend(self.subject(place).monitor.incident().cloned());
            self.save(place);
            self.requeue(place);
        }
    }

    /// States a silence, or its end if `until` is `None`, for all replicas.
    pub(super) fn state_silence(
        &mut self,
        alert: &Arc<str>,
        until: Option<Timestamp>,
        by: &str,
        now: Timestamp,
    ) {
        let Some(sharing) = &self.shared else { return };
        let mut set_at = whole_milliseconds(now);
        // A clock behind that of another replica does not make this command an old one.
        if let Some(known) = sharing.silences.get(alert) {
            let next = known.set_at.saturating_add(SignedDuration::from_millis(1));
            set_at = set_at.max(next.unwrap_or(known.set_at));
        }
        let silence = Silence {
            alert: alert.clone(),
            until: until.map_or(set_at, whole_milliseconds),
            by: by.into(),
            set_at,
            instance: sharing.instance,
        };
        self.effects.shared.silences.push(silence.clone());
        self.merge_silence(silence, now);
    }

    /// Applies a silence, or its end, unless a later command is known.
    pub(super) fn merge_silence(&mut self, silence: Silence, now: Timestamp) {
        let Some(sharing) = &mut self.shared else { return };
        let known = sharing.silences.get(&silence.alert);
        if known.is_some_and(|known| !silence.replaces(known)) {
            return;
        }
        let until = Some(silence.until).filter(|&until| until > now && until > silence.set_at);
        let rule = self.rules.iter().position(|state| state.rule.alert().name == silence.alert);
        sharing.silences.insert(silence.alert.clone(), silence);
        let Some(rule) = rule else { return };
        match (self.rules[rule].silenced_until, until) {
            (_, Some(_)) => self.set_silence(rule, until),
            (Some(_), None) => self.end_silence(rule, now),
            (None, None) => {}
        }
    }

    /// Returns the end of the silence that replicas share on an alert.
    pub(super) fn shared_silence(&self, alert: &str, now: Timestamp) -> Option<Timestamp> {
        let silence = self.shared.as_ref()?.silences.get(alert)?;
        Some(silence.until).filter(|&until| until > now && until > silence.set_at)
    }
}
