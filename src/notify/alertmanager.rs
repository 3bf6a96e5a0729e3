//! The body of Alertmanager's webhook, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! A fire and the end of one incident are one alert there, which is resolved: receivers keep alerts by fingerprint.
//!
//! Receivers also keep groups of alerts, such as a ticket for each `groupKey`, which they close once the group is
//! resolved. A group is an alert here, with the incidents on all of its sources. As with Alertmanager, its body
//! therefore also has the incidents that fire still and that the channel knows, and is resolved once none does.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::context::ChannelContext;
use super::delivery::{Delivery, DeliveryError, DeliveryFault};
use super::message::Item;
use crate::access::SiteUrl;
use crate::alert::text::{self, Report, TextContext};
use crate::alert::{Incident, IncidentId, Notice, NoticeKey, NoticeKind};
use crate::order;
use crate::timestamp::Rfc3339;

/// End of an alert that fires: the zero of Go's times.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// Most incidents of a body that fire still, beside those with news. The others are counted. A receiver whose limit the
/// body exceeds would get no message at all.
const MAX_STILL_FIRING: usize = 50;

/// Labels or annotations.
type Texts = BTreeMap<&'static str, String>;

/// Returns the body for a receiver, of a delivery whose notices are all of one alert.
///
/// # Errors
/// No incident with news fires, and it is not known yet whether others do.
pub(super) fn body(
    delivery: &Delivery,
    context: &ChannelContext,
    receiver: &Arc<str>,
) -> Result<Value, DeliveryError> {
    let mut items = Item::of(delivery);
    let name = items.first().map_or("", |item| &*item.incident().subject.alert);
    let is_over = items.iter().all(Item::is_over);
    let still_firing = match still_firing(name, context, receiver, delivery) {
        Some(notices) => notices,
        None if is_over => {
            let message = "the states of the alerts are not read yet";
            return Err(DeliveryError::new(DeliveryFault::Transient, message));
        }
        None => Vec::new(),
    };
    let is_over = is_over && still_firing.is_empty();
    let truncated = still_firing.len().saturating_sub(MAX_STILL_FIRING) as u64;
    let known = still_firing.iter().take(MAX_STILL_FIRING);
    items.extend(known.map(|notice| Item { report: Report::Reminder, notice }));
    let texts = context.text(delivery.now);
    let alerts: Vec<(Texts, Texts)> =
        items.iter().map(|item| (labels(item), annotations(item, &texts))).collect();
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
    Ok(json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname={name:?}}}"),
        "truncatedAlerts": delivery.dropped + truncated,
        "status": status(is_over),
        "receiver": &**receiver,
        "groupLabels": { "alertname": name },
        "commonLabels": common(alerts.iter().map(|(labels, _)| labels)),
        "commonAnnotations": common(alerts.iter().map(|(_, annotations)| annotations)),
        // Alertmanager's has no slash at its end, and receivers append paths with one.
        "externalURL": context.site_url.as_ref().map(SiteUrl::without_slash).unwrap_or_default(),
        "alerts": rendered,
    }))
}

/// Returns the incidents of an alert that fire, of which the channel got a notice before, but for those of a delivery.
/// Returns `None` while the states of an earlier run are not known yet.
fn still_firing(
    alert: &str,
    context: &ChannelContext,
    channel: &Arc<str>,
    delivery: &Delivery,
) -> Option<Vec<Notice>> {
    // Without a handle, there are no rules.
    let Some(view) = context.alerts.get().map(|alerts| alerts.view()) else {
        return Some(Vec::new());
    };
    let Some(alert) = view.alert(alert) else { return view.is_active.then(Vec::new) };
    let news: HashSet<IncidentId> =
        delivery.notices.iter().map(|notice| notice.key.incident).collect();
    let known = alert.subjects.iter().filter(|subject| subject.announced.contains(channel));
    let known = known.filter_map(|subject| subject.incident.as_ref());
    let known = known.filter(|incident| !news.contains(&incident.id));
    let notice = |incident: &Arc<Incident>| Notice {
        key: NoticeKey {
            channel: Arc::clone(channel),
            incident: incident.id,
            kind: NoticeKind::Reminder,
            number: 0,
        },
        incident: Arc::clone(incident),
        message: alert.rule.message.as_ref().map(|message| Arc::clone(message.text())),
        at: delivery.now,
        due: delivery.now,
    };
    view.is_active.then(|| known.map(notice).collect())
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
    let replica = incident.subject.replica.as_ref();
    labels.extend(replica.map(|replica| ("replica", replica.to_string())));
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
mod tests;
