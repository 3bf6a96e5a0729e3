//! The replay of the outage, as `make incident` runs it.

use std::process::Command;

#[test]
fn incident_replayed_stops_the_old_design_and_not_ours() {
    let here = std::env::current_exe().unwrap();
    let target = here.ancestors().nth(2).unwrap();
    let incident = target.join("examples/incident");
    let played = Command::new(&incident).output().unwrap_or_else(|error| {
        panic!("{}: {error}: cargo build --example incident", incident.display())
    });
    let printed = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{printed}\n{}", String::from_utf8_lossy(&played.stderr));
    assert!(printed.contains("129 / 128"), "{printed}");
    assert!(printed.contains("timed out"), "{printed}");
}
