//! The part of the scoreboard about alerts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use strum::VariantArray as _;

use super::abridge::MAX_LISTED;
use super::{report, seconds_since};
use crate::admin::alerting::Alerting;
use crate::admin::health::Health;
use crate::alert::{AlertState, AlertsView};
use crate::kernel::pause;
use crate::notify::PingCounts;
use crate::order;
use crate::timestamp::Rfc3339;

/// Returns the state of the alerts.
pub(super) fn alerts(alerting: &Alerting, health: &Health, now: Timestamp) -> report::Alerts {
    let view = alerting.alerts.view();
    let (firing, firing_unlisted) = firing(&view, now);
    let faults = view.alerts.iter().filter_map(|alert| {
        let fault = alert.fault.as_ref()?.to_string();
        Some(report::AlertFault { alert: alert.name.to_string(), fault })
    });
    let (faults, faults_unlisted) = listed(faults.collect());
    report::Alerts {
        rules: view.alerts.len() as u64,
        states: states(&view),
        silent_seconds: health.alerts.as_ref().map(|age| pause::sure(age()).as_secs_f64()),
        holder: (alerting.holder)(),
        firing,
        firing_unlisted,
        faults,
        faults_unlisted,
        heartbeat: alerting.configured_pings().map(heartbeat),
    }
}

/// Returns the number of subjects by state.
fn states(view: &AlertsView) -> BTreeMap<Cow<'static, str>, u64> {
    let mut states: BTreeMap<Cow<'static, str>, u64> =
        order::gathered(AlertState::VARIANTS.iter().map(|state| (state.as_str().into(), 0)));
    let mut add = |state: AlertState, number| {
        *states.entry(state.as_str().into()).or_default() += number;
    };
    for alert in &view.alerts {
        add(AlertState::Inactive, alert.inactive as u64);
        alert.subjects.iter().for_each(|subject| add(subject.state, 1));
    }
    states
}

fn firing(view: &AlertsView, now: Timestamp) -> (Vec<report::FiringAlert>, u64) {
    let firing = view.firing();
    let unlisted = firing.len().saturating_sub(MAX_LISTED) as u64;
    let firing = firing.into_iter().take(MAX_LISTED).map(|(alert, subject)| report::FiringAlert {
        alert: alert.name.to_string(),
        state: subject.state.as_str().into(),
        severity: alert.severity.as_str().into(),
        source: subject.key.source.as_deref().map(str::to_owned),
        condition: alert.condition.to_string(),
        since: Rfc3339(subject.since).to_string(),
        seconds: seconds_since(subject.since, now),
        incident: subject.incident.as_ref().map(|incident| incident.id.to_string()),
    });
    (firing.collect(), unlisted)
}

/// Returns the first entries of a list, and the number of the others.
fn listed<T>(mut list: Vec<T>) -> (Vec<T>, u64) {
    let unlisted = list.len().saturating_sub(MAX_LISTED) as u64;
    list.truncate(MAX_LISTED);
    (list, unlisted)
}

fn heartbeat(pings: &PingCounts) -> report::Heartbeat {
    let failure = pings.failure();
    report::Heartbeat {
        pings: pings.outcomes().map(|(outcome, number)| (outcome.into(), number)).into(),
        error_since: failure.as_ref().map(|failure| Rfc3339(failure.since).to_string()),
        error: failure.map(|failure| failure.message.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{now, view};
    use crate::alert::AlertsHandle;

    #[test]
    fn firing_alerts_are_bounded_and_all_are_counted() {
        let alerting = Alerting { alerts: AlertsHandle::fixed(view(30)), ..Alerting::default() };
        let view = alerting.alerts.view();
        let (listed, unlisted) = firing(&view, now());
        assert_eq!((listed.len(), unlisted), (MAX_LISTED, 12), "30 sources and 2 others");
        assert_eq!((&*listed[0].alert, &*listed[0].severity), ("leak", "critical"));
        assert_eq!((&*listed[0].since, listed[0].seconds), ("2026-01-31T16:40:00Z", 2400.0));
        let states: Vec<_> = states(&view).into_iter().collect();
        let expected = [
            ("acknowledged".into(), 1),
            ("firing".into(), 31),
            ("inactive".into(), 5),
            ("pending".into(), 1),
            ("silenced".into(), 0),
        ];
        assert_eq!(states, expected);
    }
}
