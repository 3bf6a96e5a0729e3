//! Connects the pages of the admin listener, and the heartbeat, with the parts that they report on.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::alerts::Alerts;
use super::data::Data;
use super::replica::PreparedReplica;
use crate::access::Gate;
use crate::admin::configuration::LiveConfiguration;
use crate::admin::health::Health;
use crate::admin::listeners::LiveListeners;
use crate::admin::metrics::{Metrics, RequestMetrics};
use crate::admin::scoreboard::Scoreboard;
use crate::admin::{AdminPages, Alerting, ChannelTester};
use crate::certificates::LiveCertificates;
use crate::engine::Engine;
use crate::kernel::clock::Start;
use crate::notify::{Ailments, ChannelFailure, ChannelStatus};
use crate::site::Site;
use crate::wall_clock;

/// Parts that the admin pages report on.
pub(super) struct AdminSources<'a> {
    pub(super) engine: &'a Engine,
    pub(super) data: &'a Data,
    pub(super) alerts: &'a Alerts,
    pub(super) health: Arc<Health>,
    pub(super) listeners: Arc<LiveListeners>,
    pub(super) certificates: Option<&'a Arc<LiveCertificates>>,
    pub(super) configuration: &'a Arc<LiveConfiguration>,
    pub(super) gate: &'a Arc<Gate>,
    pub(super) requests: Arc<RequestMetrics>,
    pub(super) site: &'a Arc<Site>,
    pub(super) start: Start,
}

/// Returns the heartbeats of all threads but those of the admin engine.
pub(super) fn health(engine: &Engine, data: &Data, alerts: &Alerts) -> Arc<Health> {
    let rules = alerts.age();
    Arc::new(Health {
        engine: engine.stats(),
        board: data.reader.clone(),
        polls: data.pollers.handles(),
        history: data.history.clone(),
        alerts: Some(Box::new(move || rules.age())),
        replica: data.replica.as_ref().map(PreparedReplica::admin_reader),
        admin: OnceLock::new(),
    })
}

/// Returns the pages of the admin listener.
pub(super) fn admin_pages(sources: AdminSources<'_>) -> AdminPages {
    let AdminSources { engine, data, alerts, health, configuration, gate, .. } = sources;
    let AdminSources { requests, site, start, listeners, .. } = sources;
    let certificates = sources.certificates.cloned();
    let channels = alerts.channels();
    let alerting = Alerting {
        alerts: alerts.handle(),
        channels: Arc::new(move || channels.status()),
        holder: alerts.holder(),
        pings: alerts.pings(),
    };
    let scoreboard = Arc::new(Scoreboard {
        health: health.clone(),
        listeners: listeners.clone(),
        certificates: certificates.clone(),
        configuration: configuration.clone(),
        alerting: alerting.clone(),
        start: start.clone(),
    });
    let metrics = Metrics {
        requests,
        engine: engine.stats(),
        access: gate.stats(),
        board: data.reader.clone(),
        polls: data.pollers.handles(),
        history: data.history.clone(),
        listeners,
        certificates,
        configuration: configuration.clone(),
        health: health.clone(),
        alerting: alerting.clone(),
        start,
    };
    let channels = alerts.channels();
    let test_channel: ChannelTester =
        Arc::new(move |channel| channels.test(channel, wall_clock::now()));
    let (site, gate) = (Arc::clone(site), Arc::clone(gate));
    AdminPages { health, metrics, scoreboard, site, gate, alerting, test_channel }
}

/// Returns what the heartbeat reports: stuck threads, rules that are not applied, and messages that wait for long or were
/// dropped.
pub(super) fn ailments(health: &Arc<Health>, alerts: &Alerts) -> Ailments {
    let (health, age, channels) = (health.clone(), alerts.age(), alerts.channels());
    Box::new(move || {
        let mut ailments: Vec<String> =
            health.stuck().iter().map(|stuck| format!("stuck: {stuck}")).collect();
        if age.age() > RULES_BOUND {
            let seconds = age.age().as_secs();
            ailments.push(format!("the rules of alerts have not been applied for {seconds} s"));
        }
        let now = wall_clock::now();
        ailments.extend(channels.status().iter().flat_map(|channel| of_channel(channel, now)));
        ailments
    })
}

/// Returns what the heartbeat reports of a channel.
fn of_channel(channel: &ChannelStatus, now: Timestamp) -> impl Iterator<Item = String> {
    let is_recent = |loss: &ChannelFailure| now.duration_since(loss.since) < LOSS_BOUND;
    let loss = channel.loss.as_ref().filter(|loss| is_recent(loss));
    let loss = loss.and_then(|_| channel.loss_in_words());
    channel.stall_in_words().into_iter().chain(loss)
}

/// Time for which the rules may not be applied: their thread reads the clocks every two seconds.
const RULES_BOUND: Duration = Duration::from_secs(60);

/// Time for which a loss of messages is reported. It is short, as a switch that has raised its alarm raises no other one.
const LOSS_BOUND: SignedDuration = SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::DeliveryFault;

    #[test]
    fn heartbeat_reports_messages_that_wait_for_any_reason_and_a_loss_for_an_hour() {
        let now = Timestamp::from_second(1_773_014_400).unwrap();
        let stalled = ChannelStatus {
            name: "phone".into(),
            waiting: 2,
            stall: Some("max_per_hour, 60, is used up".into()),
            ..ChannelStatus::default()
        };
        let lost = |minutes: i64| ChannelStatus {
            name: "mail".into(),
            dropped: 1,
            loss: Some(ChannelFailure {
                since: now - SignedDuration::from_mins(minutes),
                fault: DeliveryFault::Undeliverable,
                message: "422".into(),
            }),
            ..ChannelStatus::default()
        };
        for (channel, expected) in [
            (ChannelStatus::default(), vec![]),
            (stalled, vec!["2 messages wait for phone: max_per_hour, 60, is used up"]),
            (
                lost(59),
                vec!["1 messages for mail were dropped, the latest at 2026-03-08T23:01:00Z: 422"],
            ),
            (lost(60), vec![]),
        ] {
            assert_eq!(of_channel(&channel, now).collect::<Vec<_>>(), expected);
        }
    }
}
