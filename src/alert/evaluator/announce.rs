//! Announcements: which channels get a notice of an incident, and when.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::incident::Incident;
use super::super::monitor::Phase;
use super::super::notice::{Notice, NoticeKey, NoticeKind};
use super::super::rule::Rule;
use super::place::Place;
use super::subject::{Announced, Subject};
use super::{Evaluator, RuleState};
use crate::config::{Alert, Severity};

impl Evaluator {
    /// Sends the fire of an incident to the channels of its rule that are able to carry it, unless it was announced
    /// already or the alert is silenced.
    pub(super) fn announce(&mut self, place: Place, now: Timestamp) {
        let RuleState { rule, silenced_until, subjects, .. } = &self.rules[place.rule];
        let subject = &subjects[place.subject];
        let is_announced = subject.announced.latest.is_some();
        if !self.acts(place) || silenced_until.is_some() || is_announced {
            return;
        }
        let Some(incident) = subject.monitor.incident().cloned() else { return };
        let mut channels = self.channels_of(rule.alert());
        let wanted = channels.len();
        channels.retain(|channel| !subject.unable.contains(channel));
        // Without an able channel it is announced once there is one.
        if channels.is_empty() && wanted > 0 {
            return;
        }
        self.notify(place, &channels, NoticeKind::Fired, &incident, now);
        let announced = Announced { channels, reminders: 0, latest: Some(now) };
        self.subject_mut(place).announced = announced;
        self.rules[place.rule].view = None;
    }

    /// Sends the fire of an incident to the channels of its rule that were unable to carry it before.
    pub(super) fn announce_to_others(&mut self, place: Place, now: Timestamp) {
        let RuleState { rule, silenced_until, subjects, .. } = &self.rules[place.rule];
        let Subject { monitor, announced, unable, .. } = &subjects[place.subject];
        let Some(incident) = monitor.incident().cloned() else { return };
        if !self.acts(place) || silenced_until.is_some() {
            return;
        }
        let mut channels = self.channels_of(rule.alert());
        channels
            .retain(|channel| !unable.contains(channel) && !announced.channels.contains(channel));
        if channels.is_empty() {
            return;
        }
        self.notify(place, &channels, NoticeKind::Fired, &incident, now);
        let announced = &mut self.subject_mut(place).announced;
        announced.channels.append(&mut channels);
        announced.latest.get_or_insert(now);
        self.save(place);
        self.requeue(place);
    }

    /// Sends the fires of incidents of which no present channel knows to the channels of their rules, which would get
    /// neither reminders nor the end otherwise: their channels were removed or renamed, or there was none.
    pub(super) fn announce_to_present_channels(&mut self, now: Timestamp) {
        if !self.is_active {
            return;
        }
        for place in self.places() {
            let Announced { channels, latest, .. } = &self.subject(place).announced;
            let exists = |channel: &Arc<str>| self.settings.channels.contains(channel);
            let is_unknown = latest.is_some() && !channels.iter().any(exists);
            let alert = self.rules[place.rule].rule.alert();
            if is_unknown && self.acts(place) && self.channels_of(alert).iter().any(exists) {
                self.subject_mut(place).announced = Announced::default();
                self.announce(place, now);
                self.save(place);
                self.requeue(place);
            }
        }
    }

    /// Sends the end of an incident to the channels that know of it.
    pub(super) fn announce_end(&mut self, place: Place, incident: &Arc<Incident>, now: Timestamp) {
        let announced = std::mem::take(&mut self.subject_mut(place).announced);
        if self.acts(place) {
            self.notify(place, &announced.channels, NoticeKind::Ended, incident, now);
        }
    }

    /// Sends a reminder if one is due.
    pub(super) fn remind(&mut self, place: Place, now: Timestamp) {
        let RuleState { rule, silenced_until, subjects, .. } = &self.rules[place.rule];
        let due = reminder_due(rule, &subjects[place.subject], silenced_until.is_some());
        if due.is_some_and(|due| due <= now) {
            self.send_reminder(place, now);
        }
    }

    /// Sends a reminder.
    pub(super) fn send_reminder(&mut self, place: Place, now: Timestamp) {
        let subject = self.subject_mut(place);
        let Some(incident) = subject.monitor.incident().cloned() else { return };
        subject.announced.reminders += 1;
        subject.announced.latest = Some(now);
        let channels = subject.announced.channels.clone();
        if self.acts(place) {
            self.notify(place, &channels, NoticeKind::Reminder, &incident, now);
        }
        self.save(place);
    }

    /// Queues a notice of the rule of a place for each of the channels that exist.
    fn notify(
        &mut self,
        place: Place,
        channels: &[Arc<str>],
        kind: NoticeKind,
        incident: &Arc<Incident>,
        now: Timestamp,
    ) {
        let RuleState { rule, subjects, .. } = &self.rules[place.rule];
        let number = match kind {
            NoticeKind::Reminder => subjects[place.subject].announced.reminders,
            NoticeKind::Fired | NoticeKind::Ended => 0,
        };
        let alert = rule.alert();
        let message = alert.message.as_ref().map(|message| message.text().clone());
        let due = due(alert, incident.severity, now, &self.settings.zone);
        self.queue(channels, |channel| Notice {
            key: NoticeKey { channel: channel.clone(), incident: incident.id, kind, number },
            incident: incident.clone(),
            message: message.clone(),
            at: now,
            due,
        });
    }

    /// Queues a notice for each of the channels that exist.
    fn queue(&mut self, channels: &[Arc<str>], notice: impl Fn(&Arc<str>) -> Notice) {
        let exists = |channel: &&Arc<str>| self.settings.channels.contains(*channel);
        let notices: Vec<_> =
            channels.iter().filter(exists).map(|channel| Arc::new(notice(channel))).collect();
        self.effects.notices.extend(notices);
    }

    /// Sends the end of an incident of the file whose rule or source is gone. `channels` know of it.
    pub(super) fn announce_withdrawal(
        &mut self,
        incident: &Arc<Incident>,
        channels: &[Arc<str>],
        now: Timestamp,
    ) {
        let kind = NoticeKind::Ended;
        self.queue(channels, |channel| Notice {
            key: NoticeKey { channel: channel.clone(), incident: incident.id, kind, number: 0 },
            incident: incident.clone(),
            message: None,
            at: now,
            due: now,
        });
    }

    /// Returns the channels of a rule.
    fn channels_of(&self, alert: &Alert) -> Vec<Arc<str>> {
        alert.notify.clone().unwrap_or_else(|| self.settings.channels.clone())
    }
}

/// Returns the time from which a notice may be sent: the end of the quiet hours, unless it is critical.
fn due(alert: &Alert, severity: Severity, now: Timestamp, zone: &TimeZone) -> Timestamp {
    let quiet = alert.quiet.filter(|_| severity != Severity::Critical);
    quiet.and_then(|quiet| quiet.around(now, zone)).map_or(now, |(_, end)| end)
}

/// Returns the time of the next reminder: of an incident that was announced and is not acknowledged.
pub(super) fn reminder_due(rule: &Rule, subject: &Subject, is_silenced: bool) -> Option<Timestamp> {
    let repeat = &rule.alert().repeat;
    let Announced { reminders, latest, .. } = &subject.announced;
    let is_open = matches!(subject.monitor.state(), Phase::Firing)
        && subject.monitor.incident().is_some_and(|incident| incident.acknowledged.is_none());
    let pause = repeat.get(*reminders as usize).or(repeat.last())?;
    latest
        .filter(|_| is_open && !is_silenced)?
        .saturating_add(Duration::min(*pause, MAX_PAUSE))
        .ok()
}

/// Longest time from one reminder to the next.
const MAX_PAUSE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
