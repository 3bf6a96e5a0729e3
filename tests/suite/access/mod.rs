//! Access control of the real program.

mod brute_force;
mod commands;
mod levels;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hostile::config::{Config, Source};
use serde_json::{Value, json};

use crate::server::{BINARY, run};

/// Runs a command of the program with this standard input.
fn run_with(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may exit before it has read all of its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Returns a user with a hash that the program made.
pub fn user(name: &str, password: &str, scopes: &[&str]) -> Value {
    let made = run_with(&["hash-password"], password.as_bytes());
    assert!(made.status.success(), "{}", text(&made.stderr));
    json!({ "name": name, "password_hash": text(&made.stdout).trim_end(), "scopes": scopes })
}

/// Returns a configuration with the account `anna`, whose password is `right`.
pub fn with_anna() -> Config {
    Config::https().push("auth.user", user("anna", "right", &["read"]))
}

/// Returns the same configuration with a delay that outlasts each test.
pub fn with_throttled_anna() -> Config {
    with_anna().set("auth.first_delay", "10m")
}

/// Returns a source whose upstream refuses connections.
pub fn source() -> Source {
    Source::json("well", "http://127.0.0.1:1/").value("level", "/level", "%")
}

/// Returns a token and its section, as the program printed them.
pub fn token(arguments: &[&str]) -> (String, String) {
    let made = run(&[&["token", "new"], arguments].concat(), Path::new("."));
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (token, section) = text(&made.stdout).split_once("\n\n").unwrap();
    (token.to_owned(), section.to_owned())
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

pub fn request(method: &str, target: &str, credentials: &str, from: &str) -> String {
    let authorization = match credentials {
        "" => String::new(),
        credentials => format!("Authorization: {credentials}\r\n"),
    };
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {from}\r\n\
         {authorization}\r\n"
    )
}
