//! Two processes with the same files: one announces, and the other one takes over its incidents.

use hostile::receiver::AlertmanagerReceiver;
use hostile::upstream::Upstream;

use super::{FULL, LOW, alert_file, config, of_rule, saved_rows, wait_for_state, webhook};
use crate::access::request;
use crate::harness::eventually;
use crate::server::{Server, code};

#[test]
fn second_process_sends_nothing_and_takes_over_the_incidents_after_kill_9() {
    let receiver = AlertmanagerReceiver::start(None);
    let upstream = Upstream::answering(FULL);
    let config = config(&upstream, [webhook("hook", receiver.address())]);
    let first = Server::start(&config);
    wait_for_state(&first, "inactive");
    let second = first.start_again(&config);
    second.wait_for_log("another process evaluates the alerts: process ");
    wait_for_state(&second, "inactive");

    upstream.set(Some(LOW));
    let incident = wait_for_state(&first, "firing")["incident"].clone();
    eventually("the fire of the first", || !receiver.posted().is_empty());
    wait_for_state(&second, "firing");
    // An answer belongs to the process that saves it.
    let refused =
        second.ask(&request("POST", "/api/v1/alerts/tank_low/acknowledge", "", "127.0.0.1"));
    assert_eq!(code(&refused), 503, "{refused}");
    let done = first.ask(&request("POST", "/api/v1/alerts/tank_low/acknowledge", "", "127.0.0.1"));
    assert_eq!(code(&done), 200, "{done}");
    let is_saved = "incident WHERE content LIKE '%anonymous%'";
    eventually("the answer is on the disk", || saved_rows(&alert_file(&first), is_saved) == 1);

    first.signal("KILL");
    let taken_over = wait_for_state(&second, "acknowledged");
    assert_eq!(taken_over["incident"], incident);
    upstream.set(Some(FULL));
    wait_for_state(&second, "inactive");
    eventually("the end by the second", || {
        of_rule(receiver.posted(), "tank_low").iter().any(|posted| posted.is_resolved)
    });
    let posted = of_rule(receiver.posted(), "tank_low");
    assert_eq!(posted.len(), 2, "{posted:?}");
    assert!(posted.iter().all(|posted| incident == *posted.incident), "{posted:?}");
}
