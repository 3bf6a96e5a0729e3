//! Comparison of all rows with what this process knows: what the database lacks is written again.
//!
//! A standby that was promoted before it had all transactions, or a database that was restored, lacks what it had
//! acknowledged. This process knows the states of the subjects that it holds, and the commands that it has learnt of;
//! others follow what it writes. In an undamaged database nothing differs, but for what is being written.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::incident::{Acknowledgement, IncidentId};
use super::super::shared::{Acknowledged, Silence};
use super::super::store::SavedState;
use super::Evaluator;
use super::place::Place;
use super::subject::Subject;
use crate::kernel::clock::TimePoint;

impl Evaluator {
    /// Goes on from the rows of the sources that were held without them.
    pub(super) fn continue_unread(&mut self, now: TimePoint) {
        let Some(sharing) = &mut self.shared else { return };
        for source in std::mem::take(&mut sharing.unread) {
            for place in self.by_source.get(&source).cloned().unwrap_or_default().iter() {
                self.take_over(*place, now);
            }
            self.withdraw_open(&source, now.wall);
        }
    }

    /// Writes the state of a held subject again if its row shows another one.
    pub(super) fn correct_row(&mut self, place: Place, row: &SavedState) {
        let subject = self.subject(place);
        let mut shown = Subject::new(subject.key.clone(), subject.title.clone());
        let is_read = row.fingerprint == self.rules[place.rule].rule.fingerprint()
            && shown.restore(&row.state).is_ok();
        let reminders = |of: &Subject| of.announced.reminders;
        if !is_read
            || shown.view(false) != subject.view(false)
            || reminders(&shown) != reminders(subject)
        {
            self.save(place);
        }
    }

    /// Writes what all rows lack: incidents of held subjects that fire, acknowledgements, and silences.
    pub(super) fn write_missing(
        &mut self,
        silences: &[Silence],
        acknowledgements: &[Acknowledged],
        now: Timestamp,
    ) {
        for place in self.places() {
            let Some(incident) = self.subject(place).monitor.incident().cloned() else { continue };
            let Some(sharing) = self.shared.as_mut().filter(|_| self.is_active) else { return };
            let is_held = self.rules[place.rule].subjects[place.subject].is_held;
            if is_held && !sharing.open.contains_key(&incident.id) {
                sharing.open.insert(incident.id, incident.clone());
                self.effects.incidents.push(incident);
                self.save(place);
            }
        }
        let Some(sharing) = &self.shared else { return };
        let rows: HashMap<IncidentId, &Acknowledgement> =
            acknowledgements.iter().map(|of| (of.incident, &of.by)).collect();
        let is_lacking = |(id, by): &(&IncidentId, &Acknowledgement)| {
            sharing.open.contains_key(id) && rows.get(id).is_none_or(|row| *row != *by)
        };
        let lacking = sharing.acknowledgements.iter().filter(is_lacking);
        let lacking = lacking.map(|(&incident, by)| Acknowledged { incident, by: by.clone() });
        self.effects.shared.acknowledgements.extend(lacking);
        let rows: HashMap<&Arc<str>, &Silence> =
            silences.iter().map(|silence| (&silence.alert, silence)).collect();
        let is_lacking = |silence: &&Silence| match rows.get(&silence.alert) {
            Some(row) => silence.replaces(row),
            None => silence.until > now,
        };
        let lacking = sharing.silences.values().filter(is_lacking).cloned();
        self.effects.shared.silences.extend(lacking);
    }
}
