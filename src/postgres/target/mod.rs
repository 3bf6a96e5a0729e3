//! The database to connect to: hosts, user, name, and how to encrypt and whom to trust.

mod error;
mod url;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::password::Password;
use crate::text::clean;

pub use error::TargetError;

/// Port of a host without one.
const DEFAULT_PORT: u16 = 5432;

/// Database, and its hosts in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) password: Option<Password>,
    pub(super) database: String,
    pub(super) ssl_mode: SslMode,
    pub(super) root_certificates: Option<RootCertificates>,
    pub(super) session: SessionAttrs,
    pub(super) application_name: String,
    /// Most time for one host; `None`: its share of the deadline.
    pub(super) connect_timeout: Option<Duration>,
}

/// A host on which the database may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Tcp {
        /// Name, or an address without brackets.
        name: String,
        port: u16,
    },
    /// Folder of unix sockets, whose names hold a port.
    Unix { folder: PathBuf, port: u16 },
}

/// Encryption of connections, by the names of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum SslMode {
    /// No encryption.
    Disable,
    /// Encryption if the server refuses a connection without it.
    Allow,
    /// Encryption if the server supports it.
    Prefer,
    /// Encryption, with any certificate.
    Require,
    /// Encryption, with a certificate of a trusted authority.
    VerifyCa,
    /// Encryption, with a certificate of a trusted authority for the host.
    VerifyFull,
}

/// Certificates that servers are verified by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCertificates {
    /// Authorities of the system.
    System,
    /// File of certificates (PEM).
    File(PathBuf),
}

/// State of the server that a session needs, by the names of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum SessionAttrs {
    /// Any server.
    Any,
    /// A server whose transactions can write.
    ReadWrite,
    /// A server that is no standby.
    Primary,
}

impl Target {
    /// Parses a URL such as `postgresql://pumphouse@db1,db2:5433/pumphouse?sslmode=verify-full`, as libpq does.
    ///
    /// # Errors
    /// The text is no such URL, or asks for what this client does not have. The error repeats nothing of the text
    /// but names and values of parameters without secrets.
    pub fn parse(url: &str) -> Result<Target, TargetError> {
        url::parse(url)
    }

    /// Sets the password, as that of a file beside the URL.
    pub fn set_password(&mut self, password: String) {
        self.password = Some(Password::new(password));
    }

    /// Returns true if the target has a password.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Returns the encryption that connections have.
    pub fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    /// Returns the certificates by which a server is verified; `None` if servers are not verified.
    pub fn root_certificates(&self) -> Option<RootCertificates> {
        let verifies = match self.ssl_mode {
            SslMode::Disable | SslMode::Allow | SslMode::Prefer => false,
            // As libpq documents it.
            SslMode::Require => self.root_certificates.is_some(),
            SslMode::VerifyCa | SslMode::VerifyFull => true,
        };
        let uses_tcp = self.hosts.iter().any(|host| matches!(host, Host::Tcp { .. }));
        (verifies && uses_tcp)
            .then(|| self.root_certificates.clone().unwrap_or(RootCertificates::System))
    }

    /// Resolves a relative path of `sslrootcert` against this folder.
    pub fn resolve_paths(&mut self, folder: &Path) {
        if let Some(RootCertificates::File(path)) = &mut self.root_certificates {
            *path = folder.join(&*path);
        }
    }

    /// Returns the target for a program of PostgreSQL, as keywords with values. It has no password.
    pub fn libpq(&self) -> String {
        let of_hosts =
            |value: fn(&Host) -> String| self.hosts.iter().map(value).collect::<Vec<_>>().join(",");
        let hosts = of_hosts(|host| match host {
            Host::Tcp { name, .. } => name.clone(),
            Host::Unix { folder, .. } => folder.to_string_lossy().into_owned(),
        });
        let ports = of_hosts(|host| match host {
            Host::Tcp { port, .. } | Host::Unix { port, .. } => port.to_string(),
        });
        let mut values = vec![
            ("host", hosts),
            ("port", ports),
            ("user", self.user.clone()),
            ("dbname", self.database.clone()),
            ("sslmode", <&str>::from(self.ssl_mode).to_owned()),
        ];
        if let Some(RootCertificates::File(path)) = &self.root_certificates {
            values.push(("sslrootcert", path.to_string_lossy().into_owned()));
        }
        let quoted = |value: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-,:/".contains(&byte);
            match !value.is_empty() && value.bytes().all(is_plain) {
                true => value.to_owned(),
                false => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
            }
        };
        let values = values.iter().map(|(key, value)| format!("{key}={}", quoted(&clean(value))));
        values.collect::<Vec<_>>().join(" ")
    }

    /// Returns the name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the target with another database on the same hosts.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Target {
        Target { database: database.to_owned(), ..self.clone() }
    }
}

/// Shows hosts, user and database, and no password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgresql://{}@", clean(&self.user))?;
        for (number, host) in self.hosts.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        write!(f, "/{}", clean(&self.database))
    }
}

impl Host {
    /// Returns true if a connection to the host stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Host::Unix { .. } => true,
            Host::Tcp { name, .. } => {
                let address = name.parse::<IpAddr>().ok();
                name.eq_ignore_ascii_case("localhost")
                    || address.is_some_and(|address| address.to_canonical().is_loopback())
            }
        }
    }

    /// Returns the path of a unix socket.
    pub(super) fn socket_path(folder: &Path, port: u16) -> PathBuf {
        folder.join(format!(".s.PGSQL.{port}"))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Tcp { name, port } if name.contains(':') => write!(f, "[{}]:{port}", clean(name)),
            Host::Tcp { name, port } => write!(f, "{}:{port}", clean(name)),
            Host::Unix { folder, port } => {
                let path = Host::socket_path(folder, *port);
                f.write_str(&clean(&path.to_string_lossy()))
            }
        }
    }
}
