//! `pumphouse-web alert` against a running server: over TCP with a token, and over a unix socket without one.

use std::process::{Command, Output};

use hostile::config::Config;
use hostile::receiver::{HttpAnswer, NtfyReceiver};
use hostile::upstream::Upstream;

use super::{LOW, config, ntfy, shown, tank, tank_low, wait_for_state};
use crate::access::token;
use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, Server, json, run, serve_in, text};

/// Runs `alert` with these words, and a token if it is not empty.
fn alert(server: &Server, token: &str, words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("alert").args(words).args(["--admin", &server.admin.to_string()]);
    command
        .current_dir(server.folder())
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("PUMPHOUSE_TOKEN");
    if !token.is_empty() {
        command.env("PUMPHOUSE_TOKEN", token);
    }
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn alert_is_listed_answered_and_its_channel_tested_over_tcp_with_a_token() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let (robot, alert_scope) = token(&["--name", "robot", "--scope", "alert"]);
    let (reader, read_scope) = token(&["--name", "reader"]);
    let config = config(&upstream, [ntfy("phone", receiver.address())]);
    let config = config.set("auth.public", serde_json::json!(["/api/v1/alerts"]));
    let server = Server::start(&config.append(&alert_scope).append(&read_scope));
    wait_for_state(&server, "firing");
    let listed = alert(&server, "", &["list"]);
    assert_eq!(code(&listed), 0, "{}", text(&listed));
    assert!(text(&listed).contains("tank_low") && text(&listed).contains("firing"), "{listed:?}");

    // Without a token that has the scope, nothing changes.
    for words in [
        &["ack", "tank_low"][..],
        &["silence", "tank_low", "--for", "8h"],
        &["unsilence", "tank_low"],
        &["test", "--channel", "phone"],
    ] {
        for (wrong, expected) in [("", 2), (&*reader, 1), ("pumphouse_wrong", 1)] {
            let refused = alert(&server, wrong, words);
            assert_eq!(code(&refused), expected, "{words:?}: {}", text(&refused));
            assert!(!text(&refused).contains(&reader), "{words:?}");
        }
    }
    assert_eq!(shown(&server)["state"], "firing");
    eventually("the fire", || !receiver.messages().is_empty());
    assert_eq!(receiver.messages().len(), 1, "{:?}", receiver.messages());

    let done = alert(&server, &robot, &["ack", "tank_low"]);
    assert_eq!(code(&done), 0, "{}", text(&done));
    assert!(shown(&server)["acknowledged_by"].is_null(), "a guest sees no name of an account");
    let seen = json(&server.admin_get("/api/v1/alerts/tank_low"));
    assert_eq!(seen["alerts"][0]["acknowledged_by"], "robot");
    server.wait_for_log("alert tank_low acknowledged by robot");
    let again = alert(&server, &robot, &["silence", "tank_low", "--for", "8h"]);
    assert_eq!(code(&again), 0, "{}", text(&again));
    assert!(shown(&server)["silenced_until"].is_string());
    server.wait_for_log("alert tank_low silenced until ");
    let ended = alert(&server, &robot, &["unsilence", "tank_low"]);
    assert_eq!(code(&ended), 0, "{}", text(&ended));
    assert!(shown(&server)["silenced_until"].is_null());

    let tested = alert(&server, &robot, &["test", "--channel", "phone"]);
    assert_eq!(code(&tested), 0, "{}", text(&tested));
    assert_eq!(receiver.messages().len(), 2, "{:?}", receiver.messages());
    receiver.answer(HttpAnswer::Fails { status: "401 Unauthorized", retry_after: None });
    let refused = alert(&server, &robot, &["test", "--channel", "phone"]);
    assert_eq!(code(&refused), 1, "{}", text(&refused));
    assert!(text(&refused).contains("401"), "{}", text(&refused));
    for words in [&["ack", "nothing"][..], &["test", "--channel", "nothing"]] {
        let unknown = alert(&server, &robot, words);
        assert_eq!(code(&unknown), 1, "{words:?}: {}", text(&unknown));
    }
}

#[test]
fn open_server_takes_commands_with_a_token_and_stays_open() {
    let receiver = NtfyReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let (robot, section) = token(&["--name", "robot", "--scope", "alert"]);
    let config = config(&upstream, [ntfy("phone", receiver.address())]);
    let server = Server::start(&config.set("auth.open", true).append(&section));
    wait_for_state(&server, "firing");
    let tested = alert(&server, &robot, &["test", "--channel", "phone"]);
    assert_eq!(code(&tested), 0, "{}", text(&tested));
    let refused = alert(&server, "pumphouse_wrong", &["ack", "tank_low"]);
    assert_eq!(code(&refused), 1, "{}", text(&refused));
    let done = alert(&server, &robot, &["ack", "tank_low"]);
    assert_eq!(code(&done), 0, "{}", text(&done));
    assert_eq!(shown(&server)["acknowledged_by"], "robot", "every visitor may do everything");
}

#[test]
fn alert_is_answered_over_a_unix_socket_without_a_token_and_the_user_is_logged() {
    let upstream = Upstream::answering(LOW);
    let folder = tempfile::tempdir().unwrap();
    Config::new()
        .listen("127.0.0.1:0")
        .set("server.admin_listen", "unix:admin.sock")
        .source(tank(&upstream))
        .push("alert", tank_low())
        .write(folder.path());
    let server: Process = serve_in(folder.path());
    server.log().wait_for("listening on ");
    let ask = |words: &[&str]| run(&[&["alert"], words].concat(), folder.path());
    eventually("it fires", || text(&ask(&["list"])).contains("firing"));
    // For a moment after the start, the states of the earlier run are still being read.
    let mut done = ask(&["ack", "tank_low"]);
    eventually("it is acknowledged", || {
        let is_early = text(&done).contains("retry in 1 s");
        if is_early {
            done = ask(&["ack", "tank_low"]);
        }
        !is_early
    });
    assert_eq!(code(&done), 0, "{}", text(&done));
    let listed = ask(&["list", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let tank = json["alerts"].as_array().unwrap().iter().find(|it| it["name"] == "tank_low");
    assert_eq!(tank.unwrap()["state"], "acknowledged", "{json}");
    let uid = rustix::process::geteuid().as_raw();
    let is_logged = |line: &String| line.contains("tank_low") && line.contains(&uid.to_string());
    eventually("the user is logged", || server.log().lines().iter().any(is_logged));
}
