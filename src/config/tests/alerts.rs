//! `[[alert]]` in files: every key, and warnings.

mod faulty;

use std::time::Duration;

use super::*;
use crate::units::Unit;

/// A tank in gallons, a pump and a station, in lines 1 to 22.
const PLANT: &str = "\
[[source]]
name = \"tank\"
kind = \"ptlevel\"
group = \"north/ridge\"
url = \"https://h/s/x\"
height = 58
capacity = 1400
[[source]]
name = \"pump\"
kind = \"json\"
url = \"https://h/\"
values.pressure = { pointer = \"/p\", unit = \"bar\" }
values.state = { pointer = \"/s\" }
values.bales = { pointer = \"/b\", unit_label = \"bales\" }
values.name = { pointer = \"/n\", type = \"text\" }
values.mode = { pointer = \"/m\", map = { run = \"running\" } }
values.open = { pointer = \"/o\", type = \"bool\" }
[[source]]
name = \"weather\"
kind = \"nws\"
station = \"KSFO\"
interval = \"1h\"
";

const PHONE: &str = "[[notify]]\nname = \"phone\"\nkind = \"ntfy\"\ntopic = \"t\"\n";

/// Returns a file with the sources and a rule of these keys, which begin in line 25.
fn file(keys: &str) -> String {
    format!("{PLANT}[[alert]]\nname = \"a\"\n{keys}\n{PHONE}")
}

fn rule(keys: &str) -> AlertRule {
    match read(&file(keys)) {
        Ok(config) => config.alerts[0].rule.clone(),
        Err(errors) => panic!("{keys}: {errors}"),
    }
}

fn condition(keys: &str) -> FieldCondition {
    match rule(keys) {
        AlertRule::Field { condition, .. } => condition,
        other => panic!("{keys}: {other:?}"),
    }
}

fn gallons(number: f64) -> Limit {
    Limit { number, unit: Some(Unit::UsGallon) }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn every_key_of_a_rule_is_read() {
    let config = read(&format!(
        "{PLANT}{PHONE}[[alert]]\nname = \"tank_low\"\nfield = \"tank.volume\"\nbelow = \"300 gal\"\n\
         clear = \"350 gal\"\nfor = \"10m\"\nbetween = \"00:00-04:30\"\nseverity = \"critical\"\n\
         notify = [\"phone\", \"phone\"]\nrepeat = [\"15m\", \"1h\", \"6h\"]\n\
         message = \"{{title}}: {{value}}, {{rate}}\"\nquiet = \"22:00-07:00\"\nenabled = true\n"
    ))
    .unwrap();
    let alert = &config.alerts[0];
    let expected = Alert {
        name: "tank_low".into(),
        rule: AlertRule::Field {
            sources: SourceSelection::One("tank".into()),
            field: "volume".into(),
            condition: FieldCondition::Below {
                threshold: gallons(300.0),
                clear: Some(gallons(350.0)),
            },
        },
        hold: HOUR / 6,
        between: Some("00:00-04:30".parse().unwrap()),
        severity: Severity::Critical,
        notify: Some(vec!["phone".into()]),
        repeat: vec![HOUR / 4, HOUR, 6 * HOUR],
        message: Some("{title}: {value}, {rate}".parse().unwrap()),
        quiet: Some("22:00-07:00".parse().unwrap()),
    };
    assert_eq!(**alert, expected);
    let default = &read(&file("field = \"tank.volume\"\nbelow = 3")).unwrap().alerts[0];
    assert_eq!((default.hold, default.severity), (Duration::ZERO, Severity::Warning));
    assert_eq!((&default.notify, &*default.repeat, &default.message), (&None, &[][..], &None));
    let nobody = read(&file("field = \"tank.volume\"\nbelow = 3\nnotify = []")).unwrap();
    assert_eq!(nobody.alerts[0].notify, Some(Vec::new()));
    let off = read(&file("field = \"tank.volume\"\nbelow = 3\nenabled = false")).unwrap();
    assert!(off.alerts.iter().all(|alert| *alert.name != *"a"));
}

#[test]
fn condition_is_read_with_its_keys() {
    let volume = "field = \"tank.volume\"\n";
    let below = |threshold, clear| FieldCondition::Below { threshold, clear };
    let plain = |number| Limit { number, unit: None };
    for (keys, expected) in [
        ("below = \"300 gal\"", below(gallons(300.0), None)),
        ("below = \"300gal\"", below(gallons(300.0), None)),
        ("below = 300", below(plain(300.0), None)),
        ("below = 300.5", below(plain(300.5), None)),
        ("below = \"300\"", below(plain(300.0), None)),
        (
            "below = \"1e3 L\"\nclear = \"300 gal\"",
            below(Limit { number: 1000.0, unit: Some(Unit::Litre) }, Some(gallons(300.0))),
        ),
        (
            "above = \"300 gal\"\nclear = 280",
            FieldCondition::Above { threshold: gallons(300.0), clear: Some(plain(280.0)) },
        ),
        (
            "outside = [100, \"300 gal\"]\nclear = [120, 280]",
            FieldCondition::Outside {
                low: plain(100.0),
                high: gallons(300.0),
                clear: Some((plain(120.0), plain(280.0))),
            },
        ),
        ("equals = 5", FieldCondition::Equals(Scalar::Integer(5))),
        ("not_equals = 5.5", FieldCondition::NotEquals(Scalar::Number(5.5))),
        (
            "falls = \"40 gal\"\nwithin = \"1h\"\nclear = \"20 gal\"",
            FieldCondition::Falls { by: gallons(40.0), within: HOUR, clear: Some(gallons(20.0)) },
        ),
        (
            "rises = 40\nwithin = \"1h\"",
            FieldCondition::Rises { by: plain(40.0), within: HOUR, clear: None },
        ),
        (
            "no_rise = \"50 gal\"\nwithin = \"4d\"",
            FieldCondition::NoRise { by: gallons(50.0), within: 96 * HOUR },
        ),
        ("flat = \"12h\"", FieldCondition::Flat { over: 12 * HOUR }),
        ("empty_within = \"12h\"", FieldCondition::EmptyWithin { within: 12 * HOUR }),
    ] {
        assert_eq!(condition(&format!("{volume}{keys}")), expected, "{keys}");
    }
    // Temperatures convert with their offset, and labels and rates are units.
    for keys in [
        "field = \"weather.temperature\"\nbelow = \"0 degC\"\nclear = \"33 degF\"",
        "field = \"weather.temperature\"\noutside = [\"-5 degC\", \"80 \u{b0}F\"]",
        "field = \"pump.bales\"\nbelow = \"3 bales\"",
        "field = \"pump.name\"\nequals = \"on\"",
        "field = \"pump.mode\"\nnot_equals = \"running\"",
        "field = \"pump.state\"\nnot_equals = \"on\"",
        "field = \"pump.state\"\nequals = true",
        "field = \"pump.open\"\nequals = true",
        "field = \"pump.open\"\nequals = 1",
        "field = \"pump.state\"\nbelow = 3",
        "field = \"tank.volume_rate\"\nbelow = \"-5 gal/h\"",
        "field = \"tank.volume_change_24h\"\nbelow = \"-50 gal\"",
        "field = \"tank.time_to_empty\"\nbelow = \"2 d\"",
    ] {
        let result = read(&file(keys));
        assert!(result.is_ok(), "{keys}: {result:?}");
    }
}

#[test]
fn subject_is_one_source_a_group_or_all() {
    let one = |name: &str| SourceSelection::One(name.into());
    for (keys, expected, field) in [
        ("field = \"tank.volume\"\nbelow = 3", one("tank"), Some("volume")),
        ("field = \"volume\"\nsource = \"tank\"\nbelow = 3", one("tank"), Some("volume")),
        ("field = \"volume\"\nsource = \"*\"\nbelow = 3", SourceSelection::All, Some("volume")),
        ("field = \"*.volume\"\nbelow = 3", SourceSelection::All, Some("volume")),
        (
            "field = \"volume\"\ngroup = \"north\"\nbelow = 3",
            SourceSelection::Group("north".into()),
            Some("volume"),
        ),
        ("source = \"*\"\nstale = true", SourceSelection::All, None),
        ("source = \"tank\"\nfailing = \"30m\"", one("tank"), None),
        (
            "group = \"north/ridge\"\nstale = true",
            SourceSelection::Group("north/ridge".into()),
            None,
        ),
    ] {
        match (rule(keys), field) {
            (AlertRule::Field { sources, field, .. }, Some(expected_field)) => {
                assert_eq!((sources, &*field), (expected, expected_field), "{keys}");
            }
            (AlertRule::Source { sources, .. }, None) => assert_eq!(sources, expected, "{keys}"),
            (other, _) => panic!("{keys}: {other:?}"),
        }
    }
}

#[test]
fn rules_and_channels_have_unique_names() {
    let alert = "[[alert]]\nname = \"a\"\nsource = \"*\"\nstale = true\n";
    let errors = read(&format!("{PHONE}{PHONE}{alert}{alert}")).unwrap_err();
    let expected = "p.toml:6:9: the name \"phone\" is taken by another [[notify]], in line 2 in [[notify]] \"phone\"\n\
                    p.toml:14:9: the name \"a\" is taken by another [[alert]], in line 10 in [[alert]] \"a\"";
    assert_eq!(errors.trim_end(), expected);
    let errors =
        read("[[alert]]\nname = \"Tank low\"\nsource = \"*\"\nstale = true\n").unwrap_err();
    assert!(errors.contains("2:9: \"name\": \"Tank low\" must be lower-case letters"), "{errors}");
}

#[test]
fn number_of_rules_is_limited() {
    let alerts = |count: usize| -> String {
        let alert =
            |number| format!("[[alert]]\nname = \"a{number}\"\nsource = \"*\"\nstale = true\n");
        (0..count).map(alert).collect()
    };
    assert_eq!(read(&alerts(1000)).unwrap().alerts.len(), 1000);
    let errors = read(&alerts(1001)).unwrap_err();
    let expected = "p.toml:4001:1: 1001 rules are too many in [[alert]]; at most 1000 are allowed";
    assert!(errors.starts_with(expected), "{errors}");
}

#[test]
fn error_of_a_source_is_not_followed_by_errors_of_its_rules() {
    let text = "[[source]]\nname = \"tank\"\nkind = \"ptlevel\"\nurl = \"https://h/\"\nheight = 5\n\
                [[alert]]\nname = \"a\"\nfield = \"tank.volume\"\nbelow = \"3 gal\"\n\
                [[alert]]\nname = \"b\"\nsource = \"tank\"\nstale = true\n";
    let errors = read(text).unwrap_err();
    assert_eq!(errors.trim_end(), "p.toml:1:1: missing key \"capacity\" in [[source]] \"tank\"");
}

#[test]
fn own_rules_exist_with_a_channel_and_can_be_changed() {
    let own = |text: &str| -> Vec<(String, Severity)> {
        let alerts = read(text).unwrap().alerts;
        alerts.iter().map(|alert| (alert.name.to_string(), alert.severity)).collect()
    };
    assert_eq!(own(""), []);
    let expected = [
        ("certificate_expires", Severity::Warning),
        ("disk_full", Severity::Critical),
        ("history_failing", Severity::Warning),
        ("clock_wrong", Severity::Warning),
        ("notifications_waiting", Severity::Warning),
    ]
    .map(|(name, severity)| (name.to_owned(), severity));
    assert_eq!(own(PHONE), expected);
    let changed = format!(
        "{PHONE}[[alert]]\nname = \"clock_wrong\"\nenabled = false\n\
         [[alert]]\nname = \"disk_full\"\nseverity = \"info\"\nfor = \"1h\"\nnotify = []\n\
         repeat = [\"1d\"]\nquiet = \"22:00-07:00\"\nmessage = \"{{alert}}\"\n"
    );
    let alerts = read(&changed).unwrap().alerts;
    assert_eq!(alerts.len(), 4);
    let disk = alerts.iter().find(|alert| *alert.name == *"disk_full").unwrap();
    assert_eq!(disk.rule, AlertRule::Server(ServerCondition::DiskFull));
    assert_eq!((disk.severity, disk.hold), (Severity::Info, HOUR));
    assert_eq!((&disk.notify, &*disk.repeat), (&Some(Vec::new()), &[24 * HOUR][..]));
    assert!(disk.quiet.is_some() && disk.message.is_some());
    for key in ["source = \"tank\"", "stale = true", "between = \"01:00-02:00\""] {
        let errors = read(&format!("[[alert]]\nname = \"disk_full\"\n{key}\n")).unwrap_err();
        let key = key.split(' ').next().unwrap();
        let expected = format!(
            "p.toml:3:1: \"disk_full\" is a rule of the server itself, which \"{key}\" does not belong to in \
             [[alert]] \"disk_full\"; delete the key, or choose another name"
        );
        assert_eq!(errors.trim_end(), expected);
    }
}

#[test]
fn doubtful_rules_are_warned_of() {
    let other = |name| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"https://h/\"\n\
             values.pressure = {{ pointer = \"/p\", unit = \"degF\" }}\n\
             values.name = {{ pointer = \"/n\", unit = \"gal\" }}\n"
        )
    };
    let volume = "field = \"tank.volume\"\n";
    for (keys, expected) in [
        (
            format!("{volume}flat = \"1m\""),
            "\"flat\" is 1m, which is shorter than the interval of the source \"tank\", 5m",
        ),
        (
            format!("{volume}falls = 3\nwithin = \"1m\""),
            "\"within\" is 1m, which is shorter than the interval",
        ),
        (
            "field = \"*.temperature\"\nrises = 3\nwithin = \"30m\"".to_owned(),
            "shorter than the interval of the source \"weather\", 1h",
        ),
        (
            format!("{volume}below = 3\nrepeat = [\"1h\", \"15m\"]"),
            "\"repeat\" has 15m after 1h, so reminders become more frequent",
        ),
        (
            format!("field = \"*.pressure\"\nbelow = \"3 bar\"\nclear = \"4 bar\"\n{}", other("b")),
            "\"below\" cannot be compared with b.pressure, which is in degF: the rule is not applied to it in [[alert]]",
        ),
        (
            format!("field = \"*.name\"\nequals = \"on\"\n{}{}", other("b"), other("c")),
            "\"equals\" cannot be compared with b.name, which is in gal: the rule is not applied to it, nor to that of \
             one other source",
        ),
        (
            format!("{volume}no_rise = 3\nwithin = \"300d\"\n[history]\nkeep_raw = \"30d\""),
            "\"within\" is 300d, which is longer than observations are kept, \"keep_raw\" in [history], 30d",
        ),
    ] {
        let config = read(&file(&keys)).unwrap();
        let found = config.warnings.iter().filter(|warning| warning.contains(expected)).count();
        assert_eq!((found, config.warnings.len()), (1, 1), "{keys}: {:?}", config.warnings);
    }
    let two = format!("{PHONE}{}", PHONE.replace("phone", "mail"));
    let alert = |notify| {
        format!("{PLANT}{two}[[alert]]\nname = \"a\"\nsource = \"*\"\nstale = true\n{notify}")
    };
    let idle = |text: &str| {
        let warnings = read(text).unwrap().warnings;
        warnings.iter().filter(|warning| warning.contains("no [[alert]] names it")).count()
    };
    assert_eq!(idle(&alert("notify = [\"phone\"]\n")), 1);
    assert_eq!(idle(&alert("")), 0);
    assert_eq!(idle(&alert("notify = [\"phone\", \"mail\"]\n")), 0);
    let unsent = read(&format!("{PLANT}[[alert]]\nname = \"a\"\nsource = \"*\"\nstale = true\n"));
    assert!(unsent.unwrap().warnings.iter().any(|warning| warning.contains("on the page only")));
    // A rule that is checked in many observations may hold for less than an interval.
    let quick = read(&file(&format!("{volume}below = 3\nfor = \"1s\""))).unwrap();
    assert_eq!(quick.warnings.len(), read(PLANT).unwrap().warnings.len(), "{:?}", quick.warnings);
}

#[test]
fn file_of_alerts_is_beside_the_history_also_if_that_is_off() {
    for (text, expected) in [
        ("", "pumphouse.alerts.db"),
        ("[history]\npath = \"/data/north.db\"\n", "/data/north.alerts.db"),
        ("[history]\nenabled = false\npath = \"/data/north.db\"\n", "/data/north.alerts.db"),
    ] {
        assert_eq!(read(text).unwrap().alert_file, Path::new(expected), "{text}");
    }
}
