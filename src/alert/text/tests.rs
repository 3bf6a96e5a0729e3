use std::sync::Arc;

use super::*;
use crate::alert::test_notices::{low_cistern as incident, of_morning as at};
use crate::alert::{Ended, Evidence, SubjectKey};
use crate::board::{Datum, Value};
use crate::units::Unit;

fn context<'a>(zone: &'a TimeZone, site_url: Option<&'a SiteUrl>) -> TextContext<'a> {
    TextContext { now: at("06:00"), zone, site_url }
}

fn ended(reason: EndReason) -> Incident {
    Incident { ended: Some(Ended { at: at("05:40"), reason }), ..incident() }
}

#[test]
fn line_leads_with_the_number_and_its_age() {
    let zone = TimeZone::UTC;
    let context = context(&zone, None);
    let no_value = Incident {
        field: None,
        condition: "stale".into(),
        evidence: Evidence::default(),
        ..incident()
    };
    let days = Incident {
        title: "Ridge".into(),
        field: None,
        condition: "certificate expires".into(),
        evidence: Evidence {
            value: Value::number(12.0, Unit::Day).datum,
            unit: Some(Unit::Day),
            ..Evidence::default()
        },
        ..incident()
    };
    let yesterday = Incident { since: "2026-02-02T22:10:00Z".parse().unwrap(), ..incident() };
    for (report, incident, expected) in [
        (Report::Fired, incident(), "280 gal, 3 min ago: Cistern volume below 300 gal"),
        (
            Report::Reminder,
            incident(),
            "280 gal, 3 min ago: Cistern volume still below 300 gal, since 02:10",
        ),
        (
            Report::Reminder,
            yesterday,
            "280 gal, 3 min ago: Cistern volume still below 300 gal, since Mon 2 Feb, 22:10",
        ),
        (
            Report::Ended,
            ended(EndReason::Resolved),
            "280 gal, 3 min ago: Cistern volume is no longer below 300 gal; it was from 02:10 to 05:40",
        ),
        (
            Report::FiredAndEnded,
            ended(EndReason::Resolved),
            "280 gal, 3 min ago: Cistern volume was below 300 gal from 02:10 to 05:40",
        ),
        (
            Report::Ended,
            ended(EndReason::OutsideHours),
            "280 gal, 3 min ago: Cistern volume below 300 gal from 02:10 to 05:40, when the hours \
             of the alert ended",
        ),
        (
            Report::Ended,
            ended(EndReason::Withdrawn),
            "280 gal, 3 min ago: Cistern volume below 300 gal from 02:10 to 05:40: the alert is \
             withdrawn, as its rule or source was changed or removed",
        ),
        (Report::Fired, no_value, "Cistern stale"),
        (Report::Fired, days, "12 d: Ridge certificate expires"),
    ] {
        assert_eq!(line(report, &incident, &context), expected);
    }
}

#[test]
fn end_of_each_condition_is_a_sentence() {
    let zone = TimeZone::UTC;
    let context = context(&zone, None);
    for (condition, ended_text, both) in [
        ("is off", "is no longer off; it was from 02:10 to 05:40", "was off from 02:10 to 05:40"),
        (
            "stale",
            "is no longer stale; it was from 02:10 to 05:40",
            "was stale from 02:10 to 05:40",
        ),
        (
            "falls 40 gal within 1h",
            "falls 40 gal within 1h: over, it lasted from 02:10 to 05:40",
            "falls 40 gal within 1h: over, it lasted from 02:10 to 05:40",
        ),
        (
            "disk full",
            "disk full: over, it lasted from 02:10 to 05:40",
            "disk full: over, it lasted from 02:10 to 05:40",
        ),
    ] {
        let incident = Incident {
            condition: condition.into(),
            evidence: Evidence::default(),
            ..ended(EndReason::Resolved)
        };
        for (report, expected) in [(Report::Ended, ended_text), (Report::FiredAndEnded, both)] {
            assert_eq!(line(report, &incident, &context), format!("Cistern volume {expected}"));
        }
    }
}

#[test]
fn placeholders_have_their_values_and_texts_of_upstreams_are_cleaned() {
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    let site: SiteUrl = "https://tank.example/pumphouse".parse().unwrap();
    let context = context(&zone, Some(&site));
    let all = "{alert}|{severity}|{state}|{title}|{source}|{field}|{value}|{age}|{rate}|{threshold}|{since}|\
               {condition}|{incident}|{url}";
    let template: Template = all.parse().unwrap();
    assert_eq!(
        render(&template, &incident(), &context),
        "tank_low|critical|firing|Cistern|cistern|Volume|280 gal|3 min ago|−12 gal/h|300 gal|18:10|\
         below 300 gal|0000000000001234|https://tank.example/pumphouse/source/cistern"
    );
    let bare = Incident {
        subject: SubjectKey { source: None, ..incident().subject },
        field: None,
        evidence: Evidence::default(),
        ..ended(EndReason::Withdrawn)
    };
    let expected = "withdrawn|||no value||no rate||https://tank.example/pumphouse/";
    let some: Template =
        "{state}|{source}|{field}|{value}|{age}|{rate}|{threshold}|{url}".parse().unwrap();
    assert_eq!(render(&some, &bare, &context), expected);
    let hostile = Incident {
        title: "a\u{202e}\r\nb".into(),
        evidence: Evidence {
            value: Some(Datum::Text(Arc::from("on\n\u{1b}[31m"))),
            ..Evidence::default()
        },
        ..incident()
    };
    let value: Template = "{title}: {value}\n".parse().unwrap();
    assert_eq!(render(&value, &hostile, &context), "a\u{fffd}  b: on  [31m ");
    assert!(!line(Report::Fired, &hostile, &context).contains(['\n', '\u{1b}', '\u{202e}']));
}
