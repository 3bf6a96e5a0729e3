//! Alerts, their channels, and the dead man's switch.

use strum::VariantArray as _;

use super::family::Family;
use crate::admin::alerting::Alerting;
use crate::alert::{AlertState, AlertView};
use crate::notify::PingCounts;

/// Returns the states of the alerts, the messages of each channel, and the pings. The number of samples does not
/// depend on the sources.
pub(super) fn families(alerting: &Alerting) -> [Family; 4] {
    let mut state = Family::gauge(
        "alert_state",
        "Number of sources for which an alert is in the state; of an alert on one source or on the server, 1 for \
         its state and 0 for the others.",
    );
    for alert in &alerting.alerts.view().alerts {
        for &variant in AlertState::VARIANTS {
            let severity = alert.severity.as_str();
            let labels =
                [("alert", &*alert.name), ("severity", severity), ("state", variant.as_str())];
            state = state.sample(&labels, in_state(alert, variant) as f64);
        }
    }
    let mut total = Family::counter(
        "notifications_total",
        "Number of messages sent over a channel, of attempts that failed, and of notices dropped.",
    );
    let mut waiting =
        Family::gauge("notifications_waiting", "Number of notices that wait for a channel.");
    for channel in &*(alerting.channels)() {
        let name = ("channel", &*channel.name);
        for (outcome, number) in
            [("sent", channel.sent), ("failed", channel.failed), ("dropped", channel.dropped)]
        {
            total = total.sample(&[name, ("outcome", outcome)], number as f64);
        }
        waiting = waiting.sample(&[name], channel.waiting as f64);
    }
    let mut pings = Family::counter(
        "heartbeat_pings_total",
        "Number of pings of the dead man's switch: all well, with a reason (fail), or not taken (error).",
    );
    for (outcome, number) in alerting.configured_pings().into_iter().flat_map(PingCounts::outcomes)
    {
        pings = pings.sample(&[("outcome", outcome)], number as f64);
    }
    [state, total, waiting, pings]
}

fn in_state(alert: &AlertView, state: AlertState) -> usize {
    let listed = alert.subjects.iter().filter(|subject| subject.state == state).count();
    if state == AlertState::Inactive { listed + alert.inactive } else { listed }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admin::fixture::{channel, view};
    use crate::alert::AlertsHandle;

    fn text(alerting: &Alerting) -> String {
        let mut page = String::new();
        families(alerting).iter().for_each(|family| family.write(&mut page));
        page
    }

    #[test]
    fn alert_has_a_sample_for_each_state_whatever_the_number_of_sources() {
        let alerting = |sources| Alerting {
            alerts: AlertsHandle::fixed(view(sources)),
            channels: Arc::new(|| [channel("phone")].into()),
            pings: PingCounts::configured(),
            ..Alerting::default()
        };
        let few = text(&alerting(3));
        assert_eq!(few.lines().count(), text(&alerting(500)).lines().count());
        for line in [
            "# TYPE pumphouse_alert_state gauge",
            "pumphouse_alert_state{alert=\"dry\",severity=\"warning\",state=\"firing\"} 3",
            "pumphouse_alert_state{alert=\"dry\",severity=\"warning\",state=\"pending\"} 1",
            "pumphouse_alert_state{alert=\"dry\",severity=\"warning\",state=\"inactive\"} 4",
            "pumphouse_alert_state{alert=\"leak\",severity=\"critical\",state=\"firing\"} 1",
            "pumphouse_alert_state{alert=\"leak\",severity=\"critical\",state=\"inactive\"} 0",
            "pumphouse_alert_state{alert=\"known\",severity=\"info\",state=\"acknowledged\"} 1",
            "pumphouse_alert_state{alert=\"idle\",severity=\"warning\",state=\"inactive\"} 1",
            "# TYPE pumphouse_notifications_total counter",
            "pumphouse_notifications_total{channel=\"phone\",outcome=\"sent\"} 7",
            "pumphouse_notifications_total{channel=\"phone\",outcome=\"failed\"} 4",
            "pumphouse_notifications_total{channel=\"phone\",outcome=\"dropped\"} 1",
            "# TYPE pumphouse_notifications_waiting gauge",
            "pumphouse_notifications_waiting{channel=\"phone\"} 2",
            "# TYPE pumphouse_heartbeat_pings_total counter",
            "pumphouse_heartbeat_pings_total{outcome=\"ok\"} 0",
            "pumphouse_heartbeat_pings_total{outcome=\"error\"} 0",
        ] {
            assert!(few.lines().any(|found| found == line), "{line} is not in {few}");
        }
    }

    #[test]
    fn server_without_alerts_has_no_such_metrics() {
        assert_eq!(text(&Alerting::default()), "");
    }
}
