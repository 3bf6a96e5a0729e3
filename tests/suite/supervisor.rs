//! supervisord starts, watches and stops it by the example's section.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::eventually;
use crate::server::{BINARY, run};

const EXAMPLE: &str = include_str!("../../examples/supervisord.conf");

/// A supervisord of the test's own, ended when dropped.
struct Supervisord {
    child: Child,
    directory: tempfile::TempDir,
}

impl Supervisord {
    /// Runs the example's section, with this machine's paths in place of the example's.
    fn start() -> Supervisord {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().display().to_string();
        assert!(run(&["cert"], directory.path()).status.success());
        let config = "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\n\
                      [tls]\ncert = \"certs/cert.pem\"\nkey = \"certs/key.pem\"\n";
        std::fs::write(directory.path().join("pumphouse.toml"), config).unwrap();
        let section = EXAMPLE
            .replace("/usr/local/bin/pumphouse-web", BINARY)
            .replace("/srv/pumphouse", &folder)
            .replace("/var/log/", &format!("{folder}/"))
            .lines()
            .filter(|line| !line.starts_with("user="))
            .fold(String::new(), |text, line| text + line + "\n");
        let main = format!(
            "[supervisord]\nnodaemon=true\nlogfile={folder}/supervisord.log\n\
             pidfile={folder}/supervisord.pid\n\
             [unix_http_server]\nfile={folder}/control.sock\n\
             [supervisorctl]\nserverurl=unix://{folder}/control.sock\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
        );
        std::fs::write(directory.path().join("supervisord.conf"), main + &section).unwrap();
        let child = Command::new("supervisord")
            .args(["-n", "-c"])
            .arg(directory.path().join("supervisord.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("supervisord is needed: apt-get install supervisor");
        Supervisord { child, directory }
    }

    fn control(&self, arguments: &[&str]) -> String {
        let output = Command::new("supervisorctl")
            .arg("-c")
            .arg(self.path("supervisord.conf"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

impl Drop for Supervisord {
    fn drop(&mut self) {
        // A plain kill would leave the server behind.
        self.control(&["shutdown"]);
        let _ = self.child.wait();
    }
}

#[test]
fn it_starts_restarts_after_a_crash_and_stops_with_exit_0() {
    let supervisord = Supervisord::start();
    let running = || supervisord.control(&["status", "pumphouse-web"]).contains("RUNNING");
    eventually("it runs", running);
    let process = supervisord.control(&["pid", "pumphouse-web"]);
    let process = process.trim();
    assert!(Command::new("kill").args(["-KILL", process]).status().unwrap().success());
    eventually("it was started again", || {
        running() && supervisord.control(&["pid", "pumphouse-web"]).trim() != process
    });

    let stopped = supervisord.control(&["stop", "pumphouse-web"]);
    assert!(stopped.contains("stopped"), "{stopped}");
    let log = supervisord.read("supervisord.log");
    assert!(log.contains("stopped: pumphouse-web (exit status 0)"), "{log}");
    let told = supervisord.read("pumphouse-web.log");
    assert!(told.contains("listening on https://"), "{told}");
    assert!(!told.contains('\u{1b}'), "no colours in a file: {told}");
}
