//! The setup: a checked configuration with its certificates, loaded from files and the command line.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::config::{
    self, CertificateError, Certificates, Config, ConfigErrors, ListenAddr, NotLocalError,
    TlsFiles, admin_address,
};
use crate::engine::tls::TlsError;

/// A checked configuration and the certificates that it names.
pub struct Setup {
    /// The configuration, with the command line's overrides applied.
    pub config: Config,
    /// Certificates of the public listeners; `None`: they speak plain HTTP.
    pub certificates: Option<Certificates>,
}

/// Options of the command line that replace keys of the configuration file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Public listeners in place of `[server] listen`, if there are any.
    pub listen: Vec<ListenAddr>,
    /// Admin listener in place of `[server] admin_listen`.
    pub admin_listen: Option<ListenAddr>,
    /// Serves plain HTTP even if the file has `[tls]`.
    pub no_tls: bool,
}

/// Reads the setup: at the start, and again at each HUP.
#[derive(Debug, Clone)]
pub struct SetupLoader {
    /// Path of the configuration file.
    pub path: PathBuf,
    /// Options that replace keys of the file.
    pub overrides: Overrides,
}

/// Reason why a setup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration file has errors.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A certificate or its key cannot be used.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// The admin listener would be reachable from other machines.
    #[error("--admin-listen {address}: {error}")]
    AdminListen {
        /// The address given on the command line.
        address: ListenAddr,
        /// Reason why it is not allowed.
        error: NotLocalError,
    },
}

impl SetupError {
    /// Returns true if the same files may be usable later: the system is short of a resource.
    pub fn is_passing(&self) -> bool {
        match self {
            SetupError::Certificates(CertificateError::File { error, .. }) => is_shortage(error),
            SetupError::Certificates(CertificateError::Tls { error, .. }) => {
                matches!(error, TlsError::Ticketer(_))
            }
            _ => false,
        }
    }
}

/// Returns true if the process or the system has no descriptor or memory left.
fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGE: [Errno; 3] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| SHORTAGE.contains(&errno))
}

impl SetupLoader {
    /// Reads and checks the configuration and its certificates.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn load(&self) -> Result<Setup, SetupError> {
        let Overrides { listen, admin_listen, no_tls } = &self.overrides;
        // The addresses take part in the check: those reachable from elsewhere demand [auth].
        let mut config = config::load_to_serve(&self.path, listen)?;
        if let Some(address) = admin_listen {
            config.server.admin_listen = admin_address(address.clone())
                .map_err(|error| SetupError::AdminListen { address: address.clone(), error })?;
        }
        if *no_tls {
            config.tls = None;
        }
        let certificates = config.tls.as_ref().map(TlsFiles::load).transpose()?;
        Ok(Setup { config, certificates })
    }
}
