//! The real binary, started as a supervisor starts it, on ports of the kernel's choice.

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use hostile::config::Config;
use hostile::standstill::Pulse;
use hostile::target::client_config;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::harness::{eventually, get};
use crate::process::Process;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_pumphouse-web");

/// Returns the value of a sample on a metrics page.
fn sample_value(metrics: &str, sample: &str) -> usize {
    let value = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {sample} in {metrics}")).parse().unwrap()
}

/// A running `serve`, killed when dropped.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub client: Arc<ClientConfig>,
    directory: Arc<tempfile::TempDir>,
    pulse: Pulse,
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
        let mut server = Command::new("sh");
        server
            .args(["-c", &format!("{command} && exec {BINARY} serve")])
            .current_dir(directory.path())
            .env_remove("PUMPHOUSE_CONFIG")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let pulse = Pulse::start().unwrap();
        let process = Process::start_logged(&mut server);
        let address = process.log().wait_for_address("listening on https://");
        let admin = process.log().wait_for_address("admin listener on http://");
        let client = trust(&directory.path().join("cert.pem"));
        Server { process, address, admin, client, directory, pulse }
    }

    /// Writes another configuration and sends HUP; returns the log line with the result.
    pub fn reload(&self, config: &Config) -> String {
        config.write(self.folder());
        self.signal_and_wait("HUP", &["reloaded: ", "HUP: nothing changes"])
    }

    /// Sends a signal, and waits for a new log line with one of these texts.
    pub fn signal_and_wait(&self, name: &str, texts: &[&str]) -> String {
        let logged = self.log().len();
        self.signal(name);
        let mut found = None;
        eventually("the signal is logged", || {
            let has = |line: &&String| texts.iter().any(|text| line.contains(text));
            found = self.log().iter().skip(logged).find(has).cloned();
            found.is_some()
        });
        found.unwrap()
    }

    /// Sends a GET on a fresh TLS connection; returns the response.
    pub fn get(&self, target: &str) -> String {
        self.ask(&get(target))
    }

    /// Sends a request on a fresh TLS connection; returns the response.
    ///
    /// The request is repeated once if the machine stood still meanwhile: the server closes connections
    /// whose deadline has passed then.
    pub fn ask(&self, request: &str) -> String {
        let ask = || {
            let mut stream = connect_tls(self.address, &self.client)?;
            stream.write_all(request.as_bytes())?;
            read_response(&mut stream)
        };
        let stood_before = self.pulse.stood_still();
        let mut response = ask();
        if response.is_err() && self.pulse.stood_still() > stood_before {
            response = ask();
        }
        String::from_utf8(response.unwrap()).unwrap()
    }

    /// Returns true if a fresh TLS connection is served.
    pub fn serves(&self) -> bool {
        let ask = || -> std::io::Result<Vec<u8>> {
            let mut stream = connect_tls(self.address, &self.client)?;
            stream.write_all(get("/ping").as_bytes())?;
            read_response(&mut stream)
        };
        ask().is_ok_and(|response| response.starts_with(b"HTTP/1.1 200"))
    }

    /// Sends a GET to the admin listener; returns the response.
    pub fn admin_get(&self, target: &str) -> String {
        self.try_admin_get(target, TEST_TIMEOUT).unwrap()
    }

    /// Sends a GET to the admin listener; returns an error if a step takes longer than `timeout`.
    pub fn try_admin_get(&self, target: &str, timeout: Duration) -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect_timeout(&self.admin, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.write_all(get(target).as_bytes())?;
        read_response(&mut stream).map(|response| String::from_utf8(response).unwrap())
    }

    /// Returns a metrics page that shows all that happened before the call. The server renders the
    /// page at most once a second.
    fn fresh_metrics(&self) -> String {
        std::thread::sleep(Duration::from_millis(1100));
        self.admin_get("/metrics")
    }

    /// Returns the value of a sample, such as `pumphouse_polls_total{source="well",outcome="ok"}`,
    /// after all that happened before the call.
    pub fn metric(&self, sample: &str) -> usize {
        sample_value(&self.fresh_metrics(), sample)
    }

    /// Requires that each finished poll of the source took at most `seconds`, a bound of a bucket of
    /// the histogram, but for one at each standstill of the machine.
    pub fn assert_polls_took_at_most(&self, source: &str, seconds: impl std::fmt::Display) {
        let metrics = self.fresh_metrics();
        let count = |part: &str, labels: &str| {
            let name = "pumphouse_poll_duration_seconds";
            sample_value(&metrics, &format!("{name}_{part}{{source=\"{source}\"{labels}}}"))
        };
        let all = count("count", "");
        let within = count("bucket", &format!(",le=\"{seconds}\""));
        assert!(all > 0, "{source} was polled");
        let late = all - within;
        assert!(
            late <= self.pulse.standstills(),
            "{late} of {all} polls of {source} took more than {seconds} s"
        );
    }

    /// Stops reading standard error, like a stopped supervisor.
    pub fn pause_log(&self) {
        self.process.log().pause();
    }

    /// Reads standard error again.
    pub fn resume_log(&self) {
        self.process.log().resume();
    }

    /// Waits for a log line that contains `text`, and returns it.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.process.log().wait_for(text)
    }

    /// Returns the log lines so far.
    pub fn log(&self) -> Vec<String> {
        self.process.log().lines()
    }

    /// Returns the process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Returns the working folder, which has the configuration.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of the certificate.
    pub fn certificate(&self) -> std::path::PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// Sends a signal by its name, such as `HUP`. After `KILL`, waits until the kernel has released what the
    /// process held.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
        if name == "KILL" {
            let tasks = || std::fs::read_dir(format!("/proc/{}/task", self.process())).unwrap();
            eventually("the process has ended", || !self.is_running() && tasks().count() == 1);
        }
    }

    /// Returns the ids of the threads with this name.
    pub fn threads(&self, name: &str) -> Vec<u32> {
        threads(self.process(), name)
    }

    /// Returns true if the process has not ended.
    pub fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process()));
        status.is_ok_and(|text| !text.contains("State:\tZ"))
    }

    /// Waits for a thread with this name, which a thread gets when it first runs, and returns its id.
    pub fn thread(&self, name: &str) -> u32 {
        let mut found = Vec::new();
        eventually("the thread runs", || {
            found = self.threads(name);
            !found.is_empty()
        });
        found[0]
    }

    /// Waits until the process has exited.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.process.wait();
        assert_eq!(status.signal(), None, "killed by a signal");
        status
    }

    /// Returns a number of `/proc/PID/status`, such as `Threads`.
    pub fn status_line(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Returns the current status JSON.
    pub fn status(&self) -> serde_json::Value {
        json(&self.get("/api/v1/status"))
    }

    /// Waits until the status JSON fulfils a condition, and returns it.
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

/// Runs a command of the program to its end.
pub fn run<S: AsRef<OsStr>>(arguments: &[S], directory: &Path) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .current_dir(directory)
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Returns the standard output of a command and its errors.
pub fn text(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{stdout}{stderr}")
}

/// Starts the server by the configuration of a folder.
pub fn serve_in(folder: &Path) -> Process {
    serve_by(Command::new(BINARY), folder)
}

/// Starts the server by the configuration of a folder, with a command that runs the program.
pub fn serve_by(mut command: Command, folder: &Path) -> Process {
    command.arg("serve").current_dir(folder).env_remove("RUST_LOG").stdin(Stdio::null());
    Process::start_logged(&mut command)
}

/// Returns a client configuration that trusts this certificate.
pub fn trust(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    client_config(roots)
}

/// Returns the ids of the threads of a process with this name.
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

/// Returns the body of a response.
pub fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

/// Returns the JSON body of a response.
pub fn json(response: &str) -> serde_json::Value {
    serde_json::from_str(body(response)).unwrap_or_else(|error| panic!("{error}: {response}"))
}

/// Returns the status code of a response.
pub fn code(response: &str) -> u16 {
    response["HTTP/1.1 ".len()..][..3].parse().unwrap()
}
