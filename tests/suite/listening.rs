//! Addresses of `serve`: options, passed sockets, unix sockets, and plain HTTP.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::config::Config;

use crate::harness::get;
use crate::process::Process;
use crate::server::BINARY;

/// Starts a `serve` that is open to all, and waits until it listens.
fn start(arguments: &[&str], stdin: Stdio) -> Process {
    let directory = tempfile::tempdir().unwrap();
    // Without a history, whose files would be in the folder that the tests run in.
    Config::new().open().set("history.enabled", false).write(directory.path());
    let has_admin = arguments.contains(&"--admin-listen");
    let admin: &[&str] = if has_admin { &[] } else { &["--admin-listen", "127.0.0.1:0"] };
    let mut command = Command::new(BINARY);
    command
        .args(["serve", "--config"])
        .arg(directory.path().join("pumphouse.toml"))
        .args(arguments)
        .args(admin)
        .env_remove("RUST_LOG")
        .stdin(stdin);
    let process = Process::start_logged(&mut command);
    process.log().wait_for("admin listener on");
    process
}

fn ping(stream: &mut (impl Read + Write)) -> String {
    stream.write_all(get("/ping").as_bytes()).unwrap();
    String::from_utf8(read_response(stream).unwrap()).unwrap()
}

#[test]
fn socket_held_by_a_supervisor_outlives_the_server() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let passed = || Stdio::from(OwnedFd::from(held.try_clone().unwrap()));
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream
    };
    let first = start(&["--no-tls", "--listen", "fd:0"], passed());
    assert!(ping(&mut connect()).starts_with("HTTP/1.1 200"));
    drop(first);
    // No process serves now, but the socket still queues connections.
    let mut waiting = connect();
    let _second = start(&["--no-tls", "--listen", "fd:0"], passed());
    assert!(ping(&mut waiting).starts_with("HTTP/1.1 200"));
}

#[test]
fn abandoned_unix_socket_is_replaced_and_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.sock");
    let listen = format!("unix:{}", path.display());
    for _ in 0..2 {
        // Killed at the end of each turn, which leaves the file for the next turn.
        let _serve = start(&["--no-tls", "--listen", &listen], Stdio::null());
        let mut stream = UnixStream::connect(&path).unwrap();
        assert!(ping(&mut stream).ends_with("ok\n"));
    }
    assert!(path.exists());
}

#[test]
fn socket_path_of_another_file_is_refused_and_the_file_kept() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("pumphouse.db"), "years of history").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
    for (name, kind) in
        [("pumphouse.db", "a regular file"), ("folder", "a directory"), ("link", "a symbolic link")]
    {
        let socket = format!("unix:{name}");
        for (public, admin) in [(&*socket, "127.0.0.1:0"), ("127.0.0.1:0", &*socket)] {
            Config::new()
                .open()
                .listen(public)
                .set("server.admin_listen", admin)
                .set("history.enabled", false)
                .write(directory.path());
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
    Config::new()
        .listen("unix:dead.sock")
        .listen("unix:live.sock")
        .set("server.admin_listen", "unix:run/admin.sock")
        .write(directory.path());
    let checked = crate::server::run(&["check"], directory.path());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let output = String::from_utf8(checked.stdout).unwrap();
    for note in [
        "note: unix:dead.sock: no process listens on it; a start replaces it",
        "note: unix:live.sock: a process listens there now",
        "note: unix:run/admin.sock: the folder run does not exist now, and no start makes it",
    ] {
        assert!(output.contains(note), "{note:?} is not in {output}");
    }
    assert!(at("dead.sock").exists() && at("live.sock").exists());
    drop(live);
}

/// A proxy's workers run as a user of their own, who is in the server's group.
#[test]
fn group_may_connect_to_the_public_socket_whatever_the_umask_and_the_admin_socket_stays_private() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o750)).unwrap();
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    let group = std::fs::metadata(directory.path()).unwrap().gid();
    // Returns true if a client of another user and this group gets a response.
    let serves = |socket: &str, group: u32| {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", &format!("--regid={group}"), "--clear-groups", "curl", "-s"])
            .arg("--unix-socket")
            .arg(at(socket))
            .arg("http://localhost/ping")
            .output();
        output.unwrap().status.success()
    };
    for (umask, admin_mode) in [("0077", 0o700), ("0022", 0o755)] {
        Config::new()
            .open()
            .set("history.enabled", false)
            .listen("unix:web.sock")
            .set("server.admin_listen", "unix:admin.sock")
            .write(directory.path());
        let script = format!("umask {umask} && exec \"$0\" serve --no-tls");
        let mut command = Command::new("sh");
        command.args(["-c", &script, BINARY]).current_dir(directory.path());
        let server = Process::start_logged(command.env_remove("RUST_LOG").stdin(Stdio::null()));
        server.log().wait_for("admin listener on");
        assert_eq!((mode("web.sock"), mode("admin.sock")), (0o660, admin_mode), "umask {umask}");
        if rustix::process::geteuid().is_root() {
            assert!(serves("web.sock", group), "umask {umask}");
            assert!(!serves("web.sock", 65534) && !serves("admin.sock", group), "umask {umask}");
        }
    }
}

#[test]
fn socket_of_a_live_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.sock");
    let listen = format!("unix:{}", path.display());
    let _first = start(&["--no-tls", "--listen", &listen], Stdio::null());
    Config::new().open().write(directory.path());
    let arguments = ["serve", "--no-tls", "--listen", &listen, "--admin-listen", "127.0.0.1:0"];
    let second = crate::server::run(&arguments, directory.path());
    let output = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(75), "{output}");
    assert!(output.contains("another process listens on this socket"), "{output}");
    assert!(ping(&mut UnixStream::connect(&path).unwrap()).ends_with("ok\n"));
}

#[test]
fn admin_listener_on_a_unix_socket_answers_any_host_and_removes_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let listen = format!("unix:{}", path.display());
    let mut serve =
        start(&["--no-tls", "--listen", "127.0.0.1:0", "--admin-listen", &listen], Stdio::null());
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: any.example\r\n\r\n").unwrap();
    let answer = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    assert_eq!(serve.stop(), Some(0));
    assert!(!path.exists(), "the file of the socket is left behind");
}

#[test]
fn descriptor_that_is_no_listening_socket_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Config::new().open().write(directory.path());
    let refused = crate::server::run(&["serve", "--listen", "fd:0"], directory.path());
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("cannot listen on fd:0: "), "{stderr}");
}
