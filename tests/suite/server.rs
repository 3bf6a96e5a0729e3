//! The real binary, started as a supervisor would start it, on ports of the kernel's choice.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use hostile::config::Config;
use hostile::target::client_config;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::harness::{eventually, get};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_pumphouse-web");

/// A running `serve`, killed when dropped.
pub struct Server {
    child: Child,
    log: Arc<Log>,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub client: Arc<ClientConfig>,
    directory: Arc<tempfile::TempDir>,
}

/// What the process has written to standard error.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
    /// True if standard error is left unread.
    paused: Mutex<bool>,
    resumed: Condvar,
}

impl Server {
    /// Starts a server in a folder of its own, with a certificate in `cert.pem`.
    pub fn start(config: &Config) -> Server {
        Server::start_after("true", config)
    }

    /// Starts a server after a command of the shell, such as `ulimit -n 64`.
    pub fn start_after(command: &str, config: &Config) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let made = run(&["cert", "--dir", "."], directory.path());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Server::start_in(Arc::new(directory), command, config)
    }

    /// Starts another server in the same folder, as after a crash.
    pub fn start_again(&self, config: &Config) -> Server {
        Server::start_in(Arc::clone(&self.directory), "true", config)
    }

    fn start_in(directory: Arc<tempfile::TempDir>, command: &str, config: &Config) -> Server {
        config.write(directory.path());
        let mut child = Command::new("sh")
            .args(["-c", &format!("{command} && exec {BINARY} serve")])
            .current_dir(directory.path())
            .env_remove("PUMPHOUSE_CONFIG")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        let address = log.wait_for_address("listening on https://");
        let admin = log.wait_for_address("admin listener on http://");
        let client = trust(&directory.path().join("cert.pem"));
        Server { child, log, address, admin, client, directory }
    }

    /// Writes another configuration and has it taken up; gives the line that says what came of it.
    pub fn reload(&self, config: &Config) -> String {
        config.write(self.folder());
        self.signal_and_wait("HUP", &["reloaded: ", "HUP: nothing changes"])
    }

    /// Sends a signal and waits for a line, not logged before, with one of these texts.
    pub fn signal_and_wait(&self, name: &str, texts: &[&str]) -> String {
        let logged = self.log().len();
        self.signal(name);
        let mut found = None;
        eventually("a signal is answered in the log", || {
            let has = |line: &&String| texts.iter().any(|text| line.contains(text));
            found = self.log().iter().skip(logged).find(has).cloned();
            found.is_some()
        });
        found.unwrap()
    }

    /// A fresh TLS connection with one request; gives the whole response.
    pub fn get(&self, target: &str) -> String {
        self.ask(&get(target))
    }

    /// A fresh TLS connection with that request; gives the whole response.
    pub fn ask(&self, request: &str) -> String {
        let mut stream = connect_tls(self.address, &self.client).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        String::from_utf8(read_response(&mut stream).unwrap()).unwrap()
    }

    /// Whether a fresh TLS connection gets its answer.
    pub fn serves(&self) -> bool {
        let ask = || -> std::io::Result<Vec<u8>> {
            let mut stream = connect_tls(self.address, &self.client)?;
            stream.write_all(get("/ping").as_bytes())?;
            read_response(&mut stream)
        };
        ask().is_ok_and(|response| response.starts_with(b"HTTP/1.1 200"))
    }

    /// A request to the admin listener.
    pub fn admin_get(&self, target: &str) -> String {
        self.try_admin_get(target, TEST_TIMEOUT).unwrap()
    }

    /// The same, where there may be no answer, or none within `patience`.
    pub fn try_admin_get(&self, target: &str, patience: Duration) -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect_timeout(&self.admin, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(get(target).as_bytes())?;
        read_response(&mut stream).map(|response| String::from_utf8(response).unwrap())
    }

    /// Each poll of the source took at most so many seconds, which is a bucket's bound; a poll
    /// that goes on is not counted yet.
    pub fn assert_polls_took_at_most(&self, source: &str, seconds: impl std::fmt::Display) {
        let metrics = self.admin_get("/metrics");
        let count = |sample: &str| -> u64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(sample));
            line.unwrap_or_else(|| panic!("no {sample} in {metrics}")).trim().parse().unwrap()
        };
        let name = "pumphouse_poll_duration_seconds";
        let all = count(&format!("{name}_count{{source=\"{source}\"}}"));
        let within = count(&format!("{name}_bucket{{source=\"{source}\",le=\"{seconds}\"}}"));
        assert!(all > 0, "{source} was polled");
        assert_eq!(within, all, "polls of {source} that took at most {seconds} s");
    }

    /// Stops reading standard error, as a stopped supervisor does.
    pub fn pause_log(&self) {
        *self.log.paused.lock().unwrap() = true;
    }

    /// Reads standard error again.
    pub fn resume_log(&self) {
        *self.log.paused.lock().unwrap() = false;
        self.log.resumed.notify_all();
    }

    /// Waits until a line with that text has been logged.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log.wait_for(text)
    }

    /// The lines logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().clone()
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where it runs, with its configuration.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The certificate that it shows.
    pub fn certificate(&self) -> std::path::PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// Sends a signal by its name, as `kill -NAME` does.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args([&format!("-{name}"), &self.process().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
    }

    /// The threads of that name, by their numbers.
    pub fn threads(&self, name: &str) -> Vec<u32> {
        threads(self.process(), name)
    }

    /// Returns true if the process has not ended.
    pub fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process()));
        status.is_ok_and(|text| !text.contains("State:\tZ"))
    }

    /// The thread of that name, which it takes as soon as it runs.
    pub fn thread(&self, name: &str) -> u32 {
        let mut found = Vec::new();
        eventually("the thread runs", || {
            found = self.threads(name);
            !found.is_empty()
        });
        found[0]
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.signal(), None, "killed by a signal");
                return status;
            }
            assert!(begun.elapsed() < TEST_TIMEOUT, "still running; its log: {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A line of `/proc/PID/status`, such as `Threads`.
    pub fn status_line(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The status JSON as it is now.
    pub fn status(&self) -> serde_json::Value {
        json(&self.get("/api/v1/status"))
    }

    /// Waits until the status JSON fulfils a condition, and gives it.
    pub fn eventually_status(
        &self,
        what: &str,
        fulfilled: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let mut status = serde_json::Value::Null;
        eventually(what, || {
            status = self.status();
            fulfilled(&status)
        });
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.resume_log();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn follow(stderr: std::process::ChildStderr) -> Arc<Log> {
        let log = Arc::new(Log::default());
        let follower = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                follower.lines.lock().unwrap().push(line);
                follower.grown.notify_all();
                let paused = follower.paused.lock().unwrap();
                drop(follower.resumed.wait_while(paused, |paused| *paused).unwrap());
            }
        });
        log
    }

    fn wait_for(&self, text: &str) -> String {
        let find = |lines: &Vec<String>| lines.iter().find(|line| line.contains(text)).cloned();
        let lines = self.lines.lock().unwrap();
        let (lines, _) = self
            .grown
            .wait_timeout_while(lines, TEST_TIMEOUT, |lines| find(lines).is_none())
            .unwrap();
        find(&lines).unwrap_or_else(|| panic!("no line with {text:?} in {lines:#?}"))
    }

    fn wait_for_address(&self, before: &str) -> SocketAddr {
        let line = self.wait_for(before);
        let (_, address) = line.split_once(before).unwrap();
        // Behind it stand a slash, and in a line of JSON the end of the text.
        let address = address.split(['/', '"', ' ']).next().unwrap();
        address.parse().unwrap()
    }
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str], directory: &Path) -> std::process::Output {
    Command::new(BINARY)
        .args(arguments)
        .current_dir(directory)
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub fn trust(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    client_config(roots)
}

/// A process's threads of that name, by their numbers.
pub fn threads(process: u32, name: &str) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    tasks
        .filter(|task| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
        })
        .map(|task| task.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

/// The body of a response.
pub fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

/// The JSON body of a response.
pub fn json(response: &str) -> serde_json::Value {
    serde_json::from_str(body(response)).unwrap_or_else(|error| panic!("{error}: {response}"))
}

/// The status code of a response.
pub fn code(response: &str) -> u16 {
    response["HTTP/1.1 ".len()..][..3].parse().unwrap()
}
