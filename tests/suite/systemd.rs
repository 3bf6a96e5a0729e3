//! Notifications of a service of `Type=notify`, and sockets that systemd holds.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::config::Config;

use crate::harness::{eventually, get};
use crate::server::{BINARY, Server};

#[test]
fn systemd_is_notified_of_start_watchdog_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let shell = format!(
        "export NOTIFY_SOCKET={} WATCHDOG_USEC=2000000 && unset WATCHDOG_PID",
        path.display()
    );
    let mut server = Server::start_after(&shell, &Config::https());
    let next = |wanted: &str| loop {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap_or_else(|_| panic!("no {wanted}"));
        let message = std::str::from_utf8(&buffer[..length]).unwrap().to_owned();
        if message.contains(wanted) {
            return message;
        }
    };
    next("READY=1");
    next("WATCHDOG=1");
    next("WATCHDOG=1");
    server.signal("HUP");
    let reloading = next("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    next("READY=1");
    server.signal("TERM");
    next("STOPPING=1");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn socket_held_by_systemd_starts_the_server_and_is_served() {
    let folder = tempfile::tempdir().unwrap();
    Config::new()
        .open()
        .listen("fd:3")
        .set("server.admin_listen", "127.0.0.1:0")
        .write(folder.path());
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut activated = Command::new("systemd-socket-activate")
        .arg(format!("--listen=127.0.0.1:{port}"))
        .args([BINARY, "serve"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-socket-activate is needed: apt-get install systemd");
    let mut stream = None;
    eventually("the socket accepts connections", || {
        stream = TcpStream::connect(("127.0.0.1", port)).ok();
        stream.is_some()
    });
    // The connection starts the server.
    let mut stream = stream.unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.write_all(get("/ping").as_bytes()).unwrap();
    let answer = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    activated.kill().unwrap();
    activated.wait().unwrap();
}

#[test]
fn full_socket_of_systemd_delays_neither_start_nor_reload_nor_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    let fill = || while filler.send_to(b"FILL=1\n", &path).is_ok() {};
    fill();
    let shell = format!(
        "export NOTIFY_SOCKET={} WATCHDOG_USEC=2000000 && unset WATCHDOG_PID",
        path.display()
    );
    let mut server = Server::start_after(&shell, &Config::https());
    assert!(server.serves());
    server.signal_and_wait("HUP", &["reloaded: "]);

    systemd.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let mut buffer = [0; 256];
    eventually("READY=1 is sent once there is room", || {
        let length = systemd.recv(&mut buffer).unwrap();
        buffer[..length].starts_with(b"READY=1")
    });
    fill();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn units_are_valid_and_restart_every_failure_but_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["pumphouse-web.service", "pumphouse-web.socket"];
    for name in names {
        let unit = std::fs::read_to_string(format!("examples/systemd/{name}")).unwrap();
        let unit = unit.replace("/usr/local/bin/pumphouse-web", BINARY);
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .args(names.map(|name| folder.path().join(name)))
        .output()
        .expect("systemd-analyze is needed: apt-get install systemd");
    let output = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && output.is_empty(), "{output}");
    let service = std::fs::read_to_string(folder.path().join(names[0])).unwrap();
    for line in [
        "Wants=network-online.target",
        "After=network-online.target time-sync.target",
        // Starts without limit, except after a wrong configuration or command line.
        "StartLimitIntervalSec=0",
        "Restart=on-failure",
        "RestartPreventExitStatus=1 2",
        "RestartSec=1s",
    ] {
        assert!(service.lines().any(|found| found == line), "{line}");
    }
}
