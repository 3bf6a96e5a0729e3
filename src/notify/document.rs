//! A delivery as JSON with all its fields, for Home Assistant and for commands.

use std::ptr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::context::ChannelContext;
use super::delivery::Delivery;
use super::message::{Item, Message};
use crate::alert::{Evidence, Incident, Notice, text};
use crate::board::Datum;
use crate::text::clean;
use crate::timestamp::Rfc3339;
use crate::units::Unit;

/// Returns the document of a delivery. For templates that show one incident, it also has the members of the latest
/// notice of the first incident that fires, or of the last incident if none does. The state is that of this one, and
/// the severity the highest.
pub(super) fn document(delivery: &Delivery, context: &ChannelContext) -> Value {
    let message = Message::of(delivery, context);
    let texts = context.text(delivery.now);
    let notices: Vec<Value> = delivery
        .notices
        .iter()
        .map(|notice| {
            let incident = &notice.incident;
            let mut document = fields(incident);
            let report = notice.key.kind.into();
            document["kind"] = notice.key.kind.as_str().into();
            document["number"] = notice.key.number.into();
            document["at"] = Rfc3339(notice.at).to_string().into();
            document["message"] = text::first_line(notice, report, &texts).into();
            document["link"] = text::link(incident, context.site_url.as_ref()).into();
            document
        })
        .collect();
    let items = Item::of(delivery);
    let shown = items.iter().find(|item| !item.is_over()).or(items.last());
    let is_shown = |notice: &Arc<Notice>| shown.is_some_and(|item| ptr::eq(item.notice, &**notice));
    let shown = delivery.notices.iter().position(is_shown);
    let mut document = shown.map_or_else(|| json!({}), |place| notices[place].clone());
    document["title"] = message.title.as_str().into();
    document["message"] = message.lines.join("\n").into();
    document["link"] = message.link.into();
    document["severity"] = message.severity.as_str().into();
    document["site"] = json!({
        "title": &*context.site_title,
        "url": context.site_url.as_ref().map(ToString::to_string),
    });
    document["key"] = (*delivery.key).into();
    document["dropped"] = delivery.dropped.into();
    document["unsaved"] = delivery.unsaved.into();
    document["notices"] = notices.into();
    document
}

/// Returns the members of an incident.
fn fields(incident: &Incident) -> Value {
    let evidence = &incident.evidence;
    let time = |at| Rfc3339(at).to_string();
    json!({
        "incident": incident.id.to_string(),
        "alert": &*incident.subject.alert,
        "source": incident.subject.source.as_deref(),
        "source_title": &*clean(&incident.title),
        "field": incident.field.as_deref(),
        "severity": incident.severity.as_str(),
        "condition": &*clean(&incident.condition),
        "state": text::state(incident),
        "since": time(incident.since),
        "fired_at": time(incident.fired_at),
        "ended_at": incident.ended.map(|ended| time(ended.at)),
        "end_reason": incident.ended.map(|ended| ended.reason.as_str()),
        "value": datum(evidence),
        "unit": evidence.unit.map(Unit::as_str),
        "threshold": evidence.threshold.map(|threshold| threshold.get()),
        "rate": evidence.rate.map(|(rate, _)| rate.get()),
        "rate_unit": evidence.rate.map(|(_, unit)| unit.as_str()),
        "observed_at": evidence.observed_at.map(time),
        "detail": text::detail(incident),
        "acknowledged_by": incident.acknowledged.as_ref().map(|by| &*by.by),
    })
}

fn datum(evidence: &Evidence) -> Value {
    match &evidence.value {
        Some(Datum::Number(number)) => json!(number.get()),
        Some(Datum::Text(text)) => json!(&*clean(text)),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{EndReason, NoticeKind};
    use crate::config::Severity;
    use crate::notify::fixture::{context, delivery, ended, fired, notice, of_source};

    #[test]
    fn document_has_all_fields_of_each_notice_and_those_of_the_latest() {
        let over = notice(NoticeKind::Ended, ended(EndReason::Resolved));
        let first = json!({
            "incident": "0000000000001234", "alert": "tank_low", "source": "cistern",
            "source_title": "Cistern", "field": "volume", "severity": "critical",
            "condition": "below 300 gal", "state": "firing", "since": "2026-02-03T02:10:00Z",
            "fired_at": "2026-02-03T02:20:00Z", "ended_at": null, "end_reason": null,
            "value": 280.0, "unit": "gal", "threshold": 300.0, "rate": -12.0, "rate_unit": "gal/h",
            "observed_at": "2026-02-03T05:57:00Z", "detail": null, "acknowledged_by": null,
            "kind": "fired", "number": 0, "at": "2026-02-03T05:58:00Z",
            "message": "280 gal, 3 min ago: Cistern volume below 300 gal",
            "link": "https://tank.example/pumphouse/source/cistern",
        });
        let mut document = document(&delivery([fired(), over]), &context());
        assert_eq!(document["notices"][0], first);
        let mut expected = document["notices"][1].clone();
        for (name, value) in [
            ("kind", json!("ended")),
            ("state", json!("resolved")),
            ("fired_at", json!("2026-02-03T02:20:00Z")),
            ("ended_at", json!("2026-02-03T05:40:00Z")),
            ("value", json!(340.0)),
        ] {
            assert_eq!(expected[name], value, "{name}");
        }
        document["notices"] = json!([]);
        for (name, value) in [
            ("title", json!("340 gal: Cistern volume (over)")),
            (
                "message",
                json!("340 gal, 1 min ago: Cistern volume was below 300 gal from 02:10 to 05:40"),
            ),
            ("site", json!({"title": "Ridge water", "url": "https://tank.example/pumphouse/"})),
            ("key", json!("phone-17")),
            ("dropped", json!(0)),
            ("unsaved", json!(false)),
            ("notices", json!([])),
        ] {
            expected[name] = value;
        }
        assert_eq!(document, expected);
    }

    #[test]
    fn members_at_the_top_are_of_the_incident_that_decides_the_state() {
        let over = || notice(NoticeKind::Ended, ended(EndReason::Resolved));
        let withdrawn = || {
            let mut incident = of_source("barn", Severity::Warning);
            incident.ended = ended(EndReason::Withdrawn).ended;
            notice(NoticeKind::Ended, incident)
        };
        let fires = || notice(NoticeKind::Fired, of_source("barn", Severity::Warning));
        let reminds = || notice(NoticeKind::Reminder, of_source("shed", Severity::Warning));
        for (notices, expected) in [
            (vec![fired(), over()], ("cistern", "ended", "resolved")),
            (vec![fired(), over(), fires()], ("barn", "fired", "firing")),
            (vec![over(), reminds(), fires()], ("shed", "reminder", "firing")),
            (vec![fires(), withdrawn(), over()], ("cistern", "ended", "resolved")),
            (vec![over(), withdrawn()], ("barn", "ended", "withdrawn")),
        ] {
            let document = document(&delivery(notices), &context());
            let text = |name: &str| document[name].as_str().unwrap_or_default();
            assert_eq!((text("source"), text("kind"), text("state")), expected);
            assert_eq!(document["ended_at"].is_null(), expected.2 == "firing", "{expected:?}");
            assert!(document["since"].is_string() && document["fired_at"].is_string());
        }
    }
}
