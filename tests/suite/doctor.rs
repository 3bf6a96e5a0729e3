//! `doctor` beside servers that are healthy, faulty, stopped, or another program.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use pumphouse_web::kernel::listen_queue::granted_backlog;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, Server};

/// Runs `doctor` and requires that it ends within its time bound. Returns exit code and output.
fn doctor(arguments: &[&str]) -> (i32, String) {
    let begun = Instant::now();
    let Output { status, stdout, stderr } = Command::new(BINARY)
        .arg("doctor")
        .args(arguments)
        .env_remove("PUMPHOUSE_CONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // The bound is 5 s; a busy machine may start the process late.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let printed = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), printed)
}

fn beside(server: &Server, more: &[&str]) -> (i32, String) {
    let (listen, admin) = (server.address.to_string(), server.admin.to_string());
    doctor(&[&["--listen", &listen, "--admin", &admin, "--timeout", "5s"], more].concat())
}

#[test]
fn healthy_server_passes_with_0() {
    let server = Server::start(&Config::https());
    let (code, page) = beside(&server, &[]);
    assert_eq!(code, 0, "{page}");
    let limit = granted_backlog(1024);
    let line = format!("ok     accept queue    0 / {limit} waiting at {}", server.address);
    for line in ["ok     health", &line, "ok     workers", "localhost, 127.0.0.1", "All is well."] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    let (code, json) = beside(&server, &["--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["well"], &report["answered"]), (0, &true.into(), &true.into()));
    assert_eq!(report["scoreboard"]["process"]["pid"], server.process());
    assert!(report["findings"].as_array().unwrap().iter().all(|it| it["mark"] != "wrong"));
}

#[test]
fn silent_source_and_refused_reload_are_findings() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = Source::json("well", &format!("http://{}", silent.local_addr().unwrap()))
        .value("pressure", "/pressure", "")
        .set("interval", "1s")
        .set("timeout", "500ms");
    let server = Server::start(&Config::https().source(source));
    let config = server.folder().join("pumphouse.toml");
    std::fs::write(&config, "[server]\nlisten = 1\n").unwrap();
    server.signal("HUP");
    server.wait_for_log("HUP: nothing changes");
    let (code, page) = beside(&server, &[]);
    assert_eq!(code, 1, "{page}");
    for line in ["WRONG  readiness       well is waiting. (503)", "source", "WRONG  reloads"] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    assert!(page.contains("-> correct the errors that `pumphouse-web check` reports"), "{page}");
}

#[test]
fn stopped_server_is_found_through_the_kernel() {
    let server = Server::start(&Config::https());
    // A thread gets its name when it first runs.
    let names = (0..8).map(|number| format!("pw-worker-{number}"));
    let names: Vec<String> = names.chain(["pw-acceptor".to_owned()]).collect();
    eventually("the workers and the acceptor have started", || {
        names.iter().all(|name| !server.threads(name).is_empty())
    });
    server.signal("STOP");
    let waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let (code, page) = beside(&server, &[]);
    server.signal("CONT");
    assert_eq!(code, 1, "{page}");
    let process = server.process();
    for line in [
        "WRONG  admin listener".to_owned(),
        "timed out".to_owned(),
        format!("{} for pumphouse-web (pid {process}) to accept", server.address),
        format!("WRONG  process         pumphouse-web, pid {process}: stopped"),
        format!("-> kill -CONT {process}"),
        " stopped".to_owned(),
        ", pw-acceptor, ".to_owned(),
        ", 8 pw-worker".to_owned(),
        "open files".to_owned(),
        "ESTAB".to_owned(),
    ] {
        assert!(page.contains(&line), "{line:?} is not in\n{page}");
    }
    eventually("the server continues", || server.serves());
    drop(waiting);
}

/// The first requests are never answered. The deadline passes while `doctor` is stopped, so it examines the
/// server again.
#[test]
fn doctor_that_was_stopped_examines_the_server_again() {
    let server = Server::start(&Config::https());
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let (listen, admin) = (server.address.to_string(), relay.local_addr().unwrap().to_string());
    let mut command = Command::new(BINARY);
    command
        .args(["doctor", "--listen", &listen, "--admin", &admin, "--timeout", "2s"])
        .env_remove("PUMPHOUSE_CONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut doctor = Process::start_logged(&mut command);
    let (first, _) = relay.accept().unwrap();
    doctor.signal("STOP");
    std::thread::sleep(Duration::from_secs(5));
    let upstream = server.admin;
    std::thread::spawn(move || {
        for stream in relay.incoming() {
            std::thread::spawn(move || relay_one(stream.unwrap(), upstream));
        }
    });
    doctor.signal("CONT");
    assert_eq!(doctor.wait().code(), Some(0), "{:?}", doctor.log().lines());
    drop(first);
}

/// Passes one request on to the server, and its response back.
fn relay_one(mut client: TcpStream, server: SocketAddr) {
    let mut upstream = TcpStream::connect(server).unwrap();
    let mut requests = client.try_clone().unwrap();
    let mut to_server = upstream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut requests, &mut to_server));
    let _ = std::io::copy(&mut upstream, &mut client);
}

#[test]
fn full_accept_queue_of_any_program_is_found() {
    // A socket of this program, which accepts nothing.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(2).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (listen, absent) = (address.to_string(), "unix:/nonexistent/admin.sock");
    // On a busy machine it takes long to read the kernel's tables.
    let arguments = ["--listen", &listen, "--admin", absent, "--timeout", "20s"];
    let (code, page) = doctor(&arguments);
    assert_eq!(code, 1, "{page}");
    let queue = format!("WRONG  accept queue    3 / 2 wait at {address} for ");
    let (_, by) = page.split_once(&queue).unwrap_or_else(|| panic!("{queue:?} is not in\n{page}"));
    assert!(
        by.lines().next().unwrap().contains(&format!("(pid {})", std::process::id())),
        "{page}"
    );
    assert!(page.contains(&format!("{absent} does not answer: No such file")), "{page}");

    let (code, json) = doctor(&[&arguments[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    let socket = &report["kernel"]["listeners"][0]["sockets"][0];
    assert_eq!((code, &socket["depth"], &socket["limit"]), (1, &3.into(), &2.into()), "{json}");
    assert_eq!((&report["answered"], &report["scoreboard"]), (&false.into(), &Value::Null));
    drop(waiting);
}

#[test]
fn doctor_arguments_and_configuration_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pumphouse.toml");
    // The user of `doctor` may lack what the rest of the file needs.
    let text = "[server]\nlisten = [\"127.0.0.1:1\"]\nadmin_listen = \"unix:/nonexistent/a\"\n\
                [[source]]\ntoken = \"${A_SECRET_OF_OTHERS}\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    for (arguments, expected) in [
        (&["--config", &file, "--timeout", "20s"][..], "no process listens at 127.0.0.1:1\n"),
        (&["--config", &file], "unix:/nonexistent/a does not answer"),
        (&["--config", "/nonexistent"], "cannot read the configuration"),
        (&["--admin", "0.0.0.0:6480"], "loopback"),
        (&["--timeout", "soon"], "not a duration"),
    ] {
        let (code, printed) = doctor(arguments);
        let is_usage = matches!(arguments[0], "--admin") || arguments[1] == "soon";
        assert_eq!(code, if is_usage { 2 } else { 1 }, "{arguments:?}: {printed}");
        assert!(printed.contains(expected), "{arguments:?}: {expected:?} is not in {printed}");
    }
    let (_, printed) = doctor(&["--help"]);
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["--admin", "--json", "sudo", "accept queue"] {
        assert!(printed.contains(word), "{word} is not in {printed}");
    }
}

#[test]
fn admin_listener_on_a_unix_socket_is_examined() {
    let well = Upstream::answering(r#"{"pressure": 29.92}"#);
    let source = Source::json("well", &well.url()).value("pressure", "/pressure", "");
    let server = Server::start(&Config::https().source(source));
    server.eventually_status("the well has answered", |status| {
        status["sources"]["well"]["state"] == "fresh"
    });
    // A second server in the same folder, with an admin listener on a unix socket.
    let socket = server.folder().join("admin.sock");
    let admin = format!("unix:{}", socket.display());
    let mut second = Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", &admin])
        .current_dir(server.folder())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it listens", || socket.exists());
    let (_, page) = doctor(&["--listen", "127.0.0.1:1", "--admin", &admin, "--timeout", "5s"]);
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(page.contains("facts from the server"), "{page}");
    assert!(page.contains("ok     health"), "{page}");
}
