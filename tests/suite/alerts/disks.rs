//! Disks that are full or do not answer: messages are sent from memory, and states are saved afterwards.

use std::path::PathBuf;
use std::process::Command;

use hostile::receiver::{NtfyMessage, NtfyReceiver};
use hostile::upstream::Upstream;
use serde_json::Value;

use super::{FULL, LOW, alert_file, config, ntfy, saved_rows, shown, wait_for_state};
use crate::harness::eventually;
use crate::server::{BINARY, Server, code, json};
use crate::watchdog::Wedge;

/// Remark in a message that is sent from memory.
const UNSAVED: &str = "This message is not saved on the disk of the server.";

/// Incidents of the tank in a file of alerts.
const INCIDENTS: &str = "incident WHERE alert = 'tank_low'";

/// Returns the messages about the tank; those about the disk itself are others.
fn about_tank(receiver: &NtfyReceiver) -> Vec<NtfyMessage> {
    let messages = receiver.messages().into_iter();
    messages.filter(|it| format!("{}{}", it.title, it.message).contains("Cistern")).collect()
}

#[test]
fn full_disk_delays_no_message_and_states_are_saved_once_there_is_room() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(FULL);
    let may = |arguments: &[&str]| {
        let tried = Command::new("unshare").args(arguments).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let user = if may(&["--mount"]) { "" } else { "--map-root-user " };
    let shell = format!(
        "mkdir disk && exec unshare {user}--mount sh -c \
         'mount -t tmpfs -o size=512k tmpfs disk && exec {BINARY} serve' #"
    );
    let config = config(&upstream, [ntfy("phone", receiver.address())])
        .set("history.path", "disk/pumphouse.db");
    let server = Server::start_after(&shell, &config);
    wait_for_state(&server, "inactive");
    let disk = PathBuf::from(format!("/proc/{}/cwd/disk", server.process()));
    let file = disk.join("pumphouse.alerts.db");
    eventually("the file of the alerts is there", || file.exists());
    let ballast = disk.join("ballast");
    // `write` fails once the disk is full.
    let _ = std::fs::write(&ballast, vec![0; 1 << 20]);
    server.wait_for_log("the disk is full");
    upstream.set(Some(LOW));
    let incident = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the message from memory", || !about_tank(&receiver).is_empty());
    let messages = about_tank(&receiver);
    assert!(messages[0].message.contains(UNSAVED), "{messages:?}");

    std::fs::remove_file(&ballast).unwrap();
    server.wait_for_log("the alerts are saved again");
    // The file as a crash would leave it now.
    let folder = server.folder().join("after");
    std::fs::create_dir(&folder).unwrap();
    eventually("the copy has the incident", || {
        for entry in std::fs::read_dir(&disk).unwrap().map(Result::unwrap) {
            let name = entry.file_name();
            if name.to_string_lossy().contains("alerts.db") {
                let _ = std::fs::copy(entry.path(), folder.join(name));
            }
        }
        saved_rows(&folder.join("pumphouse.alerts.db"), INCIDENTS) >= 1
    });
    server.signal("KILL");
    let later = config.set("history.path", "after/pumphouse.db");
    let server = server.start_again(&later);
    assert_eq!(wait_for_state(&server, "firing")["incident"], incident);
    upstream.set(Some(FULL));
    eventually("the end", || about_tank(&receiver).last().is_some_and(|it| it.is_over));
    let messages = about_tank(&receiver);
    assert!(!messages.last().unwrap().message.contains(UNSAVED), "{messages:?}");
    // The deletion of the first message from the outbox may have come after the copy.
    assert!(messages.len() <= 3, "{messages:?}");
}

#[test]
fn disk_that_does_not_answer_delays_no_message_and_no_poll() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(FULL);
    let config = config(&upstream, [ntfy("phone", receiver.address())]);
    let server = Server::start(&config);
    wait_for_state(&server, "inactive");
    eventually("the file of the alerts is there", || alert_file(&server).exists());
    // strace delays the calls of the thread for longer than the test waits.
    let calls = "fsync,fdatasync,pwrite64,write";
    let wedge = Wedge::new(&[server.thread("pw-alert-store")], calls);
    upstream.set(Some(LOW));
    let incident = wait_for_state(&server, "firing")["incident"].clone();
    eventually("the message from memory", || !about_tank(&receiver).is_empty());
    let messages = about_tank(&receiver);
    assert!(messages[0].message.contains(UNSAVED), "{messages:?}");
    upstream.set(Some(FULL));
    eventually("the end from memory", || about_tank(&receiver).len() >= 2);
    upstream.set(Some(LOW));
    let next = wait_for_state(&server, "firing")["incident"].clone();
    assert_ne!(next, incident);
    eventually("the next message from memory", || about_tank(&receiver).len() >= 3);
    server.assert_polls_took_at_most("tank", 1);
    drop(wedge);
    eventually("both incidents are saved", || saved_rows(&alert_file(&server), INCIDENTS) == 2);
    server.signal("KILL");
    let server = server.start_again(&config);
    assert_eq!(wait_for_state(&server, "firing")["incident"], next);
    assert!(about_tank(&receiver).len() <= 4, "{:?}", about_tank(&receiver));
}

#[test]
fn disk_that_does_not_answer_a_read_delays_no_command_and_no_page() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let server = Server::start(&config(&upstream, [ntfy("phone", receiver.address())]));
    wait_for_state(&server, "firing");
    eventually("the file of the alerts is there", || alert_file(&server).exists());
    let one = || json(&server.get("/api/v1/alerts/tank_low"));
    eventually("its incidents are read", || one()["incidents_error"].is_null());

    // strace delays the calls of the thread for longer than the test waits.
    let wedge = Wedge::new(&[server.thread("pw-alert-reads")], "openat,open,pread64,read");
    for _ in 0..5 {
        let alert = one();
        assert!(alert["incidents_error"].is_string(), "{alert}");
        assert_eq!(alert["incidents"].as_array().unwrap().len(), 1, "the one of memory: {alert}");
        let of_admin = json(&server.admin_get("/api/v1/alerts/tank_low"));
        assert!(of_admin["incidents_error"].is_string(), "{of_admin}");
        let page = server.get("/alert/tank_low");
        assert!(page.contains("The earlier incidents cannot be read"), "{page}");
        for command in ["acknowledge", "silence?for=8h", "unsilence"] {
            let done = server.ask(&format!(
                "POST /api/v1/alerts/tank_low/{command} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
            ));
            assert_eq!(code(&done), 200, "{command}: {done}");
        }
    }
    assert_eq!(shown(&server)["state"], "acknowledged");
    // No worker is held, so that no supervisor restarts the server for its disk.
    let scoreboard = json(&server.admin_get("/scoreboard"));
    let workers = scoreboard["workers"].as_array().unwrap();
    let is_held =
        |worker: &&Value| worker["state"] == "handling" && worker["route"] != "/scoreboard";
    assert_eq!(workers.iter().filter(is_held).count(), 0, "{workers:?}");
    drop(wedge);
    eventually("its incidents are read again", || one()["incidents_error"].is_null());
}
