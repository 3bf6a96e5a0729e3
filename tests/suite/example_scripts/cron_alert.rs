//! `cron-alert.sh`: an alert for each crossing of a threshold.

use std::fs;

use hostile::upstream::Upstream;

use super::{Environment, demo, server};

#[test]
fn cron_alert_is_sent_once_for_each_crossing() {
    let (_demo, environment) = demo();
    let low = ["-l", "101", "-s", "sent", "tank.level"];
    let first = environment.run("cron-alert.sh", &low);
    assert!(first.stdout.starts_with("tank.level is low: ") && first.code == 0, "{first:?}");
    assert_eq!(environment.run("cron-alert.sh", &low).stdout, "", "the alert was sent before");

    let tank = Upstream::answering(r#"{"level": 50}"#);
    let server = server(&tank);
    let environment = Environment::of(&server);
    let set = |level: u32| {
        tank.set(Some(&format!("{{\"level\": {level}}}")));
        server.eventually_status("the level is known", |status| {
            status["sources"]["tank"]["values"]["level"]["value"].as_f64() == Some(level.into())
        });
    };
    let send = "cat >> mail; printf '%s\\n' \"$PUMPHOUSE_SUBJECT\"";
    let arguments = ["-l", "25", "-c", "30", "tank.level", "sh", "-c", send];
    let alert = || environment.run("cron-alert.sh", &arguments).stdout;
    assert_eq!(alert(), "", "the level is in range from the start");
    set(20);
    let failing = ["-l", "25", "-c", "30", "tank.level", "false"];
    assert_ne!(environment.run("cron-alert.sh", &failing).code, 0);
    assert_eq!(
        alert(),
        "tank.level is low: 20, below 25\n",
        "an alert whose command failed is sent again"
    );
    assert_eq!(alert(), "");
    set(27);
    assert_eq!(alert(), "", "between low and clear");
    let unknown = environment.run_nowhere("cron-alert.sh", &arguments).stdout;
    assert!(unknown.starts_with("tank.level is not known: curl: "), "{unknown}");
    assert_eq!(environment.run_nowhere("cron-alert.sh", &arguments).stdout, "");
    set(31);
    assert_eq!(alert(), "tank.level is normal again: 31\n");
    assert_eq!(alert(), "");
    let mail = fs::read_to_string(environment.folder.path().join("mail")).unwrap();
    assert_eq!(mail.matches(&format!("{}/\n", environment.url)).count(), 2, "{mail}");
    let silent = environment.run("cron-alert.sh", &["-l", "25", "cistern.level"]).stdout;
    assert!(silent.contains("not known: Older than 3600 seconds"), "{silent}");
}
