use super::*;
use crate::alert::{EndReason, NoticeKind};
use crate::config::Severity;
use crate::notify::fixture::{
    context, delivery, ended, fired, incident, knowing, notice, of_source,
};

fn posted(notices: impl IntoIterator<Item = Arc<Notice>>, context: &ChannelContext) -> Value {
    body(&delivery(notices), context, &"hook".into()).unwrap()
}

#[test]
fn body_of_an_alert_that_fires_is_that_of_alertmanager() {
    let labels = json!({
        "alertname": "tank_low", "severity": "critical", "incident": "0000000000001234",
        "source": "cistern", "field": "volume",
    });
    let annotations = json!({
        "summary": "280 gal, 3 min ago: Cistern volume below 300 gal",
        "description": "280 gal, 3 min ago: Cistern volume below 300 gal\nRate: −12 gal/h",
    });
    let expected = json!({
        "version": "4",
        "groupKey": "{}:{alertname=\"tank_low\"}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hook",
        "groupLabels": { "alertname": "tank_low" },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "https://tank.example/pumphouse",
        "alerts": [{
            "status": "firing",
            "labels": labels,
            "annotations": annotations,
            "startsAt": "2026-02-03T02:20:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://tank.example/pumphouse/source/cistern",
            "fingerprint": "0000000000001234",
        }],
    });
    assert_eq!(posted([fired()], &context()), expected);
}

#[test]
fn several_incidents_share_what_is_common_and_an_end_is_resolved() {
    let over = notice(NoticeKind::Ended, ended(EndReason::Resolved));
    let other = notice(NoticeKind::Fired, of_source("barn", Severity::Warning));
    let both = posted([fired(), over.clone(), other], &context());
    assert_eq!(both["alerts"].as_array().map(Vec::len), Some(2));
    assert_eq!(both["alerts"][0]["endsAt"], "2026-02-03T05:40:00Z");
    assert_eq!(both["alerts"][0]["status"], "resolved");
    assert_eq!(both["status"], "firing");
    assert_eq!(both["groupKey"], "{}:{alertname=\"tank_low\"}");
    assert_eq!(both["commonLabels"], json!({ "alertname": "tank_low", "field": "volume" }));
    assert_eq!(posted([fired(), over], &context())["status"], "resolved");
}

#[test]
fn group_is_resolved_once_no_incident_of_it_fires_that_the_channel_knows() {
    let over = || [notice(NoticeKind::Ended, ended(EndReason::Resolved))];
    let barn = || of_source("barn", Severity::Warning);
    let knows = |incidents, is_active| knowing("tank_low", incidents, is_active);
    let burning = posted(over(), &knows(vec![(barn(), "hook")], true));
    assert_eq!(burning["status"], "firing");
    let alerts = burning["alerts"].as_array().unwrap();
    let seen: Vec<_> = alerts.iter().map(|it| (&it["labels"]["source"], &it["status"])).collect();
    let [cistern, barn_name] = ["cistern", "barn"].map(Value::from);
    let [resolved, firing] = ["resolved", "firing"].map(Value::from);
    assert_eq!(seen, [(&cistern, &resolved), (&barn_name, &firing)]);
    let summary = alerts[1]["annotations"]["summary"].as_str().unwrap();
    assert!(summary.contains("barn volume still below 300 gal"), "{summary}");

    for (what, context) in [
        ("the channel does not know of it", knows(vec![(barn(), "phone")], true)),
        ("it has ended", knows(vec![(incident(), "hook")], true)),
        ("none fires", knows(Vec::new(), true)),
        ("the rule was removed", knowing("other", vec![(barn(), "hook")], true)),
    ] {
        let body = posted(over(), &context);
        let alerts = body["alerts"].as_array().map(Vec::len);
        assert_eq!((&body["status"], alerts), (&resolved, Some(1)), "{what}");
    }
}

#[test]
fn end_waits_until_the_states_of_an_earlier_run_are_known() {
    let over = delivery([notice(NoticeKind::Ended, ended(EndReason::Resolved))]);
    for alert in ["tank_low", "other"] {
        let starting = knowing(alert, Vec::new(), false);
        let error = body(&over, &starting, &"hook".into()).unwrap_err();
        assert_eq!(error.fault, DeliveryFault::Transient);
        assert_eq!(posted([fired()], &starting)["status"], "firing");
    }
}

#[test]
fn incidents_beyond_a_bound_are_counted() {
    let many = (0..250).map(|number| (of_source(&number.to_string(), Severity::Info), "hook"));
    let context = knowing("tank_low", many.collect(), true);
    let mut delivery = delivery([fired()]);
    delivery.dropped = 7;
    let body = body(&delivery, &context, &"hook".into()).unwrap();
    assert_eq!(body["alerts"].as_array().map(Vec::len), Some(1 + MAX_STILL_FIRING));
    assert_eq!(body["truncatedAlerts"], 200 + 7);
}
