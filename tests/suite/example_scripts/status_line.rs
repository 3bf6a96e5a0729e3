//! `status-line.sh`: values on one line.

use hostile::upstream::Upstream;

use super::{Environment, demo, server};

#[test]
fn status_line_shows_each_state_of_a_value() {
    let (_demo, environment) = demo();
    let usual = environment.run("status-line.sh", &[]);
    let parts: Vec<&str> = usual.stdout.trim_end().split(" · ").collect();
    assert!(
        matches!(parts[..], [level, warmth] if level.ends_with(" %") && warmth.ends_with(" degF")),
        "{usual:?}"
    );
    let text = environment.run("status-line.sh", &["pump.state"]);
    assert!(["running\n", "resting\n"].contains(&text.stdout.as_str()), "{text:?}");
    let unknown = environment.run("status-line.sh", &["tank.nothing"]);
    assert_eq!((unknown.code, &*unknown.stdout), (1, "pumphouse?\n"));

    let tank = Upstream::answering(r#"{"level": 84.6}"#);
    let server = server(&tank);
    let environment = Environment::of(&server);
    let all = environment.run("status-line.sh", &["tank.level", "cistern.level", "well.level"]);
    assert_eq!(all.stdout, "84.6 % · 60 %? · -?\n");
    let nowhere = environment.run_nowhere("status-line.sh", &[]);
    assert_eq!((nowhere.code, &*nowhere.stdout), (1, "pumphouse?\n"));
}
