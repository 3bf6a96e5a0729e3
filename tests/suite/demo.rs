//! A running `demo`, without a configuration and without a network.

use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::harness::eventually;
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

#[test]
fn alert_of_the_demo_fires_in_the_api_and_on_the_page() {
    let demo = Demo::start();
    let get = |target: &str| {
        let url = demo.url() + target;
        Command::new("curl").args(["-skf", &url]).output().unwrap().stdout
    };
    eventually("a squall has come", || {
        let alert: Json = serde_json::from_slice(&get("api/v1/alerts/gusts")).unwrap_or_default();
        alert.pointer("/alerts/0/state").is_some_and(|state| state == "firing")
    });
    let alert: Json = serde_json::from_slice(&get("api/v1/alerts/gusts")).unwrap();
    assert!(alert["alerts"][0]["value"].as_f64().unwrap() > 30.0, "{alert}");
    assert_eq!(alert["alerts"][0]["threshold"], 30.0, "{alert}");
    let page = String::from_utf8(get("")).unwrap();
    assert!(page.contains("above 30 mph"), "{page}");
}
