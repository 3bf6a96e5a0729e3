//! The server under a real supervisord, with the sections of the example files.

mod alarms;
mod passing;
mod rights;
mod watching;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostile::config::Config;

use crate::harness::{eventually, get};
use crate::process::send_signal;
use crate::server::{BINARY, run, threads};
use crate::watchdog::Wedge;

const EXAMPLE: &str = include_str!("../../../examples/supervisord.conf");
const FCGI_EXAMPLE: &str = include_str!("../../../examples/supervisord-fcgi.conf");

/// Control interface of supervisord.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    /// A unix socket, without a password.
    Unix,
    /// TCP, as joe with the password [`PASSWORD`].
    Inet,
}

const PASSWORD: &str = "s3cret";

/// A supervisord, shut down when dropped.
struct Supervisord {
    child: Child,
    directory: tempfile::TempDir,
}

impl Supervisord {
    /// Starts supervisord with these sections, whose example paths are replaced, and with a
    /// certificate in `certs/` for another name than that of this machine, as the README makes it.
    fn start(control: Control, config: &Config, sections: &str) -> Supervisord {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().display().to_string();
        let made = run(&["cert", "--name", "pumphouse.example"], directory.path());
        assert!(made.status.success());
        config.write(directory.path());
        let sections = sections
            .replace("/usr/local/bin/pumphouse-web", BINARY)
            .replace("/srv/pumphouse", &folder)
            .replace("/var/log/", &format!("{folder}/"))
            .lines()
            .filter(|line| !line.starts_with("user="))
            .fold(String::new(), |text, line| text + line + "\n");
        let (server, url) = match control {
            Control::Unix => (
                format!("[unix_http_server]\nfile={folder}/control.sock\n"),
                format!("unix://{folder}/control.sock"),
            ),
            Control::Inet => {
                let port = free_port();
                let login = format!("username=joe\npassword={PASSWORD}\n");
                (
                    format!("[inet_http_server]\nport=127.0.0.1:{port}\n{login}"),
                    format!("http://127.0.0.1:{port}\n{login}"),
                )
            }
        };
        let main = format!(
            "[supervisord]\nnodaemon=true\nlogfile={folder}/supervisord.log\n\
             pidfile={folder}/supervisord.pid\n{server}\
             [supervisorctl]\nserverurl={url}\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
        );
        std::fs::write(directory.path().join("supervisord.conf"), main + &sections).unwrap();
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

    fn is_running(&self, program: &str) -> bool {
        self.control(&["status", program]).contains("RUNNING")
    }

    fn process(&self, program: &str) -> String {
        self.control(&["pid", program]).trim().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    /// Waits until a file contains `text`, and returns the file.
    fn wait_for(&self, name: &str, text: &str) -> String {
        let mut printed = String::new();
        eventually(&format!("{name} contains {text:?}"), || {
            printed = self.read(name);
            printed.contains(text)
        });
        printed
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

impl Drop for Supervisord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["supervisord.log", "pumphouse-watch.log", "pumphouse-web.log"] {
                eprintln!("{name}:\n{}", self.read(name));
            }
        }
        // Killing supervisord would leave the server running.
        self.control(&["shutdown"]);
        let _ = self.child.wait();
    }
}

/// Returns a free port. Another process could bind it before it is used, but the kernel assigns other
/// ports first.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn signal(process: &str, name: &str) {
    send_signal(process.parse().unwrap(), name);
}

#[test]
fn server_under_supervisord_restarts_after_a_crash_and_stops_with_0() {
    let config = Config::http().set("tls.cert", "certs/cert.pem").set("tls.key", "certs/key.pem");
    let (section, _) = EXAMPLE.split_once("[eventlistener").unwrap();
    let supervisord = Supervisord::start(Control::Unix, &config, section);
    let running = || supervisord.is_running("pumphouse-web");
    eventually("the server runs", running);
    let process = supervisord.process("pumphouse-web");
    signal(&process, "KILL");
    eventually("the server was started again", || {
        running() && supervisord.process("pumphouse-web") != process
    });

    let stopped = supervisord.control(&["stop", "pumphouse-web"]);
    assert!(stopped.contains("stopped"), "{stopped}");
    let log = supervisord.read("supervisord.log");
    assert!(log.contains("stopped: pumphouse-web (exit status 0)"), "{log}");
    let printed = supervisord.read("pumphouse-web.log");
    assert!(printed.contains("listening on https://"), "{printed}");
    assert!(!printed.contains('\u{1b}'), "no colours in a file: {printed}");
}

/// strace delays a system call of each thread for longer than the test waits.
#[test]
fn server_with_a_stuck_thread_is_restarted_within_seconds() {
    let port = free_port();
    let config = Config::new()
        .listen(&format!("127.0.0.1:{port}"))
        .set("server.admin_listen", "unix:admin.sock")
        .set("server.workers", 1);
    let section = EXAMPLE.split("[eventlistener").next().unwrap();
    let supervisord = Supervisord::start(Control::Unix, &config, section);
    let serves = || {
        let ask = || -> std::io::Result<usize> {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(get("/ping").as_bytes())?;
            stream.read(&mut [0; 512])
        };
        ask().is_ok_and(|length| length > 0)
    };
    for (thread, calls) in [("pw-acceptor", "epoll_wait"), ("pw-worker-0", "writev,sendto,sendmsg")]
    {
        eventually("the server serves", serves);
        let process = supervisord.process("pumphouse-web");
        let held = Instant::now();
        let wedge = Wedge::new(&threads(process.parse().unwrap(), thread), calls);
        // These requests block the worker in its system call.
        while serves() {}
        let mut wedge = Some(wedge);
        eventually("the watchdog ended the process, and the server serves again", || {
            let gave_up = supervisord.read("pumphouse-web.log").contains("giving up");
            // A process with a delayed thread cannot end.
            wedge.take_if(|_| gave_up);
            serves() && supervisord.process("pumphouse-web") != process
        });
        // Seven seconds on an idle machine.
        eprintln!("{thread}: back after {:.1} s", held.elapsed().as_secs_f64());
        assert!(held.elapsed() < Duration::from_secs(30));
        std::fs::write(supervisord.path("pumphouse-web.log"), "").unwrap();
    }
    let log = supervisord.read("supervisord.log");
    assert_eq!(log.matches("exit status 70; not expected").count(), 2, "{log}");
}
