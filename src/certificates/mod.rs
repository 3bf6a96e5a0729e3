//! The certificates in use, their renewal while the server runs, and self-signed certificates for a first
//! start.
//!
//! [`Certificates`] are read from the files of `[tls]`: `content` recognises files that cannot be used, and
//! `review` finds properties for which clients refuse a certificate, `chain` faults of its issuers, and `validity` the
//! time in which all of them are valid.
//! [`LiveCertificates`] holds the certificates that the public listeners present. They can be replaced at
//! any time: new handshakes present the new certificates, and open connections are not affected.
//! [`CertificateWatcher`] replaces it when the files change, without a restart or a signal.
//! [`files`] writes a self-signed pair, for the command `cert`, whose names `name` checks and whose files `new_file`
//! puts in their places.

mod chain;
mod content;
pub mod files;
mod info;
mod key_kind;
mod live;
mod load;
mod name;
mod new_file;
mod problem;
mod renewal;
mod review;
mod shown;
mod validity;
mod watcher;

pub use self::chain::{ChainFault, FULL_CHAIN};
pub use self::info::CertificateInfo;
pub use self::live::{EXPIRES_SOON_DAYS, LiveCertificates};
pub use self::load::{CertificateErrors, Certificates};
pub use self::name::{NameError, check_host};
pub use self::problem::CertificateProblem;
pub use self::renewal::RenewalFailure;
pub use self::shown::listed;
pub use self::validity::{Bound, NEW_CHAIN, Validity};
pub use self::watcher::{CertificateWatcher, OnRenewed};

#[cfg(test)]
mod fuzz;
