//! A server of the attack's own: the real binary, on ports of the kernel's choice.

use std::fmt::Write as _;
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
use crate::dense_history::DenseHistory;
use crate::program;

/// Options of a server's start; the default serves HTTPS without accounts, sources and history.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup<'a> {
    /// Keys of `[server]`, besides the listeners.
    pub server: &'a str,
    /// Sections that follow it.
    pub sections: &'a str,
    /// Serve plain HTTP.
    pub plain: bool,
    /// Value of `RUST_LOG`; unset by default.
    pub log: Option<&'a str>,
    /// Limit of open files.
    pub descriptors: Option<u32>,
    /// Observations that the history holds at the start.
    pub history: Option<DenseHistory>,
    /// Fields beside the level in the reading of the history's source; 0: it has no reading.
    pub fields: usize,
}

/// A running server, killed when dropped.
pub struct Target {
    child: Child,
    /// Address of its public listener.
    pub address: SocketAddr,
    /// Address of its admin listener.
    pub admin: SocketAddr,
    /// Trusts its certificate.
    pub config: Arc<ClientConfig>,
    log: Arc<LogReader>,
    directory: tempfile::TempDir,
}

impl Target {
    /// Starts the binary with these keys in `[server]`.
    ///
    /// # Errors
    /// It cannot be started, or ends before it listens.
    pub fn start(binary: &Path, server: &str) -> io::Result<Target> {
        Target::start_with(binary, &Setup { server, ..Setup::default() })
    }

    /// Starts the binary.
    ///
    /// # Errors
    /// It cannot be started, or ends before it listens.
    pub fn start_with(binary: &Path, setup: &Setup<'_>) -> io::Result<Target> {
        let binary = program::resolve(binary)?;
        let directory = tempfile::tempdir()?;
        let folder = directory.path();
        program::run(Command::new(&binary).args(["cert", "--dir", "."]).current_dir(folder), "")?;
        std::fs::write(folder.join("pumphouse.toml"), setup.config())?;
        if let Some(history) = setup.history {
            let database = folder.join("pumphouse.db");
            history.fill(&database).map_err(io::Error::other)?;
            if setup.fields > 0 {
                DenseHistory::keep_reading(setup.fields, &database)?;
            }
        }
        let mut command = setup.command(&binary);
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
        let scheme = if setup.plain { "http" } else { "https" };
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

    /// Returns its process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns the folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder().join("cert.pem")
    }

    /// Number of lines that it has logged since it began to listen.
    pub fn log_lines(&self) -> usize {
        self.log.lines.load(Ordering::Relaxed)
    }

    /// Stops reading its standard error, for as long as the server lives.
    pub fn stop_reading_log(&self) {
        *self.log.paused.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Returns its exit status if the process has ended.
    ///
    /// # Errors
    /// The kernel does not know the process.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends TERM and returns the time until the process has ended; `None` if it still runs after
    /// `patience`.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn terminate(&mut self, patience: Duration) -> io::Result<Option<Duration>> {
        let begun = Instant::now();
        program::run(Command::new("kill").args(["-TERM", &self.process().to_string()]), "")?;
        while begun.elapsed() < patience {
            if self.exited()?.is_some() {
                return Ok(Some(begun.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(None)
    }

    /// Returns a page of its admin listener.
    ///
    /// # Errors
    /// It does not answer.
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

impl Setup<'_> {
    fn config(&self) -> String {
        let mut config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\n{}\n",
            self.server
        );
        if !self.plain {
            config += "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
        }
        config += self.sections;
        if let Some(history) = self.history {
            // Writing to a String cannot fail.
            let _ = write!(config, "\n{}", history.source());
        }
        config
    }

    /// Returns the command that becomes the server, without its arguments.
    fn command(&self, binary: &Path) -> Command {
        let Some(descriptors) = self.descriptors else { return Command::new(binary) };
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")).arg(binary);
        command
    }
}

/// Reads lines up to the first one with that text, and returns the address behind the text.
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

/// Reads the server's log, so that the server never waits for room in the pipe; until it is
/// paused.
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

/// A client's configuration that trusts these roots.
pub fn client_config(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions of the protocol")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
