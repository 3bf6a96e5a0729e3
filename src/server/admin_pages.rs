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
use crate::admin::{AdminPages, Alerting, ChannelTester, ReplicaReader};
use crate::board::{Snapshot, SourceView, State};
use crate::certificates::LiveCertificates;
use crate::engine::Engine;
use crate::kernel::clock::Start;
use crate::notify::{Ailments, ChannelFailure, ChannelStatus};
use crate::site::Site;
use crate::store::StoreFault;
use crate::timestamp::Rfc3339;
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

/// Returns what the heartbeat reports: stuck threads, rules that are not applied, sources that perhaps no replica polls,
/// and messages that wait for long or were dropped.
pub(super) fn ailments(health: &Arc<Health>, alerts: &Alerts) -> Ailments {
    let (health, age, channels) = (health.clone(), alerts.age(), alerts.channels());
    Box::new(move || {
        let mut ailments: Vec<String> =
            health.stuck().iter().map(|stuck| format!("stuck: {stuck}")).collect();
        if age.age() > RULES_BOUND {
            let seconds = age.age().as_secs();
            ailments.push(format!("the rules of alerts have not been applied for {seconds} s"));
        }
        let fault = health.replica.as_ref().and_then(ReplicaReader::store_fault);
        ailments.extend(fault.and_then(|fault| unknown_sources(&health.board.load(), &fault)));
        let now = wall_clock::now();
        ailments.extend(channels.status().iter().flat_map(|channel| of_channel(channel, now)));
        ailments
    })
}

/// Returns what the heartbeat reports while the database of replicas is away: sources that this replica does not poll, and
/// has no fresh reading of. The replica that polled them may have ended, and no rule of this one applies to them.
fn unknown_sources(snapshot: &Snapshot, fault: &StoreFault) -> Option<String> {
    let is_unknown = |view: &&SourceView| !view.is_held && view.state != State::Fresh;
    let unknown = || snapshot.sources.iter().filter(is_unknown);
    let named: Vec<&str> = unknown().take(MAX_NAMED).map(|view| &*view.name).collect();
    let (count, names) = (unknown().count(), named.join(", "));
    let more = if count > MAX_NAMED { ", …" } else { "" };
    (count > 0).then(|| {
        format!(
            "the database cannot be used since {}, and this replica has no fresh reading of {count} sources that it \
             does not poll: {names}{more}",
            Rfc3339(fault.since)
        )
    })
}

/// Returns what the heartbeat reports of a channel.
fn of_channel(channel: &ChannelStatus, now: Timestamp) -> impl Iterator<Item = String> {
    let is_recent = |loss: &ChannelFailure| now.duration_since(loss.since) < LOSS_BOUND;
    let loss = channel.loss.as_ref().filter(|loss| is_recent(loss));
    let loss = loss.and_then(|_| channel.loss_in_words());
    channel.stall_in_words().into_iter().chain(loss)
}

/// Most sources that a report names.
const MAX_NAMED: usize = 10;

/// Time for which the rules may not be applied: their thread reads the clocks every two seconds.
const RULES_BOUND: Duration = Duration::from_secs(60);

/// Time for which a loss of messages is reported. It is short, as a switch that has raised its alarm raises no other one.
const LOSS_BOUND: SignedDuration = SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, ServiceInfo, SourceInfo};
    use crate::notify::DeliveryFault;
    use crate::store::FaultScope;

    #[test]
    fn heartbeat_reports_sources_that_are_not_polled_here_while_the_database_is_away() {
        let infos = ["a", "b", "c"].map(SourceInfo::example).into();
        let service = ServiceInfo { name: "test", version: "1", started_at: Timestamp::UNIX_EPOCH };
        let started = Board::start_replica(infos, Vec::new(), service, Box::new(|_| ()));
        let (_board, reader, reporter) = started.unwrap();
        let fault = StoreFault {
            since: Timestamp::UNIX_EPOCH,
            message: "no route".into(),
            scope: FaultScope::Database,
        };
        reporter.hold(vec!["b".into()]);
        let is_held = |name: &str| reader.load().sources.get(name).unwrap().is_held;
        while !is_held("b") {
            std::thread::yield_now();
        }
        let reported = unknown_sources(&reader.load(), &fault).unwrap();
        assert!(reported.ends_with(" of 2 sources that it does not poll: a, c"), "{reported}");
        reporter.hold(vec!["a".into(), "c".into()]);
        while !(is_held("a") && is_held("c")) {
            std::thread::yield_now();
        }
        assert_eq!(unknown_sources(&reader.load(), &fault), None);
    }

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
