//! Alarms of `watch`: what a restart does not cure, and pauses of processes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use hostile::config::Config;

use super::watching::example;
use super::{Control, Supervisord, free_port, read};
use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, Server, run};

/// Starts `watch` in a folder, with commands that append to the files `restarts` and `reports`.
fn watch(folder: &Path, arguments: &[&str]) -> Process {
    let report =
        "echo \"$PUMPHOUSE_ALARM_STATE $PUMPHOUSE_ALARM_KIND $PUMPHOUSE_ALARM\" >> reports";
    let mut command = Command::new(BINARY);
    command
        .args(["watch", "--exec", "echo restart >> restarts", "--alarm-exec", report])
        .args(["--grace", "1ms"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("PUMPHOUSE_CONFIG")
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Process::start_logged(&mut command)
}

fn wait_for_line(process: &Process, after: usize, text: &str) -> usize {
    let mut found = None;
    eventually(&format!("a line with {text:?}"), || {
        let lines = process.log().lines();
        found = lines.iter().skip(after).position(|line| line.contains(text));
        found.is_some()
    });
    after + found.unwrap()
}

/// The server's certificate is for pumphouse.example, as the README makes it, and `--url` names localhost.
#[test]
fn certificate_for_another_name_raises_an_alarm_and_restarts_nothing_until_it_is_mended() {
    let server = Server::start(&Config::https().set("tls.check_every", "200ms"));
    let folder = server.folder().to_owned();
    let made = |name: &str| {
        let made = run(&["cert", "--dir", ".", "--force", "--name", name], &folder);
        assert!(made.status.success());
    };
    made("pumphouse.example");
    let admin = format!("http://{}", server.admin);
    let url = format!("https://localhost:{}", server.address.port());
    let watch = watch(&folder, &["--failures", "1", "--admin", &admin, "--url", &url]);
    let alarm = watch.log().wait_for("ALARM: ");
    let expected = format!(
        "the certificate is for pumphouse.example, not localhost: probe \
         https://pumphouse.example:{} or make a certificate with --name localhost",
        server.address.port()
    );
    assert!(alarm.contains("ERROR ALARM: ") && alarm.contains(&expected), "{alarm}");
    let at = wait_for_line(&watch, 0, "the server is healthy");
    wait_for_line(&watch, at + 1, "the server is healthy");
    made("localhost");
    watch.log().wait_for("the alarm is over");
    let reports = folder.join("reports");
    eventually("both were reported", || read(&reports).contains("over certificate_name "));
    assert!(read(&reports).starts_with("begins certificate_name "), "{}", read(&reports));
    assert_eq!(read(&reports).lines().count(), 2, "{}", read(&reports));
    assert!(!folder.join("restarts").exists(), "{:?}", watch.log().lines());
    let printed = watch.log().lines();
    assert!(!printed.iter().any(|line| line.contains("failed probe")), "{printed:?}");
}

#[test]
fn watch_and_probe_need_no_options_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(run(&["cert", "--name", "pumphouse.example"], folder).status.success());
    let port = free_port();
    let config = Config::new()
        .listen(&format!("127.0.0.1:{port}"))
        .listen("unix:public.sock")
        .set("server.admin_listen", "unix:admin.sock")
        .set("server.names", serde_json::json!(["tank.example"]))
        .set("tls.cert", "certs/cert.pem")
        .set("tls.key", "certs/key.pem");
    config.write(folder);
    let missing = run(&["probe"], folder);
    assert_eq!(missing.status.code(), Some(1), "no server runs");
    let mut serve = Command::new(BINARY);
    serve.arg("serve").current_dir(folder).env_remove("PUMPHOUSE_CONFIG").stdin(Stdio::null());
    let server = Process::start_logged(&mut serve);
    server.log().wait_for("admin listener on");
    for arguments in
        [&["probe"][..], &["probe", "pumphouse.toml"], &["probe", "--config", "pumphouse.toml"]]
    {
        let probed = run(arguments, folder);
        let printed = String::from_utf8_lossy(&probed.stdout).into_owned();
        assert_eq!(probed.status.code(), Some(0), "{}", String::from_utf8_lossy(&probed.stderr));
        let public =
            format!("https://tank.example:{port}/healthz at 127.0.0.1:{port} answered 200");
        assert!(printed.contains("healthy: unix:admin.sock answered 200; "), "{printed}");
        assert!(printed.contains(&public), "{printed}");
        assert!(printed.contains("https://tank.example/healthz at unix:public.sock"), "{printed}");
    }
    let watch = watch(folder, &["--failures", "1"]);
    watch.log().wait_for("the server is healthy");

    // A fault in the file changes nothing, and is an alarm.
    std::fs::write(folder.join("pumphouse.toml"), "[server]\nlisten = 7\n").unwrap();
    watch.log().wait_for("ALARM: pumphouse.toml:2:");
    let at = watch.log().lines().len();
    wait_for_line(&watch, at, "the server is healthy");
    config.set("server.names", serde_json::json!(["other.example"])).write(folder);
    server.signal("HUP");
    server.log().wait_for("reloaded: ");
    watch.signal("HUP");
    watch.log().wait_for("the configuration has changed: probing unix:admin.sock");
    let at = watch.log().lines().len();
    wait_for_line(&watch, at, "the server is healthy");
    assert!(!folder.join("restarts").exists(), "{:?}", watch.log().lines());
}

/// The server loads the new certificate some seconds before or after `watch` reads it.
#[test]
fn renewal_of_the_certificate_raises_no_alarm_and_restarts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(run(&["cert", "--name", "pumphouse.example"], folder).status.success());
    let config = Config::new()
        .listen(&format!("127.0.0.1:{}", free_port()))
        .set("server.admin_listen", "unix:admin.sock")
        .set("tls.cert", "certs/cert.pem")
        .set("tls.key", "certs/key.pem")
        .set("tls.check_every", "200ms");
    config.write(folder);
    let mut serve = Command::new(BINARY);
    serve.arg("serve").current_dir(folder).env_remove("PUMPHOUSE_CONFIG").stdin(Stdio::null());
    let server = Process::start_logged(&mut serve);
    server.log().wait_for("admin listener on");
    let watch = watch(folder, &["--failures", "1"]);
    let mut at = wait_for_line(&watch, 0, "the server is healthy");
    // Of the same key, and of another one.
    for (number, arguments) in
        [&["cert", "--renew"][..], &["cert", "--force", "--name", "pumphouse.example"]]
            .into_iter()
            .enumerate()
    {
        assert!(run(arguments, folder).status.success());
        eventually("the server has loaded the certificate", || {
            let lines = server.log().lines();
            let loaded = lines.iter().filter(|line| line.contains("the certificates were renewed"));
            loaded.count() > number
        });
        // Probes find a certificate that `watch` has not read yet, and then one that it has read.
        for _ in 0..3 {
            at = wait_for_line(&watch, at + 1, "the server is healthy");
        }
    }
    let probed = run(&["probe"], folder);
    assert_eq!(probed.status.code(), Some(0), "{}", String::from_utf8_lossy(&probed.stderr));
    let lines = watch.log().lines();
    assert!(!lines.iter().any(|line| line.contains("ALARM")), "{lines:?}");
    assert!(!folder.join("restarts").exists() && !folder.join("reports").exists(), "{lines:?}");
}

#[test]
fn program_that_supervisord_gives_up_raises_an_alarm_with_the_event() {
    let (config, sections) = example("--failures 1 --grace 1s");
    let sections = sections.replace("startretries=10", "startretries=0");
    // The configuration is faulty, as is that of `watch`.
    let faulty = config.clone().set("server.nonsense", true);
    let supervisord = Supervisord::start(Control::Unix, &faulty, &sections);
    let printed = gave_up(&supervisord);
    assert!(printed.contains("ALARM: pumphouse.toml:"), "{printed}");
    mend(&supervisord, &config);
}

/// Too few probes fail for a restart, before which the state of the program is read as well.
#[test]
fn program_that_supervisord_gives_up_raises_an_alarm_without_the_event() {
    let (config, sections) = example("--failures 1000 --grace 1s");
    let sections = sections
        .replace("startretries=10", "startretries=0")
        .replace("TICK_5,PROCESS_STATE_FATAL", "TICK_5\nenvironment=RUST_LOG=debug");
    let supervisord = Supervisord::start(Control::Unix, &config, &sections);
    supervisord.wait_for("pumphouse-watch.log", "pumphouse-web is healthy");
    config.clone().set("server.nonsense", true).write(supervisord.directory.path());
    supervisord.control(&["restart", "pumphouse-web"]);
    gave_up(&supervisord);
    mend(&supervisord, &config);
}

/// Waits for the alarm, and returns the log of `watch`.
fn gave_up(supervisord: &Supervisord) -> String {
    let printed = supervisord
        .wait_for("pumphouse-watch.log", "ALARM: supervisord has given up pumphouse-web (FATAL)");
    assert!(printed.contains("supervisorctl start pumphouse-web"), "{printed}");
    printed
}

/// Starts the program with a configuration, and waits for the end of the alarm.
fn mend(supervisord: &Supervisord, config: &Config) {
    config.write(supervisord.directory.path());
    supervisord.control(&["start", "pumphouse-web"]);
    supervisord.wait_for("pumphouse-watch.log", "s: supervisord has given up pumphouse-web");
    assert!(supervisord.is_running("pumphouse-web"));
}

/// Failed probes before and after the stop are not in a row, so no restart follows the stop at once.
#[test]
fn watch_that_was_stopped_forgets_the_failures_before() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("http://{}", silent.local_addr().unwrap());
    let options = ["--admin", &admin, "--failures", "2", "--timeout", "100ms"];
    let watch = watch(folder.path(), &options);
    let failed = wait_for_line(&watch, 0, "1 failed probe");
    watch.signal("STOP");
    std::thread::sleep(std::time::Duration::from_secs(7));
    watch.signal("CONT");
    wait_for_line(&watch, failed, "this process did not run for");
    wait_for_line(&watch, failed, "is not up yet");
    assert!(!folder.path().join("restarts").exists(), "{:?}", watch.log().lines());
    // A server that stays silent is restarted all the same.
    watch.log().wait_for("restarting the server after 2 failed probes");
}

#[test]
fn server_that_was_stopped_reports_no_thread_as_stuck() {
    let server = Server::start(&Config::https());
    for _ in 0..4 {
        server.signal("STOP");
        std::thread::sleep(std::time::Duration::from_secs(5));
        server.signal("CONT");
        let health = server.admin_get("/healthz");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        assert!(server.serves());
    }
    let lines = server.log();
    let is_false = |line: &&String| line.contains("stuck") || line.contains("giving up");
    assert_eq!(lines.iter().find(is_false), None, "{lines:?}");
}

/// The first request is never answered. The deadline of the probe passes while it is stopped, so it probes
/// again.
#[test]
fn probe_that_was_stopped_probes_again() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut command = Command::new(BINARY);
    command.args(["probe", "--url", &url, "--timeout", "2s"]).current_dir(folder.path());
    let mut probe = Process::start_logged(command.stdin(Stdio::null()).stdout(Stdio::null()));
    let (first, _) = listener.accept().unwrap();
    probe.signal("STOP");
    std::thread::sleep(std::time::Duration::from_secs(4));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
        }
    });
    probe.signal("CONT");
    assert_eq!(probe.wait().code(), Some(0), "{:?}", probe.log().lines());
    drop(first);
}
