//! Where `serve` can listen: what the command line says, passed sockets, unix sockets, plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use crate::harness::get;
use crate::hostile::client::{PATIENCE, read_response};
use crate::server::BINARY;

/// A `serve` that is open to all, killed when dropped.
struct Serve(Child);

impl Serve {
    /// Starts it and waits until it listens.
    fn start(arguments: &[&str], stdin: Stdio) -> Serve {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("open.toml");
        std::fs::write(&config, "[auth]\nopen = true\n").unwrap();
        let mut child = Command::new(BINARY)
            .args(["serve", "--admin-listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(stdin)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.any(|line| line.contains("admin listener on"));
        std::thread::spawn(move || lines.for_each(drop));
        assert!(listening, "it listens");
        Serve(child)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ping(stream: &mut (impl Read + Write)) -> String {
    stream.write_all(get("/ping").as_bytes()).unwrap();
    String::from_utf8(read_response(stream).unwrap()).unwrap()
}

#[test]
fn a_socket_that_the_supervisor_holds_outlives_the_server() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let passed = || Stdio::from(OwnedFd::from(held.try_clone().unwrap()));
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let first = Serve::start(&["--no-tls", "--listen", "fd:0"], passed());
    assert!(ping(&mut connect()).starts_with("HTTP/1.1 200"));
    drop(first);
    // Nobody serves now, but the queue is the socket's and waits.
    let mut waiting = connect();
    let _second = Serve::start(&["--no-tls", "--listen", "fd:0"], passed());
    assert!(ping(&mut waiting).starts_with("HTTP/1.1 200"));
}

#[test]
fn unix_sockets_serve_and_are_taken_over_from_the_dead() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.sock");
    let listen = format!("unix:{}", path.display());
    for _ in 0..2 {
        // Killed at the end of each turn, so its file stays behind for the next.
        let _serve = Serve::start(&["--no-tls", "--listen", &listen], Stdio::null());
        let mut stream = UnixStream::connect(&path).unwrap();
        assert!(ping(&mut stream).ends_with("ok\n"));
    }
    assert!(path.exists());
}

#[test]
fn what_is_no_listening_socket_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pumphouse.toml"), "[auth]\nopen = true\n").unwrap();
    let refused = crate::server::run(&["serve", "--listen", "fd:0"], directory.path());
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("cannot listen on fd:0: "), "{told}");
}
