//! Addresses that the machine does not have when the server starts.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use hostile::config::Config;

use crate::harness::{eventually, get};
use crate::namespaces::{is_inside, run_inside};
use crate::process::Process;
use crate::server::{self, BINARY, Server, body, code, serve_in};

const LATE: &str = "192.0.2.7:6443";
const REDIRECT: &str = "192.0.2.8:6080";

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(done.success(), "ip {arguments}");
}

/// Returns `(address, state, has an error)` of each address on the scoreboard.
fn listeners(server: &Server) -> Vec<(String, String, bool)> {
    let board: serde_json::Value =
        serde_json::from_str(body(&server.admin_get("/scoreboard"))).unwrap();
    let listeners = board["listeners"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    listeners
        .map(|one| (text(&one["address"]), text(&one["state"]), one["error"].is_string()))
        .collect()
}

fn serves(server: &Server, address: &str) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let address: SocketAddr = address.parse().unwrap();
        let mut stream = connect_tls(address, &server.client)?;
        stream.write_all(get("/ping").as_bytes())?;
        read_response(&mut stream)
    };
    ask().is_ok_and(|response| response.starts_with(b"HTTP/1.1 200"))
}

#[test]
fn late_addresses_are_served_when_they_come() {
    run_inside("late_addresses::inside_late", &[]);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside_late() {
    if !is_inside() {
        return;
    }
    let config = Config::https()
        .listen(LATE)
        .open()
        .set("tls.redirect_listen", serde_json::json!([REDIRECT]));
    let folder = tempfile::tempdir().unwrap();
    let notify = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&notify).unwrap();
    systemd.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let next = |wanted: &str| loop {
        let mut buffer = [0; 512];
        let length = systemd.recv(&mut buffer).unwrap_or_else(|_| panic!("no {wanted}"));
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if message.contains(wanted) {
            return message;
        }
    };
    let shell = format!("export NOTIFY_SOCKET={}", notify.display());
    let mut server = Server::start_after(&shell, &config);
    let ready = next("READY=1");
    assert!(ready.contains(&format!("STATUS=Serving; waiting for addresses that this machine does not have: {LATE}, {REDIRECT}")), "{ready}");
    assert!(server.serves(), "the address that is there is served at once");
    for address in [LATE, REDIRECT] {
        let line = server.wait_for_log(&format!("cannot listen on {address}"));
        assert!(line.contains("this machine has no such address"), "{line}");
    }
    let first = server.address.to_string();
    let state =
        |address: &str, state: &str| (address.to_owned(), state.to_owned(), state == "waiting");
    assert_eq!(
        listeners(&server),
        [state(&first, "listening"), state(LATE, "waiting"), state(REDIRECT, "waiting")]
    );
    assert_eq!(server.metric(&format!("pumphouse_listener_up{{address=\"{LATE}\"}}")), 0);
    let doctor = || {
        let admin = server.admin.to_string();
        server::run(&["doctor", "--admin", &admin], server.folder())
    };
    let found = doctor();
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(text.contains(&format!("waiting for {LATE} since")), "{text}");
    assert_eq!(found.status.code(), Some(1));
    let checked = server::run(&["check"], server.folder());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let text = String::from_utf8(checked.stdout).unwrap();
    for address in [LATE, REDIRECT] {
        let note = format!("note: {address}: this machine does not have the address now");
        assert!(text.contains(&note), "{note} is not in {text}");
    }
    assert!(server.reload(&config).contains("reloaded: "), "a reload during the wait");

    ip("addr add 192.0.2.7/32 dev lo");
    server.wait_for_log(&format!("listening on https://{LATE}/"));
    next(&format!("not have: {REDIRECT}\n"));
    assert!(serves(&server, LATE));
    ip("addr add 192.0.2.8/32 dev lo");
    server.wait_for_log(&format!("listening on http://{REDIRECT}/, for redirects to https"));
    next("STATUS=Serving\n");
    let mut stream = std::net::TcpStream::connect(REDIRECT).unwrap();
    stream.write_all(get("/").as_bytes()).unwrap();
    let redirect = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
    assert_eq!(code(&redirect), 308, "{redirect}");
    let location = format!("location: https://localhost:{}/", server.address.port());
    assert!(redirect.to_ascii_lowercase().contains(&location), "{location}: {redirect}");
    assert_eq!(
        listeners(&server),
        [state(&first, "listening"), state(LATE, "listening"), state(REDIRECT, "listening")]
    );
    assert_eq!(server.metric(&format!("pumphouse_listener_up{{address=\"{LATE}\"}}")), 1);
    let queue = format!("\"listener\":\"{LATE}\"");
    assert!(server.admin_get("/scoreboard").contains(&queue), "its accept queue is shown");
    let waits = |address: &str| {
        let line = format!("cannot listen on {address}");
        server.log().iter().filter(|logged| logged.contains(&line)).count()
    };
    assert_eq!((waits(LATE), waits(REDIRECT)), (1, 1), "{:#?}", server.log());

    // It goes and comes back, and the socket serves it again.
    ip("addr del 192.0.2.7/32 dev lo");
    ip("addr add 192.0.2.7/32 dev lo");
    assert!(serves(&server, LATE));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn server_waits_for_its_first_address_with_its_admin_listener_up() {
    run_inside("late_addresses::inside_first", &[]);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside_first() {
    if !is_inside() {
        return;
    }
    ip("addr del ::1/128 dev lo");
    let folder = tempfile::tempdir().unwrap();
    Config::new()
        .open()
        .listen(LATE)
        .listen("[::1]:6443")
        .set("server.admin_listen", "127.0.0.1:0")
        .write(folder.path());
    let start = || {
        let process = serve_in(folder.path());
        let admin = process.log().wait_for_address("admin listener on http://");
        (process, admin)
    };
    // It stops while it waits.
    let (mut process, _) = start();
    assert_eq!(process.stop(), Some(0));
    let (mut process, admin) = start();
    let url = format!("http://{admin}/healthz");
    let healthy = || server::run(&["probe", "--url", &url], folder.path()).status.success();
    eventually("the admin listener serves", healthy);
    // The port is taken before the server gets it: it serves the other address, and this one later.
    ip("addr add 192.0.2.7/32 dev lo");
    ip("addr add ::1/128 dev lo");
    process.log().wait_for(&format!("listening on http://{LATE}/"));
    process.log().wait_for("listening on http://[::1]:6443/");
    assert_eq!(process.stop(), Some(0));

    ip("addr del 192.0.2.7/32 dev lo");
    let (mut process, admin) = start();
    process.log().wait_for("listening on http://[::1]:6443/");
    let other = std::net::TcpListener::bind("0.0.0.0:6443").unwrap();
    ip("addr add 192.0.2.7/32 dev lo");
    process.log().wait_for("another program has it");
    let found = server::run(&["doctor", "--admin", &admin.to_string()], folder.path());
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(text.contains("the machine has the address now; the server listens within"), "{text}");
    assert!(!text.contains("once the machine has it"), "{text}");
    drop(other);
    process.log().wait_for(&format!("listening on http://{LATE}/"));
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn redirects_lead_to_the_first_address_before_it_comes() {
    run_inside("late_addresses::inside_redirect", &[]);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside_redirect() {
    if !is_inside() {
        return;
    }
    const PLAIN: &str = "127.0.0.1:6080";
    let config = Config::https()
        .set("server.listen", serde_json::json!(["192.0.2.7:8443", "127.0.0.1:6443"]))
        .open()
        .set("server.admin_listen", "127.0.0.1:0")
        .set("tls.redirect_listen", serde_json::json!([PLAIN]));
    let folder = tempfile::tempdir().unwrap();
    config.write(folder.path());
    assert!(server::run(&["cert", "--dir", "."], folder.path()).status.success());
    let mut process = serve_in(folder.path());
    process.log().wait_for("admin listener on http://");
    let location = || {
        let mut stream = std::net::TcpStream::connect(PLAIN).unwrap();
        stream.write_all(get("/x").as_bytes()).unwrap();
        String::from_utf8(read_response(&mut stream).unwrap()).unwrap().to_ascii_lowercase()
    };
    let expected = "location: https://localhost:8443/x";
    let before = location();
    assert!(before.contains(expected), "{before}");
    ip("addr add 192.0.2.7/32 dev lo");
    process.log().wait_for("listening on https://192.0.2.7:8443/");
    let after = location();
    assert!(after.contains(expected), "{after}");
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn admin_listener_may_come_late() {
    run_inside("late_addresses::inside_admin", &[]);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside_admin() {
    if !is_inside() {
        return;
    }
    ip("addr del ::1/128 dev lo");
    let config =
        Config::new().open().listen("127.0.0.1:6443").set("server.admin_listen", "[::1]:6480");
    let folder = tempfile::tempdir().unwrap();
    config.write(folder.path());
    let mut process = serve_in(folder.path());
    process.log().wait_for("listening on http://127.0.0.1:6443/");
    process.log().wait_for("cannot listen on [::1]:6480");
    ip("addr add ::1/128 dev lo");
    process.log().wait_for("admin listener on http://[::1]:6480/");
    let url = "http://[::1]:6480/healthz";
    let probe = server::run(&["probe", "--url", url], folder.path());
    assert!(probe.status.success(), "{}", String::from_utf8_lossy(&probe.stderr));
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn exit_code_of_a_failed_start_shows_whether_another_may_succeed() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let http = || Config::http().open().set("history.enabled", false);
    for (config, arguments, before, expected) in [
        (http().listen(&taken), "serve", "true", 75),
        (http().set("server.admin_listen", &*taken), "serve", "true", 75),
        (http(), "serve", "ulimit -n 9", 75),
        (http(), "serve --listen fd:9", "true", 1),
        (http().listen("unix:none/x.sock"), "serve", "true", 1),
        (http().set("server.workerz", 1), "serve", "true", 1),
        (http().set("tls.cert", "none.pem").set("tls.key", "none.pem"), "serve", "true", 1),
        (http(), "serve --config none.toml", "true", 1),
        (http(), "serve --listen nonsense", "true", 2),
        (http(), "serve --admin-listen 192.0.2.1:1", "true", 2),
        (http(), "serve --nonsense", "true", 2),
    ] {
        config.write(folder.path());
        let shell = format!("{before} && exec {BINARY} {arguments}");
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).current_dir(folder.path()).stdin(Stdio::null());
        let mut process = Process::start_logged(command.stdout(Stdio::null()));
        let code = process.wait().code();
        assert_eq!(code, Some(expected), "{before}; {arguments}: {:#?}", process.log().lines());
    }
}
