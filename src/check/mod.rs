//! Checks a configuration without starting the server, and describes the behaviour that it configures.
//!
//! The configuration and its certificates are read by the code that the server itself uses. Expired
//! certificates and socket paths that a start would reject are errors; everything else is described by
//! `summary`. If requested, [`poll`] then polls each source once.

mod ca_file;
mod observed_time;
pub mod poll;
mod summary;

use std::path::Path;

use jiff::Timestamp;

use crate::config::{
    self, CertificateError, Certificates, Config, ConfigErrors, ListenAddr, TlsFiles,
};
use crate::engine::{SocketPath, SocketPathError, inspect_socket_path};
use crate::kernel::addresses::is_assigned;
use crate::timestamp::Rfc3339Date;

/// A configuration that the server would start with.
pub struct Checked {
    /// The configuration.
    pub config: Config,
    certificates: Option<Certificates>,
    listener_notes: Vec<String>,
}

/// Reason why the server would not start, or why no client would accept its certificate.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The configuration file has errors.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A certificate or its key cannot be used.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// A certificate has expired.
    #[error("the certificate for {} expired on {}", names.join(", "), Rfc3339Date(*on))]
    Expired {
        /// Names that the certificate is for.
        names: Vec<String>,
        /// End of its validity.
        on: Timestamp,
    },
    /// The path of a unix socket holds a file that a start would not replace.
    #[error("{address}: {error}")]
    Socket {
        /// Address of the listener.
        address: ListenAddr,
        /// Reason.
        error: SocketPathError,
    },
}

/// Checks the configuration file at `path`, and what it refers to.
///
/// # Errors
/// The server would not start, or a certificate has expired; the variants of [`CheckError`] list the reasons.
pub fn check(path: &Path, now: Timestamp) -> Result<Checked, CheckError> {
    let config = config::load_to_serve(path, &[])?;
    let certificates = config.tls.as_ref().map(TlsFiles::load).transpose()?;
    for info in certificates.iter().flat_map(|certificates| &certificates.infos) {
        if info.days_left(now) < 0 {
            return Err(CheckError::Expired { names: info.names.clone(), on: info.not_after });
        }
    }
    let listener_notes = listener_notes(&config)?;
    Ok(Checked { config, certificates, listener_notes })
}

impl Checked {
    /// Returns a description of the server's behaviour, with notes on settings that may be unintended.
    pub fn summary(&self, now: Timestamp) -> String {
        let mut text = summary::render(&self.config, self.certificates.as_ref(), now);
        for note in &self.listener_notes {
            text += &format!("note: {note}\n");
        }
        text
    }
}

/// Returns notes on addresses that this machine does not have, and on the paths at which unix sockets will
/// be created.
fn listener_notes(config: &Config) -> Result<Vec<String>, CheckError> {
    let redirects = config.tls.iter().flat_map(|tls| &tls.redirect_listen);
    let listeners = config.server.listen.iter().chain(redirects);
    let mut notes = Vec::new();
    for address in listeners.chain([&config.server.admin_listen]) {
        let path = match address {
            ListenAddr::Tcp(tcp) if !is_assigned(*tcp) => {
                notes.push(format!(
                    "{address}: this machine does not have the address now; a server waits for it, and \
                     serves at the others meanwhile"
                ));
                continue;
            }
            ListenAddr::Tcp(_) | ListenAddr::Fd(_) => continue,
            ListenAddr::Unix(path) => path,
        };
        match inspect_socket_path(path) {
            Ok(SocketPath::Free) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.exists()) {
                    let folder = folder.display();
                    notes.push(format!("{address}: the folder {folder} does not exist yet"));
                }
            }
            Ok(SocketPath::Abandoned) => {
                notes.push(format!("{address}: no process listens on it; a start replaces it"));
            }
            Ok(SocketPath::Listening) => {
                notes.push(format!("{address}: a process listens there now"));
            }
            // A server run by another user may have the permission.
            Err(error @ SocketPathError::Unknown(_)) => notes.push(format!("{address}: {error}")),
            Err(error) => return Err(CheckError::Socket { address: address.clone(), error }),
        }
    }
    Ok(notes)
}
