//! Password guesses against an account whose owner is signed in.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::Findings;
use super::attack::{flood, flood_for};
use crate::canary::{Canary, request};
use crate::config::Config;
use crate::program;
use crate::target::Target;
use crate::transport::Transport;

/// An account, and strangers that guess its password.
pub(super) struct Guesses {
    hash: String,
}

const ACCOUNT: &str = "anna";
const PASSWORD: &str = "correct horse battery staple";

/// Number of strangers, each with its own address.
const STRANGERS: u8 = 4;

/// Number of guesses in a pipeline, of which only the last is right. The stranger is throttled for
/// longer than the attack lasts, so the server must refuse it.
const PIPELINE: usize = 64;

/// Number of attempts to get a stranger throttled. The server compares few passwords of strangers a
/// second, and refuses most attempts without counting them.
const ATTEMPTS: usize = 200;

const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

const OWNER_TIMEOUT: Duration = Duration::from_secs(10);

impl Guesses {
    /// Hashes the password by the command `hash-password` of the binary.
    pub(super) fn new(binary: &Path) -> io::Result<Guesses> {
        let mut command = Command::new(program::resolve(binary)?);
        let output = program::run(command.arg("hash-password"), &format!("{PASSWORD}\n"))?;
        let hash = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        Ok(Guesses { hash })
    }

    /// Returns a configuration with the account. The first delay outlasts the attack, so that no
    /// later guess of a throttled stranger is due for a verification, however slow the machine.
    pub(super) fn config(&self) -> Config {
        Config::https()
            .set("auth.public", ["/ping", "/healthz"])
            .set("auth.first_delay", "10m")
            .push("auth.user", json!({ "name": ACCOUNT, "password_hash": self.hash }))
    }

    /// Requests the status as the owner's page does, while strangers guess.
    pub(super) fn attack(&self, target: &Target, time: Duration) -> io::Result<Findings> {
        let (address, config) = (target.address, Some(Arc::clone(&target.config)));
        let transport = Transport { address, config };
        let fields = authorization(PASSWORD);
        let visit = move || {
            let mut stream = transport.connect_from(Ipv4Addr::LOCALHOST, OWNER_TIMEOUT)?;
            request(&mut stream, "/api/v1/status", &fields)
        };
        // After this visit the server remembers the verified password.
        visit()?;
        let owner = Canary::start_with(visit);
        let mut strangers = Vec::new();
        for number in 1..=STRANGERS {
            get_throttled(target, number)?;
            let mut requests: Vec<String> = (1..PIPELINE).map(guess).collect();
            requests.push(status_request(PASSWORD));
            strangers.push(flood(target, number, requests));
        }
        let responses = flood_for(time, &strangers);
        let owner = owner.stop();
        Ok(Findings {
            accepted_guesses: responses.of(200),
            responses: Some(responses),
            owner_refused: owner.missed,
            ..Findings::default()
        })
    }
}

/// Sends wrong guesses, all different, until the stranger is throttled.
fn get_throttled(target: &Target, stranger: u8) -> io::Result<()> {
    for number in 0..ATTEMPTS {
        let wrong = status_request(&format!("stranger {stranger}, guess {number}"));
        if flood(target, stranger, vec![wrong]).run_once()?.of(429) > 0 {
            return Ok(());
        }
        std::thread::sleep(ATTEMPT_PAUSE);
    }
    let failed = format!("{ATTEMPTS} wrong guesses did not get stranger {stranger} throttled");
    Err(io::Error::other(failed))
}

fn guess(number: usize) -> String {
    status_request(&format!("guess {number}"))
}

fn status_request(password: &str) -> String {
    let fields = authorization(password);
    format!("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

fn authorization(password: &str) -> String {
    let credentials = BASE64_STANDARD.encode(format!("{ACCOUNT}:{password}"));
    format!("Authorization: Basic {credentials}\r\n")
}
