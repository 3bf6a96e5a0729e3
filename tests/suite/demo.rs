//! A running `demo`, without a configuration and without a network.

use std::process::{Command, Stdio};

use crate::process::Process;
use crate::server::BINARY;

/// A running demo, killed when dropped.
pub struct Demo {
    _process: Process,
    url: String,
}

impl Demo {
    /// Starts a demo, and waits until it listens.
    pub fn start() -> Demo {
        let mut command = Command::new(BINARY);
        command
            .args(["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let process = Process::start_logged(&mut command);
        let address = process.log().wait_for_address("listening on https://");
        Demo { _process: process, url: format!("https://{address}/") }
    }

    /// Returns the URL of its page.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}
