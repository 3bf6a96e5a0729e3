//! The message of a delivery for people.
//!
//! A message about one incident leads with the number. One about several begins with a summary and has a line for
//! each of the ten that matter most.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;

use super::context::ChannelContext;
use super::cut::{Measure, cut};
use super::delivery::Delivery;
use crate::alert::text::{self, Report, TextContext};
use crate::alert::{EndReason, Incident, IncidentId, Notice};
use crate::config::Severity;
use crate::format;
use crate::order;
use crate::text::clean;

/// Most incidents that have a line of their own.
const MAX_LINES: usize = 10;

/// Part of a delivery about one incident, whose notices have been joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    /// News about the incident.
    pub(super) report: Report,
    /// Latest notice of the incident.
    pub(super) notice: &'a Notice,
}

impl<'a> Item<'a> {
    /// Returns the items of a delivery, in its order.
    pub(super) fn of(delivery: &'a Delivery) -> Vec<Item<'a>> {
        let mut items: Vec<Item<'a>> = Vec::with_capacity(delivery.notices.len());
        let mut places: HashMap<IncidentId, usize> = HashMap::new();
        for notice in &delivery.notices {
            let report = Report::from(notice.key.kind);
            match places.get(&notice.key.incident) {
                Some(&place) => {
                    let report = match (items[place].report, report) {
                        (Report::Fired | Report::FiredAndEnded, Report::Ended) => {
                            Report::FiredAndEnded
                        }
                        (Report::Fired, Report::Reminder) => Report::Fired,
                        (_, later) => later,
                    };
                    items[place] = Item { report, notice };
                }
                None => {
                    places.insert(notice.key.incident, items.len());
                    items.push(Item { report, notice });
                }
            }
        }
        items
    }

    /// Returns the incident as of its latest notice.
    pub(super) fn incident(&self) -> &'a Incident {
        &self.notice.incident
    }

    /// Returns true if the incident has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.report, Report::Ended | Report::FiredAndEnded)
    }

    /// Returns the first line: that of the rule, or the default.
    pub(super) fn line(&self, context: &TextContext<'_>) -> String {
        text::first_line(self.notice, self.report, context)
    }
}

/// A message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Title, which leads with a number if there is one.
    pub(super) title: String,
    /// Lines of the text, at least one.
    pub(super) lines: Vec<String>,
    /// Address of the page to open.
    pub(super) link: Option<String>,
    /// Highest severity of an incident that fires, or of all if none does.
    pub(super) severity: Severity,
    /// True if every incident has ended.
    pub(super) is_over: bool,
    /// True for a message about one incident, whose first line says what its title says.
    pub(super) is_single: bool,
    /// Time of the latest notice.
    pub(super) at: Timestamp,
}

impl Message {
    /// Returns the message of a delivery.
    pub(super) fn of(delivery: &Delivery, channel: &ChannelContext) -> Message {
        let items = Item::of(delivery);
        let context = channel.text(delivery.now);
        let is_over = items.iter().all(Item::is_over);
        let relevant = items.iter().filter(|item| is_over || !item.is_over());
        let severity = relevant.map(|item| item.incident().severity).max().unwrap_or_default();
        let at = delivery.notices.iter().map(|notice| notice.at).max().unwrap_or(delivery.now);
        let (title, mut lines, link) = match items.as_slice() {
            [item] => single(item, &context),
            items => several(items, channel, &context),
        };
        if delivery.dropped > 0 {
            lines.push(match delivery.dropped {
                1 => "1 further alert is left out, because too many messages waited.".to_owned(),
                dropped => format!(
                    "{} further alerts are left out, because too many messages waited.",
                    format::whole(dropped as f64)
                ),
            });
        }
        if delivery.unsaved {
            lines.push("This message is not saved on the disk of the server.".to_owned());
        }
        let is_single = items.len() == 1;
        Message { title, lines, link, severity, is_over, is_single, at }
    }

    /// Returns the lines, cut to a length.
    pub(super) fn body(&self, limit: usize, measure: Measure) -> String {
        cut(&self.lines.join("\n"), limit, measure)
    }

    /// Returns the whole message as one text, for a service without titles and links: the title of a message about
    /// several incidents, the lines, and the link, which is never cut.
    pub(super) fn text(
        &self,
        limit: usize,
        measure: Measure,
        escape: impl Fn(&str) -> String,
    ) -> String {
        let title = (!self.is_single).then_some(self.title.as_str());
        let lines = title.into_iter().chain(self.lines.iter().map(String::as_str));
        let text = escape(&lines.collect::<Vec<_>>().join("\n"));
        match &self.link {
            Some(link) => {
                let end = format!("\n{link}");
                cut(&text, limit.saturating_sub(measure.of(&end)), measure) + &end
            }
            None => cut(&text, limit, measure),
        }
    }
}

type Parts = (String, Vec<String>, Option<String>);

fn single(item: &Item<'_>, context: &TextContext<'_>) -> Parts {
    let incident = item.incident();
    let subject = text::subject(incident);
    let state = match (item.report, incident.ended.map(|ended| ended.reason)) {
        (Report::Fired, _) => String::new(),
        (
            Report::Ended | Report::FiredAndEnded,
            Some(EndReason::Withdrawn | EndReason::Duplicate),
        ) => " (withdrawn)".to_owned(),
        (Report::Ended | Report::FiredAndEnded, _) => " (over)".to_owned(),
        (Report::Reminder, _) => " (reminder)".to_owned(),
    };
    let title = match text::value(incident) {
        Some(value) => format!("{value}: {subject}{state}"),
        None => format!("{subject} {}{state}", clean(&incident.condition)),
    };
    let mut lines = vec![item.line(context)];
    if item.notice.message.is_some() {
        lines.push(text::line(item.report, incident, context));
    }
    if let Some(rate) = text::rate(incident).filter(|_| !item.is_over()) {
        lines.push(format!("Rate: {rate}"));
    }
    lines.extend(text::detail(incident));
    (title, lines, text::link(incident, context.site_url))
}

fn several(items: &[Item<'_>], channel: &ChannelContext, context: &TextContext<'_>) -> Parts {
    let count = |number: usize| format::whole(number as f64);
    let over = items.iter().filter(|item| item.is_over()).count();
    let summary = match (items.len() - over, over) {
        (firing, 0) => format!("{} firing", count(firing)),
        (0, over) => format!("{} over", count(over)),
        (firing, over) => format!("{} firing, {} over", count(firing), count(over)),
    };
    let title = format!("{} alerts, {summary}: {}", count(items.len()), clean(&channel.site_title));
    let mut ranked: Vec<&Item<'_>> = items.iter().collect();
    order::sort_by_key(&mut ranked, |item| (item.is_over(), Reverse(item.incident().severity)));
    let mut lines: Vec<String> =
        ranked.iter().take(MAX_LINES).map(|item| item.line(context)).collect();
    if let Some(rest) = items.len().checked_sub(MAX_LINES).filter(|rest| *rest > 0) {
        lines.push(format!("and {} more", count(rest)));
    }
    let mut links = items.iter().map(|item| text::link(item.incident(), context.site_url));
    let first = links.next().flatten();
    let is_same = links.all(|link| link == first);
    let site = context.site_url.map(ToString::to_string);
    (title, lines, if is_same { first } else { site })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::NoticeKind;
    use crate::notify::fixture::{self, context, delivery, fired, incident, notice};

    #[test]
    fn message_of_one_incident_leads_with_its_number() {
        let message = Message::of(&delivery([fired()]), &context());
        assert_eq!(
            message,
            Message {
                title: "280 gal: Cistern volume".to_owned(),
                lines: vec![
                    "280 gal, 3 min ago: Cistern volume below 300 gal".to_owned(),
                    "Rate: −12 gal/h".to_owned(),
                ],
                link: Some("https://tank.example/pumphouse/source/cistern".to_owned()),
                severity: Severity::Critical,
                is_over: false,
                is_single: true,
                at: fixture::at("05:58"),
            }
        );
        let text = message.text(4096, Measure::Utf16, str::to_owned);
        assert_eq!(
            text,
            "280 gal, 3 min ago: Cistern volume below 300 gal\nRate: −12 gal/h\n\
             https://tank.example/pumphouse/source/cistern"
        );
    }

    #[test]
    fn fire_and_end_of_one_incident_are_one_item() {
        let over = notice(NoticeKind::Ended, fixture::ended(EndReason::Resolved));
        let both = Message::of(&delivery([fired(), over.clone()]), &context());
        let line = "340 gal, 1 min ago: Cistern volume was below 300 gal from 02:10 to 05:40";
        assert_eq!(
            (both.title.as_str(), both.lines),
            ("340 gal: Cistern volume (over)", vec![line.to_owned()])
        );
        assert!(both.is_over);
        let reminder = notice(NoticeKind::Reminder, incident());
        let delivery = delivery([fired(), reminder, over]);
        let items = Item::of(&delivery);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].report, Report::FiredAndEnded);
    }

    #[test]
    fn thousand_notices_are_one_message_of_bounded_length() {
        let notices = (0..1000).map(|number| {
            let severity = if number == 777 { Severity::Critical } else { Severity::Warning };
            let named = fixture::of_source(&format!("tank_{number}"), severity);
            notice(NoticeKind::Fired, named)
        });
        let mut delivery = delivery(notices);
        (delivery.dropped, delivery.unsaved) = (1234, true);
        let message = Message::of(&delivery, &context());
        assert_eq!(message.title, "1,000 alerts, 1,000 firing: Ridge water");
        assert_eq!(message.lines.len(), 13);
        assert!(message.lines[0].contains("tank_777"), "{}", message.lines[0]);
        assert!(message.lines[1].contains("tank_0"), "{}", message.lines[1]);
        assert_eq!(
            message.lines[10..],
            [
                "and 990 more",
                "1,234 further alerts are left out, because too many messages waited.",
                "This message is not saved on the disk of the server."
            ]
        );
        assert_eq!(message.link.as_deref(), Some("https://tank.example/pumphouse/"));
        for limit in [200, 1024] {
            let text = message.text(limit, Measure::Bytes, str::to_owned);
            assert!(text.len() <= limit, "{}", text.len());
            assert!(text.ends_with("https://tank.example/pumphouse/"), "{text}");
        }
    }

    #[test]
    fn message_of_the_rule_is_the_first_line_and_other_texts_follow() {
        let mut own = (*fired()).clone();
        own.message = Some("{title} low:\r\n{value}!".into());
        let message = Message::of(&delivery([own.into()]), &context());
        assert_eq!(
            message.lines[..2],
            ["Cistern low:  280 gal!", "280 gal, 3 min ago: Cistern volume below 300 gal"]
        );
    }
}
