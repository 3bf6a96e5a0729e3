use super::*;
use crate::config::{
    Alert, Limit, Scalar, ServerCondition, Severity, SourceCondition, SourceSelection,
};
use crate::units::Unit;

const HOUR: Duration = Duration::from_secs(3600);

fn limit(number: f64, unit: Unit) -> Limit {
    Limit { number, unit: Some(unit) }
}

fn gallons(number: f64) -> Limit {
    limit(number, Unit::UsGallon)
}

fn alert(rule: AlertRule) -> Alert {
    Alert::new("low", Severity::Warning, rule)
}

fn field(condition: FieldCondition) -> AlertRule {
    let sources = SourceSelection::One("tank".into());
    AlertRule::Field { sources, field: "volume".into(), condition }
}

fn source(condition: SourceCondition) -> AlertRule {
    AlertRule::Source { sources: SourceSelection::All, condition }
}

fn below(threshold: f64) -> FieldCondition {
    FieldCondition::Below { threshold: gallons(threshold), clear: None }
}

#[test]
fn condition_is_in_words() {
    let degrees = |low, high, unit| FieldCondition::Outside {
        low: limit(low, Unit::Celsius),
        high: limit(high, unit),
        clear: None,
    };
    let by = gallons(40.0);
    for (rule, expected) in [
        (field(below(300.0)), "below 300 gal"),
        (field(below(-12_345.75)), "below −12,345.75 gal"),
        (field(degrees(4.0, 30.0, Unit::Celsius)), "outside 4 to 30°C"),
        (field(degrees(4.0, 86.0, Unit::Fahrenheit)), "outside 4°C to 86°F"),
        (field(FieldCondition::Falls { by, within: HOUR, clear: None }), "falls 40 gal within 1h"),
        (
            field(FieldCondition::Rises { by, within: HOUR * 3 / 2, clear: None }),
            "rises 40 gal within 90m",
        ),
        (field(FieldCondition::NoRise { by, within: 96 * HOUR }), "no rise of 40 gal within 4d"),
        (field(FieldCondition::Flat { over: 12 * HOUR }), "flat for 12h"),
        (field(FieldCondition::EmptyWithin { within: 12 * HOUR }), "empty within 12h"),
        (field(FieldCondition::Equals(Scalar::Bool(false))), "is off"),
        (field(FieldCondition::NotEquals(Scalar::Text("OK".to_owned()))), "is not \"OK\""),
        (field(FieldCondition::Equals(Scalar::Number(2.5))), "is 2.5"),
        (source(SourceCondition::Stale), "stale"),
        (source(SourceCondition::Failing { over: HOUR / 2 }), "failing for 30m"),
        (AlertRule::Server(ServerCondition::CertificateExpires), "certificate expires"),
    ] {
        assert_eq!(&*Rule::new(Arc::new(alert(rule))).condition_text(), expected);
    }
}

#[test]
fn fingerprint_is_that_of_what_decides_when_a_rule_fires() {
    let fingerprint = |alert: &Alert| Rule::new(Arc::new(alert.clone())).fingerprint();
    let rule = alert(field(below(300.0)));
    // Stored in files.
    assert_eq!(format!("{:016x}", fingerprint(&rule)), "e79c0103e322362c");
    let same = Alert {
        severity: Severity::Critical,
        notify: Some(Vec::new()),
        repeat: vec![HOUR],
        quiet: Some("22:00-07:00".parse().unwrap()),
        ..rule.clone()
    };
    assert_eq!(fingerprint(&same), fingerprint(&rule));
    let clear = Some(gallons(350.0));
    let with_clear = FieldCondition::Below { threshold: gallons(300.0), clear };
    let all = AlertRule::Field {
        sources: SourceSelection::All,
        field: "volume".into(),
        condition: below(300.0),
    };
    for other in [
        Alert { hold: HOUR, ..rule.clone() },
        Alert { between: Some("22:00-07:00".parse().unwrap()), ..rule.clone() },
        alert(field(below(301.0))),
        alert(field(with_clear)),
        alert(all),
        alert(source(SourceCondition::Stale)),
    ] {
        assert_ne!(fingerprint(&other), fingerprint(&rule), "{other:?}");
    }
}

#[test]
fn rule_needs_the_observations_of_its_window() {
    let window = |rule| Rule::new(Arc::new(alert(rule))).window();
    assert_eq!(window(field(below(300.0))), None);
    assert_eq!(window(source(SourceCondition::Stale)), None);
    assert_eq!(window(field(FieldCondition::Flat { over: 12 * HOUR })), Some(15 * HOUR));
    let falls = FieldCondition::Falls { by: gallons(1.0), within: HOUR, clear: None };
    assert_eq!(window(field(falls)), Some(2 * HOUR));
}
