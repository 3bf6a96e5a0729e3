//! Where `serve` can listen: what the command line says, passed sockets, unix sockets, plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use crate::harness::get;
use crate::server::BINARY;
use hostile::client::{TEST_TIMEOUT, read_response};

/// A `serve` that is open to all, killed when dropped.
struct Serve(Child);

impl Serve {
    /// Starts it and waits until it listens.
    fn start(arguments: &[&str], stdin: Stdio) -> Serve {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("open.toml");
        std::fs::write(&config, "[auth]\nopen = true\n").unwrap();
        let has_admin = arguments.contains(&"--admin-listen");
        let admin: &[&str] = if has_admin { &[] } else { &["--admin-listen", "127.0.0.1:0"] };
        let mut child = Command::new(BINARY)
            .args(["serve", "--config"])
            .arg(&config)
            .args(arguments)
            .args(admin)
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
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
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
fn paths_that_hold_another_file_are_refused_by_serve_and_check_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("pumphouse.db"), "years of history").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
    for (name, kind) in
        [("pumphouse.db", "a regular file"), ("folder", "a directory"), ("link", "a symbolic link")]
    {
        for server in [
            format!("listen = [\"unix:{name}\"]\nadmin_listen = \"127.0.0.1:0\"\n"),
            format!("listen = [\"127.0.0.1:0\"]\nadmin_listen = \"unix:{name}\"\n"),
        ] {
            let config =
                format!("[server]\n{server}[auth]\nopen = true\n[history]\nenabled = false\n");
            std::fs::write(at("pumphouse.toml"), config).unwrap();
            for command in ["check", "serve"] {
                let refused = crate::server::run(&[command], directory.path());
                let output = String::from_utf8(refused.stderr).unwrap();
                assert_eq!(refused.status.code(), Some(1), "{command}: {output}");
                assert!(
                    output.contains(&format!("unix:{name}: {kind} is at this path")),
                    "{output}"
                );
                assert!(output.contains("choose another path"), "{output}");
            }
        }
    }
    assert_eq!(std::fs::read_to_string(at("pumphouse.db")).unwrap(), "years of history");
    assert!(at("folder").is_dir());
    assert!(std::fs::symlink_metadata(at("link")).is_ok());
}

#[test]
fn check_notes_the_state_of_socket_paths_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    drop(std::os::unix::net::UnixListener::bind(at("dead.sock")).unwrap());
    let live = std::os::unix::net::UnixListener::bind(at("live.sock")).unwrap();
    let config = "[server]\nlisten = [\"unix:dead.sock\", \"unix:live.sock\"]\n\
                  admin_listen = \"unix:run/admin.sock\"\n";
    std::fs::write(at("pumphouse.toml"), config).unwrap();
    let checked = crate::server::run(&["check"], directory.path());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let output = String::from_utf8(checked.stdout).unwrap();
    for note in [
        "note: unix:dead.sock: no process listens on it; a start replaces it",
        "note: unix:live.sock: a process listens there now",
        "note: unix:run/admin.sock: the folder run does not exist yet",
    ] {
        assert!(output.contains(note), "{note:?} is not in {output}");
    }
    assert!(at("dead.sock").exists() && at("live.sock").exists());
    drop(live);
}

#[test]
fn live_socket_is_refused_with_a_message() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.sock");
    let listen = format!("unix:{}", path.display());
    let _first = Serve::start(&["--no-tls", "--listen", &listen], Stdio::null());
    std::fs::write(directory.path().join("pumphouse.toml"), "[auth]\nopen = true\n").unwrap();
    let arguments = ["serve", "--no-tls", "--listen", &listen, "--admin-listen", "127.0.0.1:0"];
    let second = crate::server::run(&arguments, directory.path());
    let output = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{output}");
    assert!(output.contains("another process listens on this socket"), "{output}");
    assert!(ping(&mut UnixStream::connect(&path).unwrap()).ends_with("ok\n"));
}

#[test]
fn admin_listener_on_a_unix_socket_answers_any_host_and_removes_its_file_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let listen = format!("unix:{}", path.display());
    let mut serve = Serve::start(
        &["--no-tls", "--listen", "127.0.0.1:0", "--admin-listen", &listen],
        Stdio::null(),
    );
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: any.example\r\n\r\n").unwrap();
    let answer = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    let stop = Command::new("kill").arg(serve.0.id().to_string()).status().unwrap();
    assert!(stop.success());
    assert!(serve.0.wait().unwrap().success());
    assert!(!path.exists(), "it removed its socket");
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
