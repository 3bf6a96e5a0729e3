//! The alerts, their channels, and the dead man's switch.

use crate::admin::scoreboard::abridge::MAX_LISTED;
use crate::admin::scoreboard::report::{Alerts, Channel, FiringAlert, Report as Scoreboard};
use crate::doctor::finding::Finding;
use crate::notify::DeliveryFault;

pub(super) fn alerts(scoreboard: &Scoreboard) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(alerts) = &scoreboard.alerts {
        findings.extend(rules(alerts));
        findings.extend(alerts.firing.iter().map(firing));
        findings.extend(further(alerts.firing_unlisted, "alert", "alerts that fire"));
        findings.extend(alerts.faults.iter().map(|rule| {
            Finding::wrong(
                "alert",
                format!("{} cannot be applied: {}", rule.alert, rule.fault),
                "correct the rule in the configuration, and send HUP",
            )
        }));
        findings.extend(further(alerts.faults_unlisted, "alert", "rules that cannot be applied"));
    }
    let (troubled, well): (Vec<&Channel>, Vec<&Channel>) =
        scoreboard.channels.iter().partition(|channel| channel.is_troubled());
    findings.extend(troubled.iter().take(MAX_LISTED).map(|it| troubled_channel(it)));
    let unlisted = troubled.len().saturating_sub(MAX_LISTED) as u64;
    findings.extend(further(unlisted, "channel", "channels that fail"));
    findings.extend(well.iter().take(MAX_LISTED).map(|channel| {
        let Channel { channel, kind, sent, dropped, .. } = channel;
        let detail = format!("{channel} ({kind}): {sent} sent, {dropped} dropped since the start");
        if *dropped > 0 {
            Finding::note("channel", detail)
        } else {
            Finding::well("channel", detail)
        }
    }));
    let heartbeat = scoreboard.alerts.as_ref().and_then(|alerts| alerts.heartbeat.as_ref());
    findings.extend(heartbeat.map(|heartbeat| {
        let count = |outcome| heartbeat.pings.get(outcome).copied().unwrap_or(0);
        let pings = format!(
            "{} pings, {} with a reason, {} not taken since the start",
            count("ok"),
            count("fail"),
            count("error")
        );
        match &heartbeat.error {
            None => Finding::well("heartbeat", pings),
            Some(error) => {
                let since = heartbeat.error_since.as_deref().unwrap_or("an unknown time");
                Finding::wrong(
                    "heartbeat",
                    format!("not taken since {since}: {error}; {pings}"),
                    "check [heartbeat] url and the way to it: the switch raises its alarm without pings",
                )
            }
        }
    }));
    findings
}

/// Returns the finding about all rules; none for a server without rules.
fn rules(alerts: &Alerts) -> Option<Finding> {
    if alerts.rules == 0 {
        return None;
    }
    let count = |state| alerts.states.get(state).copied().unwrap_or(0);
    let detail = format!(
        "{} rules: {} firing, {} acknowledged, {} silenced, {} pending",
        alerts.rules,
        count("firing"),
        count("acknowledged"),
        count("silenced"),
        count("pending")
    );
    Some(match &alerts.holder {
        Some(holder) => {
            Finding::note("alerts", format!("announced by another process, {holder}; {detail}"))
                .advise("this one takes over within a minute after the other has ended")
        }
        None => Finding::well("alerts", detail),
    })
}

fn firing(alert: &FiringAlert) -> Finding {
    let source = alert.source.as_ref().map(|source| format!(", {source}")).unwrap_or_default();
    let FiringAlert { alert: name, severity, condition, since, state, .. } = alert;
    let detail = format!("{name} ({severity}){source}: {condition} since {since}, {state}");
    match &**state {
        // A person knows, or has silenced it.
        "acknowledged" | "silenced" => Finding::note("alert", detail),
        _ => Finding::wrong(
            "alert",
            detail,
            format!("when you know of it: `pumphouse-web alert ack {name}`"),
        ),
    }
}

fn troubled_channel(channel: &Channel) -> Finding {
    let Channel { channel: name, kind, waiting, oldest, stall, failure, loss, dropped, .. } =
        channel;
    let waiting = match (waiting, oldest) {
        (0, _) => String::new(),
        (1, Some(oldest)) => format!("; 1 message waits since {oldest}"),
        (number, Some(oldest)) => format!("; {number} messages wait since {oldest}"),
        (number, None) => format!("; {number} messages wait"),
    };
    let trouble = match (failure, stall) {
        (Some(failure), _) => {
            format!("fails since {}: {}{waiting}", failure.since, failure.message)
        }
        (None, Some(stall)) => format!("{stall}{waiting}"),
        (None, None) => "works".to_owned(),
    };
    let lost = loss.as_ref().map(|loss| {
        format!("; {dropped} messages were dropped, the latest at {}: {}", loss.since, loss.message)
    });
    let detail = format!("{name} ({kind}): {trouble}{}", lost.unwrap_or_default());
    let refused = <&str>::from(DeliveryFault::Refused);
    let advice = match failure.as_ref().is_some_and(|failure| failure.kind == refused) {
        true => format!(
            "correct the channel's keys in the configuration and send HUP; `pumphouse-web alert test --channel {name}` \
             tests it"
        ),
        false => format!(
            "messages are sent again until the channel takes them; `pumphouse-web alert test --channel {name}` tests it"
        ),
    };
    Finding::wrong("channel", detail, advice)
}

/// Returns the finding about entries that are not listed.
fn further(number: u64, subject: &'static str, what: &str) -> Option<Finding> {
    let advice = match subject {
        "channel" => "the admin listener lists all of them at /api/v1/channels",
        _ => "`pumphouse-web alert list` lists all of them",
    };
    (number > 0).then(|| Finding::wrong(subject, format!("{number} further {what}"), advice))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::finding::Mark;

    fn of(board: Value) -> Vec<(Mark, String)> {
        let board: Scoreboard = serde_json::from_value(board).unwrap();
        alerts(&board).into_iter().map(|finding| (finding.mark, finding.detail)).collect()
    }

    #[test]
    fn each_trouble_of_alerts_is_found() {
        let firing = |state: &str| {
            json!({"alerts": {"rules": 0, "firing": [
                {"alert": "tank_low", "state": state, "severity": "critical", "source": "tank",
                 "condition": "below 300 gal", "since": "2026-01-31T16:40:00Z"}]}})
        };
        let channel = |failure: Value, waiting: u64| {
            json!({"channels": [{"channel": "phone", "kind": "ntfy", "waiting": waiting,
                "oldest": (waiting > 0).then_some("2026-01-31T02:10:00Z"), "failure": failure, "sent": 3}]})
        };
        let failure = |kind: &str| json!({"kind": kind, "message": "HTTP 403", "since": "2026-01-31T02:09:00Z"});
        for (board, mark, expected) in [
            (
                firing("firing"),
                Mark::Wrong,
                "tank_low (critical), tank: below 300 gal since 2026-01-31T16:40:00Z, firing",
            ),
            (firing("acknowledged"), Mark::Note, "16:40:00Z, acknowledged"),
            (firing("silenced"), Mark::Note, "16:40:00Z, silenced"),
            (
                json!({"alerts": {"firing_unlisted": 980}}),
                Mark::Wrong,
                "980 further alerts that fire",
            ),
            (
                json!({"alerts": {"faults": [{"alert": "a", "fault": "b.c is a pressure"}]}}),
                Mark::Wrong,
                "a cannot be applied: b.c is a pressure",
            ),
            (
                json!({"alerts": {"rules": 7, "states": {"firing": 1}, "holder": "pid 42"}}),
                Mark::Note,
                "announced by another process, pid 42; 7 rules: 1 firing",
            ),
            (
                channel(failure("refused"), 3),
                Mark::Wrong,
                "phone (ntfy): fails since 2026-01-31T02:09:00Z: HTTP 403; 3 messages wait since 2026-01-31T02:10:00Z",
            ),
            (channel(failure("transient"), 1), Mark::Wrong, "1 message waits since"),
            (channel(Value::Null, 1), Mark::Well, "phone (ntfy): 3 sent, 0 dropped"),
            (
                json!({"channels": [{"channel": "phone", "kind": "ntfy", "dropped": 4, "loss": failure("undeliverable")}]}),
                Mark::Wrong,
                "phone (ntfy): works; 4 messages were dropped, the latest at 2026-01-31T02:09:00Z: HTTP 403",
            ),
            (
                json!({"channels": [{"channel": "phone", "kind": "ntfy", "waiting": 2, "stall": "its thread has ended"}]}),
                Mark::Wrong,
                "phone (ntfy): its thread has ended; 2 messages wait",
            ),
            (
                json!({"alerts": {"heartbeat": {"pings": {"ok": 3, "error": 2}, "error": "HTTP 404",
                    "error_since": "2026-01-31T02:10:00Z"}}}),
                Mark::Wrong,
                "not taken since 2026-01-31T02:10:00Z: HTTP 404; 3 pings, 0 with a reason, 2 not taken",
            ),
            (
                json!({"alerts": {"heartbeat": {"pings": {"ok": 3}}}}),
                Mark::Well,
                "3 pings, 0 with a reason",
            ),
        ] {
            let found = of(board.clone());
            let is_expected =
                |(found, detail): &(Mark, String)| *found == mark && detail.contains(expected);
            assert!(found.iter().any(is_expected), "{board}: {found:?}");
        }
    }

    #[test]
    fn server_without_alerts_has_no_finding_and_many_channels_are_bounded() {
        assert_eq!(of(json!({})), []);
        assert_eq!(of(json!({"alerts": {"rules": 0}})), []);
        let failure = json!({"kind": "refused", "message": "no", "since": "x"});
        let channels: Vec<Value> = (0..50)
            .map(|number| json!({"channel": format!("c{number}"), "kind": "exec", "failure": failure}))
            .collect();
        let found = of(json!({"channels": channels}));
        assert_eq!(found.len(), MAX_LISTED + 1);
        assert_eq!(found.last().unwrap().1, "30 further channels that fail");
    }
}
