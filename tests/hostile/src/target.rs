//! A server to attack: the real binary, in a folder of its own.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::client::read_response;
use crate::config::Config;
use crate::dense_history::DenseHistory;
use crate::program;

/// Options of a server's start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Configuration; the source of `history` is added to it.
    pub config: Config,
    /// Value of `RUST_LOG`; `None`: unset.
    pub log: Option<&'static str>,
    /// Limit of open files; `None`: the limit of this process.
    pub descriptors: Option<u32>,
    /// Observations in the history; `None`: a server without a source.
    pub history: Option<DenseHistory>,
    /// Number of fields, beside the level, in the last reading of the history's source; 0: no
    /// reading.
    pub fields: usize,
}

impl From<Config> for Setup {
    fn from(config: Config) -> Setup {
        Setup { config, log: None, descriptors: None, history: None, fields: 0 }
    }
}

/// A running server, killed when dropped.
pub struct Target {
    child: Child,
    /// Address of the public listener.
    pub address: SocketAddr,
    /// Address of the admin listener.
    pub admin: SocketAddr,
    /// Client configuration that trusts the server's certificate.
    pub config: Arc<ClientConfig>,
    log: Arc<LogReader>,
    directory: tempfile::TempDir,
}

impl Target {
    /// Starts the binary.
    ///
    /// # Errors
    /// The binary cannot be started, or ends before it listens.
    pub fn start(binary: &Path, setup: impl Into<Setup>) -> io::Result<Target> {
        let setup = setup.into();
        let binary = program::resolve(binary)?;
        let directory = tempfile::tempdir()?;
        let folder = directory.path();
        program::run(Command::new(&binary).args(["cert", "--dir", "."]).current_dir(folder), "")?;
        if let Some(history) = setup.history {
            let database = folder.join("pumphouse.db");
            history.fill(&database).map_err(io::Error::other)?;
            if setup.fields > 0 {
                DenseHistory::write_last_values(setup.fields, &database)?;
            }
        }
        let scheme = if setup.config.has_tls() { "https" } else { "http" };
        let sources = setup.history.map(DenseHistory::source);
        setup.config.sources(sources).write(folder);
        let mut command = command(&binary, setup.descriptors);
        command
            .args(["serve", "--config", "pumphouse.toml"])
            .current_dir(folder)
            .env_remove("PUMPHOUSE_CONFIG")
            .env_remove("RUST_LOG")
            .envs(setup.log.map(|level| ("RUST_LOG", level)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = program::spawn(&mut command)?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
        let mut stderr = BufReader::new(stderr);
        let mut addresses = || -> io::Result<_> {
            let public = address_behind(&format!("listening on {scheme}://"), &mut stderr)?;
            Ok((public, address_behind("admin listener on http://", &mut stderr)?))
        };
        let (address, admin) = addresses().inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(folder.join("cert.pem"));
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        let config = client_config(roots);
        Ok(Target { child, address, admin, config, log: LogReader::start(stderr), directory })
    }

    /// Returns the process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns the working folder of the process.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder().join("cert.pem")
    }

    /// Number of lines logged since the listeners were logged.
    pub fn log_lines(&self) -> usize {
        self.log.lines.load(Ordering::Relaxed)
    }

    /// Stops reading standard error until the server is dropped.
    pub fn stop_reading_log(&self) {
        *self.log.paused.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Returns the exit status if the process has ended.
    ///
    /// # Errors
    /// The kernel does not know the process.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends TERM and returns the time until the process has ended; `None` if it still runs after
    /// `timeout`.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn terminate(&mut self, timeout: Duration) -> io::Result<Option<Duration>> {
        let begun = Instant::now();
        program::run(Command::new("kill").args(["-TERM", &self.process().to_string()]), "")?;
        while begun.elapsed() < timeout {
            if self.exited()?.is_some() {
                return Ok(Some(begun.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(None)
    }

    /// Returns the response to a GET at the admin listener.
    ///
    /// # Errors
    /// There is no response.
    pub fn admin_page(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let response = read_response(&mut stream)?;
        Ok(String::from_utf8_lossy(&response).into_owned())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log.resume();
    }
}

/// Returns the command that becomes the server, without its arguments.
fn command(binary: &Path, descriptors: Option<u32>) -> Command {
    let Some(descriptors) = descriptors else { return Command::new(binary) };
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")).arg(binary);
    command
}

/// Reads lines up to the first one that contains `text`, and returns the address behind it.
fn address_behind(text: &str, stderr: &mut impl BufRead) -> io::Result<SocketAddr> {
    let mut read = String::new();
    loop {
        let begin = read.len();
        if stderr.read_line(&mut read)? == 0 {
            let message = format!("the server logged no line with {text:?}; it logged: {read}");
            return Err(io::Error::other(message));
        }
        if let Some((_, address)) = read[begin..].trim_end().split_once(text) {
            return address.trim_end_matches('/').parse().map_err(io::Error::other);
        }
    }
}

/// Thread that reads the server's log, so that the pipe never fills; it can be paused.
struct LogReader {
    lines: AtomicUsize,
    paused: Mutex<bool>,
    resumed: Condvar,
}

impl LogReader {
    fn start(mut stderr: BufReader<ChildStderr>) -> Arc<LogReader> {
        let reader = Arc::new(LogReader {
            lines: AtomicUsize::new(0),
            paused: Mutex::new(false),
            resumed: Condvar::new(),
        });
        let counted = Arc::clone(&reader);
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                counted.lines.fetch_add(1, Ordering::Relaxed);
                line.clear();
                let paused = counted.paused.lock().unwrap_or_else(PoisonError::into_inner);
                drop(counted.resumed.wait_while(paused, |paused| *paused));
            }
        });
        reader
    }

    fn resume(&self) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.resumed.notify_all();
    }
}

/// Returns a client configuration that trusts these roots.
pub fn client_config(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions of the protocol")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
