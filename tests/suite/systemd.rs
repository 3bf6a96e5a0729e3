//! What systemd is told of a service of `Type=notify`, over a socket of the test's own.

use std::os::unix::net::UnixDatagram;

use crate::hostile::client::PATIENCE;
use crate::server::{Server, Setup};

#[test]
fn it_is_told_of_the_start_signs_of_life_reloads_and_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let shell = format!(
        "export NOTIFY_SOCKET={} WATCHDOG_USEC=2000000 && unset WATCHDOG_PID",
        path.display()
    );
    let mut server = Server::start(&Setup { shell: &shell, ..Setup::default() });
    let next = |wanted: &str| loop {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap_or_else(|_| panic!("no {wanted}"));
        let told = std::str::from_utf8(&buffer[..length]).unwrap().to_owned();
        if told.contains(wanted) {
            return told;
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
