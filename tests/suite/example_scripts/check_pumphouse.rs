//! `check_pumphouse.sh`: a plugin for Nagios and its successors.

use hostile::upstream::Upstream;

use super::{Environment, NOWHERE, demo, server};

#[test]
fn check_pumphouse_exits_as_a_monitoring_plugin() {
    let (_demo, environment) = demo();
    let check = |arguments: &[&str]| environment.run("check_pumphouse.sh", arguments);
    let well = check(&["-f", "tank.level", "-w", "1:", "-c", "0:", "-a", "600"]);
    assert_eq!(well.code, 0, "{well:?}");
    let (text, data) = well.stdout.trim_end().split_once(" | ").unwrap();
    assert!(
        text.starts_with("PUMPHOUSE OK: tank.level is ") && text.contains(" %, observed 2"),
        "{text}"
    );
    assert!(data.starts_with("'tank.level'=") && data.ends_with("%;1:;0:"), "{data}");
    let volts = check(&["-f", "pump.battery"]);
    assert!(volts.stdout.trim_end().ends_with(";;") && !volts.stdout.contains("V;"), "{volts:?}");
    let text = check(&["-f", "pump.state"]);
    assert_eq!(text.code, 3, "{text:?}");

    let tank = Upstream::answering(r#"{"level": 50}"#);
    let server = server(&tank);
    let environment = Environment::of(&server);
    let check = |arguments: &[&str]| environment.run("check_pumphouse.sh", arguments);
    // Warning outside the first range, critical outside the second.
    for (warning, critical, code) in [
        ("50", "100", 0),
        ("49.9", "100", 1),
        ("50:", "20:", 0),
        ("50.1:", "20:", 1),
        ("60:", "51:", 2),
        ("~:50", "~:60", 0),
        ("~:-1", "~:60", 1),
        ("40:60", "", 0),
        ("", "51:60", 2),
        ("@40:60", "", 1),
        ("@51:60", "", 0),
        ("", "@50:50", 2),
        ("low", "", 3),
        ("1:2:3", "", 3),
        (":", "", 3),
    ] {
        let outcome = check(&["-f", "tank.level", "-w", warning, "-c", critical]);
        assert_eq!(outcome.code, code, "-w {warning} -c {critical}: {outcome:?}");
        let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).unwrap()];
        assert!(outcome.stdout.starts_with(&format!("PUMPHOUSE {word}: ")), "{outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    }
    for (arguments, message) in [
        (
            &["-f", "cistern.level", "-w", "1:"][..],
            "cistern.level is stale: 60, observed 2001-09-09T01:46:40Z",
        ),
        (
            &["-f", "cistern.level", "-a", "600"],
            "Older than 600 seconds: the value is of 2001-09-09T01:46:40Z.",
        ),
        (&["-f", "well.level"], "The source has not answered yet."),
        (&["-f", "tank.nothing"], "There is no source and field of that name."),
        (&[], "-f SOURCE.FIELD is missing, such as -f tank.level"),
        (&["-f", "tank.level", "-a", "soon"], "-a is a number of seconds"),
    ] {
        let outcome = check(arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (3, &*format!("PUMPHOUSE UNKNOWN: {message}\n"))
        );
    }
    let nowhere = check(&["-f", "tank.level", "-u", NOWHERE, "-t", "5"]);
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
    assert!(nowhere.stdout.contains("cannot be reached: curl: (7)"), "{nowhere:?}");
}
