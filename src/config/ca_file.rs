//! `ca_file` of sources: each file is read once for all sources that name it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use super::section::{Section, Spanned};
use crate::file_error::{FileError, MAX_TEXT_BYTES, Shown};

/// Certificates of a file, which all sources that name it share.
type CaCerts = Arc<[CertificateDer<'static>]>;

/// Files that were read. A fleet of thousands may name one bundle.
#[derive(Debug, Default)]
pub(super) struct CaFiles(Mutex<BTreeMap<PathBuf, CaCerts>>);

impl CaFiles {
    /// Reads the certificates of `ca_file` in a section.
    pub(super) fn read(&self, section: &mut Section<'_, '_>) -> Option<CaCerts> {
        let at = section.path("ca_file")?;
        // Locked while the file is read: threads that read other sources of it wait for the one copy.
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = files.get(&at.value) {
            return Some(known.clone());
        }
        let path = at.value.clone();
        let read = read(section, at)?;
        files.insert(path, read.clone());
        Some(read)
    }
}

fn read(section: &Section<'_, '_>, Spanned { value, span }: Spanned<PathBuf>) -> Option<CaCerts> {
    let bytes = match FileError::read(&value, MAX_TEXT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            section.report_unreadable(span, "ca_file", &error);
            return None;
        }
    };
    let shown = Shown(&value);
    let read = || -> Result<Vec<CertificateDer<'static>>, pem::Error> {
        CertificateDer::pem_slice_iter(&bytes).collect()
    };
    match read() {
        Ok(found) if !found.is_empty() => return Some(found.into()),
        Ok(_) => {
            let reason = format_args!("{shown} contains no certificate (BEGIN CERTIFICATE)");
            section.report_file(span, "ca_file", reason);
        }
        Err(error) => {
            // The error repeats the line, which is the whole key if the file is one in a single line.
            let reason = match error {
                pem::Error::MissingSectionEnd { .. } => "an END line is missing".to_owned(),
                pem::Error::IllegalSectionStart { .. } => {
                    "a BEGIN line does not end with five dashes".to_owned()
                }
                error => error.to_string(),
            };
            section.report_file(span, "ca_file", format_args!("{shown} is not PEM: {reason}"));
        }
    }
    None
}
