//! A server of the attack's own: the real binary, on ports of the kernel's choice.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::client::read_response;

/// A running server, killed when dropped.
pub struct Target {
    child: Child,
    /// Where it serves HTTPS.
    pub address: SocketAddr,
    /// Where its admin listener is.
    pub admin: SocketAddr,
    /// Trusts its certificate.
    pub config: Arc<ClientConfig>,
    log_lines: Arc<AtomicUsize>,
    _directory: tempfile::TempDir,
}

impl Target {
    /// Starts the binary with these keys in `[server]`.
    ///
    /// # Errors
    /// It cannot be started, or ends before it listens.
    pub fn start(binary: &Path, server: &str) -> io::Result<Target> {
        Target::start_by(Command::new(binary), binary, server)
    }

    /// The same, with so many file descriptors and no more.
    ///
    /// # Errors
    /// As above; or the limit cannot be set.
    pub fn start_with_descriptors(binary: &Path, descriptors: u32) -> io::Result<Target> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")).arg(binary);
        Target::start_by(command, binary, "")
    }

    fn start_by(mut command: Command, binary: &Path, server: &str) -> io::Result<Target> {
        let directory = tempfile::tempdir()?;
        let folder = directory.path();
        let cert =
            Command::new(binary).args(["cert", "--dir", "."]).current_dir(folder).output()?;
        if !cert.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&cert.stderr)));
        }
        let config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\n{server}\n\
             [tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n"
        );
        std::fs::write(folder.join("pumphouse.toml"), config)?;
        let mut child = command
            .args(["serve", "--config", "pumphouse.toml"])
            .current_dir(folder)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let mut address_behind = |text: &str| {
            let line = lines.find(|line| line.contains(text));
            let address = line.as_deref().and_then(|line| line.split_once(text));
            let address =
                address.and_then(|(_, address)| address.trim_end_matches('/').parse().ok());
            address.ok_or_else(|| io::Error::other(format!("the server did not say {text:?}")))
        };
        let address = address_behind("listening on https://")?;
        let admin = address_behind("admin listener on http://")?;
        // The rest is read, so that the server never waits for room in the pipe.
        let log_lines = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&log_lines);
        std::thread::spawn(move || {
            lines.for_each(|_| {
                counted.fetch_add(1, Ordering::Relaxed);
            });
        });
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(folder.join("cert.pem"));
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        let config = client_config(roots);
        Ok(Target { child, address, admin, config, log_lines, _directory: directory })
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Lines that it has logged since it began to listen.
    pub fn log_lines(&self) -> usize {
        self.log_lines.load(Ordering::Relaxed)
    }

    /// A page of its admin listener.
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
