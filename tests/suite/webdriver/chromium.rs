//! Headless Chromium, by chromedriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::Driver;

/// Number of attempts to start chromedriver, which exits if its free port of IPv4 is taken in IPv6.
const DRIVER_STARTS: usize = 5;

/// Starts a driver. Its browser runs the scripts of pages if `scripts` is true.
pub(super) fn start(scripts: bool) -> Driver {
    let (driver, port) = std::iter::repeat_with(start_driver)
        .take(DRIVER_STARTS)
        .find_map(|started| started)
        .expect("chromedriver prints its port");
    let profile = tempfile::tempdir().unwrap();
    let capabilities = capabilities(&profile.path().display().to_string(), scripts);
    Driver { processes: vec![driver], port, capabilities, _profile: profile }
}

/// Starts chromedriver; returns `None` if it exits before it listens.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is needed: apt-get install chromium-driver");
    let stdout = BufReader::new(driver.stdout.take().unwrap());
    let port = stdout.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("was started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        let _ = driver.wait();
    }
    Some((driver, port?))
}

fn capabilities(profile: &str, scripts: bool) -> Value {
    json!({
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                "--hide-scrollbars",
                // A name that browsers do not treat as local.
                "--host-resolver-rules=MAP tank.test 127.0.0.1",
                format!("--user-data-dir={profile}"),
            ],
            "prefs": {"profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 }},
        },
    })
}
