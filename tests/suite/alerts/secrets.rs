//! Secrets of channels and of the heartbeat appear in no output, even if a receiver echoes what it gets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hostile::upstream::Upstream;

use super::{LOW, tank, tank_low, wait_for_state};
use crate::server::{BINARY, Server};

/// Starts a receiver that refuses each request, with the request itself as the reason; a mail server's client gets its
/// own lines, too.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The threads end with the test program.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut request = [0; 8192];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let head =
                    "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n";
                let length = request.len();
                let _ = write!(stream, "{head}Content-Length: {length}\r\n\r\n{request}");
            });
        }
    });
    address
}

/// Starts a mail server that refuses logins, with the line of the client as the reason.
fn mail_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"220 mail.test\r\n");
            let mut line = [0; 1024];
            while let Ok(length @ 1..) = stream.read(&mut line) {
                let text = String::from_utf8_lossy(&line[..length]).trim_end().to_owned();
                let reply = match text.split_whitespace().next() {
                    Some("EHLO") => "250-mail.test\r\n250 AUTH PLAIN".to_owned(),
                    _ => format!("535 5.7.8 not \"{text}\""),
                };
                let _ = write!(stream, "{reply}\r\n");
            }
        }
    });
    address
}

#[test]
fn secrets_of_channels_appear_in_no_output() {
    let (echo, mail) = (echo(), mail_echo());
    let upstream = Upstream::answering(LOW);
    let channels = format!(
        r#"
        [[notify]]
        name = "ntfy"
        kind = "ntfy"
        url = "http://{echo}"
        topic = "s3cretTopic"
        token = "tk_s3cretNtfy"
        [[notify]]
        name = "hook"
        kind = "webhook"
        url = "http://{echo}/s3cretPath/hook?key=s3cretQuery"
        headers = {{ authorization = "Token s3cretHeader" }}
        [[notify]]
        name = "templated"
        kind = "webhook"
        url = "http://{echo}/hook"
        headers = {{ x-key = "${{S3CRET_KEY}}" }}
        template = '{{{{"text": "{{title}}"}}}}'
        [[notify]]
        name = "pushover"
        kind = "pushover"
        url = "http://{echo}"
        token = "s3cretPushover"
        user = "s3cretUser"
        [[notify]]
        name = "telegram"
        kind = "telegram"
        url = "http://{echo}"
        token = "123456:s3cretBot"
        chat = "@s3cretChat"
        [[notify]]
        name = "discord"
        kind = "discord"
        url = "http://{echo}/api/webhooks/1234/s3cretDiscord"
        [[notify]]
        name = "slack"
        kind = "slack"
        url = "http://{echo}/services/T0/B0/s3cretSlack"
        [[notify]]
        name = "home"
        kind = "home-assistant"
        url = "http://{echo}/api/webhook/s3cretHome"
        [[notify]]
        name = "mail"
        kind = "smtp"
        url = "smtp://{mail}"
        username = "me"
        password_file = "mail-password"
        from = "a@tank.test"
        to = "b@tank.test"
        [[notify]]
        name = "script"
        kind = "exec"
        command = ["/bin/sh", "-c", "set -x; : $1; : Bearer s3cretScript; exit 1", "sh", "s3cretArgument"]
        [heartbeat]
        url = "http://{echo}/s3cretPing"
        every = "10s"
        "#
    )
    // At once.
    .replace("kind = ", "group_wait = \"0s\"\ntimeout = \"5s\"\nkind = ");
    let config = hostile::config::Config::https()
        .source(tank(&upstream))
        .push("alert", tank_low())
        .append(&channels);
    let shell = "export RUST_LOG=debug S3CRET_KEY=s3cretKey && printf s3cretMail > mail-password";
    let server = Server::start_after(shell, &config);
    wait_for_state(&server, "firing");
    let names = [
        "ntfy",
        "hook",
        "templated",
        "pushover",
        "telegram",
        "discord",
        "slack",
        "home",
        "mail",
        "script",
    ];
    for name in names {
        server.wait_for_log(&format!("channel {name}: cannot send: "));
    }
    server.wait_for_log("cannot send the heartbeat");
    let mut output = server.log().join("\n");
    assert!(output.contains("403 Forbidden"), "the reason is logged: {output}");
    for target in [
        "/",
        "/alerts",
        "/alert/tank_low",
        "/source/tank",
        "/api/v1/status",
        "/api/v1/alerts",
        "/api/v1/alerts/tank_low",
        "/api/v1/events",
        "/openapi.json",
        "/readyz",
    ] {
        output += &server.get(target);
    }
    for target in [
        "/metrics",
        "/scoreboard",
        "/scoreboard?brief",
        "/healthz",
        "/api/v1/alerts",
        "/api/v1/channels",
    ] {
        output += &server.admin_get(target);
    }
    let admin = server.admin.to_string();
    for arguments in
        [&["check"][..], &["doctor", "--admin", &admin], &["alert", "list", "--admin", &admin]]
    {
        let run = Command::new(BINARY)
            .args(arguments)
            .current_dir(server.folder())
            .env("S3CRET_KEY", "s3cretKey")
            .env_remove("PUMPHOUSE_CONFIG")
            .output()
            .unwrap();
        output += &String::from_utf8_lossy(&[run.stdout, run.stderr].concat());
    }
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.process())).unwrap();
    for thread in threads.map(Result::unwrap) {
        output += &std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    }
    output += &std::fs::read_to_string(format!("/proc/{}/cmdline", server.process())).unwrap();
    let lower = output.to_ascii_lowercase();
    // Each secret as planted, and in the encoding of AUTH PLAIN.
    let plain = BASE64_STANDARD.encode("\0me\0s3cretMail");
    let inside = &plain[8..14].to_ascii_lowercase();
    for secret in ["s3cret", inside] {
        if let Some(at) = lower.find(secret) {
            let start = (0..=at.saturating_sub(200)).rev().find(|at| output.is_char_boundary(*at));
            panic!("{}", &output[start.unwrap_or(0)..].chars().take(400).collect::<String>());
        }
    }
}
