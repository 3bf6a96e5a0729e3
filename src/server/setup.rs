//! The setup: a checked configuration with its certificates, loaded from files and the command line.

use std::fmt;
use std::path::PathBuf;

use crate::certificates::{CertificateErrors, Certificates};
use crate::config::{
    self, Config, ConfigErrors, ListenAddr, NotLocalError, TlsFiles, admin_address,
};
use crate::outbound::tls::Authorities;

/// A checked configuration and the certificates that it names.
pub struct Setup {
    /// The configuration, with the command line's overrides applied.
    pub config: Config,
    /// Certificates of the public listeners; `None`: they speak plain HTTP.
    pub certificates: Option<Certificates>,
    /// Certificate authorities of the system, read together with the files; `None` if nothing needs them.
    pub(crate) authorities: Option<Authorities>,
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

/// Reasons why a setup cannot be used, at least one. Each is displayed as one line or more.
#[derive(Debug)]
pub struct SetupErrors(Vec<SetupError>);

/// Reason why a setup cannot be used.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error(transparent)]
    Config(ConfigErrors),
    #[error("{errors}")]
    Certificates { files: Box<TlsFiles>, errors: CertificateErrors },
    #[error("--admin-listen {address}: {error}")]
    AdminListen { address: ListenAddr, error: NotLocalError },
    /// The panic hook has logged it.
    #[error("a defect: the read of the configuration panicked")]
    Panicked,
}

impl SetupErrors {
    /// Returns the error of a read that panicked.
    pub(super) fn panicked() -> SetupErrors {
        SetupErrors(vec![SetupError::Panicked])
    }

    /// Returns the errors of the certificate files, if there are any and the setup names the same files as
    /// `in_use`. Errors of other files say nothing about those in use.
    pub fn certificates(&self, in_use: &TlsFiles) -> Option<&CertificateErrors> {
        self.0.iter().find_map(|error| match error {
            SetupError::Certificates { files, errors } if files.names_same_files(in_use) => {
                Some(errors)
            }
            _ => None,
        })
    }

    /// Returns true if the command line alone is wrong.
    pub fn is_usage(&self) -> bool {
        self.0.iter().all(|error| matches!(error, SetupError::AdminListen { .. }))
    }

    /// Returns true if the same files may be usable later: the system is short of a resource.
    pub fn is_passing(&self) -> bool {
        self.0.iter().all(|error| match error {
            SetupError::Certificates { errors, .. } => errors.is_passing(),
            _ => false,
        })
    }
}

impl std::error::Error for SetupErrors {}

impl fmt::Display for SetupErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl SetupLoader {
    /// Reads and checks the configuration and its certificates, and reads the authorities that its sources trust.
    ///
    /// # Errors
    /// All errors of the configuration, of its certificates and of the command line.
    pub fn load(&self) -> Result<Setup, SetupErrors> {
        let Overrides { listen, admin_listen, no_tls } = &self.overrides;
        let mut errors = Vec::new();
        let admin_listen = admin_listen.clone().and_then(|address| {
            let checked = admin_address(address.clone());
            checked.map_err(|error| errors.push(SetupError::AdminListen { address, error })).ok()
        });
        // The addresses take part in the check: those reachable from elsewhere demand [auth].
        let config = config::load_to_serve(&self.path, listen);
        let tls = match &config {
            Ok(config) => config.tls.as_ref(),
            Err(faulty) => faulty.tls_files(),
        };
        let tls = tls.filter(|_| !no_tls);
        let certificates = tls.map(|files| {
            Certificates::load(files).map_err(|faulty| {
                let files = Box::new(files.clone());
                errors.push(SetupError::Certificates { files, errors: faulty });
            })
        });
        let certificates = certificates.transpose();
        let config = config.map_err(|faulty| errors.insert(0, SetupError::Config(faulty)));
        match (config, certificates) {
            (Ok(mut config), Ok(certificates)) if errors.is_empty() => {
                config.server.admin_listen = admin_listen.unwrap_or(config.server.admin_listen);
                config.tls = config.tls.filter(|_| !no_tls);
                let authorities = config.trusts_system().then(Authorities::of_system);
                Ok(Setup { config, certificates, authorities })
            }
            _ => Err(SetupErrors(errors)),
        }
    }
}
