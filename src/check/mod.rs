//! Checks a configuration without starting the server, and describes the behaviour that it configures.
//!
//! The configuration and its certificates are read by the code that the server itself uses. Certificates
//! that are not valid now and socket paths that a start would reject are errors, too. All errors are
//! reported together; everything else is described by `summary`. If requested, [`store`] then tries the database that
//! replicas share, and [`poll`] polls each source once.

mod ca_file;
mod history_path;
mod listeners;
mod observed_time;
pub mod poll;
mod programs;
pub mod store;
mod summary;

use std::fmt;
use std::path::Path;

use jiff::Timestamp;

use crate::certificates::{
    Bound, CertificateErrors, CertificateInfo, CertificateProblem, Certificates, Validity,
};
use crate::config::{self, Config, ConfigErrors, ConfiguredPath, ErrorLine, ListenAddr};
use crate::data_lock::path_fault;
use crate::engine::SocketPathError;
use crate::timestamp::{Rfc3339, Rfc3339Date};

/// A configuration that the server would start with.
pub struct Checked {
    /// The configuration.
    pub config: Config,
    certificates: Option<Certificates>,
    listener_notes: Vec<String>,
}

/// Reasons why the server would not start, or why no client would accept its certificate. Displayed as lines
/// in the order of the configuration; those without a position are last.
#[derive(Debug)]
pub struct CheckErrors(Vec<CheckError>);

#[derive(Debug)]
enum CheckError {
    Config(ConfigErrors),
    Certificates(CertificateErrors),
    Invalid {
        file: ConfiguredPath,
        validity: InvalidTime,
    },
    /// Every client refuses a certificate, at any time.
    Refused {
        file: ConfiguredPath,
        problem: CertificateProblem,
    },
    /// The path of a unix socket holds a file that a start would not replace.
    Socket {
        address: ListenAddr,
        error: SocketPathError,
    },
    /// The history cannot be stored at its path.
    History {
        path: ConfiguredPath,
        fault: String,
    },
}

impl CheckError {
    /// Returns its lines, at least one.
    fn lines(&self) -> Vec<ErrorLine> {
        match self {
            CheckError::Config(errors) => errors.lines(),
            CheckError::Certificates(errors) => errors.lines(),
            CheckError::Invalid { file, validity } => vec![file.error_line(validity)],
            CheckError::Refused { file, problem } => vec![file.error_line(problem)],
            CheckError::Socket { address, error } => {
                vec![ErrorLine { position: None, text: format!("{address}: {error}") }]
            }
            CheckError::History { path, fault } => vec![path.error_line(fault)],
        }
    }
}

/// Reason why clients refuse a certificate now.
#[derive(Debug, thiserror::Error)]
enum InvalidTime {
    #[error("the {} expired on {}; {}", end.holder(names), Rfc3339Date(end.at), end.remedy())]
    Expired { names: String, end: Bound },
    #[error(
        "the {} is not valid before {}, and the clock of this machine says {}; \
         correct the clock, or use the certificate before it",
        start.holder(names), Rfc3339(start.at), Rfc3339(*now)
    )]
    NotYet { names: String, start: Bound, now: Timestamp },
}

impl std::error::Error for CheckErrors {}

impl fmt::Display for CheckErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<ErrorLine> = self.0.iter().flat_map(CheckError::lines).collect();
        ErrorLine::sort(&mut lines);
        f.write_str(&ErrorLine::text_of(lines))
    }
}

/// Checks the configuration file at `path`, and what it refers to.
///
/// # Errors
/// Every reason why the server would not start, or why no client would accept a certificate.
pub fn check(path: &Path, now: Timestamp) -> Result<Checked, CheckErrors> {
    let mut errors = Vec::new();
    let config = config::load_to_serve(path, &[]);
    let tls = match &config {
        Ok(config) => config.tls.as_ref(),
        Err(faulty) => faulty.tls_files(),
    };
    let certificates = tls.map(Certificates::load).transpose();
    let files: Vec<ConfiguredPath> =
        tls.iter().flat_map(|tls| tls.pairs()).map(|pair| pair.cert.clone()).collect();
    let config = config.map_err(|faulty| errors.push(CheckError::Config(faulty))).ok();
    let certificates =
        certificates.map_err(|faulty| errors.push(CheckError::Certificates(faulty))).ok();
    let infos = certificates.iter().flatten().flat_map(|certificates| &certificates.infos);
    for (file, info) in files.into_iter().zip(infos) {
        let refused = info.problems.iter().filter(|problem| problem.refused).cloned();
        errors.extend(refused.map(|problem| CheckError::Refused { file: file.clone(), problem }));
        let validity = invalid_time(info, now);
        errors.extend(validity.map(|validity| CheckError::Invalid { file, validity }));
    }
    let listener_notes = config.as_ref().map(|config| listeners::notes(config, &mut errors));
    let path = config.as_ref().and_then(|config| Some(&config.history.as_ref()?.path));
    errors.extend(path.and_then(|path| {
        Some(CheckError::History { path: path.clone(), fault: path_fault(path)? })
    }));
    match (config, certificates, listener_notes) {
        (Some(config), Some(certificates), Some(listener_notes)) if errors.is_empty() => {
            Ok(Checked { config, certificates, listener_notes })
        }
        _ => Err(CheckErrors(errors)),
    }
}

/// Returns an error if a certificate is not valid now.
fn invalid_time(info: &CertificateInfo, now: Timestamp) -> Option<InvalidTime> {
    let names = info.label();
    let Validity { start, end, .. } = info.validity.clone();
    if now < start.at {
        return Some(InvalidTime::NotYet { names, start, now });
    }
    (info.days_left(now) < 0).then_some(InvalidTime::Expired { names, end })
}

impl Checked {
    /// Returns a description of the server's behaviour, with notes on settings that may be unintended.
    pub fn summary(&self, now: Timestamp) -> String {
        let mut text = summary::render(&self.config, self.certificates.as_ref(), now);
        let history = self.config.history.as_ref();
        let history_notes = history.map(|history| history_path::notes(&history.path));
        let program_notes = programs::notes(&self.config.channels);
        let notes = self.listener_notes.iter().chain(history_notes.iter().flatten());
        for note in notes.chain(&program_notes) {
            text += &format!("note: {note}\n");
        }
        text
    }
}
