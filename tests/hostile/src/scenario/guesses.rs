//! Guesses against an account whose owner's page is open.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Findings;
use super::attack::{flood, flood_for};
use crate::canary::{Canary, request};
use crate::program;
use crate::target::Target;
use crate::transport::Transport;

/// An account, and the strangers who guess its password.
pub(super) struct Guesses {
    hash: String,
}

const ACCOUNT: &str = "anna";
const PASSWORD: &str = "correct horse battery staple";

/// Strangers, each at an address of its own.
const STRANGERS: u8 = 4;

/// Guesses in a pipeline: all are wrong but the last. The stranger is throttled for longer than the
/// attack lasts, so the right one must be refused.
const PIPELINE: usize = 64;

/// Attempts to get a stranger throttled. The server compares few strangers' passwords a second, so
/// most of them are refused without being counted.
const ATTEMPTS: usize = 200;

const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

const OWNER_PATIENCE: Duration = Duration::from_secs(10);

impl Guesses {
    /// Has the binary hash the password.
    pub(super) fn new(binary: &Path) -> io::Result<Guesses> {
        let mut command = Command::new(program::resolve(binary)?);
        let output = program::run(command.arg("hash-password"), &format!("{PASSWORD}\n"))?;
        let hash = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        Ok(Guesses { hash })
    }

    /// Returns `[auth]` with the account. A first delay that outlasts the attack makes the result
    /// independent of time: no later guess of a stranger is due for a verification.
    pub(super) fn sections(&self) -> String {
        format!(
            "[auth]\npublic = [\"/ping\", \"/healthz\"]\nfirst_delay = \"10m\"\n\
             [[auth.user]]\nname = \"{ACCOUNT}\"\npassword_hash = \"{}\"\n",
            self.hash
        )
    }

    /// The owner's page requests the status all the time; strangers guess meanwhile.
    pub(super) fn attack(&self, target: &Target, time: Duration) -> io::Result<Findings> {
        let (address, config) = (target.address, Some(Arc::clone(&target.config)));
        let transport = Transport { address, config };
        let fields = authorization(PASSWORD);
        let visit = move || {
            let mut stream = transport.connect_from(Ipv4Addr::LOCALHOST, OWNER_PATIENCE)?;
            request(&mut stream, "/api/v1/status", &fields)
        };
        // From then on the password is remembered.
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

/// Guesses wrong, each time another password, until the stranger has to wait.
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
