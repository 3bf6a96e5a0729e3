//! The body of Alertmanager's webhook, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! A fire and the end of one incident are one alert there, which is resolved: receivers keep alerts by fingerprint.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::context::ChannelContext;
use super::delivery::Delivery;
use super::message::{Item, Message};
use crate::access::SiteUrl;
use crate::alert::text::{self, TextContext};
use crate::order;
use crate::timestamp::Rfc3339;

/// End of an alert that fires: the zero of Go's times.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// Labels or annotations.
type Texts = BTreeMap<&'static str, String>;

/// Returns the body for a receiver.
pub(super) fn body(delivery: &Delivery, context: &ChannelContext, receiver: &str) -> Value {
    let items = Item::of(delivery);
    let message = Message::of(delivery, context);
    let texts = context.text(delivery.now);
    let alerts: Vec<(Texts, Texts)> =
        items.iter().map(|item| (labels(item), annotations(item, &texts))).collect();
    let common_labels = common(alerts.iter().map(|(labels, _)| labels));
    let name = common_labels.get("alertname");
    let group: Texts = order::gathered(name.map(|name| ("alertname", name.clone())));
    let group_key = match name {
        Some(name) => format!("{{}}:{{alertname={name:?}}}"),
        None => "{}:{}".to_owned(),
    };
    let rendered: Vec<Value> = items
        .iter()
        .zip(&alerts)
        .map(|(item, (labels, annotations))| {
            let incident = item.incident();
            let end = incident.ended.map(|ended| Rfc3339(ended.at).to_string());
            json!({
                "status": status(item.is_over()),
                "labels": labels,
                "annotations": annotations,
                "startsAt": Rfc3339(incident.fired_at).to_string(),
                "endsAt": end.filter(|_| item.is_over()).unwrap_or_else(|| NO_END.to_owned()),
                "generatorURL": text::link(incident, context.site_url.as_ref()).unwrap_or_default(),
                "fingerprint": incident.id.to_string(),
            })
        })
        .collect();
    json!({
        "version": "4",
        "groupKey": group_key,
        "truncatedAlerts": delivery.dropped,
        "status": status(message.is_over),
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": common_labels,
        "commonAnnotations": common(alerts.iter().map(|(_, annotations)| annotations)),
        // Alertmanager's has no slash at its end, and receivers append paths with one.
        "externalURL": context.site_url.as_ref().map(SiteUrl::without_slash).unwrap_or_default(),
        "alerts": rendered,
    })
}

fn status(is_over: bool) -> &'static str {
    if is_over { "resolved" } else { "firing" }
}

fn labels(item: &Item<'_>) -> Texts {
    let incident = item.incident();
    let mut labels: Texts = order::gathered([
        ("alertname", incident.subject.alert.to_string()),
        ("severity", incident.severity.as_str().to_owned()),
        ("incident", incident.id.to_string()),
    ]);
    labels.extend(incident.subject.source.as_ref().map(|source| ("source", source.to_string())));
    labels.extend(incident.field.as_ref().map(|field| ("field", field.to_string())));
    labels
}

fn annotations(item: &Item<'_>, context: &TextContext<'_>) -> Texts {
    let incident = item.incident();
    let line = text::line(item.report, incident, context);
    let rate = text::rate(incident).map(|rate| format!("Rate: {rate}"));
    let description = [Some(line), rate, text::detail(incident)].into_iter().flatten();
    order::gathered([
        ("summary", item.line(context)),
        ("description", description.collect::<Vec<_>>().join("\n")),
    ])
}

/// Returns the texts that all have.
fn common<'a>(mut all: impl Iterator<Item = &'a Texts>) -> Texts {
    let mut common = all.next().cloned().unwrap_or_default();
    for texts in all {
        common.retain(|name, text| texts.get(name) == Some(text));
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{EndReason, NoticeKind};
    use crate::config::Severity;
    use crate::notify::fixture::{context, delivery, ended, fired, notice, of_source};

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
        assert_eq!(body(&delivery([fired()]), &context(), "hook"), expected);
    }

    #[test]
    fn several_alerts_share_what_is_common_and_an_end_is_resolved() {
        let over = notice(NoticeKind::Ended, ended(EndReason::Resolved));
        let mut other = of_source("barn", Severity::Warning);
        other.subject.alert = "barn_low".into();
        let other = notice(NoticeKind::Fired, other);
        let both = body(&delivery([fired(), over.clone(), other]), &context(), "hook");
        assert_eq!(both["alerts"].as_array().map(Vec::len), Some(2));
        assert_eq!(both["alerts"][0]["endsAt"], "2026-02-03T05:40:00Z");
        assert_eq!(both["alerts"][0]["status"], "resolved");
        assert_eq!(both["status"], "firing");
        assert_eq!((&both["groupLabels"], &both["groupKey"]), (&json!({}), &json!("{}:{}")));
        assert_eq!(both["commonLabels"], json!({ "field": "volume" }));
        let resolved = body(&delivery([fired(), over]), &context(), "hook");
        assert_eq!(resolved["status"], "resolved");
    }
}
