//! `watch` as an event listener of supervisord, and on its own.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use hostile::client::TEST_TIMEOUT;
use hostile::config::{Config, Source};

use super::{Control, EXAMPLE, PASSWORD, Supervisord, free_port, signal};
use crate::harness::eventually;
use crate::server::{BINARY, run};

const WEB: &str = "pumphouse-web";
const WATCH: &str = "pumphouse-watch";
const EVENTS: &str = "events=TICK_5,PROCESS_STATE_FATAL";

/// Returns a configuration, and the sections of the example with these options and a free port.
pub fn example(options: &str) -> (Config, String) {
    let port = free_port();
    let config = Config::new()
        .listen(&format!("127.0.0.1:{port}"))
        .set("server.admin_listen", "unix:admin.sock")
        .set("tls.cert", "certs/cert.pem")
        .set("tls.key", "certs/key.pem");
    let sections = EXAMPLE
        .replace("--failures 3 --max-restarts 4", options)
        .replace("stopwaitsecs=10", "stopwaitsecs=1");
    (config, sections)
}

#[test]
fn silent_server_is_restarted_and_a_failed_upstream_restarts_nothing() {
    let (config, sections) = example("--failures 1 --grace 1s");
    let source = Source::json("well", &format!("http://127.0.0.1:{}/", free_port()))
        .value("depth", "/depth", "in")
        .set("interval", "1s");
    let sections = sections.replace(EVENTS, &format!("{EVENTS}\nenvironment=RUST_LOG=debug"));
    let supervisord = Supervisord::start(Control::Unix, &config.source(source), &sections);
    supervisord.wait_for(&format!("{WATCH}.log"), "pumphouse-web is healthy");
    supervisord.wait_for(&format!("{WEB}.log"), "well");
    let healthy = |log: &str| log.matches("pumphouse-web is healthy").count();
    eventually("three probes while the upstream is down", || {
        healthy(&supervisord.read("pumphouse-watch.log")) >= 3
    });
    let process = supervisord.process(WEB);
    assert!(!supervisord.read("pumphouse-watch.log").contains("failed probe"));
    let admin = format!("unix:{}", supervisord.path("admin.sock").display());
    let probed = run(&["probe", "--url", &admin], supervisord.directory.path());
    assert_eq!(probed.stdout, format!("healthy: {admin} answered 200\n").as_bytes());

    signal(&process, "STOP");
    let printed = supervisord.wait_for("pumphouse-watch.log", "restarted pumphouse-web: process");
    assert!(printed.contains("timeout: no complete response within 2 s"), "{printed}");
    assert!(printed.contains("scoreboard of pumphouse-web: none, timeout"), "{printed}");
    let seen = healthy(&printed);
    eventually("the server is healthy again", || {
        healthy(&supervisord.read("pumphouse-watch.log")) > seen
    });
    assert_ne!(supervisord.process(WEB), process);
    let log = supervisord.read("supervisord.log");
    assert!(log.contains("killing 'pumphouse-web'"), "a stopped process has to be killed: {log}");
    assert!(!log.contains("UNKNOWN state"), "the protocol was kept: {log}");
}

/// The file alone would end the next start: other machines reach its address, and it has no `[auth]`. The command
/// has what supervisord and `env` take out of it before the server sees it.
#[test]
fn silent_server_is_restarted_with_the_address_of_its_command_line() {
    let (_, sections) = example("--failures 1 --grace 1s");
    let port = free_port();
    let config = Config::new()
        .listen(&format!("0.0.0.0:{port}"))
        .set("server.admin_listen", "unix:admin.sock");
    let sections = sections
        .replace(
            "/usr/local/bin/pumphouse-web serve",
            &format!(
                "/usr/bin/env \"A=b c\" /usr/local/bin/pumphouse-web serve --config \
                 \"%(here)s/pumphouse.toml\" '--listen=127.0.0.1:{port}'"
            ),
        )
        .replace(EVENTS, &format!("{EVENTS}\nenvironment=RUST_LOG=debug"));
    let supervisord = Supervisord::start(Control::Unix, &config, &sections);
    supervisord.wait_for(&format!("{WATCH}.log"), "pumphouse-web is healthy");
    signal(&supervisord.process(WEB), "STOP");
    let printed = supervisord.wait_for("pumphouse-watch.log", "restarted pumphouse-web: process");
    assert!(!printed.contains("ALARM"), "{printed}");
}

#[test]
fn dry_run_restarts_nothing_and_the_restart_limit_raises_an_alarm() {
    let (config, sections) = example("--failures 1 --max-restarts 1 --grace 1s");
    let (_, listener) = sections.split_once("[eventlistener:pumphouse-watch]").unwrap();
    let login = format!("SUPERVISOR_USERNAME=joe,SUPERVISOR_PASSWORD={PASSWORD}");
    let dry = format!("[eventlistener:dry]{listener}")
        .replace("watch --program", "watch --dry-run --program")
        .replace("pumphouse-watch.log", "dry.log")
        .replace(EVENTS, &format!("{EVENTS}\nenvironment={login}"));
    // This listener is started after the dry run.
    let sections = sections
        .replace("autorestart=true", "autorestart=true\nautostart=false")
        .replace(EVENTS, &format!("{EVENTS}\nenvironment={login}"));
    let supervisord = Supervisord::start(Control::Inet, &config, &(sections + &dry));
    supervisord.wait_for("pumphouse-web.log", "admin listener on");
    supervisord.wait_for("dry.log", "supervisord reports pumphouse-web as ");
    let process = supervisord.process(WEB);
    signal(&process, "STOP");
    supervisord.wait_for("dry.log", "dry run: pumphouse-web would be restarted now");
    assert_eq!(supervisord.process(WEB), process);
    assert!(!supervisord.read("supervisord.log").contains("stopped: pumphouse-web"));

    supervisord.control(&["start", WATCH]);
    supervisord.wait_for("pumphouse-watch.log", "restarted pumphouse-web: process");
    eventually("it runs", || supervisord.is_running(WEB));
    let process = supervisord.process(WEB);
    signal(&process, "STOP");
    let printed =
        supervisord.wait_for("pumphouse-watch.log", "ALARM: pumphouse-web is not healthy");
    assert!(printed.contains("ERROR ALARM"), "{printed}");
    assert_eq!(supervisord.process(WEB), process, "one restart an hour and no more");
    assert!(!printed.contains(PASSWORD), "{printed}");

    // The operator stops the server, and restarts `watch`, which then has its full limit.
    supervisord.control(&["stop", WEB]);
    supervisord.control(&["restart", WATCH]);
    supervisord.wait_for(
        "pumphouse-watch.log",
        "pumphouse-web is left alone: supervisord reports STOPPED",
    );
    assert!(supervisord.control(&["status", WEB]).contains("STOPPED"));
}

#[test]
fn watch_outside_supervisord_restarts_by_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("http://{}", silent.local_addr().unwrap());
    let mut watch = Command::new(BINARY)
        .args(["watch", "--exec", "echo again >> done; echo said", "--admin", &admin])
        .args(["--failures", "1"])
        .args(["--grace", "1ms", "--timeout", "100ms", "--max-restarts", "1"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    eventually("the command was run", || folder.path().join("done").exists());
    eventually("its output is logged", || {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        log.contains("restart command: said")
    });
    signal(&watch.id().to_string(), "TERM");
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn watch_survives_garbage_and_ends_with_supervisord() {
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("unix:{}", folder.path().join("absent").display());
    let begun = Instant::now();
    let mut watch = Command::new(BINARY)
        .args(["watch", "--program", "x", "--server-url", &absent, "--admin", &absent])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = watch.stdin.take().unwrap();
    stdin.write_all(b"\0\xff garbage\nlen:12\n").unwrap();
    stdin.write_all(b"ver:3.0 eventname:TICK_5 len:15\nwhen:1201063880").unwrap();
    drop(stdin);
    let output = watch.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(output.stdout, b"READY\nRESULT 2\nOKREADY\n", "nothing else: {printed}");
    assert!(printed.contains("x could not be restarted: supervisord does not answer"), "{printed}");
    assert!(printed.contains("supervisord is gone"), "{printed}");
    assert!(begun.elapsed() < TEST_TIMEOUT);
}

#[test]
fn contradictory_watch_options_are_refused() {
    let login = "http://joe:s3cret@127.0.0.1:9001";
    let cases: [(&[&str], i32, &str); 8] = [
        (&[], 2, "give either --program NAME, under supervisord, or --exec COMMAND"),
        (&["--program", "x", "--exec", "y"], 2, "give either"),
        (&["--program", "x"], 2, "supervisord's address is not known"),
        (&["--exec", "y", "--failures", "0"], 2, "at least 1"),
        (&["--exec", "y", "--admin", "http://127.0.0.1:6480/metrics"], 2, "without a path"),
        (&["--exec", "y", "--ca", "nowhere.pem"], 1, "cannot read nowhere.pem"),
        (&["--exec", "y", "--config", "nowhere.toml"], 1, "nowhere.toml"),
        (&["--program", "x", "--server-url", login], 2, "must not hold a user or a password"),
    ];
    for (arguments, code, expected) in cases {
        let refused = Command::new(BINARY)
            .arg("watch")
            .args(arguments)
            .env_remove("SUPERVISOR_SERVER_URL")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {printed}");
        assert!(printed.contains(expected) && !printed.contains("s3cret"), "{printed}");
    }
}
