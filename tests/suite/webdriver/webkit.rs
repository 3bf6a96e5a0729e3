//! WebKitGTK, the engine of Safari and so of every browser on an iPhone, by WebKitWebDriver.
//!
//! Its browser needs a display: each driver has an X server of its own, without a screen.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostile::client::TEST_TIMEOUT;
use serde_json::json;

use super::Driver;

/// Number of attempts to start the driver: another program may take its port before it does.
const DRIVER_STARTS: usize = 5;

/// Starts an X server and a driver.
pub(super) fn start() -> Driver {
    let (display, number) = start_display();
    let profile = tempfile::tempdir().unwrap();
    let (driver, port) = std::iter::repeat_with(|| start_driver(&number, profile.path()))
        .take(DRIVER_STARTS)
        .find_map(|started| started)
        .expect("WebKitWebDriver listens");
    // Without its toolbar, the window may be as narrow as a phone.
    let arguments = ["--automation", "--full-screen"];
    let capabilities = json!({
        "browserName": "MiniBrowser",
        "webkitgtk:browserOptions": {"args": arguments},
    });
    Driver { processes: vec![display, driver], port, capabilities, _profile: profile }
}

/// Starts an X server; returns it and the number of its display.
fn start_display() -> (Child, String) {
    let mut display = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1600x1200x24", "-nolisten", "tcp"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb is needed: apt-get install xvfb");
    let mut number = String::new();
    BufReader::new(display.stdout.take().unwrap()).read_line(&mut number).unwrap();
    assert!(!number.is_empty(), "Xvfb found no free display");
    (display, format!(":{}", number.trim()))
}

/// Starts the driver on a free port; returns `None` if it exits before it listens.
fn start_driver(display: &str, home: &Path) -> Option<(Child, u16)> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut driver = Command::new("WebKitWebDriver")
        .args(["--host=127.0.0.1", &format!("--port={port}")])
        .env("DISPLAY", display)
        .env_remove("WAYLAND_DISPLAY")
        .env("GDK_BACKEND", "x11")
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("NO_AT_BRIDGE", "1")
        // The sandbox needs user namespaces, which containers and root do not have.
        .env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("WebKitWebDriver is needed: apt-get install webkit2gtk-driver");
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if driver.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(begun.elapsed() < TEST_TIMEOUT, "WebKitWebDriver does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    // With the port taken, another program has accepted the connection and the driver exits.
    driver.try_wait().unwrap().is_none().then_some((driver, port))
}
