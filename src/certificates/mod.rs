//! The certificates in use, their renewal while the server runs, and self-signed certificates for a first
//! start.
//!
//! [`LiveCertificates`] holds the certificates that the public listeners present. They can be replaced at
//! any time: new handshakes present the new certificates, and open connections are not affected.
//! [`CertificateWatcher`] replaces it when the files change, without a restart or a signal.
//! [`files`] writes a self-signed pair, for the command `cert`.

pub mod files;
mod live;
mod watcher;

pub use self::live::{EXPIRES_SOON_DAYS, LiveCertificates};
pub use self::watcher::{CertificateWatcher, OnRenewed};
